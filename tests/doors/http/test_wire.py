"""wire.py: what two servers could read in two ways is refused; heads have an end, and a slow peer has its time."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from tessera.doors.http import wire


class Echo:
    """Answers with what it understood, so that a test sees what was read."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.asked.append((scope["path"], body))
        headers = dict(scope["headers"])
        told = b"%d %s" % (len(body), headers.get(b"x-trailing", b"-"))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(told))]})
        await send({"type": "http.response.body", "body": told})


class Posting(Echo):
    """Answers also what is posted whole: with its size, after the other requests of the loop's turn; `whole` counts them."""

    posted: Mapping[bytes, str] = {b"/posted": "kind"}

    def __init__(self) -> None:
        super().__init__()
        self.whole = 0

    async def post(self, kind: str, address: str, headers: Mapping[bytes, bytes], data: bytes) -> wire.Answer:
        self.whole += 1
        if data == b"fail":
            raise RuntimeError("a fault of ours")
        if data != b"now":
            later = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(later.set_result, None)
            await later
        told = b"%d %s" % (len(data), headers.get(b"x-trailing", b"-"))
        return 200, [(b"content-length", b"%d" % len(told)), (b"x-origin", headers.get(b"origin", b"*"))], told


class Sweeping(uvicorn.Server):
    """Sweeps as `serve` does."""

    async def on_tick(self, counter: int) -> bool:
        wire.sweep(self.server_state.connections, asyncio.get_running_loop().time(), self.config.limit_concurrency or 0)
        return await super().on_tick(counter)


@contextlib.contextmanager
def running(most: int = 1_000) -> Iterator[tuple[int, Posting]]:
    echo, sock = Posting(), socket.socket()
    sock.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        echo, http=wire.Wire, loop="uvloop", lifespan="off", ws="none", log_config=None, access_log=False,
        limit_concurrency=most, proxy_headers=False, server_header=False,
    )  # fmt: skip
    server = Sweeping(config)
    thread = threading.Thread(target=lambda: server.run(sockets=[sock]), daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield sock.getsockname()[1], echo
    finally:
        server.should_exit = True
        thread.join(20)
        sock.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[int, Posting]]:
    with running() as made:
        yield made


@pytest.fixture
def port(shared: tuple[int, Posting]) -> int:
    return shared[0]


