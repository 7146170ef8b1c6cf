"""The way of one column up to its sources: what made it at each step, in words and SQL; how whole the source's field is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlglot import exp

from tessera import ancestry
from tessera.ancestry import SOURCE, Ancestry, Graph
from tessera.config import Field
from tessera.data.quality import QUALITY
from tessera.data.quarantine import Reason
from tessera.doors.pages.pictures import lineage_graph as picture
from tessera.doors.pages.pictures.lineage_graph import Node
from tessera.doors.pages.quarantine import REASONS
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.tongue import N_
from tessera.errors import Refused
from tessera.lake.engine import literal
from tessera.lake.expressions import told
from tessera.lake.lineage import Name
from tessera.loop import tables

WORDS: dict[type[exp.Expr], str] = {
    exp.Sum: N_("Values are added up."),
    exp.Count: N_("Rows are counted."),
    exp.CountIf: N_("Rows that meet a condition are counted."),
    exp.Avg: N_("It is a mean."),
    exp.Max: N_("The greatest, or the latest, is taken."),
    exp.Min: N_("The least, or the earliest, is taken."),
    exp.ArgMax: N_("It comes from the row that is the greatest in something else."),
    exp.Filter: N_("Only rows that meet a condition count."),
    exp.Case: N_("Which value it is depends on conditions."),
    exp.Coalesce: N_("Something stands in for an empty value."),
    exp.Ntile: N_("Rows are ranked and cut into equal parts."),
    exp.RowNumber: N_("Rows are ranked."),
    exp.Mul: N_("Values are multiplied."),
    exp.Div: N_("A value is divided by another."),
    exp.TimestampTrunc: N_("Times are cut down to a unit."),
    exp.Concat: N_("Texts are put together."),
}  # fmt: skip
"""What an expression does, in words."""

NOTES: dict[str, str] = {
    "": N_("Taken over as the contract says."),
    "sealed": N_("The value lies sealed in the vault; the lake holds the number of its record."),
    "identifier": N_("The value became a key, a number that stands for it."),
    "consent": N_("It is read as an answer to a purpose."),
    "hashed": N_("A keyed hash of it tells rows apart."),
}
"""What landing does with a source's field, in words."""

WHOSE = "user.unique_id"
"""What says whose a row is comes of every identifier of every source: it is told, and not followed."""


@dataclass(frozen=True, kw_only=True)
class Hop:
    """One column on the way. made: the step that fills it; empty: landing, or a source. words, sql: how. of: what its value is
    made of; by: on what it depends which rows count. whose: it says whose a row is, and the way ends here."""

    table: str
    column: str
    depth: int
    note: str = ""
    made: str = ""
    words: Sequence[str] = ()
    sql: Sequence[str] = ()
    of: Sequence[Name] = ()
    by: Sequence[Name] = ()
    whose: bool = False
    version: int | None = None
    written: datetime | None = None
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class End:
    """A field of a source at which a way begins: how whole it is, and what waits in quarantine for it."""

    source: str
    field: str
    contract: Field
    version: str
    department: str
    file: str
    measured: Row
    reasons: Sequence[Reason]

    @property
    def waiting(self) -> int:
        """Rows that wait for this field."""
        return sum(r.rows for r in self.reasons)


def way(room: Room, table: str, column: str) -> dict[str, Any]:
    """The way of a column, with its picture, its steps and where it begins."""
    graph = Graph(room.app.config)
    [start] = graph.of(table, column)
    found = _upward(graph, start)
    depth = picture.lanes({(a.table, t.table) for t in found.values() for a in _above(found, t)}, table)
    hops = [_hop(room, found[n], depth.get(n[0], 0), _whose(start)) for n in found if not n[0].startswith(SOURCE)]
    hops.sort(key=lambda h: (-h.depth, h.table != table, h.table, h.column))
    ends = _ends(room, [n for n in found if n[0].startswith(SOURCE)])
    reached = graph.downstream(table, column)
    carried = sorted(n for n, direct in reached.items() if direct)
    return {
        "table": table.removeprefix(SOURCE), "column": column, "is_source": table.startswith(SOURCE), "start": start,
        "svg": _drawn(room, found, table, column, ends), "hops": hops, "ends": ends,
        "reasons": REASONS, "carried": carried, "decides": len(reached) - len(carried), "address": _address,
        "hidden": _hidden(room, table, column), "siblings": [a.column for a in graph.of(table)],
    }  # fmt: skip


def words(expressions: Sequence[exp.Expr]) -> list[str]:
    """What some expressions do, each thing once."""
    kinds = {type(node) for e in expressions for node in e.walk()}
    return [sentence for kind, sentence in WORDS.items() if kind in kinds]


def _upward(graph: Graph, start: Ancestry) -> dict[Name, Ancestry]:
    """All columns whose values get into one, from it up to the sources. Who is who is followed where it was asked for."""
    found = {(start.table, start.column): start}
    front, asked = [start], _whose(start)
    while front:
        at = front.pop()
        if _whose(at) and not asked:
            continue
        for above in at.direct:
            if above not in found:
                [found[above]] = graph.of(*above)
                front.append(found[above])
    return found


