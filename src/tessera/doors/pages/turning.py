"""A turn as pages show it: asked for, under way, or when the last one ended; and the button that asks for one now."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tessera.doors.http.callers import site_of
from tessera.doors.http.turns import Under
from tessera.doors.pages.menu import Page
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor, form, go
from tessera.errors import BadInput

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
TURN = Page(name="turn", path="/turn", title=N_("A turn"), function="operate", listed=False)
PAGES: tuple[Page, ...] = ()


def under(request: Request) -> Under | None:
    """How it stands with turns; None where this server runs none."""
    running = site_of(request).running
    return running.turns.under if running and running.turns else None


@router.post(TURN.path)
async def asked(visit: Visitor) -> Response:
    """Asks for a turn now, and goes back to the page."""
    fields = await form(visit.request)
    running = site_of(visit.request).running

    def work(room: Any) -> None:
        if running is None or running.turns is None:
            raise BadInput("This server runs no turns. At a terminal: tessera turn")
        running.turns.ask()

    await visit.run(TURN, work)
    return go(fields.get("to", "/status"))
