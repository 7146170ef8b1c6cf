"""The customer's own door: how she gets in. The answer is the same whether we know her or not, and takes the same work."""

from __future__ import annotations

import hashlib
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from tessera.app import App
from tessera.doors import auth, customer
from tessera.doors.auth import NotSignedIn
from tessera.doors.http import her_words
from tessera.doors.http.answers import FROM_OUTSIDE, KNOCKED
from tessera.doors.http.callers import (
    CUSTOMER_COOKIE,
    Customer,
    Staff,
    address_of,
    count,
    give_cookie,
    known_query,
    our_page,
    same_origin,
    site_of,
    take_cookie,
)
from tessera.doors.http.models import Enter, Knock, Return, Returned, Said, Token, Vouched
from tessera.doors.pages import render, taste
from tessera.doors.pages.her_visit import shop
from tessera.doors.pages.tongue import Tongue
from tessera.doors.pages.visit import frame
from tessera.errors import BadInput
from tessera.trust.access import SUBJECT
from tessera.trust.entries import Use
from tessera.trust.sessions import Sessions
from tessera.words import spelt

router = APIRouter(prefix="/v1/me", tags=["customer"])
KNOWN = [Depends(known_query)]
MOST_FIELDS = 4
SENT = {
    "en": "If we know this address, a letter with a link is on its way. It opens for 15 minutes.",
    "zh": "如果我们存有该地址，一封包含链接的邮件已在途中。链接有效期为 15 分钟。",
}
_FIELDS = {"type": "object", "properties": {"token": {"type": "string"}}, "required": ["token"]}
BUTTON = {"content": {"application/x-www-form-urlencoded": {"schema": _FIELDS}}}
"""What the page's button sends, in OpenAPI's words."""


@router.post("/link", status_code=202, summary="Ask for a letter with a link", dependencies=KNOWN, responses=FROM_OUTSIDE)
async def link(request: Request, asked: Knock) -> Said:
    """A letter goes out if the mailbox is a customer's; whoever asks is told the same in any case."""
    our_page(request)
    letter(request, asked.address, asked.language)
    return Said(message=SENT[asked.language])


def letter(request: Request, address: str, language: str) -> None:
    """A letter with a link, if the mailbox is a customer's. Raises TooMany for who asks too often."""
    site = site_of(request)
    count(request, "link", address_of(request))
    mailbox = hashlib.sha256(spelt("email", address).encode()).hexdigest()
    # Whoever asks too often for one mailbox is told the same too: others must not learn that she asked.
    if not site.meter("mailbox").take(mailbox):
        site.postman.ask(address, language)


@router.post("/token", summary="Let in a customer whom the owner's site has signed in", dependencies=KNOWN)
async def token(request: Request, caller: Staff, vouched: Vouched) -> Token:
    """For a program of the owner's (function customer_token). The token of a stranger looks the same, and opens nothing."""

    def work(app: App) -> Token:
        role = auth.duty(app, caller, "customer_token")
        key = customer.key_of(app, vouched.identifier, vouched.kind)
        made = customer.mint(app, key, customer.TOKEN_GOOD)
        app.ledger.append(Use(actor=caller.actor, role=role, act="customer_token", purpose="operate"))
        return Token(token=made, expires_in_s=int(customer.TOKEN_GOOD.total_seconds()))

    return await site_of(request).desk.run(work)


@router.post("/return", summary="Let back in a customer who has signed up or in at the owner's site", dependencies=KNOWN)
async def back(request: Request, caller: Staff, told: Return) -> Returned:
    """For a program of the owner's (function customer_token). Her act, with a new choice, is what an erasure gives way to; of
    whether there was one, the answer says nothing."""

    def work(app: App) -> Returned:
        role = auth.duty(app, caller, "customer_token")
        given = told.identifiers.model_dump(exclude_none=True)
        keys = app.welcome(
            told.act, given, told.choices, by=caller.actor, role=role, wording=told.wording, language=told.language
        )
        return Returned(identifiers=len(keys))

    return await site_of(request).desk.run(work)


@router.get(
    "/enter", summary="Where a letter's link leads", dependencies=[Depends(taste.known_query)], response_class=HTMLResponse
)
async def page(
    request: Request,
    token: Annotated[str, Query(min_length=1, max_length=400)],
    lang: Annotated[str | None, Query(pattern="^(en|zh)$")] = None,
) -> Response:
    """One button. Whatever looks at links before she does (a mail scanner) does not press it."""
    facts = {**frame(request), "token": token, "shop": await shop(request)}
    made = render.answer(request, "me_enter.html", Tongue(lang or taste.of(request).language), facts)  # type: ignore[arg-type]
    return taste.keep(request, made)


@router.post(
    "/enter", status_code=303, summary="Enter by the button of that page", dependencies=KNOWN, responses=KNOCKED,
    response_class=RedirectResponse, openapi_extra={"requestBody": BUTTON},
)  # fmt: skip
async def pressed(request: Request) -> RedirectResponse:
    """As POST /v1/me/session, for a form; then on to her own page."""
    same_origin(request)
    try:
        form = parse_qs((await request.body()).decode("ascii", "replace"), max_num_fields=MOST_FIELDS)
    except ValueError:
        raise BadInput(f"The form has one field, token; at most {MOST_FIELDS} are read.") from None
    made = await _entered(request, form.get("token", [""])[0][:400])
    answer = RedirectResponse("/me", 303)
    give_cookie(answer, CUSTOMER_COOKIE, made)
    return answer


@router.post("/session", summary="Enter with a token", dependencies=KNOWN, responses=KNOCKED)
async def session(request: Request, response: Response, given: Enter) -> Said:
    """The token is used up; the session is hers alone, and ends after 15 quiet minutes, or an hour."""
    our_page(request)
    give_cookie(response, CUSTOMER_COOKIE, await _entered(request, given.token))
    return Said(message=her_words.greeting("welcome", request.scope))


@router.delete("/session", summary="Leave", dependencies=KNOWN)
async def leave(request: Request, response: Response, her: Customer) -> Said:
    """The session ends here, not in the browser alone."""
    await site_of(request).desk.run(lambda app: Sessions(app.state, app.clock).end(her[0]))
    take_cookie(response, CUSTOMER_COOKIE)
    return Said(message=her_words.greeting("goodbye", request.scope))


async def _entered(request: Request, token: str) -> str:
    """The cookie of a new session. Raises NotSignedIn, the same for every token that lets nobody in."""
    count(request, "knock", address_of(request))
    old = request.cookies.get(CUSTOMER_COOKIE, "")

    def work(app: App) -> str:
        found = customer.enter(app, token)
        if found is None:
            raise NotSignedIn
        return let_in_as_her(app, found[0], old)

    return await site_of(request).desk.run(work)


def let_in_as_her(app: App, key: int, old: str, *, actor: str = SUBJECT, role: str = SUBJECT) -> str:
    """The cookie of a new session of whoever has this key; that she came in is a use of hers. old: her last cookie. actor,
    role: who came in; herself, but for the owner of a demo. Raises NotSignedIn where the key is nobody's."""
    reader = app.people.subject(key)
    if reader is None or reader.subject is None:
        raise NotSignedIn
    sessions = Sessions(app.state, app.clock)
    if old:
        sessions.end(old)
    kept = app.ledger.keep([reader.subject.person], "person")
    app.ledger.append(Use(actor=actor, role=role, act="sign-in", purpose="operate", keys=kept))
    return sessions.begin("customer", SUBJECT, key)
