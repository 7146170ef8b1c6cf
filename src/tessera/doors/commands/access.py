"""`tessera access explain|matrix|changes|approve`: who may see what for what, which line says so, and its versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tessera.doors.call import Call, Commands
from tessera.doors.standing import facts

if TYPE_CHECKING:
    from tessera.trust.explained import Cell, Explained
    from tessera.trust.versions import Standing

EXPLAIN = ("access explain analyst profiles.email --purpose analytics", "access explain sales records --purpose operate")


def add(commands: Commands) -> None:
    """Declares them."""
    access = commands.noun("access", "who may see what for what, and why: explain, matrix, changes, approve", EXPLAIN)
    explain = access.add(
        "explain",
        _explain,
        "what a role sees of a table or a column for a purpose, and why",
        EXPLAIN,
        "The answer comes from the functions that the gate asks at each read. It shows nobody's data.",
    )
    explain.add_argument("role", metavar="ROLE", help="a role of access.yaml, yours or not")
    explain.add_argument("name", metavar="TABLE[.COLUMN]", help="a table, or one column of it")
    explain.add_argument("--purpose", metavar="P", required=True, help="what for: a purpose of purposes.yaml")
    matrix = access.add(
        "matrix",
        _matrix,
        "every cell: roles x purposes x data categories",
        ["access matrix", "access matrix --role analyst", "access matrix --purpose marketing --json"],
        "Categories are those of the tables' columns and of the contracts. A cell without a verdict is hidden.",
    )
    matrix.add_argument("--role", metavar="R", help="only this role")
    matrix.add_argument("--purpose", metavar="P", help="only this purpose")
    access.add(
        "changes",
        _changes,
        "the version in force, and what a change that waits would change",
        ["access changes", "access changes --json"],
    )
    approve = access.add(
        "approve",
        _approve,
        "approve the change that waits; with the last approval it is in force",
        ["access approve 3f2a9c01b7de"],
        "Who may approve, and how many must, stands in access.yaml (changes). Nobody approves twice.",
    )
    approve.add_argument("change", metavar="DIGEST", help="the change, as `tessera access changes` names it")


def _explain(call: Call) -> int:
    args = call.args
    table, _, column = args.name.partition(".")
    with call.open() as app:
        found = app.explain(args.role, table, column or None, purpose=args.purpose)
    call.show.answer(asdict(found), lambda: _drawn(call, found, column))
    return 0


def _drawn(call: Call, found: Explained, column: str) -> None:
    lines = {
        "needs": found.needs,
        "rows": "; ".join(f"{rule.says} ({rule.where})" for rule in found.rules) or "no row rule",
        "held by": ", ".join(found.held_by) or "nobody",
        "ask": found.ask,
    }
    if column:
        (one,) = found.columns
        line = one.where or "none; what is not written is not allowed"
        lines = {"verdict": one.verdict, "why": one.reason, "line": line, "category": one.category, **lines}
    else:
        rows = [[c.column, c.category, c.verdict, c.where or "no line"] for c in found.columns]
        call.show.table(["column", "category", "verdict", "decided by"], rows)
        call.show.line()
    call.show.facts(lines)


def _matrix(call: Call) -> int:
    args = call.args
    with call.open() as app:
        cells = app.matrix(args.role, args.purpose)
    call.show.answer([asdict(c) for c in cells], lambda: _grid(call, cells))
    return 0


def _grid(call: Call, cells: list[Cell]) -> None:
    """A row for each role and category, a column for each purpose."""
    purposes = list(dict.fromkeys(c.purpose for c in cells))
    said = {(c.role, c.category, c.purpose): c.verdict for c in cells}
    rows = []
    for role, category in dict.fromkeys((c.role, c.category) for c in cells):
        row = [said[role, category, p] for p in purposes]
        if any(v != "hidden" for v in row):
            rows.append([role, category, *("" if v == "hidden" else v for v in row)])
    call.show.table(["role", "category", *purposes], rows)
    call.show.note(f"{len(cells):,} cells; what is empty or not listed is hidden. Try: tessera {EXPLAIN[0]}")


def _changes(call: Call) -> int:
    with call.open() as app:
        standing = app.standing
    call.show.answer(facts(standing), lambda: _told(call, standing))
    return 0


def _approve(call: Call) -> int:
    with call.open() as app:
        standing = app.approve(call.args.change)
    call.show.answer(facts(standing), lambda: call.show.line(standing.told))
    return 0


def _told(call: Call, standing: Standing) -> None:
    show, waiting = call.show, standing.waiting
    show.line(f"Version {standing.version} ({standing.digest[:12]}) is in force since {standing.at[:19]}Z.")
    if waiting is None:
        show.note("No change waits for approval.")
        return
    show.line()
    rows = [["gives" if c.gives else "takes", c.role, c.purpose, c.category, c.before, c.after] for c in waiting.change.tops]
    if rows:
        show.table(["", "role", "purpose", "category and all below", "before", "after"], rows)
    for other in waiting.change.others:
        show.line(f"{'gives' if other.gives else 'takes'}  {other.says}")
    show.line()
    so_far = ", ".join(waiting.approved) or "nobody yet"
    show.line(f"It waits for {waiting.needs.people} people of {', '.join(waiting.needs.roles)}; approved by {so_far}.")
    show.note(f"Try: tessera access approve {waiting.digest[:12]}")
