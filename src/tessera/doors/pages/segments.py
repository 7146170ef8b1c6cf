"""Segments: who is in which group, how that changed since a day, how many may be contacted, and who moved where."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.doors.pages import insight
from tessera.doors.pages.insight import K
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures.flow import Band, Node, flow
from tessera.doors.pages.pictures.heat import Cell, heat
from tessera.doors.pages.pictures.trend import spark
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor
from tessera.insight.segments import history, moves
from tessera.insight.segments.moves import Histories
from tessera.insight.segments.names import PROSPECTS

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
SEGMENTS = Page(
    name="segments", path="/segments", title=N_("Segments"), icon="chart-pie", group="act", function="tables", key="s"
)
PAGES = (SEGMENTS,)

CONTACT = "marketing"
"""The purpose for which people of a segment are written to."""
MADE_FOR = history.STEP.purpose
HISTORIES: tuple[Histories, ...] = ("segments", "rule_segments")
NONE = "none"
BEST_FIRST = ("high_value", "loyal", "big_ticket", "potential", "new", "occasional", "at_risk", "lapsed", PROSPECTS, NONE)
"""Learned segments in the order in which they are drawn."""
UNRANKED = {PROSPECTS, NONE}
"""Who comes from there, or goes there, moves neither up nor down."""
RFM = """SELECT r_score, f_score, count(*) AS people, avg(m_score) AS money, avg(revenue_cents) AS revenue_cents
         FROM features WHERE orders > 0 AND r_score IS NOT NULL GROUP BY r_score, f_score"""
Day = Annotated[str, Query(max_length=10)]


@router.get(SEGMENTS.path)
async def segments(visit: Visitor, since: Day = "", until: Day = "") -> Response:
    """All segments; since, until: the two days between which people moved."""

    def work(room: Room) -> dict[str, Any]:
        end = min(insight.day(until, insight.today(room.app)), insight.today(room.app))
        start = min(insight.day(since, insight.before(room)), end)
        rows = room.card(lambda: listed(room, start, end))
        start = rows.shown["since"] if rows.state == "ok" else start
        return {
            "since": start, "until": end, "today": insight.today(room.app), "k": K,
            "through": insight.elsewhere(room, ("segments", ("person_id", "segment"))),
            "list": rows, "map": room.card(lambda: _map(room)),
            "moved": room.card(lambda: _moved(room, start, end)),
        }  # fmt: skip

    return await visit.page(SEGMENTS, "segments.html", work)


def sizes(room: Room, table: Histories) -> dict[str, list[tuple[date, int]]]:
    """By segment, its size from each day on which it changed."""
    grown: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in room.ask(moves.changes(table)):
        grown[row["segment"]][row["day"]] += row["people"]
    found = {}
    for segment, days in grown.items():
        size, points = 0, []
        for when in sorted(days):
            size += days[when]
            points.append((when, size))
        found[segment] = points
    return found


def at(points: list[tuple[date, int]], when: date) -> int:
    """The size on a day: it holds from each point on."""
    return next((n for day, n in reversed(points) if day <= when), 0)


def begun(found: dict[str, list[tuple[date, int]]]) -> date | None:
    """The first day of which anything is known."""
    return min((points[0][0] for points in found.values()), default=None)


def until_today(points: list[tuple[date, int]], when: date) -> list[tuple[date, int]]:
    """The same points up to a day, the last size drawn on to it."""
    kept = [p for p in points if p[0] <= when]
    return [*kept, (when, kept[-1][1])] if kept and kept[-1][0] < when else kept


def contactable(room: Room, table: Histories) -> dict[str, int] | None:
    """By segment, how many allow being written to: asked for that purpose; None where the viewer may not ask so."""
    other = insight.also_for(room, CONTACT, table)
    if other is None:
        return None
    return {row["segment"]: row["people"] for row in other.ask(moves.standing(table))}


def within(room: Room) -> bool:
    """Whether everybody who may be contacted is among those whom this lens sees: segments are made of who allows analytics."""
    return room.reader.purpose.name == MADE_FOR or not room.reader.purpose.needs_consent


def listed(room: Room, start: date, end: date) -> dict[str, Any]:
    """Every segment with its size at the end, and how it changed since the start, or since the first day that is known: before
    it everybody was in no segment, and nobody moved."""
    rows: list[Row] = []
    all_ = {table: sizes(room, table) for table in HISTORIES if room.has(table)}
    first = begun(all_.get("segments", {}))
    start = min(max(start, first), end) if first else start
    for table, found in all_.items():
        begins = begun(found)
        may = contactable(room, table)
        total = sum(at(p, end) for p in found.values())
        for segment, points in found.items():
            people, was = at(points, end), at(points, start)
            if not people and not was:
                continue
            rows.append({
                "segment": segment, "label": insight.label(room.app, segment, room.tongue), "ruled": table != "segments",
                "people": people, "was": was, "change": people - was if begins and begins <= start else None,
                "share": people / total if total and table == "segments" else None,
                "may": None if may is None else may.get(segment, 0), "spark": spark(until_today(points, end)),
                "used": insight.used_in(room.app, segment) if table == "segments" else [],
            })  # fmt: skip
    rows.sort(key=lambda r: (r["ruled"], -r["people"]))
    learned = [r for r in rows if not r["ruled"]]
    return {
        "rows": rows, "people": sum(r["people"] for r in learned), "first": first, "since": start,
        "may": sum(r["may"] for r in learned) if learned and learned[0]["may"] is not None else None,
        "most": max(learned, key=lambda r: abs(r["change"] or 0)) if any(r["change"] for r in learned) else None,
        "current": end == insight.today(room.app), "within": within(room),
    }  # fmt: skip


def _map(room: Room) -> dict[str, Any]:
    """People by recency and frequency, in fifths each."""
    if not room.has("features"):
        return {"rows": []}
    tongue, found = room.tongue, room.ask(RFM).rows
    told = [r for r in found if r["people"] >= K]
    most = max((r["people"] for r in told), default=1)
    cells = {}
    for r in found:
        place = (5 - r["r_score"], r["f_score"] - 1)
        if r["people"] < K:
            cells[place] = Cell(share=None, said="·", sentence=tongue("Fewer than {k} people; not shown.", k=K))
            continue
        facts = {
            "people": tongue.number(r["people"]), "r": r["r_score"], "f": r["f_score"],
            "spent": tongue.money(r["revenue_cents"]),
        }  # fmt: skip
        cells[place] = Cell(
            share=r["people"] / most, said=tongue.short(r["people"]), below=_coin(tongue.money(r["revenue_cents"])),
            sentence=tongue("Recency {r}, frequency {f}: {people} people, who spent {spent} on average.", **facts),
        )  # fmt: skip
    ends = {5: tongue("5 · lately"), 1: tongue("1 · long ago")}
    often = {5: tongue("5 · often"), 1: tongue("1 · seldom")}
    picture = heat(
        cells, [ends.get(s, str(s)) for s in (5, 4, 3, 2, 1)], [often.get(s, str(s)) for s in (1, 2, 3, 4, 5)],
        tongue("People by how recently and how often they bought; the figures stand in the table below."),
        across=tongue("How often they bought"), width=62, height=44, margin=82,
    )  # fmt: skip
    hidden = len(found) - len(told)
    rows = sorted(told, key=lambda r: (-r["r_score"], -r["f_score"]))
    return {"rows": rows, "picture": picture, "hidden": hidden, "people": sum(r["people"] for r in found)}


def _coin(money: str) -> str:
    """An amount without its cents, for where there is little room."""
    return money.partition(".")[0]


def _moved(room: Room, start: date, end: date) -> dict[str, Any]:
    """Who went from which learned segment to which; pairs of fewer than K people are not told."""
    if not room.has("segments") or start >= end:
        return {"bands": [], "hidden": 0}
    tongue = room.tongue
    rows = [r for r in room.ask(history.migration(start, end)) if r["was"] or r["now"]]
    told = [r for r in rows if r["people"] is not None and r["people"] >= K]
    order = {s: i for i, s in enumerate(in_order(told))}
    words = {s: insight.label(room.app, s, tongue) if s != NONE else tongue("Not in any") for s in order}
    bands = []
    for r in told:
        was, now = r["was"] or NONE, r["now"] or NONE
        facts = {"people": tongue.number(r["people"]), "was": words[was], "now": words[now]}
        said = tongue("{people} people stayed in {now}.", **facts) if was == now else tongue(
            "{people} people went from {was} to {now}.", **facts
        )  # fmt: skip
        hue = "f-lapis" if UNRANKED & {was, now} else "f-verd" if order[now] < order[was] else "f-terra"
        bands.append(Band(was=was, now=now, people=r["people"], stays=was == now, sentence=said, hue=hue))
    columns = {side: _column(bands, side, order, words, tongue.number) for side in ("was", "now")}
    moving = [b for b in bands if not b.stays]
    told_as = tongue("From which segment to which people went; the table below has the numbers.")
    picture = flow(columns["was"], columns["now"], bands, told_as, tongue.day(start), tongue.day(end)) if moving else None
    return {
        "bands": bands, "words": words, "picture": picture, "hidden": len(rows) - len(told),
        "moving": sorted(moving, key=lambda b: -b.people), "stayed": sum(b.people for b in bands if b.stays),
        "went": sum(b.people for b in moving), "cells": {(b.was, b.now): b.people for b in bands},
        "was": [n.key for n in columns["was"]], "now": [n.key for n in columns["now"]],
    }  # fmt: skip


def in_order(rows: list[Row]) -> list[str]:
    """Segments in the order in which they are drawn: the best first, those that buy nothing last."""
    found = {r[side] or NONE for r in rows for side in ("was", "now")}

    def place(segment: str) -> tuple[int, str]:
        base, _, number = segment.rpartition("_")
        name = base if number.isdigit() else segment
        return (BEST_FIRST.index(name) if name in BEST_FIRST else len(BEST_FIRST), segment)

    return sorted(found, key=place)


def _column(bands: list[Band], side: str, order: dict[str, int], words: dict[str, str], number: Any) -> list[Node]:
    many: dict[str, int] = defaultdict(int)
    for band in bands:
        many[getattr(band, side)] += band.people
    return [Node(key=s, name=words[s], said=number(many[s])) for s in sorted(many, key=order.__getitem__)]
