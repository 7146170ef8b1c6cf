"""What routes ask of a request: who calls, from where, and that nothing is in it that nobody declared."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response

from tessera.doors import auth
from tessera.doors.auth import Caller, NotSignedIn
from tessera.doors.http.answers import TooMany
from tessera.doors.limits import origin
from tessera.errors import BadInput, NotAllowed
from tessera.trust.sessions import Sessions

if TYPE_CHECKING:
    from tessera.doors.http.site import Site

STAFF_COOKIE, CUSTOMER_COOKIE = "__Host-tessera", "__Host-tessera-me"
"""`__Host-`: browsers take it only over TLS (or from localhost), for this host alone, and let no other host set it."""
SAFE = ("GET", "HEAD")
ECHO = "tessera-live"
"""The header of what an open page asks by itself because it was told of news: no use of a session, and what it reads is no news
again, or two open pages would tell each other for ever."""


def site_of(request: Request) -> Site:
    """What the server's routes share."""
    found: Site = request.app.state.site
    return found


def address_of(request: Request) -> str:
    """Whom to count the request as, if nobody is signed in."""
    return origin(request.client.host) if request.client else "?"


def known_query(request: Request) -> None:
    """Refuses a query with a name that the route does not declare, or one given twice."""
    check_query(request)


def check_query(request: Request, also: Collection[str] = ()) -> None:
    """The same, where further names are known. Raises BadInput."""
    route = request.scope.get("route")
    declared = _declared(route.dependant) if isinstance(route, APIRoute) else set()
    named = [name for name, _ in request.query_params.multi_items()]
    if set(named) - declared - {*also} or len(named) > len(set(named)):
        raise BadInput(f"This address takes {', '.join(sorted(declared)) or 'no parameters'}, each once.")


def _declared(dependant: Dependant) -> set[str]:
    """The names that a route takes, by itself or by what it depends on."""
    found = {p.alias for p in dependant.query_params}
    return found.union(*(_declared(part) for part in dependant.dependencies))


def same_origin(request: Request) -> None:
    """Refuses to change anything for a cookie that another site may have made the browser send."""
    if request.method not in SAFE and request.headers.get("origin") not in site_of(request).origins:
        raise NotAllowed("This request does not come from our own pages (its Origin is another, or missing).")


def our_page(request: Request) -> None:
    """Refuses to sign anybody in for a page of another site; a program sends no Origin."""
    if request.headers.get("origin", site_of(request).url) not in site_of(request).origins:
        raise NotAllowed("This request comes from another site's page.")


async def customer(request: Request) -> tuple[str, int]:
    """The customer who is signed in: her session's token, and the key by which she came. Raises NotSignedIn, NotAllowed for
    a foreign origin, TooMany."""
    cookie = request.cookies.get(CUSTOMER_COOKIE, "")
    used = ECHO not in request.headers
    find = lambda app: Sessions(app.state, app.clock).find(cookie, "customer", used=used)  # noqa: E731
    session = await site_of(request).desk.run(find) if cookie else None
    if session is None:
        raise NotSignedIn
    same_origin(request)
    count(request, "caller", f"customer:{session.key}")
    return cookie, session.key


async def staff(request: Request) -> Caller:
    """The member of staff or program that calls. Raises NotSignedIn, NotAllowed for a foreign origin, TooMany."""
    site = site_of(request)
    authorization, cookie = request.headers.get("authorization", ""), request.cookies.get(STAFF_COOKIE, "")
    if authorization:
        caller = await site.desk.run(lambda app: auth.by_key(app, authorization))
    else:
        used = ECHO not in request.headers
        caller = await site.desk.run(lambda app: auth.by_session(app, cookie, used=used)) if cookie else None
        if caller is not None:
            same_origin(request)
    if caller is None:
        if authorization or cookie:
            count(request, "wrong_key", address_of(request))
        raise NotSignedIn
    count(request, "caller", caller.actor)
    return caller


def count(request: Request, kind: str, who: str) -> None:
    """Counts one thing against its limit; raises TooMany."""
    if retry_s := site_of(request).meter(kind).take(who):
        raise TooMany(retry_s)


def give_cookie(response: Response, name: str, token: str) -> None:
    """The cookie of a session: not for scripts, not for other sites, over TLS only; it goes with the browser."""
    response.set_cookie(name, token, secure=True, httponly=True, samesite="strict", path="/")


def take_cookie(response: Response, name: str) -> None:
    """Tells the browser to forget it."""
    response.delete_cookie(name, secure=True, httponly=True, samesite="strict", path="/")


Customer = Annotated[tuple[str, int], Depends(customer)]
Staff = Annotated[Caller, Depends(staff)]
