"""What the server says while it runs: one JSON object a line, for machines to read; counts and names of ours, nobody's data."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Literal

Level = Literal["info", "warning", "error"]
Fact = str | int | float | bool | None | list[str] | Mapping[str, int]


class Log:
    """Writes events. file: appended to (0600), opened anew each time, so that it may be rotated; None is stderr."""

    def __init__(self, file: Path | None = None) -> None:
        self.file, self._lock = file, Lock()

    def say(self, level: Level, event: str, **facts: Fact) -> None:
        """One line: `at` (UTC), `level`, `event`, and its facts: names of sources, steps and tables, counts, seconds, and
        sentences of our own errors, which hold no value of anybody. A log that cannot be written stops nobody."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"at": at, "level": level, "event": event, **facts}, ensure_ascii=False) + "\n"
        with self._lock, suppress(OSError, ValueError):
            if self.file is None:
                sys.stderr.write(line)
                sys.stderr.flush()
                return
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            with open(os.open(self.file, flags, 0o600), "w", encoding="utf-8") as out:
                out.write(line)
