"""The first page: how the loop stands, trust, data, insight, action, in figures that lead to where they come from."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any, Literal
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tessera import decided
from tessera.data.profiles import PROFILES
from tessera.doors.http.callers import site_of
from tessera.doors.pages import troubles, welcome
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Card, Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor
from tessera.errors import NotAllowed, TesseraError
from tessera.lake.engine import literal
from tessera.trust.daily import Daily
from tessera.trust.ledger import Ledger

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
HOME = Page(name="home", path="/", title=N_("Home"), icon="house", key="h")
PAGES = (HOME,)

MOVED_DAYS = 30
SOON_DAYS = 5
"""A request that is due within so many days is due soon."""

MOST_DECISIONS = 200_000
"""Of more, what came of them is on their own page alone: it takes seconds."""

Part = Literal["trust", "data", "insight", "action"]
_days: WeakKeyDictionary[Ledger, Daily] = WeakKeyDictionary()


@router.get(HOME.path)
async def home(visit: Visitor, part: Part | None = None) -> Response:
    """The page; where nothing has landed yet, the three ways to begin. part: one card alone, for a page that is open: what asks
    nothing of the ledger is shown anew whenever an entry was written."""
    site = site_of(visit.request)
    rate = site.running.pulse.flow.rate_of_all() if site.running and site.running.pulse else None

    def work(room: Room) -> dict[str, Any]:
        if part is None and welcome.bare(room.app):
            return {"bare": True, **welcome.ways(room, visit.request)}
        standing = room.app.quality() if part in (None, "data") and room.may("tables") and room.has("quality") else []
        cards: dict[str, Callable[[Room], dict[str, Any]]] = {
            "trust": _trust, "data": partial(_data, standing=standing), "insight": _insight, "action": _action,
        }  # fmt: skip
        wanted = {name: room.card(partial(f, room)) for name, f in cards.items() if part in (None, name)}
        return {
            "bare": False, "cards": {n: wanted.get(n) or Card("closed") for n in cards}, "part": part, "rate": rate,
            "troubles": troubles.found(room, standing) if part is None else [],
            "paths": {p.path for p in visit.request.app.state.menu.pages},
        }  # fmt: skip

    facts = await visit.run(HOME, lambda room: {**visit.frame(room, HOME), **work(room)})
    return visit.show("welcome.html" if facts["bare"] else "home.html", facts)


def _trust(room: Room) -> dict[str, Any]:
    """Who allows what, what was used today, what waits, whether the ledger is whole: counts, and no row of anybody."""
    app, made = room.app, dict[str, Any]()
    if room.may("consents"):
        people = app.lake.rows(PROFILES.name)
        asked = [p for p in app.config.purposes.values() if p.needs_consent]
        counts = [(p.name, len(app.permits.ids(p, "person"))) for p in asked]
        made["consents"] = [(name, n, n / people if people else None) for name, n in counts]
        made["people"] = people
    if room.may("ledger"):
        heads = app.anchors.heads() if app.anchors.asked is not None else []
        made["ledger"] = {
            "today": _today(room), "entries": len(app.ledger), "fault": bool(app.ledger.fault),
            "anchored": heads[-1].size if heads else None, "chain": app.anchors.asked is not None,
        }  # fmt: skip
    if room.may("requests"):
        left = [r.days_left(room.now.astimezone(UTC).date()) for r in app.requests.all() if r.open]
        made["requests"] = {"open": len(left), "soon": sum(d <= SOON_DAYS for d in left), "first": min(left, default=None)}
    return _something(room, made)


def _data(room: Room, standing: list[dict[str, Any]]) -> dict[str, Any]:
    """Who is known, whether sources are in time, what landed today, what is worst: counts, and no row of anybody."""
    app, made = room.app, dict[str, Any]()
    if room.may("tables"):
        made["people"] = app.lake.rows(PROFILES.name)
        made["worst"] = next((d for d in standing if d["kpi_percent"] is not None), None)
        made["late"] = {s for d in standing for s in d["late"]}
    if room.may("operate"):
        synced, names = app.synced(), [c.name for c in app.config.sources if c.kind != "decisions"]
        failing = {n for n in names if synced.get(n, {}).get("error")}
        made["sources"] = {"all": len(names), "good": len(set(names) - failing - made.get("late", set()))}
        made["landed"] = _today(room).landed
        made["quarantine"] = sum(app.quarantine.waiting().values())
    return _something(room, made)


def _insight(room: Room) -> dict[str, Any]:
    """Who moved, what may be lost, how old the models are, which channel brings most: each asked through the gate."""
    made: dict[str, Any] = {}
    day = room.day
    if room.has("segments") and room.sees("segments", "segment", "valid_from"):
        since = literal((day - timedelta(days=MOVED_DAYS)).isoformat())
        made["segments"] = room.ask(
            f"SELECT count(*) FILTER (WHERE valid_to >= DATE {since}) AS moved, "
            "count(*) FILTER (WHERE valid_to IS NULL) AS people FROM segments"
        ).first
    scored = room.has("churn") and room.sees("churn", "person_id", "probability", "band")
    valued = room.has("customer_value") and room.sees("customer_value", "person_id", "expected_value_cents")
    if scored and valued:
        made["stake"] = room.ask(
            "SELECT sum(c.probability * v.expected_value_cents) AS cents, count(*) AS people "
            "FROM churn c JOIN customer_value v ON v.person_id = c.person_id WHERE c.band = 'high'"
        ).first
    if room.has("models") and room.sees("models", "model", "fitted_at"):
        made["models"] = room.ask(
            "SELECT count(*) AS many, min(fitted_at) AS oldest, max(fitted_at) AS newest FROM models WHERE status = 'champion'"
        ).first
        made["day"] = day
    if room.has("channel_credits") and room.sees("channel_credits", "channel", "value_cents"):
        made["channels"] = room.ask(
            "SELECT channel, sum(value_cents) AS value_cents, sum(sum(value_cents)) OVER () AS total FROM channel_credits "
            "WHERE model = 'markov' AND kind <> 'all' GROUP BY channel ORDER BY value_cents DESC LIMIT 1"
        ).first
    return _something(room, made)


def _action(room: Room) -> dict[str, Any]:
    """What was decided today, and whether it is of use: outcomes beside the control group's."""
    app, made = room.app, dict[str, Any]()
    made["points"] = len(app.config.decisions)
    if room.has("decisions") and room.sees("decisions", "decision", "occurred_at", "candidate"):
        midnight = literal(_midnight(room).isoformat())
        made["today"] = room.ask(
            f"SELECT count(*) AS many, count(*) FILTER (WHERE chosen_by = 'control') AS control FROM decisions "
            f"WHERE occurred_at >= TIMESTAMPTZ {midnight}"
        ).first
        made["results"] = _results(room)
    return made


def _results(room: Room) -> list[decided.Result]:
    """By point, where anything was shown; nothing for whom the answer would tell too much, or where it would take too long."""
    if room.app.lake.rows("decisions") > MOST_DECISIONS:
        return []
    try:
        return [r for r in decided.results(room.app, room.lens.role, room.caller.actor) if r.shown]
    except TesseraError:
        return []


def _today(room: Room) -> Daily:
    """What the ledger says of today."""
    since, known = _midnight(room), _days.get(room.app.ledger)
    if known is None or known.since != since:
        known = _days[room.app.ledger] = Daily(since=since)
    known.read(room.app.ledger)
    return known


def _midnight(room: Room) -> datetime:
    zone = ZoneInfo(room.app.config.time_zone)
    return datetime.combine(room.now.astimezone(zone).date(), time.min, zone)


def _something(room: Room, made: dict[str, Any]) -> dict[str, Any]:
    """What a card shows. Raises NotAllowed where nothing of it is open to the viewer."""
    if not made:
        raise NotAllowed(f"Nothing of this is open to {room.lens.role} for {room.lens.purpose}.")
    return made
