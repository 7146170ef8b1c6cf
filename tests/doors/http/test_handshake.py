"""handshake.py: TLS that does not come ends in time and counts as a connection, so that others are served meanwhile."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tessera.doors.certificate import local
from tessera.doors.http import handshake, wire
from tessera.doors.http.server import _Server
from tessera.doors.http.tls import Tls

ASKED = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
HELLO_BEGINS = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Says by which scheme it was asked."""
    await receive()
    said = scope["scheme"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return local(tmp_path_factory.mktemp("tls"), datetime.now(UTC))


@contextlib.contextmanager
def running(files: tuple[Path, Path], most: int = 1_000) -> Iterator[tuple[int, _Server]]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(ok, http=wire.Wire, loop="uvloop", lifespan="off", ws="none", log_config=None,
                            limit_concurrency=most, timeout_graceful_shutdown=10)  # fmt: skip
    ready = threading.Event()
    server = _Server(config, ready.set, tls=Tls(*files))
    thread = threading.Thread(target=lambda: server.run(sockets=[sock]), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield sock.getsockname()[1], server
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def answered(port: int, files: tuple[Path, Path]) -> bytes:
    context = ssl.create_default_context(cafile=str(files[0]))
    with connected(port) as plain, context.wrap_socket(plain, server_hostname="localhost") as to:
        to.sendall(ASKED)
        return to.makefile("rb").read()


def ended(to: socket.socket) -> bool:
    """Whether the server ends a connection, within the socket's time."""
    with contextlib.suppress(ConnectionError):
        while to.recv(1_000):
            pass
    to.close()
    return True


def test_slow_handshakes_are_ended_and_others_are_answered_meanwhile(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshake, "HANDSHAKE_S", 0.5)
    with running(files) as (port, server):
        slow = [connected(port) for _ in range(30)]
        for number, to in enumerate(slow):
            to.sendall([b"", b"\x16", HELLO_BEGINS][number % 3])
        assert answered(port, files).endswith(b"https")
        started = time.monotonic()
        assert all(map(ended, slow)) and time.monotonic() - started < 5
        assert answered(port, files).endswith(b"https") and len(server.server_state.connections) <= 1


def test_who_shakes_hands_counts_as_a_connection_and_has_less_time_where_it_is_crowded(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "CROWDED_S", 0.5)
    with running(files, most=20) as (port, server):
        slow = [connected(port) for _ in range(20)]
        until = time.monotonic() + 5
        while len(server.server_state.connections) < 20 and time.monotonic() < until:
            time.sleep(0.01)
        with connected(port) as late:
            assert ended(late), "no more are let in"
        assert all(map(ended, slow)) and answered(port, files).endswith(b"https")


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\x00" * 100, HELLO_BEGINS + b"\xff" * 600])
def test_what_is_no_tls_is_ended_at_once_and_holds_no_file(files: tuple[Path, Path], said: bytes) -> None:
    with running(files) as (port, server):
        answered(port, files)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(20):
            to = connected(port)
            to.sendall(said)
            assert ended(to)
        until = time.monotonic() + 5
        while server.server_state.connections and time.monotonic() < until:
            time.sleep(0.01)
        assert not server.server_state.connections and len(os.listdir("/proc/self/fd")) <= before + 1


def test_a_request_that_comes_with_the_handshakes_end_is_answered(files: tuple[Path, Path]) -> None:
    context, there, back = ssl.create_default_context(cafile=str(files[0])), ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(back, there, server_hostname="localhost")
    with running(files) as (port, _), connected(port) as to:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                to.sendall(there.read())
                back.write(to.recv(10_000))
        tls.write(ASKED)
        to.sendall(there.read())  # the client's end of the handshake and its request in one go
        told = b""
        while b"https" not in told:
            back.write(to.recv(10_000))
            with contextlib.suppress(ssl.SSLWantReadError):
                while part := tls.read(10_000):
                    told += part
        assert told.startswith(b"HTTP/1.1 200 ")


def test_a_stop_waits_for_no_handshake(files: tuple[Path, Path]) -> None:
    with running(files) as (port, _):
        slow = [connected(port) for _ in range(5)]
        assert answered(port, files)
        started = time.monotonic()
    assert time.monotonic() - started < 3 and all(map(ended, slow))


def test_where_the_system_has_no_file_for_a_connection_it_is_tried_again_later(files: tuple[Path, Path]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with running(files) as (port, _):
        assert answered(port, files)
        waiting = [socket.socket() for _ in range(30)]
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 4, hard))
        try:
            for to in waiting:
                to.settimeout(10)
                to.connect(("127.0.0.1", port))
            time.sleep(0.3)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert answered(port, files).endswith(b"https")
        for to in waiting:
            to.close()
