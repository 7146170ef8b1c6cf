"""Turns on a schedule or when asked for, each in a process of its own that borrows the workspace as a command does.

The server goes on meanwhile: events are accepted into the journals, the API answers 503 with Retry-After. What a turn needs
of memory and processor is its own, at a lower priority than the door's; one that dies takes nothing with it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol

from tessera.doors.log import Log

STOP_S = 20.0
"""How long a turn may go on with what it has in hand once the server stops; it is resumed by the next one, however it ends."""

NICE = 10
WAIT_S = 300


@dataclass(frozen=True, kw_only=True)
class TurnEnd:
    """How a turn ended. failure: what it said if it failed, else empty. landed: counts by source, as `turn --json` has them;
    a source that could not be read has its `error`. steps: seconds of each that ran."""

    seconds: float
    failure: str = ""
    landed: Sequence[dict[str, Any]] = ()
    steps: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Under:
    """How it stands with turns. state: resting, asked for, or running; stage, percent: of one that runs. since: when this state
    began. last, ended_at: the newest turn of this server and its end; None before it. next_at: of the schedule, if there is
    one."""

    state: Literal["resting", "asked", "running"] = "resting"
    stage: str = ""
    percent: int = 0
    since: datetime | None = None
    last: TurnEnd | None = None
    ended_at: datetime | None = None
    next_at: datetime | None = None


class News(Protocol):
    """Whom a turn tells how far it is (the open pages)."""

    def tell(self, kind: Literal["turn", "turned", "shop", "shopped"], **facts: Any) -> None: ...


_TENTH = re.compile(r"^(?P<stage>.*?)(?: (?P<percent>\d+) %)?$")
"""A line of progress, as doors/progress.py writes it."""


class Turns:
    """Runs a turn every `every_s` seconds after the last one ended (None: not by itself), and whenever one is asked for, for
    the time of a `with`. told: of each end. news: told how far one is."""

    def __init__(
        self, root: Path, every_s: float | None, log: Log, told: Callable[[TurnEnd], None], news: News | None = None
    ) -> None:
        self._root, self._every_s, self._log, self._told, self._news = root, every_s, log, told, news
        self._stop, self._wake = threading.Event(), threading.Event()
        self.under = Under(next_at=self._next())
        self._thread = threading.Thread(target=self._work, name="turns", daemon=True)

    def ask(self) -> Under:
        """Asks for a turn now; one that was asked for already, or runs, is the one."""
        if self.under.state == "resting":
            self.under = replace(self.under, state="asked", since=datetime.now(UTC))
            self._wake.set()
        return self.under

    def __enter__(self) -> Turns:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _next(self) -> datetime | None:
        return datetime.now(UTC) + timedelta(seconds=self._every_s) if self._every_s is not None else None

    def _work(self) -> None:
        while True:
            self._wake.wait(self._every_s)
            self._wake.clear()
            if self._stop.is_set():
                return
            self._is("running")
            end = self._run()
            if end is None:
                return
            self.under = Under(last=end, ended_at=datetime.now(UTC), next_at=self._next())
            if self._news is not None:
                self._news.tell("turned")
            if end.failure:
                self._log.say("error", "turn.failed", seconds=round(end.seconds, 3), message=end.failure)
            else:
                rows = {str(one["name"]): int(one["rows"]) for one in end.landed if one["rows"]}
                self._log.say("info", "turn.ended", seconds=round(end.seconds, 3), rows=rows, steps=len(end.steps))
            for one in end.landed:
                if one["error"]:
                    self._log.say("warning", "source.failed", source=str(one["name"]), message=str(one["error"]))
            self._told(end)

    def _is(self, state: Literal["running"], stage: str = "", percent: int = 0) -> None:
        """A turn runs, and is so far. The names of steps and sources go to pages whose readers are signed in."""
        since = self.under.since if self.under.state == state else datetime.now(UTC)
        self.under = replace(self.under, state=state, stage=stage, percent=percent, since=since)
        if self._news is not None:
            self._news.tell("turn", stage=stage, percent=percent)

    def _heard(self, told: IO[bytes], lines: list[bytes]) -> None:
        """What a turn says on the way: how far it is, or why it cannot go on."""
        for line in told:
            lines.append(line)
            text = line.decode("utf-8", "replace").strip()
            found = None if text.startswith(("{", "warning")) else _TENTH.match(text)
            if found is not None:
                self._is("running", found["stage"][:80], int(found["percent"] or 0))

    def _run(self) -> TurnEnd | None:
        """One turn; None if the server stopped meanwhile."""
        started = time.monotonic()
        words = [sys.executable, "-m", "tessera", "-w", str(self._root), "--wait", str(WAIT_S), "turn", "--rest", "--json"]
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as no:
            return TurnEnd(seconds=0.0, failure=f"The turn could not be started ({no.strerror}).")
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        out, err = list[bytes](), list[bytes]()
        assert process.stdout and process.stderr
        reading = [
            threading.Thread(target=out.extend, args=[process.stdout], daemon=True),
            threading.Thread(target=self._heard, args=[process.stderr, err], daemon=True),
        ]
        for one in reading:
            one.start()
        while process.poll() is None:
            if self._stop.wait(0.1):
                _end(process)
                return None
        for one in reading:
            one.join()
        process.stdout.close()
        process.stderr.close()
        return _ended(b"".join(out), b"".join(err), process.returncode, time.monotonic() - started)


def _ended(out: bytes, err: bytes, code: int, seconds: float) -> TurnEnd:
    try:
        document = json.loads(out)
        steps = {s["name"]: float(s["seconds"]) for s in document["steps"]}
        return TurnEnd(seconds=seconds, landed=document["sources"], steps=steps)
    except (ValueError, KeyError, TypeError):
        pass
    for line in reversed(err.decode("utf-8", "replace").splitlines()):
        with suppress(ValueError, KeyError, TypeError):
            return TurnEnd(seconds=seconds, failure=str(json.loads(line)["error"]["message"]))
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return TurnEnd(seconds=seconds, failure=f"The turn ended {how}. The next one goes on from there.")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks a turn to stop, as Ctrl-C does, then ends it; it is safe at any point."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
