"""Bad days of the tracking door: bombs, nonsense, crowds, a full disk, wrong clocks: nothing lost that was acknowledged."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_collect import BASIC, Door, running
from test_tracked import Serving, key_of, landed, serving, tiny

from given_tiny import Tiny
from tessera.data.sources import door as journals
from tessera.doors.collect import DoorLimits
from tessera.lake.journal import Journal

assert tiny and serving

PATHS = [
    "/v1/track", "/v1/t", "/v1/identify", "/v1/page", "/v1/screen", "/v1/group", "/v1/alias", "/v1/batch", "/v1/import",
    "/v1/m",
    "/beacon/v1/batch", "/api/s/track", "/api/s/s2s/event", "/pixel/v1/track", "/v1/projects/x/settings", "/sourceConfig/",
]  # fmt: skip
FIELDS = st.sampled_from(
    ["type", "event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "context", "traits", "properties", "batch",
     "integrations", "originalTimestamp", "groupId", "previousId", "writeKey", "receivedAt"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS | st.text(max_size=5), inner, max_size=5),
    max_leaves=12,
)
EVENT = {"type": "track", "event": "Viewed", "userId": "u1", "messageId": "m1"}


class Kept(Door):
    """Keeps lines as they are: those that are nested deeply say little."""

    def write(self, lines: Sequence[bytes]) -> int:
        self.kept += [{"line": line} for line in lines]
        return 1


@pytest.fixture(scope="module")
def shared() -> Iterator[Door]:
    with running(door=Kept()) as door:
        yield door


def sound(door: Door, path: str, data: bytes, method: str = "POST", **headers: str) -> None:
    """Whatever came: an answer that SDKs understand, and what was acknowledged is kept."""
    door.kept.clear()
    status, _, told = door.ask(path, data, method=method, **BASIC, **headers)
    assert status in (200, 400, 401, 404, 405, 413, 415), (status, told)
    if status != 200:
        assert not door.kept and set(json.loads(told)) == {"success", "code", "message"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS), st.binary(max_size=200), st.booleans(), st.sampled_from(["POST", "GET", "PUT", "PATCH"]))
@example("/v1/track", b'{"event":"x","userId":"\\ud800"}', False, "POST")
@example("/v1/track", b'{"event":"x","userId":' + b"9" * 5_000 + b"}", False, "POST")
@example("/v1/track", b'{"event":"x","userId":1e999}', False, "POST")
@example("/v1/batch", b'{"batch":' + b"[" * 990 + b"]" * 991, False, "POST")
@example("/v1/track?" + "&".join(f"a{n}=1" for n in range(200)), b"{}", False, "POST")
@example("/v1/track?writeKey=%ff%00", b"{}", False, "POST")
def test_any_bytes_are_answered(shared: Door, path: str, data: bytes, packed: bool, method: str) -> None:
    sound(shared, path, gzip.compress(data) if packed else data, method)


@pytest.mark.parametrize("depth", [100, 970, *range(980, 990), 2_000, 500_000])
def test_a_body_that_is_nested_deeply_is_no_error_of_ours(shared: Door, depth: int) -> None:
    sound(shared, "/v1/track", b'{"event":"x","userId":"u","properties":' + b'{"a":' * depth + b"1" + b"}" * (depth + 1))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(PATHS[:13]), st.dictionaries(FIELDS, VALUES, max_size=8) | VALUES)
def test_any_json_is_answered_and_what_is_taken_is_kept(shared: Door, path: str, body: Any) -> None:
    sound(shared, path, json.dumps(body).encode())


@pytest.mark.parametrize(
    "name", ["origin", "access-control-request-headers", "authorization", "x-write-key", "content-encoding"]
)
@pytest.mark.parametrize("value", [b"\xff\xfe", b"\x7f", b"\x01", b"\t", b"a\tb", b"Basic \xff", b"Basic " + b"A" * 5000, b""])
def test_any_header_is_answered(shared: Door, name: str, value: bytes) -> None:
    with socket.create_connection(("127.0.0.1", shared.port), timeout=10) as to:
        to.sendall(
            b"POST /v1/track HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAccess-Control-Request-Method: POST\r\n"
            + name.encode() + b": " + value + b"\r\nContent-Length: 2\r\n\r\n{}"
        )  # fmt: skip
        assert to.makefile("rb").readline().split()[1] in (b"200", b"400", b"401", b"415")


def test_bodies_on_their_way_have_so_much_memory_together_and_no_more() -> None:
    with running(DoorLimits(coming_bytes=300_000)) as door:
        slow = [socket.create_connection(("127.0.0.1", door.port), timeout=10) for _ in range(3)]
        for to in slow:
            to.sendall(b"POST /v1/track HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + b" " * 90_000)
        for _ in range(100):
            status, headers, _ = door.ask("/v1/track", b" " * 100_000, **BASIC)
            if status == 429:
                break
            time.sleep(0.02)
        assert status == 429 and headers["retry-after"] == "1"
        assert door.ask("/v1/track", EVENT, **BASIC)[0] == 200, "small ones go on"
        for to in slow:
            to.close()
        for _ in range(100):
            status, _, _ = door.ask("/v1/track", b" " * 100_000 + json.dumps(EVENT).encode(), **BASIC)
            if status == 200:
                break
            time.sleep(0.02)
        assert status == 200, "what was given up takes no room"


def bomb(folder: Path, size: int) -> bytes:
    """So many zeros, packed (made in pieces, so that the test itself has no such memory)."""
    path = folder / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=9) as out:
        for _ in range(size >> 20):
            out.write(bytes(1 << 20))
    return path.read_bytes()


def memory_mb(pid: int) -> float:
    """The most that a process has had."""
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


@pytest.mark.heavy
def test_a_bomb_of_a_gigabyte_is_refused_with_little_memory(
    tiny: Tiny, serving: Serving, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, packed = key_of(tiny, capsys), bomb(tmp_path, 1 << 30)
    assert len(packed) < 4_000_000
    before = memory_mb(serving.process.pid)
    for _ in range(5):
        to = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=30)
        to.request("POST", f"/v1/batch?writeKey={key}", packed, {"Content-Encoding": "gzip"})
        assert to.getresponse().status == 413
        to.close()
    assert memory_mb(serving.process.pid) - before < 100


def one(port: int, key: str, message: str, **fields: Any) -> int:
    to = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        to.request("POST", "/v1/track", json.dumps(EVENT | {"messageId": message, "writeKey": key} | fields))
        answer = to.getresponse()
        answer.read()
        return answer.status
    finally:
        to.close()


@pytest.mark.heavy
def test_ten_thousand_slow_connections_hold_nobody_up(tiny: Tiny, serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 11_000:
        pytest.skip(f"this process may have {hard} files open; the test needs 11,000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 11_000), hard))
    key, slow, took = key_of(tiny, capsys), list[socket.socket](), list[float]()
    try:
        for n in range(10_000):
            to = socket.create_connection(("127.0.0.1", serving.port), timeout=10)
            to.sendall(b"POST /v1/track HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n" + (b"\r\n{" if n % 2 else b""))
            slow.append(to)
            if n % 100 == 0:
                started = time.monotonic()
                assert one(serving.port, key, f"good-{n}") == 200
                took.append(time.monotonic() - started)
        for n in range(100):
            started = time.monotonic()
            assert one(serving.port, key, f"late-{n}") == 200
            took.append(time.monotonic() - started)
    finally:
        for to in slow:
            to.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sorted(took)[len(took) // 2] < 0.5
    serving.end(signal.SIGTERM)
    assert set(landed(tiny).values()) == {1} and len(landed(tiny)) == 200


@pytest.mark.heavy
@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], ids=["silent", "half a hello"])
def test_ten_thousand_slow_handshakes_hold_nobody_up(tiny: Tiny, capsys: pytest.CaptureFixture[str], begun: bytes) -> None:
    """With TLS as `serve` starts: event after event on connections of their own, while they come and while they stay.
    Measured under load 1: 8 ms in the median, 0.12 s at the most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 11_000:
        pytest.skip(f"this process may have {hard} files open; the test needs 11,000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 11_000), hard))
    key, serving, slow, took = key_of(tiny, capsys), Serving(tiny.root, tls=True), list[socket.socket](), list[float]()
    try:
        for n in range(10_000):
            to = socket.create_connection(("127.0.0.1", serving.port), timeout=10)
            to.sendall(begun)
            slow.append(to)
            if n % 100 == 0:
                took.append(timed(serving, key, f"good-{n}"))
        took += [timed(serving, key, f"late-{n}") for n in range(100)]
        started = time.monotonic()
        for to in slow:
            with contextlib.suppress(ConnectionResetError):
                assert to.recv(1) == b""
        assert time.monotonic() - started < 20
    finally:
        for to in slow:
            to.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert sorted(took)[100] < 0.5
    serving.end(signal.SIGTERM)
    assert set(landed(tiny).values()) == {1} and len(landed(tiny)) == 200


def timed(serving: Serving, key: str, message: str) -> float:
    """Seconds until one event is answered 200, from the beginning of its connection."""
    started = time.monotonic()
    to = http.client.HTTPSConnection("localhost", serving.port, timeout=30, context=serving.context)
    to.request("POST", "/v1/track", json.dumps(EVENT | {"messageId": message, "writeKey": key}))
    assert to.getresponse().status == 200
    to.close()
    return time.monotonic() - started


SMALL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, resource.RLIM_INFINITY))
"""


@pytest.mark.parametrize("full", ["RLIMIT_FSIZE", pytest.param("tmpfs", marks=pytest.mark.heavy)])
def test_a_journal_on_a_full_disk_keeps_nothing_by_halves_and_goes_on_when_there_is_space(
    tmp_path: Path, full: str
) -> None:
    """Blocks of 9 kB until the disk refuses; then none of the refused block is there, smaller ones go on, and all that was
    acknowledged is read again. RLIMIT_FSIZE refuses a file that grows past a size in the midst of a write, as a disk does."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if full == "tmpfs":
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("this user may not mount a tmpfs")
    program = (SMALL_DISK if full == "RLIMIT_FSIZE" else "import resource, sys") + """
import json
from pathlib import Path
from tessera.data.sources.door import Sealed
from tessera.lake.journal import Journal
from tessera.trust.secrets import Secrets
folder, journal = Path(sys.argv[1]), None
journal = Journal(folder / "j", Sealed(Secrets(bytes(32)), "web"))
safe, refused = [], 0
for n in range(12):
    lines = [f"{n}-{m} ".encode() + b"x" * 900 for m in range(10)]
    try:
        journal.append(lines)
        safe += [line[:8].split()[0].decode() for line in lines]
    except OSError as no:
        refused += 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spare = folder / "spare"
if spare.exists():
    spare.unlink()
journal.append([b"late x"])
safe.append("late")
journal.close()
print(json.dumps([safe, refused]))
"""
    try:
        if full == "tmpfs":
            (folder / "spare").write_bytes(bytes(20_000))
        done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        safe, refused = json.loads(done.stdout)
        assert refused and len(safe) > 10
        from tessera.trust.secrets import Secrets

        again = Journal(folder / "j", journals.Sealed(Secrets(bytes(32)), "web"))
        found = [line.split()[0].decode() for n in again.waiting() for block in again.read(n) for line in block]
        again.close()
        assert found == safe
    finally:
        if full == "tmpfs":
            subprocess.run(["umount", str(folder)], check=False)


@pytest.mark.heavy
def test_a_disk_that_is_full_is_503_and_after_that_each_acknowledged_event_lands_once(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal's folder on a tmpfs of 200 kB, under a real server."""
    key, folder = key_of(tiny, capsys), tiny.root / "var" / "journal"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("this user may not mount a tmpfs")
    safe, told, served = list[str](), list[int](), None
    try:
        served = Serving(tiny.root)
        for n in range(400):
            told.append(one(served.port, key, f"m{n}", properties={"x": os.urandom(400).hex()}))
            if told[-1] == 200:
                safe.append(f"m{n}")
        assert set(told) == {200, 503} and told[-1] == 503
        subprocess.run(["mount", "-o", "remount,size=2m", str(folder)], check=True)
        assert one(served.port, key, "after") == 200
        served.end(signal.SIGTERM)
        found = landed(tiny)
        assert set(found) == {*safe, "after"} and set(found.values()) == {1}
    finally:
        if served and served.process.poll() is None:
            served.end(signal.SIGKILL)
        subprocess.run(["umount", "-l", str(folder)], check=False)
