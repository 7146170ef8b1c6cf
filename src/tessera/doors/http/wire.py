"""HTTP/1.1 on a connection: httptools (llhttp, as Node has it) read strictly, within bounds of size and time.

llhttp knows no bounds of its own, and takes a few things that others read otherwise, which is what request smuggling lives on.
What is refused here beyond what it refuses: more than one Host or none, a transfer coding besides `chunked`, versions other
than 1.0 and 1.1, a head (or chunk extensions, or trailers) of more than 16 KiB. Trailers are not headers, and are left out. A
request that is not whole in time ends its connection, so that many slow ones hold nothing up.

What SDKs post is small and comes in whole, in one read. Such a request is answered in one write, without the task and the two
messages of ASGI; all others, and those behind an unanswered one, go through it.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Protocol

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

LARGEST_HEAD = 16 * 1024
FIRST_BYTE_S, WHOLE_S = 10.0, 30.0
"""How long a connection may be open before its first request begins, and a request may take to come in whole."""

CROWDED_S = 3.0
"""The same for both, while more than half of the connections that may be open are."""

MOST = 16_384
"""Connections at once, where the system lets this process have as many files."""

_OWN_FILES = 512
"""Files that stay free of connections, for the journals and the lake."""


Header = tuple[bytes, bytes]
Answer = tuple[int, Sequence[Header], bytes]
Asking = Coroutine[asyncio.Future[Any], None, Answer]

FAILED: Answer = (500, [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"21")], b"Internal Server Error")


class Posts(Protocol):
    """What an app may have beside ASGI. posted: raw paths, and what is posted there; `post` is asked for them alone."""

    posted: Mapping[bytes, str]

    def post(self, kind: str, address: str, headers: Mapping[bytes, bytes], data: bytes) -> Asking:
        """The answer to a request that came in whole. Awaits nothing but futures. address: of the peer."""


class Bad(Exception):
    """A request that is none, or a head that is too large: answered 400, and the connection ends."""


class Wire(HttpToolsProtocol):
    """One connection. limit_concurrency of the configuration is how many may be open; further ones are ended at once."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:  # fmt: skip
        super().__init__(config, server_state, app_state, _loop)
        self._most, self.limit_concurrency = config.limit_concurrency or MOST, None
        self._began: float | None = self.loop.time()
        self._head = self._silent = 0
        self._in_head = self._asked = False
        self._posts: Posts = self.app
        self._posted = getattr(self.app, "posted", {})
        self._parts: list[bytes] | None = None
        self._whole: Whole | None = None

    def overdue(self, now: float, most_s: float) -> bool:
        """Whether it has waited too long for bytes of its peer. now: of the loop. most_s: at most this, however little came."""
        if self._began is None or (self.cycle and not self.cycle.response_complete and not self.cycle.more_body):
            return False
        return now - self._began > min(most_s, WHOLE_S if self._asked else FIRST_BYTE_S)

    def abort(self) -> None:
        """Ends it at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # It and its last request hold each other: the garbage collector, which `serve` asks seldom, would find them late.
        self.cycle = self._whole = None  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        if self._began is None:
            self._began = self.loop.time()
        self._silent += len(data)
        super().data_received(data)
        if self._whole is not None:
            whole, self._whole = self._whole, None
            whole.go()
        elif self._parts is not None and not self.transport.is_closing():
            self._through_asgi(self._parts)
        if self._silent > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("Invalid HTTP request received.")

    def send_400_response(self, msg: str) -> None:
        """Tells it where no answer is on its way; otherwise the connection ends, and what was under way is unanswered."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started and not self.pipeline):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._began = self.loop.time()
        self._head, self._in_head, self._asked = 0, True, True

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head += len(name) + len(value) + 4  # as `_count`, in the one place that is called ten times a request
        if self._head > LARGEST_HEAD:
            raise Bad
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            raise Bad
        hosts = forwarded = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"x-forwarded-for":
                forwarded += 1  # of several lines the order counts, which the short way does not keep
            elif name == b"transfer-encoding" and value.lower() != b"chunked":
                raise Bad
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise Bad
        self._silent = 0
        if self.url in self._posted and self.parser.get_method() == b"POST" and forwarded < 2 and self._free():
            self._parts = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._silent = 0
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        self._began, self._silent = None, 0
        if self._parts is None:
            super().on_message_complete()
            return
        parts, self._parts = self._parts, None
        address, data = self.client[0] if self.client else "", parts[0] if len(parts) == 1 else b"".join(parts)
        asking = self._posts.post(self._posted[self.url], address, dict(self.headers), data)
        keep_alive = self.parser.get_http_version() == "1.1" and self.parser.should_keep_alive()
        self.cycle = self._whole = Whole(self, asking, keep_alive)  # type: ignore[assignment]

    def on_response_complete(self) -> None:
        if self._began is not None and self.cycle is not None and not self.cycle.more_body:
            self._began = self.loop.time()  # a next request that has begun, and was not read on while this one was answered
        super().on_response_complete()

    def _free(self) -> bool:
        """Whether a request may be answered at once: none before it waits, and the peer reads what it is told."""
        before = self.cycle is None or self.cycle.response_complete
        return before and not self.flow.write_paused and not self.parser.should_upgrade()

    def _through_asgi(self, parts: list[bytes]) -> None:
        """A request that did not come in whole, after all."""
        self._parts = None
        super().on_headers_complete()
        for part in parts:
            super().on_body(part)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > LARGEST_HEAD:
            raise Bad

    def _unsupported_upgrade_warning(self) -> None:
        """After a request that asks for another protocol llhttp reads no further, so the connection ends with its answer."""
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()
        else:
            self.cycle.keep_alive = False


