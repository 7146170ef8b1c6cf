"""`/live/events`: the events of one source as they pass, for a page of staff: each judged as its table's view would judge it.

As `tessera source tail`, by the session of whoever looks and through the lens of her page. What she is too slow for, and what
is more than anybody reads, is counted and left out: the door waits for nobody. Each look is an entry of the ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import anyio.to_thread
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tessera.app import App
from tessera.config import Contract
from tessera.data.passing import Passing
from tessera.doors import auth, tail
from tessera.doors.http import answers, streams
from tessera.doors.http.callers import STAFF_COOKIE
from tessera.doors.http.desk import Away, Desk
from tessera.doors.tail import Tap, Taps
from tessera.errors import TesseraError
from tessera.trust import functions
from tessera.words import KINDS

PATH, FUNCTION = "/live/events", "tables"
WATCHERS, OF_ONE = 16, 4
MOST_SHOWN = 30
"""Events that are shown at once, the newest; more in a second nobody reads."""

LOOK_S, EVERY_S = 0.1, 0.9
"""How often is looked whether something came, and how long after showing some nothing more is shown."""


@dataclass(eq=False)
class _Watch:
    """One page that watches: whose cookie, through which lens, and what it has seen so far."""

    cookie: str
    asked: Mapping[str, str | None]
    event: str
    shown: int = 0
    withheld: int = 0
    refused: int = 0
    passed: int = 0
    filtered: int = 0


@dataclass(eq=False)
class Watching:
    """The door of those streams."""

    desk: Desk
    taps: Taps
    _watches: list[_Watch] = field(default_factory=list)
    _closed: bool = False

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Whether a request is for the stream."""
        return bool(scope["path"] == PATH)

    def close(self) -> None:
        """The server stops: every stream ends."""
        self._closed = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        query = parse_qs(request.url.query)
        asked = {name: query.get(name, [""])[0][:200] for name in ("source", "role", "purpose")}
        watch = _Watch(request.cookies.get(STAFF_COOKIE, ""), asked, query.get("event", [""])[0][:200])
        status, headers = 0, dict[str, str]()
        mine = sum(1 for one in self._watches if one.cookie == watch.cookie)
        if scope["method"] != "GET":
            status, headers = 405, {"allow": "GET"}
        elif self._closed or len(self._watches) >= WATCHERS or mine >= OF_ONE:
            status, headers = 503, {"retry-after": "5"}
        else:
            try:
                begun = await self._look(watch, [])
                status = 0 if begun is not None else 401
            except Away:
                status, headers = 503, {"retry-after": "1"}
            except TesseraError as no:
                await answers.of(no, self.desk.root / "var")(scope, receive, send)
                return
        if status:
            await answers.plain(status, headers)(scope, receive, send)
            return
        await streams.served(receive, send, self._events(watch))

    async def _events(self, watch: _Watch) -> AsyncIterator[bytes]:
        self._watches.append(watch)
        try:
            with self.taps.tap(str(watch.asked["source"])) as tap:
                beaten, free = time.monotonic(), 0.0
                while not self._closed:
                    now = time.monotonic()
                    if now >= free and tap.waits:
                        free = now + EVERY_S
                        said = await self._shown(watch, tap)
                        if said is None:
                            return
                        yield said
                    elif now - beaten >= streams.BEAT_S:
                        beaten = now
                        if not await self._still(watch):
                            return
                        yield streams.BEAT
                    await asyncio.sleep(LOOK_S)
        finally:
            self._watches.remove(watch)

    async def _shown(self, watch: _Watch, tap: Tap) -> bytes | None:
        """What came, as an event; None once nothing more may be shown. While a turn has the workspace, what comes waits."""
        try:
            rows = await self._look(watch, tap.take())
        except Away:
            return streams.BEAT
        except TesseraError:
            return None
        if rows is None:
            return None
        return streams.event(
            {
                "events": rows, "shown": watch.shown, "withheld": watch.withheld, "refused": watch.refused,
                "passed": watch.passed + tap.missed, "others": watch.filtered,
            }
        )  # fmt: skip

    async def _still(self, watch: _Watch) -> bool:
        try:
            return await self._look(watch, []) is not None
        except Away:
            return True
        except TesseraError:
            return False

    async def _look(self, watch: _Watch, lines: list[bytes]) -> list[dict[str, Any]] | None:
        """Some lines as she may see them now; None where nobody is signed in. Raises NotAllowed, NotFound, BadInput, Away."""

        def work() -> list[dict[str, Any]] | None:
            with self.desk.app() as app:
                return _judged(app, watch, lines)

        return await anyio.to_thread.run_sync(work)


def _judged(app: App, watch: _Watch, lines: list[bytes]) -> list[dict[str, Any]] | None:
    # An open page alone is no use of a session: it ends when nobody has done anything for a while.
    caller = auth.by_session(app, watch.cookie, used=False)
    if caller is None:
        return None
    passing = tail.opened(app, watch.asked, caller.actor)
    functions.check(app.config.access, passing.reader.role, FUNCTION)
    wanted = passing.called(lines, watch.event) if watch.event else lines
    watch.filtered += len(lines) - len(wanted)
    newest = wanted[-MOST_SHOWN:]
    watch.passed += len(wanted) - len(newest)
    if not newest:
        return []
    shown = passing.shown(newest, app.vault, app.permits)
    tail.entered(app, passing, shown)
    watch.shown, watch.withheld = watch.shown + len(shown.events), watch.withheld + shown.withheld
    watch.refused += shown.refused
    return [row(passing.contract, event) for event in shown.events]


def row(contract: Contract, event: Mapping[str, Any]) -> dict[str, Any]:
    """An event as the page draws it: when, what it is called, of whom, and all else that it says; values by the contract's
    properties."""
    told: dict[str, Any] = {"at": None, "event": None, "kind": None, "who": None, "rest": []}
    ids = [f for f in contract.fields if f.identifier and event.get(f.name) is not None]
    strongest = min(ids, key=lambda f: KINDS.index(str(f.identifier)), default=None)
    for f in contract.fields:
        value = event.get(f.name)
        if value is None:
            continue
        place = {"occurred_at": "at", "event": "event", "type": "kind"}.get(f.maps_to or "")
        if place:
            told[place] = str(value)
        elif f is strongest:
            told["who"] = f"{f.name} {value}"
        elif f.maps_to not in ("message_id", "received_at"):
            told["rest"].append([f.name, str(value)[:120]])
    return told


def may_watch(app: App, source: str, role: str, purpose: str, actor: str) -> Passing:
    """What somebody sees of a source in passing. Raises NotAllowed, as an entry of the ledger."""
    return tail.opened(app, {"source": source, "role": role, "purpose": purpose}, actor)
