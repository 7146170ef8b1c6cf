"""Quality: how each department's data stands against its goal, worst first; the fields behind it, since when, what waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from markupsafe import Markup
from starlette.responses import Response

from tessera.data.quality import QUALITY, RULE
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures import goal_axis
from tessera.doors.pages.quarantine import REASONS
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_, Tongue
from tessera.doors.pages.visit import Visitor
from tessera.errors import NotFound
from tessera.lake.engine import literal

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
QUALITY_PAGE = Page(
    name="quality", path="/quality", title=N_("Quality"), icon="gauge", group="govern", function="tables", key="q"
)
PAGES = (QUALITY_PAGE,)
MEASUREMENTS = 120
"""Measurements of a department that its history shows, the newest ones."""
NAMED = 3
"""Fields that a department's row names."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A field or a rule, as it was last measured. said: what is wrong, as a sentence; empty if nothing is. since: of one below
    its goal, the first measurement that found it so without one in between that did not."""

    source: str
    field: str
    row: Row
    dot: Markup
    said: str
    since: datetime | None

    @property
    def bad(self) -> bool:
        """Whether it is below its goal."""
        return self.row["ok"] is False

    @property
    def is_rule(self) -> bool:
        """Whether it is a rule of the contract's own."""
        return self.field.startswith(RULE)

    @property
    def plain(self) -> str:
        """The field, or the rule without its mark."""
        return self.field.removeprefix(RULE)


@router.get(QUALITY_PAGE.path)
async def quality(
    visit: Visitor, department: Annotated[str, Query(max_length=80)] = "", source: Annotated[str, Query(max_length=80)] = ""
) -> Response:
    """All departments; one of them opened, the worst at first."""

    def work(room: Room) -> dict[str, Any]:
        standing = room.app.quality()
        if department and department not in [d["department"] for d in standing]:
            raise NotFound("Department", department, [d["department"] for d in standing])
        chosen = department or (standing[0]["department"] if standing else "")
        lines = room.card(lambda: _lines(room))
        found: list[Line] = lines.shown if lines.state == "ok" else []
        mine = {c.name for c in room.app.config.sources if c.department == chosen}
        waiting = [r for r in room.app.quarantine.reasons() if r.source in mine]
        fields = [x for x in found if x.source in mine and (not source or x.source == source)]
        return {
            "aged": lambda seconds: _aged(room.tongue, seconds), "low": [x for x in fields if x.bad],
            "well": [x for x in fields if not x.bad],
            "departments": [_department(room, d, found) for d in standing], "chosen": chosen, "source": source,
            "lines": lines, "reasons": REASONS,
            "sources": sorted(mine), "late": _late(room, chosen), "waiting": waiting,
            "axis": goal_axis.axis(_goal(standing, chosen)),
            "history": room.card(lambda: _history(room, chosen, _goal(standing, chosen))) if chosen else None,
            "below": sum(d["ok"] is False for d in standing), "low_fields": sum(x.bad for x in found),
            "all_waiting": sum(room.app.quarantine.waiting().values()),
        }  # fmt: skip

    return await visit.page(QUALITY_PAGE, "quality.html", work)


def sentence(tongue: Tongue, row: Row) -> str:
    """What is wrong with a field or rule, as a sentence; empty where it meets its goal."""
    field = row["field"].removeprefix(RULE)
    if row["ok"] is not False:
        return ""
    shares = {k: row[f"{k}_percent"] for k in ("complete", "valid", "unique") if row[f"{k}_percent"] is not None}
    kind = min(shares, key=lambda k: shares[k], default="")
    if not kind:
        return tongue("{field} is below its goal.", field=field)
    share = tongue.percent(1 - shares[kind] / 100, 1)
    if row["field"].startswith(RULE):
        most = tongue.percent(1 - row["goal_percent"] / 100, 1)
        return tongue("{share} of rows break the rule {field}; at most {most} may.", share=share, field=field, most=most)
    if kind == "complete":
        return tongue("{field} is missing in {share} of rows.", field=field, share=share)
    if kind == "valid":
        return tongue("{field} was refused in {share} of rows.", field=field, share=share)
    return tongue("{field} comes twice in {share} of rows.", field=field, share=share)


