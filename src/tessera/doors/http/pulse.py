"""What the open pages are told as it happens: that entries were written, a turn is over, events came, something was decided.

News hold numbers and names of ours, and nothing of anybody: a page that hears of any asks again through the gate. Raw ASGI, for
a stream outlives the time that a request may take.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import anyio.to_thread
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tessera.action.decide import Decision
from tessera.app import App
from tessera.doors.http import answers
from tessera.doors.http.callers import CUSTOMER_COOKIE, STAFF_COOKIE
from tessera.doors.http.desk import Away, Desk
from tessera.errors import TesseraError
from tessera.trust.sessions import Kind, Sessions

STAFF, HERS = "/live/news", "/me/live/news"
LISTENERS, WAITING = 256, 64
BEAT_S, EVERY_S = 15.0, 0.25
RATE_S = 60
END = b""
HEAD = [
    (b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]  # fmt: skip


@dataclass(eq=False)
class _Listener:
    """One open page. key: of the customer whose it is; 0 for staff. seen: the newest entry that held her."""

    queue: asyncio.Queue[bytes]
    key: int = 0
    seen: int = -1


@dataclass(eq=False)
class Pulse:
    """Who listens, and what is told. Told from any thread; speaks from the server's loop."""

    desk: Desk | None = None
    _listeners: list[_Listener] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None
    _came: Counter[str] = field(default_factory=Counter)
    _came_at: dict[str, datetime] = field(default_factory=dict)
    _seconds: Counter[int] = field(default_factory=Counter)
    _decided: Counter[str] = field(default_factory=Counter)
    _news: dict[str, dict[str, Any]] = field(default_factory=dict)
    _waits: bool = False
    _number: int = 0
    _entries: int = -1
    _versions: Mapping[str, int | None] = field(default_factory=dict)

    # what happens

    def open(self, app: App) -> None:
        """The workspace is open (again): another command may have changed anything."""
        self.worked(app)
        self.tell("opened")

    def worked(self, app: App) -> None:
        """Something was done in the workspace."""
        entries = len(app.ledger)
        versions = {table: app.lake.version(table) for table in app.lake.tables}
        if entries != self._entries:
            self._entries = entries
            self.tell("ledger", entries=entries)
        if versions != self._versions:
            self._versions = versions
            self.tell("tables")

    def roll(self) -> None:
        """The workspace is about to be lent."""

    def written(self, source: str, lines: Sequence[bytes], seconds: float) -> None:
        """Events of a source are safe on disk (`Tracked`)."""
        self._came[source] += len(lines)
        self._came_at[source] = datetime.now(UTC)
        second = int(time.time())
        self._seconds[second] += len(lines)
        if len(self._seconds) > 2 * RATE_S:
            self._seconds = Counter({s: n for s, n in self._seconds.items() if s > second - RATE_S})
        self.tell("events", came=dict(self._came))

    def decided(self, decision: Decision, who: tuple[str, str]) -> None:
        """Something was decided for somebody (`Deciding.told`)."""
        self._decided[decision.decision] += 1
        self.tell("decisions", decided=dict(self._decided))

    def tell(self, kind: str, **facts: Any) -> None:
        """News for every page. Of one kind the newest is told, four times a second at the most."""
        self._news[kind] = {"kind": kind, **facts}
        loop = self._loop
        if loop is not None and not self._waits and self._listeners:
            self._waits = True
            loop.call_soon_threadsafe(lambda: loop.call_later(EVERY_S, self._speak))

    @property
    def came(self) -> Mapping[str, int]:
        """How many events came since the server began, by source."""
        return dict(self._came)

    def came_at(self, source: str) -> datetime | None:
        """When the newest event of a source came; None before the first."""
        return self._came_at.get(source)

    def rate(self) -> float:
        """Events a second, over the last minute."""
        since = int(time.time()) - RATE_S
        return sum(n for s, n in list(self._seconds.items()) if s > since) / RATE_S

    # who listens

    @property
    def listened(self) -> int:
        """How many pages are open."""
        return len(self._listeners)

    def begin(self, loop: asyncio.AbstractEventLoop, desk: Desk) -> None:
        """The server listens from now on."""
        self._loop, self.desk = loop, desk

    def close(self) -> None:
        """The server stops: every stream ends."""
        for listener in self._listeners:
            _put(listener.queue, END)

    def _speak(self) -> None:
        self._waits = False
        news, self._news = self._news, {}
        for facts in news.values():
            event = self._event(facts)
            for listener in self._listeners:
                if not listener.key:
                    _put(listener.queue, event)
        if "ledger" in news or "tables" in news:
            hers = [listener for listener in self._listeners if listener.key]
            if hers and self._loop is not None:
                self._loop.create_task(self._tell_hers(hers))

    async def _tell_hers(self, listeners: Iterable[_Listener]) -> None:
        """To each customer who looks at her page: that she was held by a new entry. Of others' she hears nothing."""

        def newest(app: App) -> list[tuple[_Listener, int]]:
            found = []
            for listener in listeners:
                reader = app.people.subject(listener.key)
                uses = app.people.uses_of(reader.subject.person, 1) if reader and reader.subject else []
                found.append((listener, uses[0].seq if uses else -1))
            return found

        try:
            for listener, seq in await self._ask(newest):
                if seq > listener.seen:
                    listener.seen = seq
                    _put(listener.queue, self._event({"kind": "uses", "newest": seq}))
        except TesseraError:  # the workspace is lent: what comes next tells her
            return

    async def _ask(self, work: Callable[[App], Any]) -> Any:
        desk = self.desk
        assert desk is not None

        def asked() -> Any:
            with desk.app() as app:
                return work(app)

        return await anyio.to_thread.run_sync(asked)

    def _event(self, facts: Mapping[str, Any]) -> bytes:
        self._number += 1
        return b"id: %d\ndata: %s\n\n" % (self._number, json.dumps(facts).encode())

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Whether a request is for the streams."""
        return scope["path"] in (STAFF, HERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hers = scope["path"] == HERS
        cookie = Request(scope).cookies.get(CUSTOMER_COOKIE if hers else STAFF_COOKIE, "")
        if scope["method"] != "GET" or len(self._listeners) >= LISTENERS or self.desk is None:
            status, headers = (405, {"allow": "GET"}) if scope["method"] != "GET" else (503, {"retry-after": "5"})
            await answers.plain(status, headers)(scope, receive, send)
            return
        try:
            session = await self._session(cookie, hers)
        except Away:
            await answers.plain(503, {"retry-after": "1"})(scope, receive, send)
            return
        if session is None:
            await answers.plain(401)(scope, receive, send)
            return
        listener = _Listener(asyncio.Queue(WAITING), session.key if hers else 0)
        self._listeners.append(listener)
        gone = asyncio.ensure_future(_gone(receive, listener.queue))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": HEAD})
            event = b"retry: 3000\n\n"
            while event != END:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                try:
                    event = await asyncio.wait_for(listener.queue.get(), BEAT_S)
                except TimeoutError:
                    event = b": still here\n\n" if await self._still(cookie, hers) else END
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._listeners.remove(listener)
            gone.cancel()

    async def _session(self, cookie: str, hers: bool) -> Any:
        kind: Kind = "customer" if hers else "staff"
        return await self._ask(lambda app: Sessions(app.state, app.clock).find(cookie, kind)) if cookie else None

    async def _still(self, cookie: str, hers: bool) -> bool:
        """Whether the session still stands; while the workspace is lent it is taken to."""
        try:
            return await self._session(cookie, hers) is not None
        except Away:
            return True


@dataclass(frozen=True)
class Beside:
    """Several that go on beside the workspace, told one after the other (`desk.Beside`)."""

    parts: tuple[Any, ...]

    def open(self, app: App) -> None:
        """It is open."""
        for part in self.parts:
            part.open(app)

    def worked(self, app: App) -> None:
        """Something was done in it."""
        for part in self.parts:
            part.worked(app)

    def roll(self) -> None:
        """It is about to be lent."""
        for part in self.parts:
            part.roll()


def _put(queue: asyncio.Queue[bytes], event: bytes) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)


async def _gone(receive: Receive, queue: asyncio.Queue[bytes]) -> None:
    """Ends a queue once its page is closed."""
    while (await receive())["type"] != "http.disconnect":
        pass
    _put(queue, END)