class Whole:
    """A request that came in whole, while it is answered; to uvicorn's protocol it is the cycle of the connection.

    The futures that its coroutine awaits drive it: what an eager task does, where Python has them (3.12).
    """

    __slots__ = ("_asking", "_wire", "disconnected", "keep_alive", "response_complete")
    more_body = response_started = False
    message_event = asyncio.Event()  # set where a peer is gone; nobody waits for it

    def __init__(self, wire: Wire, asking: Asking, keep_alive: bool) -> None:
        self._wire, self._asking, self.keep_alive = wire, asking, keep_alive
        self.disconnected = self.response_complete = False

    def go(self, _: object = None) -> None:
        """As far as it comes; the next future that it awaits calls again."""
        try:
            self._asking.send(None).add_done_callback(self.go)
        except StopIteration as done:
            self._told(*done.value)
        except Exception as error:
            self._wire.logger.error("A request failed.", exc_info=error)
            self.keep_alive = False
            self._told(*FAILED)

    def _told(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        if self.disconnected:
            return
        wire, self.response_complete = self._wire, True
        wire.transport.write(_head(status, (*wire.server_state.default_headers, *headers), self.keep_alive) + body)
        if not self.keep_alive:
            wire.transport.close()
        wire.on_response_complete()


@lru_cache(1024)
def _head(status: int, headers: tuple[Header, ...], keep_alive: bool) -> bytes:
    """The head of an answer, as uvicorn writes it. Most are the same for a second: until Date changes."""
    if any(HEADER_RE.search(name) or HEADER_VALUE_RE.search(value) for name, value in headers):
        raise ValueError("An answer's header has letters that end it.")
    ended = () if keep_alive else ((b"connection", b"close"),)
    return b"".join((STATUS_LINE[status], *(b"%b: %b\r\n" % header for header in (*headers, *ended)), b"\r\n"))


class Connected(Protocol):
    """A connection, before or after its TLS stands."""

    def overdue(self, now: float, most_s: float) -> bool: ...
    def abort(self) -> None: ...


def sweep(connections: Iterable[Connected], now: float, most: int) -> None:
    """Ends connections whose requests do not come. now: the loop's time. most: how many may be open."""
    opened = list(connections)
    most_s = CROWDED_S if 2 * len(opened) > most else WHOLE_S
    for one in opened:
        if one.overdue(now, most_s):
            one.abort()


def room(*, raised: bool = False) -> int:
    """How many connections this process may have open. raised: asks the system for as many files as it gives first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + _OWN_FILES
    if raised and soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST if soft == resource.RLIM_INFINITY else max(64, min(MOST, soft - _OWN_FILES))
