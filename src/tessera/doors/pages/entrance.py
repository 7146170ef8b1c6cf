"""Where staff come in and go: the form for an account, the link of whoever owns this machine, the lens, the way out."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from tessera.app import App
from tessera.doors import opening
from tessera.doors.auth import NotSignedIn
from tessera.doors.http.callers import (
    CUSTOMER_COOKIE,
    STAFF_COOKIE,
    address_of,
    count,
    give_cookie,
    our_page,
    site_of,
    take_cookie,
)
from tessera.doors.http.me import let_in_as_her
from tessera.doors.http.sign_in import begun, let_in
from tessera.doors.pages import lens, render, taste
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import Tongue
from tessera.doors.pages.visit import SIGN_IN, Visitor, form, frame, go, ours
from tessera.trust.sessions import Sessions

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
To = Annotated[str, Query(max_length=2_000)]


@router.get(SIGN_IN)
async def asked(request: Request, to: To = "/") -> Response:
    """The form."""
    return _form(request, ours(to))


@router.post(SIGN_IN)
async def given(request: Request, to: To = "/") -> Response:
    """An account and its password: the page that was asked for, or the form again."""
    our_page(request)
    fields = await form(request)
    try:
        _, token = await let_in(request, fields.get("account", "")[:200], fields.get("password", "")[:1_000])
    except NotSignedIn:
        return _form(request, ours(to), wrong=True)
    answer = go(to)
    give_cookie(answer, STAFF_COOKIE, token)
    return answer


@router.get(opening.PATH)
async def entered(request: Request, token: Annotated[str, Query(min_length=1, max_length=100)], to: To = "/") -> Response:
    """By the link that `tessera open` printed."""
    count(request, "knock", address_of(request))
    staff, hers = (request.cookies.get(name, "") for name in (STAFF_COOKIE, CUSTOMER_COOKIE))

    def work(app: App) -> tuple[str, str] | None:
        opened = opening.use(app, token)
        if opened is None:
            return None
        if opened.key:
            return CUSTOMER_COOKIE, let_in_as_her(app, opened.key, hers, actor=opened.actor, role="owner")
        return STAFF_COOKIE, begun(app, opened.actor, staff)[1]

    made = await site_of(request).desk.run(work)
    if made is None:
        return _form(request, ours(to), stale=True)
    name, session = made
    answer = go("/me" if name == CUSTOMER_COOKIE else to)
    give_cookie(answer, name, session)
    return answer


@router.post("/sign-out")
async def out(visit: Visitor) -> RedirectResponse:
    """The session ends here, not in the browser alone."""
    token = visit.request.cookies.get(STAFF_COOKIE, "")
    await site_of(visit.request).desk.run(lambda app: Sessions(app.state, app.clock).end(token))
    answer = go(SIGN_IN)
    take_cookie(answer, STAFF_COOKIE)
    return answer


@router.post("/lens")
async def looked(visit: Visitor) -> RedirectResponse:
    """Another role or purpose from now on. What is not hers is left out when the next page asks."""
    fields = await form(visit.request)
    answer = go(fields.get("to", "/"))
    role, _, purpose = fields.get("lens", "").partition("/")
    kept = f"{role}/{purpose}"[:100]
    if kept.isascii() and kept.isprintable() and not set(kept) & set(' ",;\\'):
        answer.set_cookie(lens.COOKIE, kept, max_age=taste.YEAR_S, secure=True, httponly=True, samesite="strict", path="/")
    return answer


def _form(request: Request, to: str, *, wrong: bool = False, stale: bool = False) -> Response:
    # Under the form's own address: the links of this page never repeat what a link to it held.
    kept = "" if to == "/" else f"to={quote(to)}"
    facts = {
        **frame(request), "here": SIGN_IN, "query": kept, "to": to,
        "action": f"{SIGN_IN}?{urlencode({'to': to})}", "wrong": wrong, "stale": stale,
        "provider": site_of(request).provider is not None,
    }  # fmt: skip
    status = 403 if wrong or stale else 200
    return taste.keep(request, render.answer(request, "sign_in.html", Tongue(taste.of(request).language), facts, status))
