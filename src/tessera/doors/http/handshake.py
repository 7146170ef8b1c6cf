"""Connections accepted for TLS: a handshake that comes slowly counts as a connection, and ends as one.

asyncio's own server gives a handshake 60 s, and shows the connection to nobody before it is done: neither counted nor ended by
`wire.sweep`, some thousands of them would take the files that others need. So the socket is accepted here, and handed to the
loop with its TLS to be done.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, MutableSet

from tessera.doors.http.wire import Connected, Wire

HANDSHAKE_S = 10.0
"""How long a handshake may take; `wire.CROWDED_S` where more than half of the connections that may be open are."""

FAREWELL_S = 5.0
"""How long a connection that we close waits for its peer's own end of TLS."""

AT_ONCE = 100
"""Connections accepted before requests have their turn again."""

NO_FILES_S = 1.0
"""How long nobody is accepted after the system had no file for it."""


class Greeter:
    """Accepts at a listening socket until it is closed. make: the protocol of one connection. connections: all that are open,
    with those that shake hands; most: how many may be."""

    def __init__(
        self, listening: socket.socket, context: ssl.SSLContext, make: Callable[[], Wire],
        connections: MutableSet[Connected], most: int, backlog: int,
    ) -> None:  # fmt: skip
        self._listening, self._context, self._make = listening, context, make
        self._connections, self._most = connections, most
        self._loop, self._open = asyncio.get_running_loop(), True
        listening.setblocking(False)
        listening.listen(backlog)
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Accepts no more; the socket is its owner's."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._listening)

    async def wait_closed(self) -> None:
        """As uvicorn asks a server that it has closed, once no connection is open: nothing is left to wait for."""

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                peer, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # gone before it was taken
                continue
            except OSError:
                self._loop.remove_reader(self._listening)
                self._loop.call_later(NO_FILES_S, self._again)
                return
            if len(self._connections) >= self._most:
                peer.close()
                continue
            peer.setblocking(False)
            Handshake(peer, self._context, self._make, self._connections)

    def _again(self) -> None:
        if self._open:
            self._loop.add_reader(self._listening, self._accept)


class Handshake:
    """One connection until its TLS stands; then its `Wire` is among the connections in its place."""

    def __init__(
        self, peer: socket.socket, context: ssl.SSLContext, make: Callable[[], Wire], connections: MutableSet[Connected]
    ) -> None:
        self._connections, loop = connections, asyncio.get_running_loop()
        self._began = loop.time()
        connections.add(self)
        self._task = loop.create_task(self._shaken(peer, context, make))

    def overdue(self, now: float, most_s: float) -> bool:
        """As `Wire.overdue`."""
        return now - self._began > min(most_s, HANDSHAKE_S)

    def abort(self) -> None:
        """Ends it at once."""
        self._task.cancel()

    def shutdown(self) -> None:
        """As uvicorn asks each connection when it stops: nothing was asked here yet."""
        self.abort()

    async def _shaken(self, peer: socket.socket, context: ssl.SSLContext, make: Callable[[], Wire]) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                make, peer, ssl=context, ssl_handshake_timeout=2 * HANDSHAKE_S, ssl_shutdown_timeout=FAREWELL_S
            )
        except (OSError, asyncio.CancelledError):  # no TLS, another version, given up, aborted: the loop has closed it
            pass
        finally:
            self._connections.discard(self)