def _above(found: dict[Name, Ancestry], at: Ancestry) -> list[Ancestry]:
    return [found[n] for n in at.direct if n in found and n[0] != at.table]


def _whose(at: Ancestry) -> bool:
    if at.table.startswith(SOURCE):
        return False
    declared = next(t for t in tables() if t.name == at.table)
    return declared.column(at.column).category.startswith(WHOSE)


def _hop(room: Room, at: Ancestry, depth: int, followed: bool) -> Hop:
    app = room.app
    step = ancestry.step_of(at.table)
    made = ancestry.expressions(step, app.config, at.column) if step else []
    declared = next(t for t in tables() if t.name == at.table)
    said = words(made) if step else [NOTES[n] for n in (at.notes or ("",)) if n in NOTES]
    if not step and not at.direct:
        said = [N_("Kept by the machine itself.")]
    if step and step.sql and not made:
        said = [N_("Taken over as it is.")]
    return Hop(
        table=at.table, column=at.column, depth=depth, note=declared.column(at.column).note, made=step.name if step else "",
        words=said, sql=[told(e) for e in made], of=at.direct, by=at.indirect, whose=_whose(at) and not followed,
        version=app.lake.version(at.table), written=app.lake.written(at.table), rows=app.lake.rows(at.table),
    )  # fmt: skip


def _ends(room: Room, fields: Sequence[Name]) -> list[End]:
    """The fields of sources at which the ways begin, the least whole first."""
    if not fields:
        return []
    measured = _measured(room, fields)
    reasons = room.app.quarantine.reasons()
    made = []
    for source, field in fields:
        contract = room.app.contract(source.removeprefix(SOURCE))
        made.append(
            End(
                source=contract.name, field=field, contract=next(f for f in contract.fields if f.name == field),
                version=contract.version, department=contract.department, file=contract.file.name,
                measured=measured.get((contract.name, field), {}),
                reasons=[r for r in reasons if r.source == contract.name and r.field in (field, "")],
            )
        )
    return sorted(made, key=lambda e: (e.measured.get("kpi_percent") or 101, e.source, e.field))


def _measured(room: Room, fields: Sequence[Name]) -> dict[Name, Row]:
    """The newest measurement of each field, where the viewer may see it."""
    if not room.has(QUALITY.name):
        return {}
    listed = ", ".join(literal(s.removeprefix(SOURCE)) for s in sorted({s for s, _ in fields}))
    try:
        found = room.ask(
            "SELECT source, field, rows, complete_percent, valid_percent, kpi_percent, goal_percent, ok, measured_at "
            f"FROM quality WHERE source IN ({listed}) QUALIFY measured_at = max(measured_at) OVER (PARTITION BY source)",
            )
    except Refused:
        return {}
    return {(r["source"], r["field"]): r for r in found}


def _drawn(room: Room, found: dict[Name, Ancestry], table: str, column: str, ends: Sequence[End]) -> Any:
    """The way as a picture: a card for each table, with the columns that the value goes through."""
    low = {e.source for e in ends if e.measured.get("ok") is False}
    known = {e.source for e in ends if e.measured}
    edges = {(a.table, at.table) for at in found.values() for a in _above(found, at)}
    lanes = picture.lanes(edges, table)
    nodes = []
    for name in sorted({n[0] for n in found}):
        through = sorted(c for t, c in found if t == name)
        plain = name.removeprefix(SOURCE)
        below = through[0] if len(through) == 1 else f"{through[0]} +{len(through) - 1}"
        source = name.startswith(SOURCE)
        tone = "slate" if not source or plain not in known else "terra" if plain in low else "verd"
        said = room.tongue("{table}, by way of {columns}", table=plain, columns=", ".join(through))
        nodes.append(
            Node(
                id=name,
                name=room.tongue("source {name}", name=plain) if source else plain,
                to=_address(name, column if name == table else through[0]),
                said=said,
                below=below,
                tone=tone,
                low=source and plain in low,
                chosen=name == table,
                lane=lanes.get(name, 0),
            )
        )
    kept, gone = picture.grouped(nodes)
    ways = {(gone.get(a, a), gone.get(b, b)) for a, b in edges}
    label = room.tongue("The way of {table}.{column} from its sources", table=table.removeprefix(SOURCE), column=column)
    return picture.draw(picture.placed(kept, ways), ways, label)


def _address(table: str, column: str) -> str:
    return f"/lineage/{table.replace(SOURCE, 'source.')}?column={column}"


def _hidden(room: Room, table: str, column: str) -> str:
    """Why the viewer sees no value of this column; empty if she may."""
    presented = room.tables.get(table)
    if presented is None or column not in presented.names:
        return ""
    seen = room.seen(table, column)
    return seen.reason if seen.verdict == "hidden" else ""
