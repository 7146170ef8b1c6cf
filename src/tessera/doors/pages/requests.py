"""Requests: what customers asked for, the most urgent first; one of them with its steps, what to do next, what proves it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Path as At
from starlette.responses import HTMLResponse, Response

from tessera import evidence, request_receipt
from tessera.desk import FILED, Desk
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.trust_words import CHANNELS, DONE, FATES, FIELDS, HOW, KINDS, STATUSES
from tessera.doors.pages.visit import Visitor
from tessera.foreseen import foresee
from tessera.trust.requests import URGENT_DAYS, Request

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
REQUESTS = Page(
    name="requests", path="/requests", title=N_("Requests"), icon="inbox", group="trust", function="requests", key="r"
)
REQUEST = Page(name="requests", path="/requests/{number}", title=N_("Request"), function="requests", listed=False)
PAGES = (REQUESTS,)

Number = Annotated[int, At(ge=1, lt=2**31)]
Which = Literal["open", "done", "refused", "all"]
Kind = Literal["", "access", "portability", "correction", "restriction", "objection", "erasure"]
MOST = 200
"""Rows of the list; who has more that wait has other worries than a second page."""

CHANGE = "change "


def desk_of(room: Room) -> Desk:
    """The desk, worked by the viewer in her role."""
    return room.app.desk.acting(room.caller.actor, room.lens.role)


@router.get(REQUESTS.path)
async def requests(visit: Visitor, which: Which = "open", kind: Kind = "") -> Response:
    """The list."""

    def work(room: Room) -> dict[str, Any]:
        desk = desk_of(room)
        every = [_told(room, desk, r) for r in desk.all()]
        picked = [r for r in every if _fits(r, which) and kind in ("", r["kind"])]
        waiting = [r for r in every if r["open"]]
        return {
            "rows": picked[:MOST], "more": len(picked) - MOST, "which": which, "kind": kind, "kinds": KINDS,
            "waiting": len(waiting), "late": sum(r["left"] < 0 for r in waiting), "urgent_days": URGENT_DAYS,
            "urgent": sum(0 <= r["left"] < URGENT_DAYS for r in waiting), "answered": _answered(every, room.now.date()),
            "any": len(every), "rule": room.app.config.requests,
        }  # fmt: skip

    return await visit.page(REQUESTS, "requests.html", work)


@router.get(REQUEST.path)
async def request(visit: Visitor, number: Number, confirm: Annotated[bool, Query()] = False) -> Response:
    """One request. confirm: with what an erasure would do, and the button that does it."""
    return await visit.page(REQUEST, "request.html", lambda room: one(room, number, confirm=confirm))


@router.get("/requests/{number}/evidence")
async def packed(visit: Visitor, number: Number) -> Response:
    """Receipt and proofs as a zip."""
    data = await visit.run(REQUEST, lambda room: evidence.pack(desk_of(room), number))
    return _file(data, "application/zip", f"request-{number}-evidence.zip")


@router.get("/requests/{number}/receipt")
async def receipt(visit: Visitor, number: Number, form: Literal["json", "html"] = "json") -> Response:
    """The signed receipt, to be kept or to be read."""

    def work(room: Room) -> tuple[dict[str, Any], str]:
        return desk_of(room).receipt(number), room.tongue.language

    made, language = await visit.run(REQUEST, work)
    if form == "json":
        return _file(json.dumps(made, ensure_ascii=False, indent=1).encode(), "application/json", f"receipt-{number}.json")
    page = HTMLResponse(request_receipt.page(made, language))
    page.headers["content-disposition"] = f'attachment; filename="receipt-{number}-{language}.html"'
    return page


def one(
    room: Room, number: int, *, confirm: bool = False, hitch: str = "", detail: str = "", words: dict[str, str] | None = None
) -> dict[str, Any]:
    """What the page of one request shows. hitch: why what was asked for last could not be done, in a sentence of the
    catalogues; detail: the desk's own. words: what the customer wrote, where it was just opened."""
    desk = desk_of(room)
    asked = desk.get(number)
    told = _told(room, desk, asked)
    steps = [_step(room, asked, event.act) | {"at": event.at, "by": event.by, "entry": event.entry} for event in asked.history]
    asking = confirm and asked.kind == "erasure" and asked.open and asked.check.state == "verified"
    person = desk.whose(asked) if asked.open and asked.key is not None else asked.person
    return {
        "r": told, "steps": steps, "hitch": hitch, "detail": detail, "words": _titled(room, words), "how": HOW, "filed": FILED,
        "foreseen": room.card(lambda: foresee(desk, number)) if asking else None, "person": person, "fates": FATES,
        "erased": room.app.rights.erased_at(asked.person) if asked.person is not None else None, "kinds": KINDS,
        "written": len([n for n in asked.texts if n != "asked"]), "rule": room.app.config.requests, "urgent_days": URGENT_DAYS,
        "moved": asked.open and asked.check.state == "verified" and person != asked.person, "fields": FIELDS,
    }  # fmt: skip