def raw(port: int, data: bytes) -> bytes:
    """All that comes back until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as to:
        with contextlib.suppress(OSError):
            to.sendall(data)
        told = b""
        with contextlib.suppress(ConnectionResetError):
            while part := to.recv(65536):
                told += part
        return told


HEAD = b"POST /x HTTP/1.1\r\nHost: h\r\n"
CLOSE = b"Connection: close\r\n"


@pytest.mark.parametrize("path", [b"/x", b"/posted"])
@pytest.mark.parametrize(
    "request_",
    [
        HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        HEAD + b"Content-Length: 3, 3\r\n\r\nabc",
        HEAD + b"Content-Length: +3\r\n\r\nabc",
        HEAD + b"Content-Length: 0x3\r\n\r\nabc",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: identity\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcX0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n",
        b"POST /x HTTP/1.1\nHost: h\nContent-Length: 0\n\n",
        HEAD + b"A: b\r\n folded\r\n\r\n",
        HEAD + b"A: b\rC: d\r\n\r\n",
        HEAD + b"A: b\0c\r\n\r\n",
        HEAD + b"A b: c\r\n\r\n",
        HEAD + b": c\r\n\r\n",
        HEAD + b"Host: other\r\n\r\n",
        b"POST /x HTTP/1.1\r\n\r\n",
        b"POST /x HTTP/2.0\r\nHost: h\r\n\r\n",
        b"POST /x\r\nHost: h\r\n\r\n",
        b"POST /x HTTP/0.9\r\nHost: h\r\n\r\n",
        b"POST /\xff HTTP/1.1\r\nHost: h\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\nHost: h\r\n\r\n",
        b"NONSENSE /x HTTP/1.1\r\nHost: h\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read(
    shared: tuple[int, Posting], request_: bytes, path: bytes
) -> None:
    port, echo = shared
    echo.asked.clear()
    hidden = b"POST /hidden HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    told = raw(port, request_.replace(b"/x", path) + hidden)
    assert not told or told.startswith(b"HTTP/1.1 400 ")
    assert "/hidden" not in [path for path, _ in echo.asked]


def test_requests_come_one_behind_the_other_on_a_connection(port: int) -> None:
    one = HEAD + b"Content-Length: 3\r\n\r\nabc"
    chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;name=value\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    last = HEAD + CLOSE + b"Content-Length: 5\r\n\r\nabcde"
    told = raw(port, one + chunked + last)
    assert told.count(b"HTTP/1.1 200 ") == 3 and told.endswith(b"5 -")


def test_trailers_are_no_headers(port: int) -> None:
    told = raw(port, HEAD + CLOSE + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailing: yes\r\n\r\n")
    assert told.endswith(b"1 -")


@pytest.mark.parametrize("step", [100_000_000, 1_000])
@pytest.mark.parametrize(
    ("before", "endless"),
    [
        (b"GET /", b"x" * 10), (HEAD + b"A: ", b"x" * 10), (HEAD, b"A: b\r\n"), (HEAD, b"n" * 10),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x" * 10),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nT: ", b"x" * 10),
    ],
)  # fmt: skip
def test_heads_chunk_extensions_and_trailers_have_an_end(port: int, before: bytes, endless: bytes, step: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as to, contextlib.suppress(OSError):
        data = before + endless * 40_000
        for at in range(0, len(data), step):
            to.sendall(data[at : at + step])
        told = to.recv(1_000)
        assert not told or told.startswith(b"HTTP/1.1 400 ")


def test_a_head_within_the_bound_is_read(port: int) -> None:
    assert raw(port, HEAD + CLOSE + b"A: " + b"x" * 16_000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_another_protocol_is_not_spoken_and_nothing_behind_is_taken_for_a_request(port: int) -> None:
    upgrade = HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n"
    assert raw(port, upgrade + HEAD + b"Content-Length: 0\r\n\r\n").count(b"HTTP/1.1 ") == 1


def test_slow_peers_are_ended_and_others_are_answered_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FIRST_BYTE_S", 0.4)
    monkeypatch.setattr(wire, "WHOLE_S", 0.8)
    bodies = [b"Content-Length: 9\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"]
    slow = [b"", b"POST", HEAD, b"\r\n", *(HEAD + b for b in bodies)]
    with running() as (port, _):
        opened = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in slow * 5]
        for to, data in zip(opened, slow * 5, strict=True):
            to.sendall(data)
        assert raw(port, HEAD + CLOSE + b"Content-Length: 0\r\n\r\n").endswith(b"0 -")
        started = time.monotonic()
        for to in opened:
            with contextlib.suppress(ConnectionResetError):
                assert to.recv(100) == b""
            to.close()
        assert time.monotonic() - started < 5


def test_where_it_is_crowded_slow_peers_have_less_time_and_no_more_are_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "CROWDED_S", 0.5)
    with running(most=20) as (port, _):
        opened = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(20)]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as late, contextlib.suppress(ConnectionResetError):
            assert late.recv(100) == b""
        for to in opened:
            with contextlib.suppress(ConnectionResetError):
                assert to.recv(100) == b""
            to.close()
        assert raw(port, HEAD + CLOSE + b"Content-Length: 0\r\n\r\n").endswith(b"0 -")


POSTED = b"POST /posted HTTP/1.1\r\nHost: h\r\n"


def test_what_comes_in_whole_is_answered_in_one_write_and_the_head_is_as_ever(shared: tuple[int, Posting]) -> None:
    port, posting = shared
    before = posting.whole
    told = raw(port, POSTED + CLOSE + b"Content-Length: 3\r\n\r\nabc")
    head, _, body = told.partition(b"\r\n\r\n")
    status, date, length, _, close = head.split(b"\r\n")
    assert posting.whole == before + 1 and body == b"3 -"
    assert (status, length, close) == (b"HTTP/1.1 200 OK", b"content-length: 3", b"connection: close")
    assert date.startswith(b"date: ")
    assert raw(port, POSTED.replace(b"1.1", b"1.0") + b"Content-Length: 3\r\n\r\nabc").endswith(b"close\r\n\r\n3 -")
    posting.asked.clear()
    other = POSTED.replace(b"POST", b"PUT") + b"Content-Length: 1\r\n\r\na"
    assert raw(port, other + POSTED.replace(b"posted", b"posted?a=b") + CLOSE + b"\r\n").count(b"200 OK") == 2
    assert posting.whole == before + 2 and len(posting.asked) == 2, "another method, another path: ASGI"


def test_a_fault_is_500_and_ends_its_connection_and_no_other(port: int) -> None:
    told = raw(port, POSTED + b"Content-Length: 4\r\n\r\nfail")
    assert told.startswith(b"HTTP/1.1 500 ") and b"connection: close" in told and b"a fault" not in told
    assert raw(port, POSTED + CLOSE + b"Content-Length: 3\r\n\r\nabc").endswith(b"3 -")


@pytest.mark.parametrize("letter", [b"\x00", b"\x01", b"\x0b", b"\x7f", b"\r", b"\n"])
def test_no_letter_that_ends_a_header_comes_back_in_one(port: int, letter: bytes) -> None:
    told = raw(port, POSTED + b"Origin: a" + letter + b"Set-Cookie: x\r\n" + CLOSE + b"Content-Length: 3\r\n\r\nabc")
    assert not told or b"\r\nset-cookie" not in told.lower()
    assert told.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 ")) or not told


def test_a_body_that_is_waited_for_has_the_time_of_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "WHOLE_S", 0.4)
    with running() as (port, posting), socket.create_connection(("127.0.0.1", port), timeout=10) as to:
        to.sendall(POSTED + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert to.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        to.sendall(b"ab")
        assert to.recv(100) == b"" and posting.whole == 0


class Peer:
    """Stands for a connection's transport: what is written, and whether it was closed."""

    def __init__(self) -> None:
        self.told, self.closed = b"", False

    def get_extra_info(self, name: str, default: object = None) -> object:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def write(self, data: bytes) -> None:
        self.told += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


