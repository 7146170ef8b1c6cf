"""`serve`: the HTTP door on a socket: TLS 1.3, or plain HTTP for this machine alone; a graceful stop that loses nothing."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera.doors import forwarded
from tessera.doors.collect import POSTED, Answer
from tessera.doors.customer import Postman
from tessera.doors.decide import PATH, DecideDoor
from tessera.doors.forwarded import Proxies
from tessera.doors.http import answers, her_words, wire
from tessera.doors.http.desk import Desk
from tessera.doors.http.guarded import Guard
from tessera.doors.http.handshake import Greeter
from tessera.doors.http.pulse import Pulse
from tessera.doors.http.shop import Shop
from tessera.doors.http.site import Site, build
from tessera.doors.http.tls import Tls
from tessera.doors.http.turns import Turns
from tessera.doors.http.upkeep import Upkeep
from tessera.doors.http.watch import Watch
from tessera.doors.http.watching import Watching
from tessera.doors.limits import Limits, loopback
from tessera.doors.log import Log
from tessera.doors.metrics import Metrics
from tessera.doors.oidc import Provider
from tessera.doors.outbox import FolderOutbox, SmtpOutbox
from tessera.doors.policy import Asked
from tessera.doors.tail import Tails, Taps
from tessera.doors.tracked import Tracked
from tessera.errors import BadInput

CONCURRENT = 256
"""Requests besides those of the tracking door that are served at once; further ones are answered 503."""
STOP_S, KEEP_ALIVE_S = 10, 5
SWITCH_S = 0.001
"""How long a thread computes while another waits for the interpreter (Python's own: 0.005)."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where to listen. tls: None is plain HTTP, for this machine alone."""

    host: str = "127.0.0.1"
    port: int = 8000
    tls: Tls | None = None

    def check(self) -> None:
        """Raises BadInput for a place where we do not listen."""
        if self.tls is None and not loopback(self.host):
            raise BadInput(
                f"{self.host} can be reached by others, to whom plain HTTP would show passwords and people's data. "
                "Leave --plain-http out and give --tls-cert and --tls-key. "
                "For a proxy on this machine: --host 127.0.0.1 --plain-http."
            )
        if self.tls is not None:
            self.tls.check()

    @property
    def origin(self) -> str:
        """The origin of this place itself."""
        scheme, usual = ("https", 443) if self.tls else ("http", 80)
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{name}" + ("" if self.port == usual else f":{self.port}")


class Stream(Protocol):
    """A door that answers with server-sent events, until the page or the server ends."""

    def takes(self, scope: Scope) -> bool: ...
    def close(self) -> None: ...
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Front:
    """Where requests come in first: what SDKs send goes to the collector, who asks for the banner gets it, all else goes
    through the shield. guard: what our own doors do not foresee. proxies: None where nobody asks for others. streams: what
    pages keep open."""

    posted: Mapping[bytes, str] = {**POSTED, PATH.encode(): PATH}

    def __init__(
        self, tracked: Tracked, others: ASGIApp, guard: Guard, metrics: Metrics | None = None, decide: DecideDoor | None = None,
        proxies: Proxies | None = None, streams: Sequence[Stream] = (),
    ) -> None:  # fmt: skip
        self._guard, self._streams = guard, streams
        self._collector, self._banner, self._decide = tracked.collector, tracked.banner, decide
        self._others, self._metrics, self._proxies, self._under_way = others, metrics, proxies, 0
        self.asked = time.monotonic()
        """When anybody asked for anything last."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked = time.monotonic()
        if self._proxies is not None:
            self._proxies.see_through(scope)
        ours = self._ours(scope) if scope["type"] == "http" else None
        if (metrics := self._metrics) is not None:
            send = _counted(send, metrics, "api" if ours is None else "decide" if ours is self._decide else "tracking")
        if ours is not None:
            await self._guard.asgi(ours, scope, receive, send)
        elif self._under_way >= CONCURRENT:
            await answers.plain(503, {"retry-after": "1"}, her_words.at(scope))(scope, receive, send)
        else:
            self._under_way += 1
            try:
                await self._others(scope, receive, send)
            finally:
                self._under_way -= 1

    def _ours(self, scope: Scope) -> ASGIApp | None:
        """Which of the doors beside the API a request is for."""
        if self._decide is not None and self._decide.takes(scope):
            return self._decide
        if self._banner.takes(scope):
            return self._banner
        if self._collector.takes(scope):
            return self._collector
        return next((stream for stream in self._streams if stream.takes(scope)), None)

    async def post(self, kind: str, address: str, headers: Mapping[bytes, bytes], data: bytes) -> Answer:
        """As `wire.Posts` asks."""
        self.asked = time.monotonic()
        if self._proxies is not None and (said := headers.get(forwarded.HEADER)) is not None:
            address = self._proxies.client(address, [said])
        if kind == PATH and self._decide is not None:
            asked, door = self._decide.post(address, headers, data), "decide"
        else:
            asked, door = self._collector.post(kind, Asked(address, headers), data), "tracking"
        answer = await self._guard.whole(asked)
        if self._metrics is not None:
            self._metrics.answered(door, answer[0])
        return answer


def _counted(send: Send, metrics: Metrics, door: str) -> Send:
    async def counted(message: Message) -> None:
        if message["type"] == "http.response.start":
            metrics.answered(door, message["status"])
        await send(message)

    return counted


@dataclass(frozen=True, kw_only=True)
class Running:
    """What goes on beside the requests, and is looked at from outside: counts, the log, who is told of trouble,
    who watches events, what open pages hear, turns, the made-up shop beside, the certificate. idle_s: once nobody has asked for
    anything for so long, and no page is open, the server ends; None: it goes on."""

    metrics: Metrics
    log: Log
    watch: Watch
    taps: Taps
    pulse: Pulse | None = None
    turns: Turns | None = None
    shop: Shop | None = None
    tls: Tls | None = None
    idle_s: float | None = None


def serve(
    desk: Desk, place: Place, tracked: Tracked, running: Running, *, limits: Limits | None = None,
    ready: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Serves until it is told to stop (SIGINT, SIGTERM): then no new connection is taken, what is under way is answered, and a
    turn that runs is stopped. ready: told the origin once it listens.

    Raises BadInput for a place where we do not listen, or one that cannot be had.
    """
    place.check()
    with socket.socket(socket.AF_INET6 if ":" in place.host else socket.AF_INET) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((place.host, place.port))
        except OSError as refused:
            raise BadInput(f"{place.host}:{place.port} cannot be listened at ({refused.strerror}).") from None
        made = replace(place, port=listening.getsockname()[1])
        with desk.app() as app:
            told = app.config.serve
        wire.room(raised=True)
        with ExitStack() as beside:
            if told.metrics_port is not None:
                beside.callback(_measured(running.metrics, told.metrics_port))
            beside.enter_context(Tails(desk, running.taps))
            beside.enter_context(tracked.deciding.webhooks)
            beside.enter_context(Upkeep(desk, log=running.log, looks=running.watch.looks(made.tls)))
            turns = Turns(desk.root, told.turn_every_s, running.log, running.watch.turned, running.pulse)
            shop = beside.enter_context(Shop(desk.root, running.pulse))
            running = replace(running, turns=beside.enter_context(turns), shop=shop, tls=made.tls)
            server(desk, made, limits or Limits(), ready, tracked, running).run(sockets=[listening])


def _measured(metrics: Metrics, port: int) -> Callable[[], None]:
    """Lets this machine alone read the metrics at a port of their own, also while the workspace is lent; returns its end.

    Raises BadInput where the port cannot be had.
    """
    from prometheus_client import start_http_server

    try:
        listening, thread = start_http_server(port, "127.0.0.1", metrics.registry)
    except OSError as no:
        raise BadInput(f"127.0.0.1:{port} cannot be listened at ({no.strerror}). Change serve.metrics_port.") from None

    def end() -> None:
        listening.shutdown()
        listening.server_close()
        thread.join()

    return end


class _Server(uvicorn.Server):
    """Says when it listens. tls: what it speaks TLS with; None for plain HTTP."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], decide: DecideDoor | None = None, tls: Tls | None = None,
        pulse: Pulse | None = None, desk: Desk | None = None, streams: Sequence[Stream] = (),
        idle: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._ready, self._decide, self._tls, self._pulse, self._desk = ready, decide, tls, pulse, desk
        self._streams, self._idle = streams, idle

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:
            wire.sweep(self._connected, asyncio.get_running_loop().time(), self._most)
            if self._idle():
                return True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._decide is not None:
            self._decide.listening.close()
        for stream in self._streams:
            stream.close()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self._tls is None:
            await super().startup(sockets)
        else:
            await self._greet(self._tls, sockets or [])
        if self._decide is not None:
            self._decide.deciding.begin(asyncio.get_running_loop())
        if self._pulse is not None and self._desk is not None:
            self._pulse.begin(asyncio.get_running_loop(), self._desk)
        # What is loaded by now stays. Looked through again and again for what can go, it was a fifth of an event's time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        # The journal's thread asks for the interpreter several times a group, and would wait so long for it each time.
        sys.setswitchinterval(SWITCH_S)
        self._ready()

    async def _greet(self, tls: Tls, sockets: list[socket.socket]) -> None:
        """As uvicorn's startup, with handshakes of ours."""
        await self.lifespan.startup()
        config, context = self.config, tls.context()

        def made() -> wire.Wire:
            return wire.Wire(config, self.server_state, self.lifespan.state)

        greeters = [Greeter(one, context, made, self._connected, self._most, config.backlog) for one in sockets]
        self.servers = cast("list[asyncio.base_events.Server]", greeters)  # uvicorn closes them and waits for it
        self.started = True

    @property
    def _connected(self) -> set[wire.Connected]:
        return cast("set[wire.Connected]", self.server_state.connections)

    @property
    def _most(self) -> int:
        return self.config.limit_concurrency or wire.MOST

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but that the signal ends with us: raised once more, as there, SIGTERM would end the process before the
        journals and the ledger are closed."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def server(
    desk: Desk, place: Place, limits: Limits, ready: Callable[[str], None], tracked: Tracked, running: Running | None = None
) -> uvicorn.Server:
    """The server of a desk and of the tracking door at a place, not running yet. running: None where nothing is counted."""
    with desk.app() as app:
        told, letters = app.config.serve, app.letters
    url = told.url or place.origin
    outbox = SmtpOutbox(told.mail) if told.mail else FolderOutbox(letters)
    provider = Provider(told.oidc, f"{url}/v1/session/oidc/back") if told.oidc else None
    site = Site(
        desk=desk, limits=limits, url=url, origins=origins(url, place), postman=Postman(desk, outbox, url), provider=provider,
        metrics=running.metrics if running else None, accepts=tracked.accepts, pulse=running.pulse if running else None,
        tracked=tracked, running=running,
    )  # fmt: skip
    decide = DecideDoor(tracked.deciding, desk.root / "var")
    guard = Guard(desk.root / "var")
    pulse = running.pulse if running else None
    streams: list[Stream] = [pulse, Watching(desk, running.taps)] if running and pulse else []
    proxies = Proxies(told.proxies) if told.proxies else None
    front = Front(tracked, build(site), guard, site.metrics, decide, proxies, streams)
    config = uvicorn.Config(
        front, http=wire.Wire, ws="none", lifespan="off", loop="uvloop",
        access_log=False, log_config=None, server_header=False, proxy_headers=False, limit_concurrency=wire.room(),
        timeout_keep_alive=KEEP_ALIVE_S, timeout_graceful_shutdown=STOP_S,
    )  # fmt: skip
    idle_s = running.idle_s if running else None

    def idle() -> bool:
        open_pages = pulse is not None and pulse.listened
        return idle_s is not None and not open_pages and time.monotonic() - front.asked > idle_s

    return _Server(config, lambda: ready(url), decide, place.tls, pulse, desk, streams, idle)


def origins(url: str, place: Place) -> frozenset[str]:
    """The origins that are ours: of our address, and of this machine where only it can ask. A page of somebody else whose
    name leads here (DNS rebinding) asks under that name, and none other is answered (`Shield`)."""
    found = {url.lower(), place.origin.lower()}
    if loopback(place.host):
        scheme = place.origin.partition("://")[0]
        found |= {f"{scheme}://{name}:{place.port}" for name in ("localhost", "127.0.0.1", "[::1]")}
    return frozenset(found)
