"""The vault's SQLite file: who may write when, what is durable when, and its errors in our words."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
import numpy.typing as npt

from tessera.errors import BrokenVault
from tessera.trust.secrets import Secrets

VERSION = 2
"""1: without salts, which are added when it is opened."""

CHUNK = 2_000
"""The most values that one transaction takes; the table `ordinal` counts so far."""

DOOR = 64
"""Up to so many values a call is a door's, durable when it returns; above, it is bulk and durable after `flush`."""

WAL_BYTES = 2 << 20
"""A bulk writer moves the WAL into the file when it has grown so far, outside of the lock. What has not been moved, the
next door has to bring to the disk (measured: p99 10 ms, and 35 ms at 16 MB)."""

ALONE_WAL_BYTES = 16 << 20
"""The same while no door has come for DOORS_S: a quarter less time for a million new values."""

DOORS_S = 60.0

LOOK_BYTES = 16 << 20

# The rows of `keys` and `records` are appended and emptied in place, never deleted: a delete may move neighbours to
# other pages, and `secure_delete` does not wipe the copies that a move leaves behind. Nor does a number come back.
SCHEMA = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE keys(key_id INTEGER PRIMARY KEY, blind BLOB, kind INTEGER NOT NULL);
CREATE UNIQUE INDEX keys_by_blind ON keys(blind);
CREATE TABLE suppressed(hash BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE epochs(epoch INTEGER PRIMARY KEY, wrapped BLOB NOT NULL);
CREATE TABLE records(row INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, batch INTEGER, sizes BLOB, cells BLOB);
CREATE INDEX records_by_batch ON records(batch) WHERE batch IS NOT NULL;
"""

SALTS = """
CREATE TABLE IF NOT EXISTS salts(row INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, salt BLOB);
CREATE UNIQUE INDEX IF NOT EXISTS salts_by_key ON salts(key_id);
"""
"""A row's number is not its key's, so that rows are only ever appended; the index has no salt."""

TOLD = {
    "SQLITE_FULL": "The disk is full; nothing was half written. Free some space and run it again.",
    "SQLITE_BUSY": "Another process uses it. Stop that process, or wait for it.",
    "SQLITE_NOTADB": "It is not a vault, or it is damaged. Restore it from a backup.",
    "SQLITE_CORRUPT": "It is damaged. Restore it from a backup; erasures are replayed after that.",
    "SQLITE_READONLY": "It may not be written to. Look at the owner and mode of the file and its folder.",
    "SQLITE_CANTOPEN": "It cannot be opened. Look at the owner and mode of the file and its folder.",
}


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns an error of SQLite into BrokenVault with a sentence of ours; no statement and no value is in it."""
    try:
        yield
    except sqlite3.Error as error:
        name: str = getattr(error, "sqlite_errorname", type(error).__name__)
        known = next((said for start, said in TOLD.items() if name.startswith(start)), f"SQLite says {name}.")
        raise BrokenVault(f"The vault {path} does not work. {known}") from None


class VaultFile:
    """One file, one writer at a time, in the order of arrival. `turn` is the only way to the data."""

    def __init__(self, path: Path, secrets: Secrets) -> None:
        """Opens the file, or makes it (0600). BrokenVault: another master key, a newer version, not a vault."""
        self.path = path
        self._wal = path.with_name(path.name + "-wal")
        self._next, self._mine, self._checkpointing = Lock(), Lock(), Lock()
        self._durable: bool | None = None
        self._door_at = -DOORS_S
        with told(path):
            try:
                path.touch(mode=0o600)
            except OSError as error:
                raise BrokenVault(f"The vault {path} cannot be made: {error.strerror}.") from None
            self._db, self._keeper = _connected(path), _connected(path)
            try:
                self._db.execute("CREATE TEMP TABLE ordinal(n INTEGER PRIMARY KEY)")
                self._db.executemany("INSERT INTO ordinal VALUES (?)", ((n,) for n in range(CHUNK)))
                self._check(secrets)
            except BaseException:
                self._keeper.close()
                self._db.close()
                raise
        self.flush()

    def _check(self, secrets: Secrets) -> None:
        if not self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchall():
            mine = f"('version', {VERSION}), ('master', '{secrets.fingerprint()}')"
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} INSERT INTO meta VALUES {mine}; COMMIT;")
        meta = dict(self._db.execute("SELECT name, value FROM meta").fetchall())
        if meta["version"] > VERSION:
            raise BrokenVault(
                f"The vault {self.path} has version {meta['version']}; this Tessera knows {VERSION}. Upgrade Tessera."
            )
        if meta["master"] != secrets.fingerprint():
            raise BrokenVault(
                f"The vault {self.path} belongs to master key {meta['master']}, and the key at hand is "
                f"{secrets.fingerprint()}. Put the right key into TESSERA_MASTER_KEY or master.key."
            )
        if meta["version"] < VERSION or not self._db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'salts'").fetchall():
            self._db.executescript(
                f"BEGIN IMMEDIATE; {SALTS} UPDATE meta SET value = {VERSION} WHERE name = 'version'; COMMIT;"
            )

    @contextmanager
    def turn(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        """The connection, for one short transaction. durable: its commit is on the disk, with all commits before it.

        Whoever waits holds `_next`, so a bulk writer that comes straight back cannot overtake it.
        """
        with self._next:
            self._mine.acquire()
        try:
            with told(self.path):
                if durable is not self._durable:
                    self._db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                    self._durable = durable
                try:
                    yield self._db
                finally:
                    if self._db.in_transaction:
                        self._db.rollback()
        finally:
            self._mine.release()

    def tidy(self, *, door: bool = False) -> None:
        """After a turn: moves a WAL that has grown into the file, nearly all of it while others go on.

        Doors leave it to bulk work, and do it themselves only where there is none and the WAL is 4 times as large.
        """
        now = time.monotonic()
        if door:
            self._door_at, limit = now, 4 * WAL_BYTES
        else:
            limit = WAL_BYTES if now < self._door_at + DOORS_S else ALONE_WAL_BYTES
        if self._wal.stat().st_size > limit:
            self.flush()

    def settle(self) -> None:
        """Within a turn, after the commit: all is in the file and on the disk, and the WAL is empty."""
        self._checkpoint("TRUNCATE")

    def holds_any(self, cells: Sequence[bytes]) -> bool:
        """Within a turn, after `settle`: whether one of these (4 bytes or more) lies anywhere in the file's bytes."""
        if not cells:
            return False
        starts = np.zeros(1 << 16, np.bool_)
        starts[[int.from_bytes(c[:2], "little") for c in cells]] = True
        known = np.unique([int.from_bytes(c[:4], "little") for c in cells]).astype("<u4")
        longest = max(map(len, cells))
        before = b""
        with open(self.path, "rb") as file:
            while block := file.read(LOOK_BYTES):
                data = before + block
                for place in _places(data, starts, known):
                    if any(data.startswith(c, place) for c in cells):
                        return True
                before = data[-longest:]
        return False

    def flush(self) -> None:
        """All that was committed so far, bulk too, is on the disk when this returns."""
        self._checkpoint("PASSIVE")
        with self.turn(durable=True):
            self.settle()

    def _checkpoint(self, mode: str) -> None:
        with self._checkpointing, told(self.path):
            busy = self._keeper.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()[0]
        if busy and mode != "PASSIVE":
            raise BrokenVault(f"The vault {self.path} does not work. {TOLD['SQLITE_BUSY']}")

    def close(self) -> None:
        """Flushes and lets go of the file."""
        self.flush()
        with closing(self._keeper), closing(self._db):
            pass


def _places(data: bytes, starts: npt.NDArray[np.bool_], known: npt.NDArray[np.uint32]) -> list[int]:
    """Where in the data four bytes stand that are in `known` (sorted); starts: the first two bytes of these."""
    found: list[int] = []
    for odd in (0, 1):
        pairs = np.frombuffer(data, "<u2", (len(data) - odd) // 2, odd)
        at = np.flatnonzero(starts[pairs[:-1]])
        fours = pairs[at].astype(np.uint32) | pairs[at + 1].astype(np.uint32) << np.uint32(16)
        found += (at[known[np.searchsorted(known, fours) % len(known)] == fours] * 2 + odd).tolist()
    return found


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    for setting in (
        "journal_mode = WAL",
        "secure_delete = ON",
        "temp_store = MEMORY",
        "cache_size = -131072",
        "wal_autocheckpoint = 0",
        "journal_size_limit = 0",
    ):
        db.execute(f"PRAGMA {setting}").fetchall()
    return db