async def spoken(parts: Iterable[bytes], paused: bool = False) -> tuple[bytes, Posting]:
    """What a connection answers to bytes that come in these parts. paused: while its peer reads nothing."""
    posting, peer = Posting(), Peer()
    config = uvicorn.Config(posting, http=wire.Wire, lifespan="off", ws="none", log_config=None, proxy_headers=False)
    config.load()
    one = wire.Wire(config, ServerState(), {}, asyncio.get_running_loop())
    one.connection_made(peer)  # type: ignore[arg-type]
    if paused:
        one.pause_writing()
    for part in parts:
        one.data_received(part)
        for _ in range(3):
            await asyncio.sleep(0)
    for _ in range(60):
        await asyncio.sleep(0)
    one.connection_lost(None)
    return peer.told, posting


REQUESTS = (
    POSTED + b"Content-Length: 3\r\n\r\nnow", POSTED + b"Content-Length: 5\r\n\r\nabcde",
    HEAD + b"Content-Length: 4\r\n\r\nabcd",
    POSTED + b"Transfer-Encoding: chunked\r\n\r\n2;name=value\r\nab\r\n4\r\ncdef\r\n0\r\nX-Trailing: no\r\n\r\n",
    POSTED + b"Content-Length: 0\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n",
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=5), st.sets(st.integers(1, 400)))
def test_however_its_bytes_are_cut_each_request_has_its_answer_in_its_place(
    asked: list[bytes], cuts: set[int]
) -> None:
    stream = b"".join(asked)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    parts = [stream[a:b] for a, b in itertools.pairwise(edges)]
    wanted = [{0: b"3 -", 1: b"5 -", 2: b"4 -", 3: b"6 -", 4: b"0 -", 5: b"0 -"}[REQUESTS.index(one)] for one in asked]
    told, posting = asyncio.run(spoken(parts))
    assert [one[-3:] for one in told.split(b"HTTP/1.1 200 OK")[1:]] == wanted
    assert posting.whole + len(posting.asked) == len(asked)


def test_who_reads_no_answers_gets_no_further_ones() -> None:
    told, posting = asyncio.run(spoken([REQUESTS[0]] * 100, paused=True))
    assert told == b"" and posting.whole == 0


def test_connections_leave_files_free_for_the_journals() -> None:
    assert 64 <= wire.room() <= wire.MOST


@pytest.mark.parametrize("path", ["/posted", "/other"])
def test_a_connection_that_ended_leaves_nothing_behind_that_only_the_collector_would_find(path: str) -> None:
    def alive() -> int:
        return sum(isinstance(one, wire.Wire) for one in gc.get_objects())

    with running() as (port, _):
        gc.collect()
        before = alive()
        gc.disable()
        try:
            for _ in range(20):
                with socket.create_connection(("127.0.0.1", port), timeout=10) as to:
                    to.sendall(b"POST %s HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc" % path.encode())
                    assert to.recv(4096).startswith(b"HTTP/1.1 200")
            until = time.monotonic() + 10
            while alive() > before and time.monotonic() < until:
                time.sleep(0.01)
            assert alive() == before
        finally:
            gc.enable()
