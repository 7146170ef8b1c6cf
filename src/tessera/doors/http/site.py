"""The HTTP door put together: routers, the shield around them, and how an error becomes an answer.

Another room of the house adds its own router here (`ROUTERS`); what is mounted is in /v1/openapi.json, and a test compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from tessera._version import VERSION
from tessera.doors.customer import Postman
from tessera.doors.http import answers, api, health, her_words, me, me_data, me_requests, measured, openapi, sign_in
from tessera.doors.http.callers import known_query
from tessera.doors.http.desk import Desk
from tessera.doors.http.pulse import Pulse
from tessera.doors.http.shield import Shield
from tessera.doors.limits import Limits, Meter
from tessera.doors.metrics import Metrics
from tessera.doors.oidc import Provider
from tessera.doors.pages import places, refusals
from tessera.doors.tracked import Tracked
from tessera.errors import TesseraError

if TYPE_CHECKING:
    from tessera.doors.http.server import Running

ROUTERS: tuple[APIRouter, ...] = (
    health.router, measured.router, sign_in.router, api.router, me.router, me_data.router, me_requests.router,
)  # fmt: skip
"""Every route of the door, but for the one that describes them."""

DOCUMENT = "/v1/openapi.json"


@dataclass(kw_only=True)
class Site:
    """What routes share: the workspace, the limits and their counts, who writes letters, where staff sign in by OpenID
    Connect (None: nowhere). url: the origin under which others reach this server. origins: it, and those under which this
    machine does; a page of any of them is ours. metrics: None where nothing is counted. accepts: whether the disk takes what
    the tracking door writes. pulse: what open pages hear. tracked: the tracking door, and the live engine behind it. running:
    what goes on beside the requests; None where nothing does."""

    desk: Desk
    limits: Limits
    url: str
    origins: frozenset[str]
    postman: Postman
    provider: Provider | None = None
    metrics: Metrics | None = None
    accepts: Callable[[], bool] = lambda: True
    pulse: Pulse | None = None
    tracked: Tracked | None = None
    running: Running | None = None
    meters: dict[str, Meter] = field(default_factory=dict)

    def meter(self, name: str) -> Meter:
        """The count of one kind of thing: `caller`, `knock`, `wrong_key`, `link`, `mailbox` or `verify` (see Limits)."""
        found = self.meters.get(name)
        if found is None:
            found = self.meters.setdefault(name, Meter(getattr(self.limits, name)))
        return found


def build(site: Site) -> ASGIApp:
    """The application."""
    app = FastAPI(
        title="Tessera", version=VERSION, openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False,
        debug=False, telemetry={"tracing": False},
    )  # fmt: skip
    app.state.site = site
    app.state.menu = places.MENU
    for router in (*ROUTERS, *places.ROUTERS):
        app.include_router(router)
    _describe(app)
    app.add_exception_handler(TesseraError, _ours)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _misread)
    app.add_exception_handler(Exception, _unforeseen)
    hosts = {origin.partition("://")[2] for origin in site.origins}
    return Shield(app, limits=site.limits, hosts=hosts, var=site.desk.root / "var")


def _describe(app: FastAPI) -> None:
    only, document = [Depends(known_query)], dict[str, Any]()

    @app.get(DOCUMENT, tags=["about"], summary="This document: every route there is", dependencies=only)
    async def described() -> dict[str, Any]:
        if not document:
            document.update(openapi.document(app, ROUTERS))
        return document


async def _refused(request: Request, error: Exception) -> Response:
    """What the router refuses. A method that a path does not take: with all that it takes, which may be several routes'."""
    assert isinstance(error, HTTPException)
    if error.status_code == 303:
        return Response(status_code=303, headers=dict(error.headers or {}))
    path = request.scope["path"]
    made = refusals.plain(request, error.status_code) if refusals.serves(path) else await answers.http_error(request, error)
    if made.status_code == 405:
        routes = (route for router in (*ROUTERS, *places.ROUTERS) for route in router.routes if isinstance(route, APIRoute))
        methods = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
        made.headers["allow"] = ", ".join(sorted(methods | {"GET"} if path == DOCUMENT else methods))
    return made


async def _misread(request: Request, error: Exception) -> Response:
    if refusals.serves(request.scope["path"]):
        return refusals.plain(request, 400)
    made: JSONResponse = await answers.misread(request, error)
    return made


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, TesseraError)
    var = request.app.state.site.desk.root / "var"
    if refusals.serves(request.scope["path"]):
        return refusals.of(request, error, var)
    made: JSONResponse = answers.of(error, var, her_words.at(request.scope))
    return made


async def _unforeseen(request: Request, error: Exception) -> Response:
    var = request.app.state.site.desk.root / "var"
    if refusals.serves(request.scope["path"]):
        return refusals.unforeseen(request, error, var)
    made: JSONResponse = answers.unforeseen(error, var, her_words.at(request.scope))
    return made
