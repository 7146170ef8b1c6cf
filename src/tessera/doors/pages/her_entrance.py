"""Where a customer comes in: the form that asks for a letter with a link. The answer is the same whether we know her or not."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tessera.doors.http.callers import our_page
from tessera.doors.http.me import letter
from tessera.doors.pages import render, taste
from tessera.doors.pages.her_visit import SIGN_IN, shop
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import Tongue
from tessera.doors.pages.visit import form, frame
from tessera.errors import BadInput

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
LONGEST = 320


@router.get(SIGN_IN)
async def asked(request: Request) -> Response:
    """The form."""
    return await _page(request)


@router.post(SIGN_IN)
async def sent(request: Request) -> Response:
    """A letter is on its way, if the mailbox is a customer's; the page says the same in any case."""
    our_page(request)
    fields = await form(request)
    address = fields.get("address", "").strip()
    if not 3 <= len(address) <= LONGEST or "@" not in address:
        raise BadInput("An address has something before and behind its @.")
    letter(request, address, taste.of(request).language)
    return await _page(request, sent=True)


async def _page(request: Request, *, sent: bool = False) -> Response:
    facts = {**frame(request), "sent": sent, "shop": await shop(request)}
    return taste.keep(request, render.answer(request, "me_sign_in.html", Tongue(taste.of(request).language), facts))
