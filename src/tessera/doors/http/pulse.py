"""What the open pages are told as it happens: that entries were written, a turn is over, events came, something was decided.

News hold numbers and names of ours, and nothing of anybody: a page that hears of any asks again through the gate. Of each kind
only the newest state is told, so whoever was away is told once what she has missed, and whoever is slow misses nothing.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs

import anyio.to_thread
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tessera.app import App
from tessera.doors.deciding import Deciding
from tessera.doors.flow import Flow
from tessera.doors.http import answers, streams
from tessera.doors.http.callers import CUSTOMER_COOKIE, STAFF_COOKIE
from tessera.doors.http.desk import Away, Desk
from tessera.errors import TesseraError
from tessera.flows import Watched
from tessera.trust.sessions import Kind, Session, Sessions

T = TypeVar("T")
News = Literal["ledger", "tables", "events", "decisions", "opened", "turn", "turned", "shop", "shopped"]
STAFF, HERS = "/live/news", "/me/live/news"
LISTENERS, OF_ONE = 256, 16
"""Open streams at once, and those of one session: a browser opens six at the most."""

EVERY_S = 0.25
"""How often pages are told at the most."""

@dataclass(eq=False)
class _Listener:
    """One open page. at: the number up to which it was told. hers: of a customer's, what is new to her; uses: how many entries
    were."""

    cookie: str
    at: int = 0
    hers: Watched | None = None
    uses: int = 0
    woken: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class Pulse:
    """Who listens, and what is told. Told from any thread; speaks from the server's loop. flow: of events. decided: how often
    was decided, by point and how it was chosen."""

    flow: Flow = field(default_factory=Flow)
    decided: Mapping[tuple[str, str], int] = field(default_factory=dict)
    desk: Desk | None = None
    _run: str = field(default_factory=lambda: secrets.token_hex(4))
    _listeners: list[_Listener] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None
    _lock: Lock = field(default_factory=Lock)
    _number: int = 0
    _changed: dict[News, int] = field(default_factory=dict)
    _said: dict[News, dict[str, Any]] = field(default_factory=dict)
    _waits: bool = False
    _closed: bool = False
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
            self.tell("ledger")
        if versions != self._versions:
            self._versions = versions
            self.tell("tables")

    def roll(self) -> None:
        """The workspace is about to be lent."""

    def echoed(self, entries: int) -> None:
        """So many entries tell of nothing but that a page looked because it was told to."""
        self._entries += entries

    def written(self, source: str, lines: Sequence[bytes], seconds: float) -> None:
        """Events of a source are safe on disk (`Tracked`)."""
        self.flow.written(source, len(lines))
        self.tell("events")

    def made(self) -> None:
        """Something was decided for somebody (`Deciding`)."""
        self.tell("decisions")

    def hear(self, deciding: Deciding) -> None:
        """Follows a live engine: it tells of each decision, and what it counts is told on."""
        self.decided = deciding.counts
        deciding.noted.append(self.made)

    def tell(self, kind: News, **facts: Any) -> None:
        """There is news of a kind, whose facts replace those of before. Where nobody listens it is a number that goes up."""
        with self._lock:
            self._said[kind] = facts
            self._number += 1
            self._changed[kind] = self._number
            if self._waits or not self._listeners or self._loop is None:
                return
            self._waits = True
        with suppress(RuntimeError):  # the loop has ended, and nobody listens
            self._loop.call_soon_threadsafe(self._soon, self._loop)

    @property
    def mark(self) -> str:
        """What a page that is made now knows of: it asks for what comes after it."""
        return f"{self._run}.{self._number}"

    # who listens

    @property
    def listened(self) -> int:
        """How many pages are open."""
        return len(self._listeners)

    def begin(self, loop: asyncio.AbstractEventLoop, desk: Desk) -> None:
        """The server listens from now on."""
        self._loop, self.desk = loop, desk

    def close(self) -> None:
        """The server stops: every stream ends, and no other begins."""
        self._closed = True
        self._wake()

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Whether a request is for the streams."""
        return scope["path"] in (STAFF, HERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hers, request = scope["path"] == HERS, Request(scope)
        cookie = request.cookies.get(CUSTOMER_COOKIE if hers else STAFF_COOKIE, "")
        refused = self._refused(scope, cookie)
        session: Session | None = None
        if refused is None:
            try:
                session = await self._session(cookie, hers)
                refused = None if session else (401, {})
            except Away:
                refused = 503, {"retry-after": "1"}
        if refused is not None or session is None:
            status, headers = refused or (401, {})
            await answers.plain(status, headers)(scope, receive, send)
            return
        await streams.served(receive, send, self._news(request, cookie, session, hers))

    # parts

    def _soon(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.call_later(EVERY_S, self._wake)

    def _wake(self) -> None:
        with self._lock:
            self._waits = False
            listeners = list(self._listeners)
        for listener in listeners:
            listener.woken.set()

    def _refused(self, scope: Scope, cookie: str) -> tuple[int, dict[str, str]] | None:
        if scope["method"] != "GET":
            return 405, {"allow": "GET"}
        mine = sum(1 for one in self._listeners if one.cookie == cookie)
        if self._closed or self.desk is None or len(self._listeners) >= LISTENERS or mine >= OF_ONE:
            return 503, {"retry-after": "5"}
        return None

    async def _news(self, request: Request, cookie: str, session: Session, hers: bool) -> AsyncIterator[bytes]:
        """What one page is told, until her session or the server ends."""
        listener = _Listener(cookie, self._since(request), Watched(session.key, self._seen(request)) if hers else None)
        with self._lock:
            self._listeners.append(listener)
        try:
            checked = time.monotonic()
            if hers:
                await self._uses(listener)
                if listener.uses or ("last-event-id" in request.headers and listener.at < self._number):
                    # What came since her page was made, or while she was away.
                    yield self._event({"kind": "uses", "many": max(listener.uses, 1)}, self._number)
            while not self._closed:
                listener.woken.clear()
                told = False
                for one in await self._told(listener):
                    told = True
                    yield one
                if not told:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(listener.woken.wait(), max(0.0, checked + streams.BEAT_S - time.monotonic()))
                if time.monotonic() - checked >= streams.BEAT_S:
                    if not await self._still(cookie, hers):
                        return
                    checked = time.monotonic()
                    yield streams.BEAT
        finally:
            with self._lock:
                self._listeners.remove(listener)

    async def _told(self, listener: _Listener) -> list[bytes]:
        """The news that a page has not been told, each kind once."""
        with self._lock:
            number = self._number
            new = {kind: at for kind, at in self._changed.items() if at > listener.at}
        at, listener.at = listener.at, number
        if listener.hers is None:
            return [self._event({"kind": kind, **self._facts(kind)}, n) for kind, n in sorted(new.items(), key=lambda k: k[1])]
        before = listener.uses
        if new.keys() & {"ledger", "tables"} and at < number:
            await self._uses(listener)
        return [self._event({"kind": "uses", "many": listener.uses - before}, number)] if listener.uses > before else []

    def _event(self, facts: Mapping[str, Any], number: int) -> bytes:
        mark = f"{self._run}.{number}"
        return streams.event({**facts, "at": mark}, number=mark)

    def _facts(self, kind: News) -> dict[str, Any]:
        if kind == "events":
            return {"came": self.flow.totals()}
        if kind == "decisions":
            decided: dict[str, int] = {}
            for (name, _), many in dict(self.decided).items():
                decided[name] = decided.get(name, 0) + many
            return {"decided": decided}
        return {"entries": self._entries} if kind == "ledger" else self._said.get(kind, {})

    def _since(self, request: Request) -> int:
        """The number up to which a page knows: by the event that it saw last, else by when it was made. A page of an earlier
        run of the server may have missed anything; one that says nothing has missed nothing."""
        asked = parse_qs(request.url.query).get("since", [""])[0]
        said = request.headers.get("last-event-id", "") or asked
        run, _, number = said.partition(".")
        if not said:
            return self._number
        return int(number) if run == self._run and number.isdecimal() and len(number) < 16 else 0

    @staticmethod
    def _seen(request: Request) -> int:
        """The newest entry that her page knows of; -1 where it does not say."""
        said = parse_qs(request.url.query).get("seen", [""])[0]
        return int(said) if said.isdecimal() and len(said) < 16 else -1

    async def _uses(self, listener: _Listener) -> None:
        """Looks whether a new entry held this customer, or left her out. Of others' she hears nothing."""
        assert listener.hers is not None
        with suppress(TesseraError):  # the workspace is lent: what comes next tells her
            many, _ = await self._ask(listener.hers.new)
            listener.uses += many

    async def _ask(self, work: Callable[[App], T]) -> T:
        desk = self.desk
        assert desk is not None

        def asked() -> T:
            with desk.app() as app:
                return work(app)

        return await anyio.to_thread.run_sync(asked)

    async def _session(self, cookie: str, hers: bool) -> Session | None:
        """Whose cookie it is. An open page alone is no use of a session: it ends when nobody has done anything for a while."""
        if not cookie:
            return None
        kind: Kind = "customer" if hers else "staff"
        return await self._ask(lambda app: Sessions(app.state, app.clock).find(cookie, kind, used=False))

    async def _still(self, cookie: str, hers: bool) -> bool:
        """Whether the session still stands; while the workspace is lent it is taken to."""
        try:
            return await self._session(cookie, hers) is not None
        except Away:
            return True
