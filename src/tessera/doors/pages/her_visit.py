"""One request for a page of the customer's own: who she is comes from her session alone; from the work to the page."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tessera import flows
from tessera.app import App
from tessera.doors.auth import NotSignedIn
from tessera.doors.http.callers import ECHO, customer, site_of
from tessera.doors.http.desk import Away
from tessera.doors.http.me_requests import hers
from tessera.doors.pages import render, taste
from tessera.doors.pages.room import Card, carded
from tessera.doors.pages.tongue import Tongue
from tessera.doors.pages.visit import frame
from tessera.flows import Known, Lately
from tessera.trust.access import Reader
from tessera.trust.requests import Request as Asked

T = TypeVar("T")
HOME, SIGN_IN = "/me", "/me/sign-in"
FRESH, PEOPLE = timedelta(seconds=60), 256


@dataclass
class Memory:
    """What was asked of customers' own rows for their pages, for a minute: a page that is told of news every second must not
    read her rows, with two entries of the ledger, each time. What changes any of it (an answer, an erasure, a turn) ends it."""

    _kept: OrderedDict[int, tuple[object, datetime, Known]] = field(default_factory=OrderedDict)

    def known(self, room: HerRoom) -> Known:
        """What her page is made with."""
        app, now = room.app, room.now
        stamp = (room.her, app.gate.permits.epoch, tuple(app.lake.version(t) for t in app.lake.tables), len(room.requests))
        kept = self._kept.pop(room.person, None)
        if kept is None or kept[0] != stamp or now - kept[1] > FRESH:
            kept = (stamp, now, flows.known(app, room.her, room.requests))
        self._kept[room.person] = kept
        if len(self._kept) > PEOPLE:
            self._kept.popitem(last=False)
        return kept[2]


@dataclass(frozen=True, eq=False)
class HerRoom:
    """A customer in the open workspace. key: the identifier by which she came in. Made for one piece of work alone."""

    app: App
    her: Reader
    key: int
    tongue: Tongue
    memory: Memory

    @property
    def person(self) -> int:
        """Her number."""
        assert self.her.subject
        return self.her.subject.person

    @property
    def now(self) -> datetime:
        """This moment."""
        return self.app.clock()

    @cached_property
    def requests(self) -> list[Asked]:
        """What she has asked for, the newest first."""
        return sorted(hers(self.app, self.her), key=lambda r: -r.id)

    @cached_property
    def known(self) -> Known:
        """What we know of her rows and choices, as her page needs it."""
        return self.memory.known(self)

    @cached_property
    def lately(self) -> Lately:
        """Her part in what was done in the last days."""
        return flows.lately(self.app, self.her, self.known)

    def ask(self, question: str) -> list[dict[str, Any]]:
        """The rows of hers that a SELECT finds, through the gate and with its entry."""
        found: list[dict[str, Any]] = self.app.answers.ask(question, self.her).table.to_pylist()
        return found

    def has(self, table: str) -> bool:
        """Whether a table has been made."""
        return self.app.lake.version(table) is not None

    def card(self, work: Callable[[], Any]) -> Card:
        """As `room.carded`."""
        return carded(self.app, work)


@dataclass(frozen=True)
class HerVisit:
    """token: of her session. key: by which identifier she came in."""

    request: Request
    token: str
    key: int

    async def page(self, template: str, work: Callable[[HerRoom], Mapping[str, Any]], *, status: int = 200) -> Response:
        """Does the work and shows what it returns in her own shell."""

        def worked(room: HerRoom) -> dict[str, Any]:
            return {**self.frame(room), **work(room)}

        return self.show(template, await self.run(worked), status=status)

    async def run(self, work: Callable[[HerRoom], T]) -> T:
        """Does a piece of work for her. Raises as it does; NotSignedIn if she is nobody's any more."""

        pulse = site_of(self.request).pulse if ECHO in self.request.headers else None

        def worked(app: App) -> T:
            her, before = app.people.subject(self.key), len(app.ledger)
            if her is None:
                raise NotSignedIn
            tongue = Tongue(taste.of(self.request).language, app.config.time_zone, app.config.currency)
            try:
                return work(HerRoom(app, her, self.key, tongue, _memory(self.request)))
            finally:
                if pulse is not None:
                    pulse.echoed(len(app.ledger) - before)

        try:
            return await site_of(self.request).desk.run(worked)
        except NotSignedIn:
            raise _led(self.request) from None

    def show(self, template: str, facts: Mapping[str, Any], *, status: int = 200) -> Response:
        """A template with what the work returned."""
        return taste.keep(self.request, render.answer(self.request, template, facts["room_tongue"], facts, status))

    def frame(self, room: HerRoom) -> dict[str, Any]:
        """What her shell shows around every page."""
        return {
            **frame(self.request), "shop": room.app.config.name, "now": room.now, "room_tongue": room.tongue,
            "person": room.person, "signed_in": True, "seen": len(room.app.ledger) - 1,
        }  # fmt: skip


async def shop(request: Request) -> str:
    """The shop's name, for pages that nobody has signed in for; while other work has the workspace, our own."""
    try:
        return await site_of(request).desk.run(lambda app: app.config.name)
    except Away:
        return "Tessera"


def _memory(request: Request) -> Memory:
    found: Memory | None = getattr(request.app.state, "memory", None)
    if found is None:
        found = request.app.state.memory = Memory()
    return found


def _led(request: Request) -> Exception:
    """Whoever opens a page without a session is led to where she asks for one; a form or a part of a page is refused."""
    if request.method != "GET" or "hx-request" in request.headers:
        return NotSignedIn()
    return HTTPException(303, headers={"location": SIGN_IN})


async def her_visitor(request: Request) -> HerVisit:
    """The customer who asks for a page."""
    try:
        token, key = await customer(request)
    except NotSignedIn:
        raise _led(request) from None
    return HerVisit(request, token, key)


Her = Annotated[HerVisit, Depends(her_visitor)]
