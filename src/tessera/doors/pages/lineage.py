"""Lineage: what a table is made of and what is made of it, a step each way at first; or the way of one column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from tessera import ancestry
from tessera.ancestry import SOURCE, Graph
from tessera.doors.pages import holdings, lineage_column
from tessera.doors.pages.holdings import Holding
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures import lineage_graph as picture
from tessera.doors.pages.pictures.lineage_graph import Node
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor, go
from tessera.errors import NotFound
from tessera.loop import tables

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
LINEAGE = Page(
    name="lineage", path="/lineage", title=N_("Lineage"), icon="git-branch", group="govern", function="tables", key="i"
)
PAGES = (LINEAGE,)
FIRST, WHOLE = "profiles", 9
Steps = Annotated[int, Query(ge=0, le=WHOLE)]
Word = Annotated[str, Query(max_length=200)]
Name = Annotated[str, Path(max_length=80, pattern=r"^[a-z0-9_.-]+$")]


@router.get(LINEAGE.path)
async def first(visit: Visitor, table: Word = "") -> Response:
    """The table that was picked; the one of customers, where most questions begin."""
    if table:
        return go(at(table))
    return await visit.page(LINEAGE, "lineage.html", lambda room: around(room, FIRST, 1, 1, "", ""))


@router.get("/lineage/{table}")
async def lineage(
    visit: Visitor, table: Name, column: Word = "", up: Steps = 1, down: Steps = 1,
    opened: Annotated[str, Query(alias="open", max_length=2_000)] = "", path: Word = "", columns: Literal["", "1"] = "",
    q: Word = "",
) -> Response:  # fmt: skip
    """One table (or `source.NAME`), and what is near it."""
    if column:
        return await visit.page(LINEAGE, "lineage_column.html", lambda room: lineage_column.way(room, named(table), column))
    return await visit.page(
        LINEAGE, "lineage.html", lambda room: around(room, named(table), up, down, opened, path, columns == "1", q)
    )


def named(address: str) -> str:
    """The table or source that an address names: a path of ours has no colon.

    >>> named("source.crm"), named("orders")
    ('source:crm', 'orders')
    """
    return SOURCE + address.removeprefix("source.") if address.startswith("source.") else address


def at(name: str, **more: str | int) -> str:
    """The address of a table's or source's lineage."""
    asked = {k: v for k, v in more.items() if v not in ("", 0)}
    return f"/lineage/{name.replace(SOURCE, 'source.')}" + (f"?{urlencode(asked)}" if asked else "")


def around(
    room: Room, chosen: str, up: int, down: int, opened: str, path: str, columns: bool = False, q: str = ""
) -> dict[str, Any]:
    """What a table is made of and what is made of it, as far as was asked."""
    graph = Graph(room.app.config)
    edges, of_column = graph.feeds(), graph.of(chosen)
    known = {n for edge in edges for n in edge} | {chosen}
    names = [n for n in opened.split(",") if n in known]
    before, after = picture.reach(edges, chosen, -1), picture.reach(edges, chosen, 1)
    if path and path not in before | after:
        raise NotFound("Table", path, sorted(before | after))
    shown = _between(edges, chosen, path, before) if path else picture.near(edges, chosen, up, down, names)
    inner = {(a, b) for a, b in edges if a in shown and b in shown and _outward(a, b, chosen, before, after)}
    if not (path or names) and max(up, down) <= 1:
        # A step is a lane: what its neighbours have to do with each other is shown with the second step.
        inner = {(a, b) for a, b in inner if chosen in (a, b)}
    lanes = picture.lanes(inner, chosen)
    held = _held(room, graph, shown | after | {chosen})
    made = [
        _node(room, held[n], lanes.get(n, 0), n == chosen, _more(edges, n, chosen, shown, before) if not path else 0,
              at(chosen, up=up, down=down, open=",".join([*names, n])))
        for n in sorted(shown)
    ]  # fmt: skip
    nodes, gone = picture.grouped(made)
    ways = {(gone.get(a, a), gone.get(b, b)) for a, b in inner}
    placed = picture.placed(nodes, ways)
    return {
        "chosen": chosen, "plain": _plain(chosen), "about": held[chosen], "facts": _facts(room, chosen),
        "svg": picture.draw(placed, ways, room.tongue("What {table} is made of, and what is made of it", table=_plain(chosen))),
        "shown": len(shown), "all": len(before) + len(after) + 1, "grouped": len(gone), "path": path, "path_said": _plain(path),
        "up": up, "down": down, "at": at, "plain_of": _plain,
        "impact": [(held[n], n in gone, depth) for n, depth in _by_depth(edges, chosen, after)],
        "listed": [(n.name, sorted(_plain(a) for a, b in inner if b == n.id), sorted(_plain(b) for a, b in inner if a == n.id))
                   for n in placed if not n.id.startswith(picture.OTHERS)],
        "columns": columns, "q": q, "found": [c for c in of_column if q.lower() in c.column.lower()] if columns else [],
        "column_count": len(of_column), "closed": _closed(room, chosen) if columns else {},
        "every": sorted(known, key=lambda n: (n.startswith(SOURCE), n)),
    }  # fmt: skip


def _between(edges: Iterable[tuple[str, str]], chosen: str, other: str, before: set[str]) -> set[str]:
    """What lies on the ways between the chosen table and another."""
    edges = set(edges)
    a, b = (other, chosen) if other in before else (chosen, other)
    return (picture.reach(edges, a, 1) & picture.reach(edges, b, -1)) | {a, b}


def _outward(a: str, b: str, chosen: str, before: set[str], after: set[str]) -> bool:
    """Whether an arrow is part of the way to the chosen table or away from it, not one around it."""
    return (a in before and (b in before or b == chosen)) or (b in after and (a in after or a == chosen))


def _more(edges: set[tuple[str, str]], node: str, chosen: str, shown: set[str], before: set[str]) -> int:
    """How many further tables wait behind a node that is shown."""
    if node == chosen:
        return 0
    behind = {a for a, b in edges if b == node} if node in before else {b for a, b in edges if a == node}
    return len(behind - shown)


def _by_depth(edges: set[tuple[str, str]], chosen: str, after: set[str]) -> list[tuple[str, int]]:
    """What is made of a table, the nearest first, with how many steps away."""
    found, front, steps = {chosen: 0}, {chosen}, 0
    while front:
        steps += 1
        front = {b for a, b in edges if a in front} - set(found)
        found |= dict.fromkeys(front, steps)
    return sorted(((n, found[n]) for n in after), key=lambda pair: (pair[1], pair[0]))


def _held(room: Room, graph: Graph, names: set[str]) -> dict[str, Holding]:
    """What is known of tables and sources, by name."""
    declared = {t.name: t for t in tables()}
    made = holdings.holdings(room, graph, {n: declared[n] for n in names if n in declared})
    shares = holdings.measured(room) if any(n.startswith(SOURCE) for n in names) else {}
    for contract in room.app.config.sources:
        if (name := SOURCE + contract.name) in names:
            fields = [(contract.name, f.name) for f in contract.fields]
            rows = max((shares[f][2] for f in fields if f in shares), default=0)
            made[name] = Holding(
                name=name, note="", open=True, personal=any(f.personal for f in contract.fields), rows=rows, written=None,
                owners=(contract.department,), share=holdings.share(shares, fields),
            )  # fmt: skip
    return made


def _node(room: Room, held: Holding, lane: int, chosen: bool, more: int, more_to: str) -> Node:
    _ = room.tongue
    share, name = held.share, _plain(held.name)
    name = _("source {name}", name=name) if held.name.startswith(SOURCE) else name
    parts = []
    if share is not None:
        parts.append(_.percent(share.percent / 100, 1))
    if held.rows:
        parts.append(_.many("{n} row", "{n} rows", held.rows))
    if share is None and not held.rows:
        parts.append(_(_nothing(held)))
    if share is None:
        how = _("Nothing was measured of its sources.")
    elif share.low:
        how = _("Its sources are {share} complete and valid, below the goal of {goal}.", **_share(_, share))
    else:
        how = _("Its sources are {share} complete and valid, at or above the goal of {goal}.", **_share(_, share))
    personal = _("It holds personal data.") if held.personal else ""
    tone = "slate" if share is None else "terra" if share.low else "verd"
    return Node(
        id=held.name, name=name, to=at(held.name), said=" ".join(w for w in (name, " · ".join(parts), how, personal) if w),
        below=" · ".join(parts), tone=tone, low=share is not None and share.low, locked=held.personal, chosen=chosen, lane=lane,
        more=more, more_to=more_to,
        more_said=_.many("Show {n} more behind {name}", "Show {n} more behind {name}", more, name=name),
    )  # fmt: skip


def _nothing(held: Holding) -> str:
    """What is said of a table of which there is no figure."""
    if held.inner:
        return N_("the machine's own")
    if not held.open:
        return N_("not open to you")
    return N_("source") if held.name.startswith(SOURCE) else N_("empty")


def _share(tongue: Any, share: holdings.Share) -> dict[str, str]:
    return {"share": tongue.percent(share.percent / 100, 1), "goal": tongue.percent(share.goal / 100)}


def _facts(room: Room, chosen: str) -> Mapping[str, Any]:
    """How a table came to be: the step or source, its purpose, its version."""
    if chosen.startswith(SOURCE):
        contract = room.app.contract(chosen.removeprefix(SOURCE))
        return {"kind": "source", "contract": contract, "last": room.app.synced().get(contract.name, {})}
    step = ancestry.step_of(chosen)
    return {"kind": "step" if step else "landed", "step": step, "version": room.app.lake.version(chosen)}


def _closed(room: Room, chosen: str) -> dict[str, str]:
    """Columns that the viewer may not see, with why."""
    table = room.tables.get(chosen)
    if table is None:
        return {}
    seen = {c.name: room.seen(chosen, c.name) for c in table.columns}
    return {name: s.reason for name, s in seen.items() if s.verdict == "hidden"}


def _plain(name: str) -> str:
    return name.removeprefix(SOURCE)
