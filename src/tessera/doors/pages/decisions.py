"""Decisions: what each point decides and by which rules, what came of it beside the control group, why who gets what."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from tessera import decided
from tessera.action.points import Points
from tessera.decision_points import FALLBACK, Point
from tessera.doors.deciding import NotYet
from tessera.doors.http.callers import site_of
from tessera.doors.pages import decisions_told as told
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visit, Visitor, form
from tessera.errors import NotAllowed, NotFound, Refused

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
DECISIONS = Page(
    name="decisions", path="/decisions", title=N_("Decisions"), icon="zap", group="act", function="tables", key="d"
)
PAGES = (DECISIONS,)
LIVE = "/live/decided"
"""What was decided since the server's start, as a fragment: an open page asks for it when it hears of decisions."""

MOST_FACTS, LONGEST = 16, 200
Name = Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,62}$")]


@router.get(DECISIONS.path)
async def decisions(visit: Visitor) -> Response:
    """All points, with what came of each."""

    def work(room: Room) -> dict[str, Any]:
        points = room.app.config.decisions
        return {
            **_since(visit), "points": points, "outcomes": {p.name: told.outcome(room.tongue, p) for p in points},
            "results": room.card(lambda: _results(room)), "hours": room.card(lambda: told.hours(room)),
            "newest": room.card(lambda: told.newest(room)),
        }  # fmt: skip

    return await visit.page(DECISIONS, "decisions.html", work)


@router.get(LIVE)
async def counts(visit: Visitor, name: Annotated[str, Query(max_length=63)] = "") -> Response:
    """How often was decided since the server's start, by point and by how it was chosen. name: at one point alone."""
    return await visit.page(DECISIONS, "decided.html", lambda room: _since(visit, name))


@router.get(DECISIONS.path + "/{name}")
async def decision(visit: Visitor, name: Name) -> Response:
    """One point."""
    return await visit.page(DECISIONS, "decision.html", lambda room: _one(visit, room, name))


@router.post(DECISIONS.path + "/{name}")
async def tried(visit: Visitor, name: Name) -> Response:
    """One point, and what somebody would be shown there now: decided as it would be, and nothing of it kept."""
    fields = await form(visit.request)
    who, here_text = fields.get("who", "")[:LONGEST], fields.get("here", "")[: MOST_FACTS * LONGEST]
    here, facts = told.here(here_text, MOST_FACTS), dict[str, Any]()
    found = await visit.run(DECISIONS, lambda room: room.card(lambda: _asked(room, name, who)))
    facts |= {"who": who, "here_said": here_text, "closed": found.reason if found.state == "closed" else ""}
    if found.state == "ok":
        person, keys = found.shown
        try:
            tracked = site_of(visit.request).tracked
            made = tracked.deciding.tried(name, keys[0], here) if tracked else None
        except (NotFound, NotYet):
            made = None
        facts |= {"person": person, "made": made}

    def work(room: Room) -> dict[str, Any]:
        one = _one(visit, room, name)
        made = facts.get("made")
        said = told.decision(room.tongue, made, one["point"]) if made is not None else None
        return {**one, "tried": {"person": None, **facts, "said": said}}

    return await visit.page(DECISIONS, "decision.html", work)


def _asked(room: Room, name: str, who: str) -> tuple[int, list[int]]:
    """The person whom a number or an identifier belongs to, and her keys; that it is told of her is an entry."""
    points = Points(room.app.config.decisions)
    if name not in points.deciders:
        raise NotFound("Decision", name, points.deciders)
    if not room.may("show"):
        raise NotAllowed(f"No line of access.yaml (functions) lets {room.lens.role} see one person's data (show).")
    text = who.strip()
    persons: list[int] = []
    if text.isdecimal() and len(text) < 10:
        persons = room.people.visible(room.reader, [int(text)])
    if not persons and room.may("find") and text:
        persons = room.people.find_for(room.reader, text)
    if len(persons) != 1:
        raise NotFound("Person", "this number or identifier")
    keys = decided.asked_of(room.app, persons[0], [name], room.lens.role, points=points, actor=room.caller.actor)
    return persons[0], keys


def _one(visit: Visit, room: Room, name: str) -> dict[str, Any]:
    point = next((p for p in room.app.config.decisions if p.name == name), None)
    if point is None:
        raise NotFound("Decision", name, [p.name for p in room.app.config.decisions])
    return {
        **_since(visit, name), "point": point, "tried": None, "able": room.may("show"),
        "candidates": [told.candidate(room.tongue, c) for c in point.candidates],
        "fallback": told.shown(point.fallback, room.tongue.language), "outcome": told.outcome(room.tongue, point),
        "contexts": [told.rule(text, room.tongue.language) for text in point.context],
        "result": room.card(lambda: _result(room, point)), "hours": room.card(lambda: told.hours(room, name)),
        "newest": room.card(lambda: told.newest(room, name)), "stock": _stock(visit, point),
        "file": told.file(room.app.config.root, name), "purpose": room.app.config.purposes[point.purpose],
    }  # fmt: skip


def _results(room: Room) -> dict[str, decided.Result]:
    """By point, of all those whose purpose the role may use."""
    able: dict[str, decided.Result] = {}
    refused: Refused | None = None
    for point in room.app.config.decisions:
        try:
            able |= {r.decision: r for r in decided.results(room.app, room.lens.role, room.caller.actor, point.name)}
        except Refused as no:
            refused = no
    if refused is not None and not able:
        raise refused
    return able


def _result(room: Room, point: Point) -> dict[str, Any]:
    (result,) = decided.results(room.app, room.lens.role, room.caller.actor, point.name)
    arms = decided.arms(result)
    return {"result": result, "arms": arms, "picture": told.picture(room.tongue, arms), "fallback": FALLBACK}


def _since(visit: Visit, name: str = "") -> dict[str, Any]:
    """What was decided since the server's start, by how it was chosen. name: at one point alone."""
    site, counts = site_of(visit.request), Counter[str]()
    for (at, by), many in dict(site.tracked.deciding.counts if site.tracked else {}).items():
        if name in ("", at):
            counts[by] += many
    found = [(told.BY[by], told.HUE[by], counts[by]) for by in told.BY]
    return {"counts": found, "counted": counts.total(), "counts_at": f"{LIVE}?name={name}" if name else LIVE, "one": name}


def _stock(visit: Visit, point: Point) -> dict[str, Any] | None:
    tracked = site_of(visit.request).tracked
    if point.stock is None or tracked is None:
        return None
    left, fault = tracked.deciding.stock(point.name)
    offered = {c.product for c in point.candidates if c.product}
    rows = sorted((left or {}).items(), key=lambda row: (row[0] not in offered, row[1]))
    return {"file": point.stock.file, "left": rows[:12], "more": max(0, len(rows) - 12), "fault": fault}
