"""Quarantine: rows that broke their contract, why, one as it came for whom it is open; and landed again once it is mended."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from tessera.data.quarantine import Opened
from tessera.doors.pages import turning
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor, form
from tessera.errors import NotFound

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
QUARANTINE = Page(
    name="quarantine", path="/quarantine", title=N_("Quarantine"), icon="triangle-alert", group="run", function="operate",
    key="x",
)  # fmt: skip
ROW = replace(QUARANTINE, path="/quarantine/{number}", title=N_("A row in quarantine"), key="", listed=False)
PAGES = (QUARANTINE, ROW)
NEWEST = 50

REASONS = {
    "Required-Missing": N_("A value that the contract requires is missing"),
    "Datatype-Mismatch": N_("A value is not of the kind that the contract promises"),
    "Unplanned-Event": N_("An event that the plan does not name"),
    "Additional-Properties": N_("Properties that the plan does not name"),
    "Unknown-Violation": N_("The row cannot be read"),
}
"""Each reason as a sentence; a plan's own words stand for themselves."""


@router.get(QUARANTINE.path)
async def listed(
    visit: Visitor, source: Annotated[str, Query(max_length=63)] = "", reason: Annotated[str, Query(max_length=63)] = ""
) -> Response:
    """What waits, by source and reason, and the newest rows without what they hold."""
    return await visit.page(QUARANTINE, "quarantine.html", lambda room: _work(visit, room, source, reason))


@router.post("/quarantine/replay")
async def replayed(visit: Visitor) -> Response:
    """Judges the rows of a source by today's contract, and lands those that keep it."""
    source = (await form(visit.request)).get("source", "")

    def work(room: Room) -> dict[str, Any]:
        done = room.app.replay(source=source or None)
        kept = sum(landed.kept for landed in done.landed.values())
        return {**_work(visit, room, source, ""), "done": {"source": source, "kept": kept, "left": done}}

    return await visit.page(QUARANTINE, "quarantine.html", work)


def _work(visit: Visitor, room: Room, source: str, reason: str) -> dict[str, Any]:
    if source:
        room.app.contract(source)
    return {
        "source": source, "reason": reason, "said": REASONS, "done": None, "under": turning.under(visit.request),
        "counts": room.card(room.app.quarantine.reasons),
        "newest": room.card(lambda: [
            k for k in room.app.quarantine.listed(source or None, "open", NEWEST * (4 if reason else 1))
            if not reason or k.reason == reason
        ][:NEWEST]),
    }  # fmt: skip


@router.get(ROW.path)
async def one(visit: Visitor, number: Annotated[int, Path(ge=0, le=2**53)]) -> Response:
    """One row as it came: for whom all that it may hold is clear. Yes and no are entries of the ledger."""

    def work(room: Room) -> dict[str, Any]:
        def opened() -> dict[str, Any]:
            found = room.app.quarantined(number, purpose=room.lens.purpose, role=room.lens.role, actor=room.caller.actor)
            return {"row": found.row, "marked": _marked(room, found), "categories": found.categories}

        kept = next((k for k in room.app.quarantine.listed(state=None) if k.id == number), None)
        if kept is None:
            raise NotFound("Quarantined row", str(number))
        return {"number_": number, "kept": kept, "said": REASONS, "opened": room.card(opened)}

    return await visit.page(ROW, "quarantined.html", work)


def _marked(room: Room, found: Opened) -> set[str]:
    """The places of the row that broke the rule, as its source calls them."""
    contract = next((c for c in room.app.config.sources if c.name == found.kept.source), None)
    named = {f.name: f.where for f in contract.fields} if contract else {}
    wanted = {part.strip() for part in found.kept.field.replace(" or ", ",").split(",")}
    return wanted | {named[w] for w in wanted if w in named}
