"""A served workspace for tests: the drill's shop behind a real server on a free port of this machine."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tessera.app import App
from tessera.doors.drill.shop import Shop
from tessera.doors.http.desk import Desk
from tessera.doors.http.server import Place, Running, server
from tessera.doors.limits import Limits, Rate
from tessera.doors.tracked import Tracked

OFTEN = Rate(burst=100_000, every_s=0.0001)
WIDE = Limits(address=OFTEN, caller=OFTEN, knock=OFTEN, wrong_key=OFTEN, link=OFTEN, mailbox=OFTEN, verify=OFTEN)
"""Limits that no test meets by accident."""


@dataclass(frozen=True)
class Told:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


@dataclass
class Served:
    """A running server. ask: one request on a connection of its own."""

    shop: Shop
    desk: Desk
    port: int
    url: str

    def ask(
        self, method: str, path: str, body: Any = None, *, role: str = "", headers: Mapping[str, str] | None = None
    ) -> Told:
        """role: whose API key goes along. body: JSON; bytes go as they are."""
        sent = {"Host": f"127.0.0.1:{self.port}"}
        if role:
            sent["Authorization"] = f"Bearer {self.shop.keys[role]}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        return answered(self.port, method, path, data, sent | dict(headers or {}))

    def person(self, place: int) -> int:
        """The number of the shop's people, counted from 1."""
        return self.shop.people[place - 1].number


@contextmanager
def served(shop: Shop, limits: Limits = WIDE, clock: Any = None) -> Iterator[Served]:
    """Serves a shop for the time of a `with`."""
    tracked = Tracked(clock or (lambda: datetime.now(UTC)))
    desk = Desk(
        shop.root, wait_s=limits.wait_s, open_=lambda: App(shop.root, wait_s=10, clock=clock), beside=tracked
    )  # fmt: skip
    with listening(desk, limits, tracked) as (port, url):
        yield Served(shop, desk, port, url)


@contextmanager
def listening(
    desk: Desk, limits: Limits, tracked: Tracked, running: Callable[[], Running] | None = None
) -> Iterator[tuple[int, str]]:
    """A server on a free port, and its address; it ends with the `with`, and the desk with it. running: asked once the port is
    taken."""
    told: list[str] = []
    try:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
            up = server(desk, Place(port=port), limits, told.append, tracked, running() if running else None)
            thread = threading.Thread(target=lambda: up.run(sockets=[sock]), daemon=True)
            thread.start()
            deadline = time.monotonic() + 30
            while not told and time.monotonic() < deadline:
                time.sleep(0.01)
            assert told, "the server did not start"
            try:
                yield port, told[0]
            finally:
                up.should_exit = True
                thread.join(20)
    finally:
        tracked.close()
        desk.close()


def answered(port: int, method: str, path: str, data: Any, headers: Mapping[str, str]) -> Told:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, data, dict(headers))
        answer = connection.getresponse()
        return Told(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def copied(shop: Shop, to: Path) -> Shop:
    """The same shop in another folder."""
    shutil.copytree(shop.root, to, ignore=shutil.ignore_patterns("*.sock"))
    return replace(shop, root=to)
