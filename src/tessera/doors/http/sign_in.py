"""How staff sign in: a local account's password or OpenID Connect -> a session in a cookie; and how they sign out."""

from __future__ import annotations

from typing import Annotated

import anyio.to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import JSONResponse, RedirectResponse

from tessera.app import App
from tessera.doors import auth
from tessera.doors.auth import Caller, NotSignedIn
from tessera.doors.http.answers import KNOCKED
from tessera.doors.http.callers import (
    STAFF_COOKIE,
    Staff,
    address_of,
    count,
    give_cookie,
    known_query,
    our_page,
    site_of,
    take_cookie,
)
from tessera.doors.http.models import Said, SignedIn, SignIn
from tessera.doors.oidc import NotVouched, Provider
from tessera.errors import NotFound, Refused
from tessera.trust.accounts import Accounts
from tessera.trust.entries import Use
from tessera.trust.sessions import Sessions

router = APIRouter(prefix="/v1/session", tags=["sign in"])
KNOWN = [Depends(known_query)]
STATE_COOKIE = "__Host-tessera-oidc"


class WrongPassword(NotSignedIn):
    """No account has this name and password now; which of the two is wrong, or whether it has to wait, is not told."""

    def __init__(self) -> None:
        Refused.__init__(self, "No account is let in with this name and password now.", "Try again later, or ask the owner.")


@router.post("", summary="Sign in with a local account", dependencies=KNOWN, responses=KNOCKED)
async def password(request: Request, response: Response, given: SignIn) -> SignedIn:
    """The answer is the same for an unknown account, a wrong password, a disabled account and one that has to wait."""
    our_page(request)
    made, token = await let_in(request, given.account, given.password)
    give_cookie(response, STAFF_COOKIE, token)
    return made


async def let_in(request: Request, name: str, password: str) -> tuple[SignedIn, str]:
    """The session of a local account, and what its cookie holds. Raises WrongPassword, TooMany."""
    count(request, "knock", address_of(request))
    old = request.cookies.get(STAFF_COOKIE, "")
    with_clock = await site_of(request).desk.run(lambda app: Accounts(app.state, app.clock))
    # Outside of the workspace's turn: a password takes a tenth of a second of work, whoever knocks.
    account = await anyio.to_thread.run_sync(with_clock.verified, name, password)

    def work(app: App) -> tuple[SignedIn, str]:
        if account is None:
            known = app.state.get("account", name) is not None
            _told(app, f"account:{name}" if known else "account:?", "no such account, password, or not now")
            raise WrongPassword
        return begun(app, account.actor, old)

    return await site_of(request).desk.run(work)


@router.get("", summary="Who is signed in", dependencies=KNOWN)
async def who(request: Request, caller: Staff) -> SignedIn:
    """And in which roles, as access.yaml has them now."""
    return await site_of(request).desk.run(lambda app: SignedIn(actor=caller.actor, roles=auth.roles_of(app, caller)))


@router.delete("", summary="Sign out", dependencies=KNOWN)
async def out(request: Request, response: Response, caller: Staff) -> Said:
    """The session ends here, not in the browser alone."""
    token = request.cookies.get(STAFF_COOKIE, "")
    await site_of(request).desk.run(lambda app: Sessions(app.state, app.clock).end(token))
    take_cookie(response, STAFF_COOKIE)
    return Said(message="Signed out.")


@router.get(
    "/oidc", summary="Sign in by OpenID Connect", dependencies=KNOWN, response_class=RedirectResponse, status_code=303,
    responses={404: {}},
)  # fmt: skip
async def away(request: Request) -> Response:
    """Sends the browser to the provider that tessera.yaml names."""
    count(request, "knock", address_of(request))
    address, state = await anyio.to_thread.run_sync(_provider(request).start)
    answer = RedirectResponse(address, 303)
    # Lax, for the provider sends the browser back from another site.
    answer.set_cookie(STATE_COOKIE, state, max_age=600, secure=True, httponly=True, samesite="lax", path="/")
    return answer


@router.get("/oidc/back", summary="Where the provider sends the browser back to", responses={**KNOCKED, 404: {}})
async def back(
    request: Request,
    state: Annotated[str, Query(max_length=100)],
    code: Annotated[str, Query(max_length=2000)] = "",
    iss: Annotated[str | None, Query(max_length=500)] = None,
) -> SignedIn:
    """Refuses alike whoever has no role here, and whom the provider does not vouch for."""
    count(request, "knock", address_of(request))
    cookie = request.cookies.get(STATE_COOKIE, "")
    try:
        subject = await anyio.to_thread.run_sync(_provider(request).finish, code, state, cookie, iss)
    except NotVouched as no:
        reason = str(no)
        await site_of(request).desk.run(lambda app: _told(app, "oidc:?", reason))
        raise NotSignedIn from None

    def work(app: App) -> tuple[SignedIn, str]:
        actor = f"oidc:{subject}"
        if not auth.roles_of(app, Caller(actor=actor)):
            _told(app, "oidc:?", "the provider vouches for somebody who has no role here")
            raise NotSignedIn
        return begun(app, actor, request.cookies.get(STAFF_COOKIE, ""))

    made, token = await site_of(request).desk.run(work)
    browsed = "text/html" in request.headers.get("accept", "")
    answer: Response = RedirectResponse("/", 303) if browsed else JSONResponse(made.model_dump())
    give_cookie(answer, STAFF_COOKIE, token)
    take_cookie(answer, STATE_COOKIE)
    return answer  # type: ignore[return-value]


def _provider(request: Request) -> Provider:
    provider = site_of(request).provider
    if provider is None:
        raise NotFound("OpenID provider", "serve.oidc of tessera.yaml")
    return provider


def begun(app: App, actor: str, old: str) -> tuple[SignedIn, str]:
    """A new session; the one that the browser had ends with it."""
    sessions = Sessions(app.state, app.clock)
    if old:
        sessions.end(old)
    token = sessions.begin("staff", actor)
    app.ledger.append(Use(actor=actor, role="", act="sign-in", purpose="operate"))
    return SignedIn(actor=actor, roles=auth.roles_of(app, Caller(actor=actor))), token


def _told(app: App, actor: str, reason: str) -> None:
    """An entry that somebody was not let in; what was typed stands nowhere."""
    use = Use(actor=actor, role="", act="sign-in", purpose="operate", verdict="refused", reason=reason)
    app.ledger.append(use)
