"""The made-up shop, made beside a workspace when somebody asks for it, in a folder of its own: hers stays as it is.

It is `tessera demo FOLDER --serve` as a process of its own: a server on a port of this machine alone, which ends by itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tessera.doors.http.turns import News

PEOPLE = 1_000
_TENTH = re.compile(r"^(?P<stage>.*?)(?: (?P<percent>\d+) %)?$")


@dataclass(frozen=True, kw_only=True)
class Making:
    """state: none was asked for, it is being made, it is there, or it failed. link: opens it, once. failure: why."""

    state: Literal["none", "making", "there", "failed"] = "none"
    stage: str = ""
    percent: int = 0
    link: str = ""
    failure: str = ""


class Shop:
    """Makes the shop of one workspace, one at a time, for the time of a `with`. news: told how far it is."""

    def __init__(self, root: Path, news: News | None = None) -> None:
        self.folder, self._news, self.making = root.parent / f"{root.name}-demo", news, Making()
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Shop:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)

    @property
    def command(self) -> str:
        """What does the same at a terminal."""
        return f"tessera demo {self.folder} --people {PEOPLE} --serve"

    def make(self) -> None:
        """Makes it, or opens the one that is there; goes on by itself."""
        with self._lock:
            if self.making.state != "making":
                self.making = Making(state="making")
                threading.Thread(target=self._work, name="shop", daemon=True).start()

    def _work(self) -> None:
        command = [sys.executable, "-m", "tessera", "--json", "demo", str(self.folder), "--people", str(PEOPLE), "--serve"]
        out, failure = list[bytes](), "It ended without a word."
        try:
            self._process = process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
        except OSError as no:
            self._is(Making(state="failed", failure=f"It could not be started ({no.strerror})."))
            return
        assert process.stdout and process.stderr
        reading = threading.Thread(target=out.extend, args=[process.stdout], daemon=True)
        reading.start()
        for line in process.stderr:
            text = line.decode("utf-8", "replace").strip()
            if text.startswith("{"):
                with suppress(ValueError, KeyError, TypeError):
                    failure = str(json.loads(text)["error"]["message"])
            elif found := _TENTH.match(text):
                self._is(Making(state="making", stage=found["stage"][:80], percent=int(found["percent"] or 0)))
        reading.join()
        process.wait()
        try:
            self._is(Making(state="there", link=json.loads(b"".join(out))["serving"]["link"]))
        except (ValueError, KeyError, TypeError):
            self._is(Making(state="failed", failure=failure))

    def _is(self, making: Making) -> None:
        self.making = making
        if self._news is not None:
            done = {} if making.state == "making" else {"done": True}
            self._news.tell("shop" if not done else "shopped", stage=making.stage, percent=making.percent)
