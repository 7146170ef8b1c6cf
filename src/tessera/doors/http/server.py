"""`serve`: the HTTP door on a socket: TLS 1.3 or nothing but loopback, no word about what runs here, a graceful stop."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from tessera.doors.collect import Collector
from tessera.doors.customer import Postman
from tessera.doors.http import answers, her_words, wire
from tessera.doors.http.desk import Desk
from tessera.doors.http.site import Site, build
from tessera.doors.http.upkeep import Upkeep
from tessera.doors.limits import Limits
from tessera.doors.oidc import Provider
from tessera.doors.outbox import FolderOutbox, SmtpOutbox
from tessera.doors.tracked import Tracked
from tessera.errors import BadInput

CONCURRENT = 256
"""Requests besides those of the tracking door that are served at once; further ones are answered 503."""
STOP_S, KEEP_ALIVE_S = 10, 5


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to listen. cert, key: PEM files, or neither. plain: whether another than a loopback address may go without TLS."""

    host: str = "127.0.0.1"
    port: int = 8000
    cert: Path | None = None
    key: Path | None = None
    plain: bool = False

    def check(self) -> None:
        """Raises BadInput for a place where we do not listen."""
        if (self.cert is None) != (self.key is None):
            raise BadInput("--tls-cert and --tls-key belong together. Give both, or neither.")
        if self.cert is None and not self.plain and not loopback(self.host):
            raise BadInput(
                f"{self.host} can be reached by others, and there is no TLS: passwords and people's data would go in clear. "
                "Give --tls-cert and --tls-key. Behind a proxy of yours that speaks TLS: --plain-http."
            )

    @property
    def origin(self) -> str:
        """The origin of this place itself."""
        scheme, usual = ("https", 443) if self.cert else ("http", 80)
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{name}" + ("" if self.port == usual else f":{self.port}")


def loopback(host: str) -> bool:
    """Whether nobody but this machine can ask there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Front:
    """Where requests come in first: what SDKs send goes to the collector, all else through the shield."""

    def __init__(self, collector: Collector, others: ASGIApp) -> None:
        self._collector, self._others, self._under_way = collector, others, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._collector.takes(scope):
            await self._collector(scope, receive, send)
        elif self._under_way >= CONCURRENT:
            await answers.plain(503, {"retry-after": "1"}, her_words.at(scope))(scope, receive, send)
        else:
            self._under_way += 1
            try:
                await self._others(scope, receive, send)
            finally:
                self._under_way -= 1


def serve(
    desk: Desk, place: Place, tracked: Tracked, *, limits: Limits | None = None, ready: Callable[[str], None] = print
) -> None:
    """Serves until it is told to stop (SIGINT, SIGTERM). ready: told the origin once it listens.

    Raises BadInput for a place where we do not listen, or one that cannot be had.
    """
    place.check()
    with socket.socket(socket.AF_INET6 if ":" in place.host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((place.host, place.port))
        except OSError as refused:
            raise BadInput(f"{place.host}:{place.port} cannot be listened at ({refused.strerror}).") from None
        made = Place(
            host=place.host, port=listening.getsockname()[1], cert=place.cert, key=place.key, plain=place.plain
        )
        wire.room(raised=True)
        with Upkeep(desk):
            server(desk, made, limits or Limits(), ready, tracked).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            most = self.config.limit_concurrency or wire.MOST
            wire.sweep(self.server_state.connections, asyncio.get_running_loop().time(), most)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What is loaded by now stays. Looked through again and again for what can go, it was a fifth of an event's time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        self._ready()


def server(
    desk: Desk, place: Place, limits: Limits, ready: Callable[[str], None], tracked: Tracked
) -> uvicorn.Server:
    """The server of a desk and of the tracking door at a place, not running yet."""
    with desk.app() as app:
        told, letters = app.config.serve, app.letters
    url = told.url or place.origin
    outbox = SmtpOutbox(told.mail) if told.mail else FolderOutbox(letters)
    provider = Provider(told.oidc, f"{url}/v1/session/oidc/back") if told.oidc else None
    site = Site(
        desk=desk, limits=limits, url=url, origins=origins(url, place), postman=Postman(desk, outbox, url), provider=provider
    )  # fmt: skip
    config = uvicorn.Config(
        Front(tracked.collector, build(site)), http=wire.Wire, ws="none", lifespan="off", loop="uvloop",
        access_log=False, log_config=None, server_header=False, proxy_headers=False, limit_concurrency=wire.room(),
        timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=STOP_S,
        ssl_certfile=place.cert, ssl_keyfile=place.key, ssl_context_factory=_tls13 if place.cert else None,
    )  # fmt: skip
    return _Server(config, lambda: ready(url))


def origins(url: str, place: Place) -> frozenset[str]:
    """The origins that are ours: of our address, and of this machine where only it can ask. A page of somebody else whose
    name leads here (DNS rebinding) asks under that name, and none other is answered (`Shield`)."""
    found = {url.lower(), place.origin.lower()}
    if loopback(place.host):
        scheme = place.origin.partition("://")[0]
        found |= {f"{scheme}://{name}:{place.port}" for name in ("localhost", "127.0.0.1", "[::1]")}
    return frozenset(found)


def _tls13(config: uvicorn.Config, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context
