"""One request for a page of staff: who asks, through which lens, in which language; from the work to the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qs, quote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from tessera.app import App
from tessera.doors import auth
from tessera.doors.auth import Caller, NotSignedIn
from tessera.doors.http.callers import ECHO, site_of, staff
from tessera.doors.pages import lens as lenses
from tessera.doors.pages import render, taste
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.tongue import Tongue
from tessera.errors import BadInput
from tessera.trust import functions

T = TypeVar("T")
SIGN_IN = "/sign-in"
MOST_FIELDS, LONGEST = 200, 64 * 1024


@dataclass(frozen=True)
class Visit:
    """request, caller: who asks."""

    request: Request
    caller: Caller

    async def page(
        self, page: Page, template: str, work: Callable[[Room], Mapping[str, Any]], *, status: int = 200
    ) -> Response:
        """Does the work for whoever may enter, and shows what it returns in the staff's shell. What refuses the work becomes a
        page that says why (pages/refusals.py)."""

        def worked(room: Room) -> dict[str, Any]:
            return {**self.frame(room, page), **work(room)}

        return self.show(template, await self.run(page, worked), status=status)

    async def run(
        self, page: Page, work: Callable[[Room], T], *, reopens: Callable[[T], bool] | None = None,
        undo: Callable[[Exception], None] | None = None,
    ) -> T:
        """Does a piece of work in the open workspace, for whoever may enter this place. Raises as the work does; NotAllowed is
        an entry of the ledger. reopens, undo: as `Desk.run`."""

        pulse = site_of(self.request).pulse if ECHO in self.request.headers else None

        def worked(app: App) -> T:
            before = len(app.ledger)
            try:
                return work(self._room(app, page))
            finally:
                if pulse is not None:
                    pulse.echoed(len(app.ledger) - before)

        return await site_of(self.request).desk.run(worked, reopens=reopens, undo=undo)

    def show(self, template: str, facts: Mapping[str, Any], *, status: int = 200) -> Response:
        """A template with what the work returned. facts: as `frame` and the work gave them."""
        pulse = site_of(self.request).pulse
        told = {"live": pulse.mark if pulse else "", **facts}
        return taste.keep(self.request, render.answer(self.request, template, facts["room_tongue"], told, status))

    def _room(self, app: App, page: Page) -> Room:
        lens = lenses.of(app, self.caller, self.request.cookies.get(lenses.COOKIE, ""))
        if page.function:
            reader = auth.reader(app, self.caller, page.function, lens.role, lens.purpose)
        else:
            reader = app.reader(lens.role, lens.purpose, self.caller.actor)
        tongue = Tongue(taste.of(self.request).language, app.config.time_zone, app.config.currency, page.words)
        return Room(app, self.caller, lens, reader, tongue, site_of(self.request).limits.answer)

    def frame(self, room: Room, page: Page) -> dict[str, Any]:
        """What the shell shows around every page."""
        able = [f for f in functions.WORDS if room.may(f)]
        return {
            **frame(self.request),
            "page": page, "lens": room.lens, "actor": self.caller.actor.partition(":")[2] or self.caller.actor,
            "menu": self.request.app.state.menu.open_to(able), "may": frozenset(able), "shop": room.app.config.name,
            "now": room.now, "contact": room.app.config.access.contact, "room_tongue": room.tongue,
            "purposes": {n: room.tongue.pick(p.sentence) for n, p in room.app.config.purposes.items()},
        }  # fmt: skip


def frame(request: Request) -> dict[str, Any]:
    """What every page has, whoever looks: her taste, and the address without it."""
    found = taste.of(request)
    kept = "&".join(f"{quote(k)}={quote(v)}" for k, v in request.query_params.multi_items() if k not in taste.ASKED)
    return {"taste": found, "here": request.url.path, "query": kept, "fragment": "hx-request" in request.headers}


async def visitor(request: Request) -> Visit:
    """The member of staff who asks for a page. Who is not signed in is led to where one signs in."""
    try:
        return Visit(request, await staff(request))
    except NotSignedIn:
        if request.method != "GET" or "hx-request" in request.headers:
            raise
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        to = "" if asked == "/" else f"?to={quote(asked, safe='')}"
        raise HTTPException(303, headers={"location": SIGN_IN + to}) from None


async def form(request: Request) -> dict[str, str]:
    """The fields of a form that a page of ours sent; the first of each name. Raises BadInput."""
    return {name: values[0] for name, values in (await fields(request)).items()}


async def fields(request: Request, most: int = MOST_FIELDS) -> dict[str, list[str]]:
    """The same with all that was given under each name; at most so many fields."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise BadInput("This address takes what a form of ours sends.")
    try:
        text = (await request.body()).decode("utf-8")
        return parse_qs(text, keep_blank_values=True, max_num_fields=most)
    except ValueError:
        raise BadInput(f"The form cannot be read; it has at most {most} fields, in UTF-8.") from None


def ours(to: str) -> str:
    """A place of ours to go on to: a path of this server, or the first page for anything else.

    >>> ours("/customers/3?x=1"), ours("//elsewhere.example"), ours("https://elsewhere.example")
    ('/customers/3?x=1', '/', '/')
    """
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"


def go(to: str) -> RedirectResponse:
    """On to a page of ours, after something was done."""
    return RedirectResponse(ours(to), 303)


Visitor = Annotated[Visit, Depends(visitor)]
