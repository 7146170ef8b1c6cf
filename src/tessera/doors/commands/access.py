"""`tessera access explain|matrix`: who may see what for what, cell by cell, and which line of access.yaml says so."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from tessera.doors.call import Call, Commands

if TYPE_CHECKING:
    from tessera.trust.explained import Cell, Explained

EXPLAIN = ("access explain analyst profiles.email --purpose analytics", "access explain sales records --purpose operate")


def add(commands: Commands) -> None:
    """Declares them."""
    access = commands.noun("access", "who may see what for what, and why: explain, matrix", EXPLAIN)
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


def _explain(call: Call) -> int:
    args = call.args
    table, _, column = args.name.partition(".")
    with call.open() as app:
        found = app.explain(args.role, table, column or None, purpose=args.purpose)
    call.show.answer(asdict(found), lambda: _drawn(call, found, column))
    return 0


def _drawn(call: Call, found: Explained, column: str) -> None:
    facts = {
        "needs": found.needs,
        "rows": "; ".join(f"{rule.says} ({rule.where})" for rule in found.rules) or "no row rule",
        "held by": ", ".join(found.held_by) or "nobody",
        "ask": found.ask,
    }
    if column:
        (one,) = found.columns
        line = one.where or "none; what is not written is not allowed"
        facts = {"verdict": one.verdict, "why": one.reason, "line": line, "category": one.category, **facts}
    else:
        rows = [[c.column, c.category, c.verdict, c.where or "no line"] for c in found.columns]
        call.show.table(["column", "category", "verdict", "decided by"], rows)
        call.show.line()
    call.show.facts(facts)


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
    call.show.note(f"{len(cells):,} cells; what is empty or not listed is hidden. Try: {EXPLAIN[0]}")