def _lines(room: Room) -> list[Line]:
    """Every field and rule as it was last measured, the worst first; those that fail with since when."""
    if not room.has(QUALITY.name):
        return []
    newest = room.ask(
        "SELECT source, field, table_name, rows, complete_percent, valid_percent, unique_percent, fresh_hours, goal_percent, "
        "kpi_percent, ok, measured_at FROM quality QUALIFY measured_at = max(measured_at) OVER (PARTITION BY source)",
    )
    since = room.ask(
        "WITH seen AS (SELECT source, field, measured_at, ok, max(CASE WHEN ok THEN measured_at END) OVER "
        "(PARTITION BY source, field) AS last_ok FROM quality) SELECT source, field, min(measured_at) AS since FROM seen "
        "WHERE NOT ok AND (last_ok IS NULL OR measured_at > last_ok) GROUP BY source, field",
    )
    began = {(r["source"], r["field"]): r["since"] for r in since}
    known = {c.name for c in room.app.config.sources}
    made = []
    for row in (r for r in newest if r["source"] in known and r["field"] != "*"):
        percent = row["kpi_percent"] if row["kpi_percent"] is not None else _least(row)
        where = f"{row['source']}.{row['field']}"
        said = room.tongue("{field}: {share}, goal {goal}", field=where, share=room.tongue.percent((percent or 0) / 100, 1),
                           goal=room.tongue.percent((row["goal_percent"] or 0) / 100, 0))  # fmt: skip
        dot = goal_axis.dot(percent, row["goal_percent"] or 95.0, said)
        wrong = sentence(room.tongue, row)
        made.append(
            Line(source=row["source"], field=row["field"], row=row | {"shown": percent}, dot=dot, said=wrong,
                 since=began.get((row["source"], row["field"])))
        )  # fmt: skip
    return sorted(made, key=lambda x: (not x.bad, x.row["shown"] if x.row["shown"] is not None else 101, x.source, x.field))


def _least(row: Row) -> float | None:
    return min((row[k] for k in ("complete_percent", "valid_percent", "unique_percent") if row[k] is not None), default=None)


def _department(room: Room, standing: Row, lines: Sequence[Line]) -> Row:
    """A department's row: its dot, and what is wrong in words."""
    mine = {c.name: c for c in room.app.config.sources if c.department == standing["department"]}
    bad = [x for x in lines if x.source in mine and x.bad and not x.is_rule]
    tongue, kpi, goal = room.tongue, standing["kpi_percent"], standing["goal_percent"] or 95.0
    said = tongue("{field}: {share}, goal {goal}", field=standing["department"],
                  share=tongue.percent(kpi / 100, 1) if kpi is not None else "–", goal=tongue.percent(goal / 100))  # fmt: skip
    return standing | {
        "dot": goal_axis.dot(kpi, goal, said), "bad": bad, "named": bad[:NAMED], "sources": sorted(mine),
        "rows": sum(max((x.row["rows"] for x in lines if x.source == s), default=0) for s in mine),
        "since": min((x.since for x in bad if x.since), default=None),
    }  # fmt: skip


def _late(room: Room, department: str) -> list[Row]:
    """The sources of a department with how old their newest row is, and how old it may be."""
    mine = [c for c in room.app.config.sources if c.department == department]
    if not mine or not room.has(QUALITY.name) or not room.sees(QUALITY.name, "fresh_hours"):
        return []
    listed = ", ".join(literal(c.name) for c in mine)
    found = room.ask(
        "SELECT source, max(fresh_hours) AS hours, max(fresh_within_hours) AS within, max(measured_at) AS measured_at, "
        f"max(rows) AS rows FROM (SELECT * FROM quality WHERE source IN ({listed}) "
        "QUALIFY measured_at = max(measured_at) OVER (PARTITION BY source)) AS q GROUP BY source ORDER BY source"
    )
    made = []
    for row in found:
        age = None if row["hours"] is None else row["hours"] + (room.now - row["measured_at"]).total_seconds() / 3600
        late = age is not None and row["within"] is not None and age > row["within"]
        made.append(row | {"age_s": None if age is None else age * 3600, "late": late})
    return made


def _history(room: Room, department: str, goal: float) -> Row:
    """How a department's number went. A measurement counts only sources that have brought something; the others stand as
    they stood."""
    if not room.has(QUALITY.name):
        return {"points": [], "svg": Markup("")}
    found = room.ask(
        "SELECT measured_at, source, sum(kpi_percent * rows) AS kept, sum(rows) AS rows FROM quality WHERE department = "
        f"{literal(department)} AND kpi_percent IS NOT NULL GROUP BY measured_at, source ORDER BY measured_at"
    )
    last: dict[str, tuple[float, float]] = {}
    share: dict[datetime, float] = {}
    for row in found:
        last[row["source"]] = float(row["kept"]), float(row["rows"])
        weight = sum(rows for _, rows in last.values())
        if weight:
            share[row["measured_at"]] = sum(kept for kept, _ in last.values()) / weight
    points = list(share.items())[-MEASUREMENTS:]
    tongue = room.tongue
    said = tongue.many(
        "{n} measurement of {department}", "{n} measurements of {department}", len(points), department=department
    )
    svg = goal_axis.history([(tongue.day(at), p) for at, p in points], goal, said, tongue("goal {goal}", goal=f"{goal:g}%"))
    return {"points": points[::-1], "svg": svg}


def _aged(tongue: Tongue, seconds: float) -> str:
    """An age in hours, or in days from three on: a promise of 24 hours is not kept by a row of 26."""
    hours = round(seconds / 3600)
    if hours < 72:
        return tongue.many("{n} hour", "{n} hours", hours)
    return tongue.many("{n} day", "{n} days", round(hours / 24))


def _goal(standing: Sequence[Row], department: str) -> float:
    return next((d["goal_percent"] for d in standing if d["department"] == department and d["goal_percent"]), 95.0)
