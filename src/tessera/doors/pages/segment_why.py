"""Why somebody is in a segment, or is not: each condition of a rule ticked, or how near she is to the centre of each group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from math import expm1, log1p
from typing import Any

from tessera.config import SegmentRule
from tessera.doors.pages import insight
from tessera.doors.pages.room import Room, Row
from tessera.errors import NotFound
from tessera.insight.segments import telling
from tessera.insight.segments.names import PROSPECTS
from tessera.insight.segments.rules import sql
from tessera.insight.segments.telling import Part

CENTRES = """SELECT version, segment, fitted_at, recency_days, orders, revenue_cents, weight_recency, weight_orders,
                    weight_revenue FROM segment_centres WHERE weight_recency IS NOT NULL ORDER BY version, segment"""


@dataclass(frozen=True)
class Tick:
    """A part of a condition as it is of her. holds: None where something is not known. has: the figure that decides."""

    kind: str
    said: str
    holds: bool | None
    has: str = ""
    parts: tuple[Tick, ...] = ()


def _hers(room: Room, person: int, question: str) -> Row:
    """The first row of an answer on a page about one person: her rows alone are read, and the entry holds her alone. Empty
    where she is not seen, or is nobody."""
    try:
        with room.people.about(room.reader, person) as reader:
            return replace(room, reader=reader).ask(question).first
    except NotFound:
        return {}


def by_rule(room: Room, rule: SegmentRule, person: int) -> dict[str, Any] | None:
    """Each condition of a rule, for one person; None where she is not seen."""
    own, day = room.app.config.segments.features, insight.today(room.app)
    condition = telling.read(rule.when, own)
    ones = list({one.when: one for one in condition.ones()}.values())
    columns = [f"({sql(one.when, own, day)}) AS c{i}" for i, one in enumerate(ones)]
    columns += [f"({sql(one.of, own, day)}) AS v{i}" for i, one in enumerate(ones) if one.of]
    found = _hers(room, person, f"SELECT {', '.join(columns)} FROM features WHERE person_id = {int(person)}")
    if not found:
        return None
    said = {one.when: found[f"c{i}"] for i, one in enumerate(ones)}
    has = {one.when: _figure(room, found.get(f"v{i}"), one) for i, one in enumerate(ones)}
    ticked = _ticked(condition, said, has, room.tongue.language)
    return {"inside": ticked.holds is True, "ticks": ticked.parts or (ticked,), "kind": ticked.kind}


def _ticked(part: Part, said: dict[str, bool | None], has: dict[str, str], language: Any) -> Tick:
    parts = tuple(_ticked(p, said, has, language) for p in part.parts)
    words = part.sentence(language) if part.kind == "one" else ""
    return Tick(part.kind, words[:1].upper() + words[1:], part.holds(said), has.get(part.when, ""), parts)


def _figure(room: Room, value: Any, one: Part) -> str:
    if value is None:
        return room.tongue("not known")
    if one.unit == "days":
        return room.tongue.many("{n} day ago", "{n} days ago", int(value))
    if one.unit == "money":
        return room.tongue.money(float(value))
    if isinstance(value, int | float):
        return room.tongue.number(float(value), 0 if float(value).is_integer() else 1)
    return room.tongue.day(value) if hasattr(value, "year") else str(value)


def by_centre(room: Room, segment: str, person: int) -> dict[str, Any] | None:
    """How far one person is from each centre, in the version that was in force when she last bought; None where she is not
    seen, or nothing places her."""
    asked = f"""SELECT s.segment, s.valid_from, f.last_order_at, f.orders, f.revenue_cents, f.events
        FROM segments s LEFT JOIN features f ON f.person_id = s.person_id
        WHERE s.person_id = {int(person)} AND s.valid_to IS NULL"""
    her = _hers(room, person, asked)
    if not her:
        return None
    inside = her["segment"] == segment
    told = {"inside": inside, "at": her["segment"], "label": insight.label(room.app, her["segment"], room.tongue), "her": her}
    told["since"] = her["valid_from"]
    if her["segment"] == PROSPECTS or segment == PROSPECTS or her["last_order_at"] is None:
        return told | {"bought": bool(her["orders"]), "centres": []}
    day = insight.today(room.app)
    own = _inputs(max((day - her["last_order_at"].date()).days, 0), her["orders"], her["revenue_cents"])
    versions = _versions(room.ask(CENTRES).rows)
    if not versions:
        return told | {"bought": True, "centres": []}
    rows = _in_force(versions, her["last_order_at"].date())
    far = sorted(((_far(own, row), row) for row in rows), key=lambda pair: pair[0])
    most = max(d for d, _ in far)
    centres = [
        {**row, "label": insight.label(room.app, row["segment"], room.tongue), "far": d, "share": d / most if most else 0.0}
        for d, row in far
    ]  # fmt: skip
    return told | {"bought": True, "centres": centres, "days": round(expm1(own[0])), "here": segment}


def _inputs(days: float, orders: float, cents: float | None) -> tuple[float, float, float]:
    return log1p(days), log1p(orders), log1p(max(cents or 0, 0) / 100)


def _far(own: tuple[float, float, float], row: Row) -> float:
    centre = _inputs(row["recency_days"], row["orders"], row["revenue_cents"])
    weights = (row["weight_recency"], row["weight_orders"], row["weight_revenue"])
    total = sum(w * (a - b) ** 2 for w, a, b in zip(weights, own, centre, strict=True))
    return float(total**0.5)


def _versions(rows: list[Row]) -> list[list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["version"], []).append(row)
    return [found[version] for version in sorted(found)]


def _in_force(versions: list[list[Row]], bought: date) -> list[Row]:
    """The version that decides of who last bought on that day: the newest that was there before it, else the oldest."""
    there = [v for v in versions[1:] if bought > v[0]["fitted_at"]]
    return there[-1] if there else versions[0]
