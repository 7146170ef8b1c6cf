"""What an officer does about a request, each as a form in her own name: open, verify, run, extend, decline, end, read."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response, StreamingResponse

from tessera.data.profiles import CONTESTABLE
from tessera.desk import FILED, Desk, OfSeveral
from tessera.doors.http.me_requests import CHUNK, COPY
from tessera.doors.pages.menu import Page
from tessera.doors.pages.requests import REQUEST, Kind, Number, desk_of, one
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.trust_words import CHANNELS, FIELDS, HOW, KINDS
from tessera.doors.pages.visit import Visit, Visitor, form, go
from tessera.errors import BadInput, NotAllowed, NotFound, Refused
from tessera.trust.requests import How, Request

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
NEW = Page(name="requests", path="/requests/new", title=N_("New request"), function="requests", listed=False)
PAGES: tuple[Page, ...] = ()

LONGEST = 4_000
"""Characters of a reason or a note."""

Act = Callable[[Desk, dict[str, str]], Request]


class Hitch(Exception):
    """Why an act is not done, in a sentence of the catalogues; what the desk itself says stands in `detail`."""

    def __init__(self, sentence: str, detail: str = "") -> None:
        self.sentence, self.detail = sentence, detail
        super().__init__(sentence)


@router.get(NEW.path)
async def asked(
    visit: Visitor, kind: Kind = "", person: Annotated[int | None, Query(ge=1, lt=2**31)] = None,
) -> Response:
    """The form. kind: what is asked for. person: whose page led here."""
    return await visit.page(NEW, "request_new.html", lambda room: _asked(room, kind, {"who": str(person or "")}))


@router.post(NEW.path)
async def opened(visit: Visitor) -> Response:
    """Opens it, for a person by number, or by an identifier of hers."""
    fields = await form(visit.request)

    def work(room: Room) -> dict[str, Any] | int:
        try:
            return _opened(room, fields).id
        except Hitch as no:
            found = _asked(room, fields.get("kind", ""), fields)
            return {**visit.frame(room, NEW), **found, "hitch": no.sentence, "detail": no.detail}

    done = await visit.run(NEW, work)
    return go(f"/requests/{done}") if isinstance(done, int) else visit.show("request_new.html", done, status=422)


@router.post("/requests/{number}/identity")
async def identity(visit: Visitor, number: Number) -> Response:
    """Notes that she was asked who she is, or that it is sure."""

    def act(desk: Desk, fields: dict[str, str]) -> Request:
        how = _how(fields)
        _waits(desk.get(number))
        return desk.ask_identity(number, how) if fields.get("state") == "asked" else desk.verify(number, how)

    return await _done(visit, number, act)


@router.post("/requests/{number}/extend")
async def extend(visit: Visitor, number: Number) -> Response:
    """Gives it more time, once."""

    def act(desk: Desk, fields: dict[str, str]) -> Request:
        if _waits(desk.get(number)).extended:
            raise Hitch(N_("It was given more time already; the law allows that once."))
        return desk.extend(number, _reason(fields))

    return await _done(visit, number, act)


@router.post("/requests/{number}/refuse")
async def refuse(visit: Visitor, number: Number) -> Response:
    """Closes it with a no."""

    def act(desk: Desk, fields: dict[str, str]) -> Request:
        if _waits(desk.get(number)).running:
            raise Hitch(N_("Work on it has begun, so it cannot be declined any more. Finish it."))
        return desk.refuse(number, _reason(fields))

    return await _done(visit, number, act)


@router.post("/requests/{number}/lift")
async def lift(visit: Visitor, number: Number) -> Response:
    """Ends a restriction or an objection."""

    def act(desk: Desk, fields: dict[str, str]) -> Request:
        held = desk.get(number)
        if held.kind not in ("restriction", "objection") or held.status != "done" or held.outcome.get("lifted"):
            raise Hitch(N_("This is no restriction or objection in force."))
        return desk.lift(number, _reason(fields))

    return await _done(visit, number, act)


@router.post("/requests/{number}/words")
async def words(visit: Visitor, number: Number) -> Response:
    """What the customer wrote, opened for this answer alone; that somebody read it is an entry."""
    fields = await form(visit.request)
    del fields  # a form of ours without fields: only that it is one

    def work(room: Room) -> dict[str, Any]:
        read = desk_of(room).read(number)
        return {**visit.frame(room, REQUEST), **one(room, number, words=read)}

    return visit.show("request.html", await visit.run(REQUEST, work))


@router.post("/requests/{number}/run")
async def run(visit: Visitor, number: Number) -> Response:
    """Does what is asked. An erasure once it was confirmed; a copy leaves as the answer, and its file is gone from our disk
    before its first byte does."""
    out: list[Path] = []

    def act(desk: Desk, fields: dict[str, str]) -> Request | None:
        held = desk.get(number)
        if held.status == "refused":
            raise Hitch(N_("This request was declined. Open another one."))
        if held.check.state != "verified":
            raise Hitch(N_("Nobody has made sure who asks. Verify her identity first."))
        if held.kind == "erasure" and held.open and fields.get("confirmed") != "yes":
            return None
        if held.kind in FILED:
            out.append(desk.rooms.config.var / "spill" / f"{COPY}{secrets.token_hex(8)}.zip")
        try:
            language = "zh" if fields.get("language") == "zh" else "en"
            return desk.run(number, out[0] if out else None, language=language)
        except NotAllowed as no:
            said = N_("Her records were joined or split since her identity was verified. Look, and verify again.")
            raise Hitch(said, str(no)) from no

    fields = await form(visit.request)
    done = await _acted(visit, number, act, fields)
    if isinstance(done, dict):
        return visit.show("request.html", done, status=422)
    if done is None:
        return go(f"/requests/{number}?confirm=true#confirm")
    if not out:
        return go(f"/requests/{number}")
    file = out[0].open("rb")
    out[0].unlink()
    headers = {"content-disposition": f'attachment; filename="request-{number}.zip"'}
    return StreamingResponse(iter(lambda: file.read(CHUNK), b""), media_type="application/zip", headers=headers)


async def _done(visit: Visit, number: int, act: Act) -> Response:
    """Does it and goes back to the request; what hinders it is said there."""
    made = await _acted(visit, number, act, await form(visit.request))
    return visit.show("request.html", made, status=422) if isinstance(made, dict) else go(f"/requests/{number}")


async def _acted(
    visit: Visit, number: int, act: Callable[[Desk, dict[str, str]], Request | None], fields: dict[str, str]
) -> dict[str, Any] | Request | None:
    def work(room: Room) -> dict[str, Any] | Request | None:
        try:
            return act(desk_of(room), fields)
        except Hitch as no:
            return {**visit.frame(room, REQUEST), **one(room, number, hitch=no.sentence, detail=no.detail)}
        except NotFound:
            raise
        except (BadInput, Refused) as no:
            said = N_("The desk could not do this. Nothing was changed by it.")
            return {**visit.frame(room, REQUEST), **one(room, number, hitch=said, detail=str(no))}

    return await visit.run(REQUEST, work)


def _opened(room: Room, fields: dict[str, str]) -> Request:
    kind, who = fields.get("kind", ""), fields.get("who", "").strip()[:200]
    if kind not in KINDS:
        raise Hitch(N_("Choose first what she asks for."))
    if not who:
        raise Hitch(N_("Write who asks: her number, or an e-mail, phone or other identifier of hers."))
    number = int(who) if who.isdecimal() and len(who) < 10 else None
    if number is None and not room.may("find"):
        raise Hitch(N_("Your role may not look people up by an identifier. Write her number."))
    changes = {fields["field"]: fields.get("value", "")} if kind == "correction" and fields.get("field") else {}
    try:
        return desk_of(room).open(
            kind,  # type: ignore[arg-type]
            person=number, value=None if number is not None else who, note=fields.get("note", "").strip()[:LONGEST],
            channel=fields["channel"] if fields.get("channel") in CHANNELS else "staff", changes=changes,
            purpose=fields.get("purpose") or None if kind == "objection" else None,
            spared=[p for p in room.app.config.purposes if kind == "restriction" and fields.get(f"spare {p}")],
        )  # fmt: skip
    except OfSeveral as no:
        said = N_("This identifier belongs to several people. Find out which of them asks, and write her number.")
        raise Hitch(said, str(no)) from no
    except NotFound as no:
        raise Hitch(N_("Nobody has this number."), str(no)) from no
    except BadInput as no:
        raise Hitch(N_("The desk does not take the request as it is. Look at what you wrote."), str(no)) from no


def _asked(room: Room, kind: str, given: dict[str, str]) -> dict[str, Any]:
    """What the form shows. given: what was written already."""
    purposes = room.app.config.purposes
    return {
        "kind": kind if kind in KINDS else "", "kinds": KINDS, "given": given, "channels": CHANNELS, "hitch": "", "detail": "",
        "fields": {f: FIELDS[f] for f in CONTESTABLE if f in FIELDS}, "objectable": desk_of(room).objectable(),
        "sparable": {n: room.tongue.pick(p.sentence) for n, p in purposes.items()}, "rule": room.app.config.requests,
    }  # fmt: skip


def _waits(held: Request) -> Request:
    if not held.open:
        raise Hitch(N_("This request is closed already."))
    return held


def _how(fields: dict[str, str]) -> How:
    how = fields.get("how", "")
    if how not in HOW:
        raise Hitch(N_("Choose how her identity was made sure."))
    return next(h for h in get_args(How) if h == how)


def _reason(fields: dict[str, str]) -> str:
    reason = fields.get("reason", "").strip()
    if not reason:
        raise Hitch(N_("Write a reason: she reads it on her receipt."))
    return reason[:LONGEST]

