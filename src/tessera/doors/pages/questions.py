"""Questions that people keep: to be asked again by themselves, or by whoever has a role that they are shared with."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from tessera.doors.pages.explore import EXPLORE, around, asked_of, kept
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.visit import Visitor, form, go
from tessera.errors import BadInput, Refused

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
PAGES: tuple[Page, ...] = ()
Number = Annotated[int, Path(ge=1, lt=2**53)]


@router.post("/explore/questions")
async def keep(visit: Visitor) -> Response:
    """Keeps what is in the editor, with the lens through which she looks. Where it cannot be kept, the page says why, and the
    text stays."""
    fields = await form(visit.request)

    def work(room: Room) -> dict[str, Any]:
        chart = "/".join(fields.get(f"chart_{part}", "") for part in ("form", "x", "y"))
        try:
            saved = kept(room).keep(
                fields.get("name", ""), fields.get("text", ""), actor=visit.caller.actor, roles=room.lens.choices,
                role=room.lens.role, purpose=room.lens.purpose, shared=fields.get("shared", ""), chart=chart,
            )  # fmt: skip
        except (Refused, BadInput) as no:
            return {**visit.frame(room, EXPLORE), **around(room), "asked": asked_of(fields | {"run": "1"}), "unkept": str(no)}
        return {"saved": saved}

    facts = await visit.run(EXPLORE, work)
    if "unkept" in facts:
        return visit.show("explore.html", facts, status=400)
    return go(f"{EXPLORE.path}?question={facts['saved'].id}")


@router.post("/explore/questions/{number}/rename")
async def rename(visit: Visitor, number: Number) -> Response:
    """Gives one of her own another name."""
    fields = await form(visit.request)
    await visit.run(EXPLORE, lambda room: kept(room).rename(number, fields.get("name", ""), visit.caller.actor))
    return go(f"{EXPLORE.path}?question={number}")


@router.post("/explore/questions/{number}/delete")
async def delete(visit: Visitor, number: Number) -> Response:
    """Deletes one of her own."""
    await visit.run(EXPLORE, lambda room: kept(room).drop(number, visit.caller.actor))
    return go(EXPLORE.path)
