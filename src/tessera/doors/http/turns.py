"""Turns on a schedule, each in a process of its own that borrows the workspace as a command does.

The server goes on meanwhile: events are accepted into the journals, the API answers 503 with Retry-After. What a turn needs
of memory and processor is its own, at a lower priority than the door's; one that dies takes nothing with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

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


class Turns:
    """Runs a turn every `every_s` seconds after the last one ended, for the time of a `with`. told: of each end."""

    def __init__(self, root: Path, every_s: float, log: Log, told: Callable[[TurnEnd], None]) -> None:
        self._root, self._every_s, self._log, self._told = root, every_s, log, told
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="turns", daemon=True)

    def __enter__(self) -> Turns:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.wait(self._every_s):
            end = self._run()
            if end is None:
                return
            if end.failure:
                self._log.say("error", "turn.failed", seconds=round(end.seconds, 3), message=end.failure)
            else:
                rows = {str(one["name"]): int(one["rows"]) for one in end.landed if one["rows"]}
                self._log.say("info", "turn.ended", seconds=round(end.seconds, 3), rows=rows, steps=len(end.steps))
            for one in end.landed:
                if one["error"]:
                    self._log.say("warning", "source.failed", source=str(one["name"]), message=str(one["error"]))
            self._told(end)

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
        while True:
            try:
                out, err = process.communicate(timeout=0.2)
                break
            except subprocess.TimeoutExpired:
                if self._stop.is_set():
                    _end(process)
                    return None
        return _ended(out, err, process.returncode, time.monotonic() - started)


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
        process.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
