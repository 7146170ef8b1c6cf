"""HTTP/1.1 on a connection: httptools (llhttp, as Node has it) read strictly, within bounds of size and time.

llhttp knows no bounds of its own, and takes a few things that others read otherwise, which is what request smuggling lives on.
What is refused here beyond what it refuses: more than one Host or none, a transfer coding besides `chunked`, versions other
than 1.0 and 1.1, a head (or chunk extensions, or trailers) of more than 16 KiB. Trailers are not headers, and are left out. A
request that is not whole in time ends its connection, so that many slow ones hold nothing up.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterable
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
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

    def overdue(self, now: float, most_s: float) -> bool:
        """Whether it has waited too long for bytes of its peer. now: of the loop. most_s: at most this, however little came."""
        if self._began is None or (self.cycle and not self.cycle.response_complete and not self.cycle.more_body):
            return False
        return now - self._began > min(most_s, WHOLE_S if self._asked else FIRST_BYTE_S)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._began is None:
            self._began = self.loop.time()
        self._silent += len(data)
        super().data_received(data)
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
        self._count(len(name) + len(value) + 4)
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            raise Bad
        hosts = 0
        for name, value in self.headers:
            if name == b"host":
                hosts += 1
            elif name == b"transfer-encoding" and value.lower() != b"chunked":
                raise Bad
        if hosts > 1 or (not hosts and self.parser.get_http_version() == "1.1"):
            raise Bad
        self._silent = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._silent = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._began, self._silent = None, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self._began is not None and self.cycle is not None and not self.cycle.more_body:
            self._began = self.loop.time()  # a next request that has begun, and was not read on while this one was answered
        super().on_response_complete()

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


def sweep(connections: Iterable[object], now: float, most: int) -> None:
    """Ends connections whose requests do not come. now: the loop's time. most: how many may be open."""
    wires = [one for one in connections if isinstance(one, Wire)]
    most_s = CROWDED_S if 2 * len(wires) > most else WHOLE_S
    for one in wires:
        if one.overdue(now, most_s):
            one.transport.abort()


def room(*, raised: bool = False) -> int:
    """How many connections this process may have open. raised: asks the system for as many files as it gives first."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + _OWN_FILES
    if raised and soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MOST if soft == resource.RLIM_INFINITY else max(64, min(MOST, soft - _OWN_FILES))
