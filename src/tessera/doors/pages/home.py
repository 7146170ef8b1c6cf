"""The first page: how the loop stands, trust, data, insight, action, in figures that lead to where they come from."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
HOME = Page(name="home", path="/", title=N_("Home"), icon="house", key="h")
PAGES = (HOME,)


@router.get(HOME.path)
async def home(visit: Visitor) -> Response:
    """The page."""
    return await visit.page(HOME, "home.html", _work)


def _work(room: Room) -> dict[str, Any]:
    return {"entries": len(room.app.ledger)}
