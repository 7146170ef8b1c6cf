"""What there is to ask: tables with their rows, age and owners, how whole their sources are; their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tessera.ancestry import SOURCE, Graph
from tessera.config import Verdict
from tessera.data.quality import QUALITY, RULE
from tessera.doors.pages.room import Room
from tessera.errors import Refused
from tessera.lake.table import Table

Field = tuple[str, str]
"""(source, field)"""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A column as the viewer has it."""

    name: str
    type: str
    category: str
    note: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, kw_only=True)
class Share:
    """How whole something is, in per cent, against its goal."""

    percent: float
    goal: float

    @property
    def low(self) -> bool:
        """Whether it is below the goal."""
        return self.percent < self.goal


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A table. open: whether the viewer may see any of it. inner: the machine's own, that nobody asks for. owners: the
    departments that answer for its sources. share: the mean over the fields of sources whose values lie in it; None where
    nothing was measured."""

    name: str
    note: str
    open: bool
    personal: bool
    rows: int
    written: datetime | None
    owners: tuple[str, ...]
    share: Share | None
    inner: bool = False


def measured(room: Room) -> dict[Field, tuple[float, float, int]]:
    """Of each field of each source the newest KPI, its goal and the rows that were counted; empty where the viewer may not see
    it, or nothing was measured yet."""
    if not room.has(QUALITY.name):
        return {}
    try:
        found = room.ask(
            "SELECT source, field, kpi_percent, goal_percent, rows FROM quality "
            f"WHERE kpi_percent IS NOT NULL AND field <> '*' AND NOT starts_with(field, '{RULE}') "
            "QUALIFY measured_at = max(measured_at) OVER (PARTITION BY source)",
            )
    except Refused:
        return {}
    return {(r["source"], r["field"]): (r["kpi_percent"], r["goal_percent"], r["rows"]) for r in found}


def holdings(room: Room, graph: Graph, names: Mapping[str, Table] | None = None) -> dict[str, Holding]:
    """By name, the tables that the viewer may ask for, or those given. Rows and age only of what she may see any of."""
    shares, fields = measured(room), graph.fields()
    departments = {c.name: c.department for c in room.app.config.sources}
    presented = room.tables
    made = {}
    for name, table in (names or presented).items():
        seen = presented.get(name)
        open_ = seen is not None and any(room.seen(name, c.name).verdict != "hidden" for c in seen.columns)
        origins = [(source.removeprefix(SOURCE), field) for source, field in fields.get(name, ())]
        made[name] = Holding(
            name=name, note=table.note, open=open_, inner=seen is None, personal=table.reason != "nobody",
            rows=room.app.lake.rows(name) if open_ else 0, written=room.app.lake.written(name) if open_ else None,
            owners=tuple(sorted({departments[s] for s, _ in origins if s in departments})),
            share=share(shares, origins),
        )  # fmt: skip
    return made if names else {name: h for name, h in made.items() if h.open}


def share(shares: Mapping[Field, tuple[float, float, int]], fields: list[Field]) -> Share | None:
    """The mean over some fields, weighted by rows, against the mean of their goals."""
    found = [shares[f] for f in fields if f in shares]
    weight = sum(rows for _, _, rows in found)
    if not weight:
        return None
    return Share(
        percent=sum(kpi * rows for kpi, _, rows in found) / weight, goal=sum(goal * rows for _, goal, rows in found) / weight
    )


def columns(room: Room, table: str) -> list[Shown]:
    """The columns of a table that people may ask for, each with what the viewer may see of it and why. What only the machine
    uses is left out."""
    declared = room.tables[table]
    made = []
    for c in declared.columns:
        seen = room.seen(table, c.name)
        if seen.reason.endswith("is the machine's own."):
            continue
        made.append(
            Shown(name=c.name, type=c.type, category=c.category, note=c.note, verdict=seen.verdict, reason=seen.reason)
        )
    return made
