"""The customer's first page: where her data went, what happens now, her choices, what is set to disappear, what she can do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from tessera.doors.http.callers import CUSTOMER_COOKIE, site_of, take_cookie
from tessera.doors.pages import her_choices, her_endings, her_feed, her_flow
from tessera.doors.pages.her_visit import HOME, SIGN_IN, Her, HerRoom
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.visit import form, go
from tessera.errors import BadInput
from tessera.trust.sessions import Sessions

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])


@router.get(HOME)
async def mine(her: Her, said: Annotated[str, Query(max_length=60)] = "") -> Response:
    """The page. said: the purpose of a choice that was just saved."""
    return await her.page("me.html", lambda room: {**_shown(room), "said": said})


@router.get("/me/now")
async def now(her: Her) -> Response:
    """The parts that change while she looks: where her data went, and what happens now."""
    return await her.page("me_now.html", _shown)


@router.post("/me/choices")
async def chosen(her: Her) -> RedirectResponse:
    """Her answer to a purpose, saved at once. agree: yes or no. until: a day; once: with the first use."""
    fields = await form(her.request)
    purpose, agree = fields.get("purpose", ""), fields.get("agree") == "yes"
    if fields.get("agree") not in ("yes", "no"):
        raise BadInput("A choice is yes or no.")

    def work(room: HerRoom) -> None:
        until = her_choices.ends_at(fields["until"], room.tongue, room.now) if agree and fields.get("until") else None
        room.app.answer(
            room.her, room.key, purpose, agree=agree, language=room.tongue.language, until=until,
            once=agree and until is None and "once" in fields,
        )  # fmt: skip

    await her.run(work)
    return go(f"{HOME}?said={purpose}#choices")


@router.get("/me/choices/receipt")
async def receipt(her: Her) -> Response:
    """All her answers as a document after ISO/IEC TS 27560, whose number stands in the ledger."""
    made: dict[str, Any] = await her.run(lambda room: room.app.people.receipt_for(room.her, room.person))
    return JSONResponse(made, headers={"Content-Disposition": 'attachment; filename="my-choices.json"'})


@router.post("/me/sign-out")
async def out(her: Her, request: Request) -> RedirectResponse:
    """The session ends here, not in the browser alone."""
    await site_of(request).desk.run(lambda app: Sessions(app.state, app.clock).end(her.token))
    answer = go(SIGN_IN)
    take_cookie(answer, CUSTOMER_COOKIE)
    return answer


def _shown(room: HerRoom) -> dict[str, Any]:
    choices = her_choices.choices(room)
    return {
        "choices": choices,
        "flow": room.card(lambda: her_flow.shown(room, choices)),
        "feed": room.card(lambda: her_feed.feed(room)),
        "endings": room.card(lambda: her_endings.endings(room, choices)),
        "open_requests": [r for r in room.requests if r.open],
    }  # fmt: skip
