"""One segment: its rule in a sentence, how many it is now, who came and went and why, some of its people, why one is in it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from starlette.responses import Response

from tessera.config import SegmentRule
from tessera.doors.pages import insight, segment_why, segments
from tessera.doors.pages.insight import K
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures.trend import trend
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.segments import SEGMENTS, Day
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.visit import Visitor
from tessera.errors import NotFound
from tessera.insight.segments import moves, telling
from tessera.insight.segments.moves import Histories
from tessera.lake.engine import literal

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
PAGES: tuple[Page, ...] = ()
SAMPLE = ("name", "city", "orders", "revenue_cents", "last_order_at")
MOST = 5
MOSTLY = 0.7
"""The share of a group from which on it is told of as a whole."""
Name = Annotated[str, InPath(max_length=100)]


@router.get(SEGMENTS.path + "/{name}")
async def segment(
    visit: Visitor, name: Name, since: Day = "", person: Annotated[str, Query(max_length=10)] = ""
) -> Response:
    """The page. since: from which day its people are compared; person: of whom to say why she is in it."""

    def work(room: Room) -> dict[str, Any]:
        rule = next((r for r in room.app.config.segments.rules if r.name == name), None)
        table: Histories = "rule_segments" if rule is not None else "segments"
        start = min(insight.day(since, insight.before(room)), insight.today(room.app))
        size = room.card(lambda: _size(room, table, name, start))
        if rule is None and size.state == "ok" and not size.shown["points"]:
            raise NotFound("Segment", name)
        # Before the first day that is known everybody was in no segment; nobody came or left then.
        start = max(start, size.shown["begins"]) if size.state == "ok" and size.shown["points"] else start
        asked = int(person) if person.isdecimal() else None
        return {
            "name": name, "label": insight.label(room.app, name, room.tongue), "rule": rule, "since": start, "k": K,
            "today": insight.today(room.app), "person": person, "size": size,
            "through": insight.elsewhere(room, (table, ("person_id", "segment")), ("features", ("person_id", "orders"))),
            "said": room.card(lambda: _said(room, rule, name)), "typical": room.card(lambda: _typical(room, table, name)),
            "moved": room.card(lambda: _moved(room, table, name, start)),
            "people": room.card(lambda: _people(room, table, name)) if room.may("show") else None,
            "why": room.card(lambda: _why(room, rule, name, asked)) if asked is not None and room.may("show") else None,
            "used": [] if rule else insight.used_in(room.app, name),
        }  # fmt: skip

    return await visit.page(SEGMENTS, "segment.html", work)


def _size(room: Room, table: Histories, name: str, start: date) -> dict[str, Any]:
    """How many it is, was, and may be written to; day by day as a picture."""
    found = segments.sizes(room, table) if room.has(table) else {}
    points, begins = found.get(name, []), segments.begun(found)
    if not points:
        return {"points": [], "people": 0, "may": None}
    now = insight.today(room.app)
    may = segments.contactable(room, table)
    drawn = segments.until_today(points, now)
    label = room.tongue("People in this segment, day by day; the table below has the numbers.")
    return {
        "points": points, "people": points[-1][1], "was": segments.at(points, max(start, begins or start)),
        "begins": begins, "first": points[0][0],
        "may": None if may is None else may.get(name, 0), "within": segments.within(room),
        "picture": trend(drawn, label, room.tongue.short, lambda d: room.tongue.day(d)) if len(drawn) > 1 else None,
    }  # fmt: skip


def _said(room: Room, rule: SegmentRule | None, name: str) -> dict[str, Any]:
    """Who is in it: the rule in words, or the centre."""
    if rule is not None:
        own = room.app.config.segments.features
        words = telling.read(rule.when, own).sentence(room.tongue.language)
        return {"words": words, "when": rule.when, "own": {n: t for n, t in own.items() if n in rule.when}}
    found = room.ask(
        "SELECT version, recency_days, orders, revenue_cents, stability, held, fitted_at, model FROM segment_centres "
        f"WHERE segment = {literal(name)} ORDER BY version DESC LIMIT 1"
    )  # fmt: skip
    return {"centre": found.first}


def _typical(room: Room, table: Histories, name: str) -> Row:
    """What its people bought, beside everybody who bought."""
    day = f"DATE {literal(insight.today(room.app).isoformat())}"
    ago = f"date_diff('day', CAST(f.last_order_at AS DATE), {day})"
    hers = "WHERE s.person_id IS NOT NULL"
    return room.ask(
        f"""SELECT avg({ago}) FILTER ({hers}) AS days, avg({ago}) AS days_all,
               avg(f.orders) FILTER ({hers}) AS orders, avg(f.orders) AS orders_all,
               avg(f.revenue_cents) FILTER ({hers}) AS revenue, avg(f.revenue_cents) AS revenue_all,
               sum(f.revenue_cents) FILTER ({hers}) AS earned, sum(f.revenue_cents) AS earned_all,
               count(*) FILTER ({hers}) AS buyers
            FROM features f LEFT JOIN (
                SELECT person_id FROM {table} WHERE segment = {literal(name)} AND valid_to IS NULL
            ) s ON s.person_id = f.person_id WHERE f.orders > 0"""
    ).first


def _moved(room: Room, table: Histories, name: str, start: date) -> dict[str, Any]:
    """Who came and who left since a day, by where from and where to, and what changed for them."""
    if not room.has(table):
        return {"came": [], "left": [], "hidden": 0}
    rows = room.ask(moves.between(table, name, start, insight.today(room.app), room.app.config.currency)).rows
    here = name if table == "segments" else "in"
    told = [_because(room, table, row, here) for row in rows if row["people"] >= K]
    came, left = ([r for r in told if (r["now"] == here) is inward] for inward in (True, False))
    sums = {
        side: {"people": sum(r["people"] for r in some), "ordered": sum(r["ordered"] for r in some)}
        for side, some in (("came", [r for r in rows if r["now"] == here]), ("left", [r for r in rows if r["now"] != here]))
    }  # fmt: skip
    return {"came": came, "left": left, "hidden": len(rows) - len(told), "sums": sums}


def _because(room: Room, table: Histories, row: Row, here: str) -> Row:
    """A group with the other end's words, and the reason why it moved."""
    other = row["was"] if row["now"] == here else row["now"]
    ruled = table != "segments"
    words = "" if ruled else room.tongue("Not in any") if other is None else insight.label(room.app, other, room.tongue)
    share = row["ordered"] / row["people"]
    reason = "bought" if share >= MOSTLY else "both" if share > 1 - MOSTLY else "still" if ruled else "aged"
    if other is None and not ruled:
        # Who was in none before was seen or allowed it first; who is in none now is here no more, or allows it no more.
        reason = "gone" if row["now"] is None else "new"
    return row | {"other": words, "share": share, "reason": reason}


def _people(room: Room, table: Histories, name: str) -> dict[str, Any]:
    """A few of its people, spread over all of them and always the same."""
    if not room.has(table):
        return {"rows": [], "veiled": {}, "columns": ()}
    columns = [c for c in SAMPLE if room.sees("profiles", c)]
    spread = "CAST(s.person_id AS BIGINT) * 2654435761 % 4294967296"
    answer = room.ask(
        f"SELECT {', '.join(['s.person_id', *(f'p.{c}' for c in columns)])} FROM {table} s "
        f"JOIN profiles p ON p.person_id = s.person_id "
        f"WHERE s.segment = {literal(name)} AND s.valid_to IS NULL ORDER BY {spread} LIMIT {MOST}"
    )  # fmt: skip
    return {"rows": answer.rows, "veiled": answer.veiled, "columns": columns, "hidden": [c for c in SAMPLE if c not in columns]}


def _why(room: Room, rule: SegmentRule | None, name: str, person: int) -> dict[str, Any] | None:
    if rule is not None:
        return segment_why.by_rule(room, rule, person)
    return segment_why.by_centre(room, name, person)
