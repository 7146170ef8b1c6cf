"""The live events of a source, for whoever asks on this machine: a socket of the running server, var/tail.sock (0600).

A watcher says source, role and purpose in one line of JSON, and gets a line for each event from then on, as that role may see
it. She is the account that connects. What she is too slow for is counted and left out: the door waits for nobody.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from pyroaring import BitMap

from tessera.account import named
from tessera.app import App
from tessera.data.passing import Passing, Shown
from tessera.doors.http.desk import Away, Desk
from tessera.errors import Refused, TesseraError
from tessera.owner import near
from tessera.trust.entries import Use

SOCKET = "tail.sock"
MOST_LINES = 2_000
"""Lines that wait for one watcher."""

MOST_WATCHERS = 8
EVERY_S = 0.25


class Taps:
    """Copies of what goes by, for those who watch; nobody watching costs one look."""

    def __init__(self) -> None:
        self._taps: dict[str, list[Tap]] = {}
        self._lock = threading.Lock()

    def written(self, source: str, lines: Sequence[bytes], seconds: float) -> None:
        """Lines of a source are safe on disk."""
        for tap in self._taps.get(source, ()):
            tap.put(lines)

    @contextmanager
    def tap(self, source: str) -> Iterator[Tap]:
        """One watcher's copy, for the time of a `with`."""
        made = Tap()
        with self._lock:
            self._taps[source] = [*self._taps.get(source, ()), made]
        try:
            yield made
        finally:
            with self._lock:
                self._taps[source] = [t for t in self._taps[source] if t is not made]


class Tap:
    """What waits for one watcher. missed: lines that she was too slow for."""

    def __init__(self) -> None:
        self._lines, self._lock, self.missed = deque[bytes](maxlen=MOST_LINES), threading.Lock(), 0

    def put(self, lines: Sequence[bytes]) -> None:
        """Keeps the newest lines."""
        with self._lock:
            self.missed += max(0, len(self._lines) + len(lines) - MOST_LINES)
            self._lines.extend(lines)

    @property
    def waits(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._lines)

    def take(self) -> list[bytes]:
        """All that waits, oldest first."""
        with self._lock:
            found = list(self._lines)
            self._lines.clear()
            return found


class Tails:
    """Answers watchers, for the time of a `with`."""

    def __init__(self, desk: Desk, taps: Taps) -> None:
        self._desk, self._taps, self._stop = desk, taps, threading.Event()
        self._path = desk.root / "var" / SOCKET
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._room = threading.Semaphore(MOST_WATCHERS)

    def __enter__(self) -> Tails:
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with near(self._path) as path:
                self._listening.bind(path)
        finally:
            os.umask(before)
        self._listening.listen(MOST_WATCHERS)
        threading.Thread(target=self._work, name="tails", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _work(self) -> None:
        while True:
            try:
                watcher, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._watched, args=(watcher,), name="tail", daemon=True).start()

    def _watched(self, watcher: socket.socket) -> None:
        with watcher, suppress(OSError):
            watcher.settimeout(10)
            if not self._room.acquire(blocking=False):
                _say(watcher, {"error": {"kind": "Busy", "message": f"{MOST_WATCHERS} watch already.", "exit_code": 6}})
                return
            try:
                asked = json.loads(watcher.makefile("rb").readline(4096))
                self._tail(watcher, {k: None if v is None else str(v) for k, v in asked.items()})
            except TesseraError as no:
                told = {"kind": type(no).__name__, "message": str(no), "exit_code": no.exit_code}
                _say(watcher, {"error": told})
            except (ValueError, AttributeError):
                return
            finally:
                self._room.release()

    def _tail(self, watcher: socket.socket, asked: dict[str, str | None]) -> None:
        actor = f"user:{named(_uid(watcher))}"
        with self._desk.app() as app:
            passing = opened(app, asked, actor)
        with self._taps.tap(passing.contract.name) as tap:
            _say(watcher, {"watching": passing.contract.name, "role": passing.reader.role})
            missed, withheld, waiting = 0, 0, list[bytes]()
            while not self._stop.wait(EVERY_S):
                if _gone(watcher):
                    return
                waiting = [*waiting, *tap.take()][-MOST_LINES:]
                if not waiting:
                    continue
                try:
                    with self._desk.app() as app:
                        # Anew each time: who may see what may have changed since.
                        passing = opened(app, asked, actor)
                        shown = passing.shown(waiting, app.vault, app.permits)
                        entered(app, passing, shown)
                except Away:  # a turn has the workspace: what comes meanwhile is shown after it
                    continue
                waiting = []
                for event in shown.events:
                    _say(watcher, {"event": event})
                withheld += shown.withheld
                if shown.withheld or shown.refused or tap.missed > missed:
                    missed = tap.missed
                    _say(watcher, {"withheld": withheld, "refused": shown.refused, "missed": missed})


def watch(var: Path, source: str, role: str | None, purpose: str) -> Iterator[dict[str, Any]]:
    """What a running server tells of a source, one document at a time: `event`, or counts of what is not shown.

    Raises ConnectionError where no server runs.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            with near(var / SOCKET) as path:
                asking.connect(path)
        except OSError:
            raise ConnectionError from None
        _say(asking, {"source": source, "role": role, "purpose": purpose})
        for line in asking.makefile("rb"):
            yield json.loads(line)


def opened(app: App, asked: Mapping[str, str | None], actor: str) -> Passing:
    """What the watcher may see now; that she may not is an entry. asked: `source`, `role`, `purpose`."""
    purpose, role = asked.get("purpose") or "", asked.get("role")
    contract = app.contract(asked.get("source") or "")
    try:
        return Passing(app.config, contract, app.reader(role, purpose, actor))
    except Refused as no:
        known = role if role in app.config.access.roles else ""
        named_ = purpose if purpose in app.config.purposes else "operate"
        use = Use(actor=actor, role=known or "", act="tail", purpose=named_, verdict="refused", reason=no.reason)
        app.ledger.append(use)
        raise


def entered(app: App, passing: Passing, shown: Shown) -> None:
    """That a watcher was shown some events is an entry of the ledger, with exactly whom they were of."""
    if not shown.events:
        return
    table, reader = app.landing_table(passing.contract), passing.reader
    app.ledger.append(
        Use(
            actor=reader.actor.name, role=reader.role, act="tail", purpose=reader.purpose.name,
            tables=((table, app.lake.version(table) or 0),), categories=passing.categories, rows=len(shown.events),
            keys=app.ledger.keep(BitMap(shown.keys), "key") if shown.keys else None,
            note=f"live events of {passing.contract.name}",
        )
    )  # fmt: skip


def _say(to: socket.socket, document: dict[str, Any]) -> None:
    to.sendall(json.dumps(document, ensure_ascii=False).encode() + b"\n")


def _gone(watcher: socket.socket) -> bool:
    """Whether the other end has hung up; it says nothing after its first line."""
    watcher.setblocking(False)
    try:
        return watcher.recv(1) == b""
    except BlockingIOError:
        return False
    finally:
        watcher.settimeout(10)


def _uid(of: socket.socket) -> int:
    """The user id at the other end, as the kernel knows it."""
    _, uid, _ = struct.unpack("3i", of.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(uid)
