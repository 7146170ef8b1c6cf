"""collect.py: every way in which SDKs send, over a real server; nothing is answered 200 that is not safe."""

from __future__ import annotations

import base64
import contextlib
import gzip
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tessera.config import Contract
from tessera.data.message_ids import Hashes
from tessera.data.tracking import Body, line_of
from tessera.doors.collect import Collector, DoorLimits, SourceDoor
from tessera.doors.grouped import GroupCommit
from tessera.doors.limits import Rate
from tessera.doors.policy import Policy

KEY = "3f9a1c0012ab34cd"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = {"type": "track", "event": "Viewed", "userId": "u1", "messageId": "m1"}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()}


@dataclass
class Door:
    """A running collector with one source; `kept` is what is safe."""

    port: int = 0
    kept: list[dict[str, Any]] = field(default_factory=list)
    broken: bool = False

    def write(self, lines: Sequence[bytes]) -> int:
        if self.broken:
            raise OSError(28, "No space left on device")
        self.kept += [json.loads(line) for line in lines]
        return 1

    def ask(
        self, path: str, body: Any = None, *, method: str = "POST", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One request; headers by their names, with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {n.replace("_", "-"): v for n, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@contextlib.contextmanager
def running(limits: DoorLimits | None = None, door: Door | None = None) -> Iterator[Door]:
    """A collector behind a real server, for the time of a `with`."""
    door = door or Door()
    contract = Contract(name="web", file=Path(), kind="http", record="event", fields=())
    policy = Policy(contract, Hashes(b"key"))
    source = SourceDoor(name="web", lines=lambda body: lines_of(body), group=GroupCommit(door.write), policy=policy)
    collector = Collector({KEY: source}, lambda: NOW, limits)
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    door.port = sock.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(collector, lifespan="off", log_config=None, access_log=False))
    thread = threading.Thread(target=lambda: server.run(sockets=[sock]), daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        yield door
    finally:
        server.should_exit = True
        thread.join(20)
        sock.close()


def lines_of(body: Body) -> list[bytes]:
    return [line_of(event) for event in body.events]


@pytest.fixture(scope="module")
def shared() -> Iterator[Door]:
    with running() as door:
        yield door


@pytest.fixture
def door(shared: Door) -> Door:
    shared.kept.clear()
    shared.broken = False
    return shared


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t", "/v1/track/", "/api/s/track", "/api/s/s2s/track"])
def test_one_event_is_safe_when_200_comes_back(door: Door, path: str) -> None:
    status, _, body = door.ask(path, EVENT, **BASIC)
    assert status == 200 and json.loads(body) == {"success": True}
    (event,) = door.kept
    assert event["event"] == "Viewed" and event["type"] == "track" and event["receivedAt"] == "2026-03-01T12:00:00.000Z"


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", f"/beacon/v1/batch?writeKey={KEY}"])
def test_a_batch_comes_in_by_each_of_its_paths(door: Door, path: str) -> None:
    status, _, _ = door.ask(path, {"batch": [EVENT, {**EVENT, "messageId": "m2"}], "writeKey": KEY})
    assert status == 200 and [e["messageId"] for e in door.kept] == ["m1", "m2"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/track", EVENT, BASIC),
        ("/v1/track", EVENT, {"Authorization": "Basic " + base64.b64encode(KEY.encode()).decode()}),
        ("/v1/track", {**EVENT, "writeKey": KEY}, {}),
        ("/v1/track", {**EVENT, "writeKey": KEY}, {"Authorization": "Bearer token"}),
        ("/v1/track", EVENT, {"X_Write_Key": KEY}),
        (f"/v1/track?writeKey={KEY}", EVENT, {}),
    ],
)
def test_the_key_is_found_wherever_it_was_put(door: Door, path: str, body: Any, headers: dict[str, str]) -> None:
    assert door.ask(path, body, **headers)[0] == 200 and len(door.kept) == 1


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic x"}, {"Authorization": "Basic eHg6"}, {"X_Write_Key": "no"}])
def test_a_wrong_key_is_401_with_code_and_message(door: Door, headers: dict[str, str]) -> None:
    for body in (EVENT, b"{"):
        status, _, told = door.ask("/v1/track", body, **headers)
        assert status == 401 and set(json.loads(told)) == {"success", "code", "message"}
    assert door.kept == []


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "application/json;charset=UTF-8", "application/x-www-form-urlencoded", ""]
)
@pytest.mark.parametrize("packed", ["no", "said", "unsaid"])
def test_the_body_is_json_whatever_its_type_is_called_and_may_be_packed(door: Door, kind: str, packed: str) -> None:
    data = json.dumps(EVENT).encode()
    coding = {"Content_Encoding": "gzip"} if packed == "said" else {}
    status, _, _ = door.ask("/v1/track", data if packed == "no" else gzip.compress(data), Content_Type=kind, **BASIC, **coding)
    assert status == 200 and len(door.kept) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\x1f\x8bno", gzip.compress(b"{}", mtime=0)[:-5], b'{"batch": []}'])
