"""What the machine must remember between runs: small facts, each change durable, in one SQLite file.

Spaces of (name -> JSON): runs of steps, batches of landing, cursors, files seen, blocked keys. Nothing here names a
person: cursors are sealed and file names hashed before they come. Deleted facts are overwritten (secure_delete).
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tessera.errors import Conflict

FORMAT = 5
"""The layout of var/; a newer one is refused, an older one is named."""


class State:
    """Facts by (space, name). Thread-safe; every method is durable when it returns, or when its `together` ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        os.chmod(path, 0o600)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS fact(space TEXT, name TEXT, value TEXT, PRIMARY KEY(space, name)) WITHOUT ROWID"
        )

    @contextmanager
    def together(self) -> Iterator[None]:
        """All changes inside are durable together, or none is."""
        with self._lock:
            if self._depth == 0:
                self._db.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._db.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._db.execute("COMMIT")

    def get(self, space: str, name: str, default: Any = None) -> Any:
        """The fact, or the default."""
        with self._lock:
            row = self._db.execute("SELECT value FROM fact WHERE space=? AND name=?", (space, name)).fetchone()
        return json.loads(row[0]) if row else default

    def put(self, space: str, name: str, value: Any) -> None:
        """Sets the fact."""
        self.put_many(space, {name: value})

    def put_many(self, space: str, facts: dict[str, Any]) -> None:
        """Sets several facts at once."""
        rows = [(space, name, json.dumps(value)) for name, value in facts.items()]
        with self.together():
            self._db.executemany("INSERT OR REPLACE INTO fact VALUES(?,?,?)", rows)

    def items(self, space: str) -> dict[str, Any]:
        """All facts of a space, by name."""
        with self._lock:
            rows = self._db.execute("SELECT name, value FROM fact WHERE space=? ORDER BY name", (space,)).fetchall()
        return {name: json.loads(value) for name, value in rows}

    def drop(self, space: str, name: str) -> None:
        """Forgets the fact."""
        with self.together():
            self._db.execute("DELETE FROM fact WHERE space=? AND name=?", (space, name))

    def next(self, counter: str, many: int = 1) -> int:
        """Takes `many` numbers from a counter that starts at 1, and returns the first; never given twice."""
        with self.together():
            first = int(self.get("counter", counter, 1))
            self.put("counter", counter, first + many)
        return first

    def scour(self) -> None:
        """Leaves no byte of dropped facts, neither in the file nor in its write-ahead log."""
        with self._lock:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def still(self) -> Iterator[Path]:
        """The file, whole and unchanging for the time of a `with`: for a backup. Conflict if somebody reads it now."""
        with self._lock:
            if self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise Conflict(f"{self.path} is being read by another; try again.")
            yield self.path

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()