def _told(room: Room, desk: Desk, asked: Request) -> Row:
    """A request as the pages show it; no text of anybody."""
    tongue = room.tongue
    return {
        "id": asked.id, "kind": asked.kind, "title": tongue(KINDS[asked.kind]), "status": asked.status, "open": asked.open,
        "state": tongue(STATUSES[asked.status]), "person": asked.person, "opened_at": asked.opened_at, "due": asked.due,
        "left": desk.days_left(asked),
        "channel": tongue(CHANNELS[asked.channel]) if asked.channel in CHANNELS else asked.channel,
        "check": asked.check, "identity": tongue(HOW[asked.check.how]) if asked.check.how else "", "extended": asked.extended,
        "purpose": asked.purpose, "spared": asked.spared, "running": asked.running, "outcome": asked.outcome,
        "changes": sorted(n.removeprefix(CHANGE) for n in asked.texts if n.startswith(CHANGE)),
        "closed_at": asked.history[-1].at if asked.history and not asked.open else None,
    }  # fmt: skip


def _fits(told: Row, which: Which) -> bool:
    return which == "all" or (told["open"] if which == "open" else told["status"] == which)


def _answered(every: list[Row], today: date) -> tuple[int, int]:
    """How many were closed in the last 90 days, and how many of them by their day."""
    since = (today - timedelta(days=90)).isoformat()
    closed = [r for r in every if r["closed_at"] and r["closed_at"] >= since]
    return len(closed), sum(r["closed_at"][:10] <= r["due"] for r in closed)


def _step(room: Room, asked: Request, act: str) -> Row:
    """A line of the history in words: what was done, and by what or until when."""
    plain = act.removeprefix(f"{asked.kind} ")
    for start, title in sorted(DONE.items(), key=lambda d: -len(d[0])):
        if plain == start or plain.startswith((f"{start} ", f"{start}:")):
            rest = plain.removeprefix(start).strip(" :")
            named = room.tongue(HOW[rest]) if rest in HOW else room.tongue.day(rest) if start == "extended to" else ""
            return {"did": room.tongue(title), "more": named}
    return {"did": act, "more": ""}


def _titled(room: Room, words: dict[str, str] | None) -> dict[str, str] | None:
    """What was written, by what it is."""
    if words is None:
        return None
    named = {
        "note": N_("Noted when it came"), "asked": N_("The identifier that was named"), "extension": N_("Why it takes longer"),
        "refusal": N_("Why it was declined"), "end": N_("Why it ended"),
    }  # fmt: skip
    found = {}
    for name, text in words.items():
        field = name.removeprefix(CHANGE)
        title = FIELDS.get(field, field) if name.startswith(CHANGE) else named.get(name, name)
        found[room.tongue(title)] = text
    return found


def _file(data: bytes, type_: str, name: str) -> Response:
    return Response(data, media_type=type_, headers={"content-disposition": f'attachment; filename="{name}"'})