def test_what_is_no_body_is_400_with_code_and_message(door: Door, body: bytes) -> None:
    status, _, told = door.ask("/v1/batch", body, **BASIC)
    assert status == 400 and json.loads(told)["code"] == "400" and json.loads(told)["message"]
    assert door.kept == []


def test_a_batch_with_a_bad_event_is_taken_without_it(door: Door) -> None:
    status, _, _ = door.ask("/v1/batch", {"batch": [{"type": "track"}, EVENT]}, **BASIC)
    assert status == 200 and len(door.kept) == 1


def test_a_bomb_stops_in_the_midst_and_large_bodies_at_the_door(door: Door) -> None:
    bomb = gzip.compress(b" " * 200_000_000, 9)
    started = time.monotonic()
    assert door.ask("/v1/batch", bomb, Content_Encoding="gzip", **BASIC)[0] == 413
    assert time.monotonic() - started < 2
    assert door.ask("/v1/batch", b" " * 4_000_001, **BASIC)[0] == 413
    assert door.ask("/v1/track", EVENT, Content_Encoding="br", **BASIC)[0] == 415


def test_a_disk_that_is_full_is_503_and_nothing_is_answered_200(door: Door) -> None:
    door.broken = True
    status, headers, _ = door.ask("/v1/track", EVENT, **BASIC)
    assert status == 503 and int(headers["retry-after"]) > 0 and door.kept == []
    door.broken = False
    assert door.ask("/v1/track", EVENT, **BASIC)[0] == 200


def test_a_page_of_any_site_may_ask_and_send(door: Door) -> None:
    status, headers, _ = door.ask(
        "/v1/t", method="OPTIONS", Origin="https://shop.example", Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type",
    )  # fmt: skip
    assert status == 204 and headers["access-control-allow-origin"] == "https://shop.example"
    assert headers["access-control-allow-headers"] == "authorization,content-type"
    assert "POST" in headers["access-control-allow-methods"]
    for body, wanted in ((EVENT, 200), (b"{", 400)):
        status, headers, _ = door.ask("/v1/t", body, Origin="https://shop.example", **BASIC)
        assert status == wanted and headers["access-control-allow-origin"] == "https://shop.example"
        assert headers["access-control-expose-headers"] == "Retry-After" and headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in headers


def test_browser_sdks_find_their_settings(door: Door) -> None:
    status, _, body = door.ask(f"/v1/projects/{KEY}/settings", method="GET")
    told = json.loads(body)["integrations"]["Segment.io"]
    assert status == 200 and told["apiKey"] == KEY and told["apiHost"].endswith("/v1") and told["protocol"] == "http"
    _, _, body = door.ask(f"/v1/projects/{KEY}/settings", method="GET", X_Forwarded_Proto="https")
    assert json.loads(body)["integrations"]["Segment.io"]["protocol"] == "https"
    assert door.ask("/v1/projects/other/settings", method="GET")[0] == 404
    status, _, body = door.ask("/sourceConfig/?p=npm&v=3", method="GET", **BASIC)
    source = json.loads(body)["source"]
    assert status == 200 and source["enabled"] is True and source["config"] == {} and source["destinations"] == []
    assert door.ask("/sourceConfig/", method="GET")[0] == 401


def test_a_pixel_is_an_event(door: Door) -> None:
    status, headers, body = door.ask(f"/pixel/v1/page?writeKey={KEY}&anonymousId=a1&name=Home", method="GET")
    assert status == 200 and headers["content-type"] == "image/gif" and body.startswith(b"GIF89a")
    assert [(e["type"], e["anonymousId"], e["name"]) for e in door.kept] == [("page", "a1", "Home")]


def test_who_sends_too_much_is_told_when_to_come_again() -> None:
    with running(DoorLimits(address=Rate(burst=3, every_s=60))) as door:
        told = [door.ask("/v1/track", EVENT, **BASIC) for _ in range(5)]
    assert [status for status, _, _ in told] == [200, 200, 200, 429, 429]
    assert told[-1][1]["retry-after"] == "1" and len(door.kept) == 3


def test_what_is_not_here_is_404_and_what_analytics_says_of_itself_is_passed_over(door: Door) -> None:
    for path in ("/v1/nothing", "/", "/v2/track", "/beacon/v1/x"):
        assert door.ask(path, EVENT, **BASIC)[0] == 404
    assert door.ask("/v1/m", {"series": []})[0] == 200 and door.kept == []
