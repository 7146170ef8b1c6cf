"""The store of the embedded chain (hash -> node, number -> block) as rows of one SQLite file; each block is a transaction."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth.db.atomic import AtomicDBWriteBatch
from eth.db.backends.base import BaseAtomicDB

from tessera.trust.chain import tame

tame()


class Pages(BaseAtomicDB):  # type: ignore[misc]
    """What py-evm asks of a store, and a few facts of ours beside it. One thread at a time."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes it (0600). Raises sqlite3.Error or OSError."""
        path.touch(mode=0o600)
        os.chmod(path, 0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # No write-ahead log: between two blocks the file is whole, and a backup may copy it.
        for pragma in ("journal_mode=DELETE", "synchronous=FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("CREATE TABLE IF NOT EXISTS page(key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        self._db.execute("CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def __getitem__(self, key: bytes) -> bytes:
        row = self._db.execute("SELECT value FROM page WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return bytes(row[0])

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO page VALUES (?, ?)", (key, value))

    def __delitem__(self, key: bytes) -> None:
        self._db.execute("DELETE FROM page WHERE key = ?", (key,))

    def _exists(self, key: bytes) -> bool:
        return self._db.execute("SELECT 1 FROM page WHERE key = ?", (key,)).fetchone() is not None

    @contextmanager
    def atomic_batch(self) -> Iterator[Any]:
        """py-evm's own batch: kept in memory, written at its end."""
        with AtomicDBWriteBatch._commit_unless_raises(self) as batch:
            yield batch

    @contextmanager
    def together(self, undone: Callable[[], None] = lambda: None) -> Iterator[None]:
        """All writes inside are on the disk together; or none is, and `undone` is called."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            undone()
            raise

    def fact(self, name: str) -> bytes | None:
        """A fact of ours."""
        row = self._db.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else None

    def note(self, name: str, value: bytes) -> None:
        """Sets one."""
        self._db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()
