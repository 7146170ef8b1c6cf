"""The vault: identifier values become numbers, records become sealed cells; to erase is to forget here."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tessera.errors import BrokenVault, NotFound
from tessera.trust.key_index import KeyIndex
from tessera.trust.secrets import Secrets
from tessera.trust.vault_file import CHUNK, DOOR, VaultFile
from tessera.trust.vault_records import Records
from tessera.trust.vault_salts import Salts
from tessera.words import KINDS, Progress, Proof, silent

UNKNOWN, SUPPRESSED = 0, -1
BLIND_BYTES = 16
LAST_KEY = 2**31 - 1
TURN_S = 0.004
HASHED_AT_ONCE = 1_024
BREATH_S = 2e-5
"""Hashing keeps Python's lock; a breath every millisecond lets a door have it, which would else wait 5 ms each time."""

Keys = npt.NDArray[np.int32]

# A chunk's blinds travel as one BLOB, and its ids return as one text: one step of SQLite for all, within which
# Python's lock is free for the doors.
LOOK_UP = """SELECT group_concat(ifnull(k.key_id, 0)) FROM temp.ordinal
    LEFT JOIN keys k ON k.blind = substr(?1, n * 16 + 1, 16) WHERE n < ?2"""
MINT = """INSERT INTO keys(key_id, blind, kind) SELECT ?3 + n, substr(?1, n * 16 + 1, 16), ?4 FROM temp.ordinal
    WHERE n < ?2 ON CONFLICT DO NOTHING"""
BARRED = """SELECT group_concat(s.hash IS NOT NULL) FROM temp.ordinal
    LEFT JOIN suppressed s ON s.hash = substr(?1, n * 16 + 1, 16) WHERE n < ?2"""


class Vault:
    """Keys, suppressions and sealed records in one SQLite file (0600). Safe to share between threads.

    A *door's* call names up to 64 values (or blobs) and is durable when it returns. A *bulk* call goes in transactions
    of at most 2,000 values and about 4 ms, lets doors in between, and is durable after `flush`. One process owns it.
    """

    def __init__(self, path: Path, secrets: Secrets) -> None:
        """Opens the vault, or makes it. BrokenVault: another master key, a newer version, a file that is no vault."""
        self._blind_key, self._hush_key = secrets.derive("blind-index"), secrets.derive("suppression")
        self._file = VaultFile(path, secrets)
        self._records = Records(self._file, secrets)
        self._salts = Salts(self._file)
        with self._file.turn(durable=False) as db:
            self._next_key = 1 + int(db.execute("SELECT ifnull(max(key_id), 0) FROM keys").fetchone()[0])
            self._restarted = bool(db.execute("SELECT 1 FROM meta WHERE name = 'unscrubbed'").fetchall())
        self._durable_key = self.max_key()
        self._erased: list[bytes] = []

    def resolve(self, kind: str, values: Sequence[str], *, mint: bool = True) -> Keys:
        """The key of each value: int32, in the order of the values.

        kind: one of words.KINDS. values: normalised, none missing. An unknown value gets the next number (from 1, never
        used again, with gaps), or 0 without `mint`; a suppressed value gets -1.
        Raises NotFound for an unknown kind, BrokenVault if the file cannot be written or the numbers are used up.
        """
        code, door = _code(kind), len(values) <= DOOR
        blinds = self._blinds(kind, values)
        order = np.argsort(blinds.view(">u8")[::2], kind="stable")
        keys = np.empty(len(values), np.int32)
        all_new, at, size = False, 0, CHUNK
        while at < len(order):
            places = order[at : at + size]
            at += size
            with self._file.turn(durable=door) as db:
                start, before = time.perf_counter(), self.max_key()
                found = keys[places] = self._resolve(db, code, blinds[places], mint, all_new)
                all_new = bool(found.min() > before)
                if door:
                    self._make_durable(db, int(found.max()), before)
                size = _next_size(size, time.perf_counter() - start)
            self._file.tidy(door=door)
        return keys

    def _make_durable(self, db: sqlite3.Connection, highest: int, before: int) -> None:
        """A key that a bulk call has minted, not yet flushed, must outlive a power cut once a door has seen it.

        A commit of the door's own (it minted beyond `before`) has brought the whole WAL to the disk.
        """
        if self.max_key() == before and highest > self._durable_key:
            db.execute("UPDATE meta SET value = value")
        if self.max_key() > before or highest > self._durable_key:
            self._durable_key = self.max_key()

    def _resolve(self, db: sqlite3.Connection, code: int, blinds: npt.NDArray[np.void], mint: bool, all_new: bool) -> Keys:
        """One transaction's worth: what is there, then what is barred, then (if asked) the rest as one insert.

        all_new: the chunk before was, so this one skips the first look; `_mint` finds what is there all the same.
        """
        keys = np.zeros(len(blinds), np.int32) if all_new else _looked_up(db, LOOK_UP, blinds.tobytes())
        missing = np.flatnonzero(keys == UNKNOWN)
        if missing.size:
            barred = self._barred(db, blinds[missing])
            keys[missing[barred]] = SUPPRESSED
            if mint:
                new = missing[~barred]
                keys[new] = self._mint(db, code, blinds[new].tobytes())
        return keys

    def _mint(self, db: sqlite3.Connection, code: int, blinds: bytes) -> Keys:
        first, count = self._next_key, len(blinds) // BLIND_BYTES
        if first + count > LAST_KEY:
            raise BrokenVault(f"The vault {self._file.path} has given out all of its {LAST_KEY:,} key numbers.")
        made = db.execute(MINT, (blinds, count, first, code)).rowcount
        self._next_key += count
        if made < count:  # some were there, or came twice in the call
            return _looked_up(db, LOOK_UP, blinds)
        return np.arange(first, first + count, dtype=np.int32)

    def index(self) -> KeyIndex:
        """All that `resolve` knows, in memory, as of now: about 24 bytes a key."""
        with self._file.turn(durable=False) as db:
            top = self.max_key() + 1
            found_blinds, keys, many = bytearray(BLIND_BYTES * top), np.empty(top, np.int32), 0
            asked = db.execute("SELECT blind, key_id FROM keys WHERE blind IS NOT NULL")
            while found := asked.fetchmany(20_000):
                upto = many + len(found)
                found_blinds[BLIND_BYTES * many : BLIND_BYTES * upto] = b"".join([blind for blind, _ in found])
                keys[many:upto], many = [key for _, key in found], upto
            barred = [mark for (mark,) in db.execute("SELECT hash FROM suppressed")]
        blinds = np.frombuffer(found_blinds, f"V{BLIND_BYTES}")[:many]
        return KeyIndex(self._blind_key, self._hush_key, blinds, keys[:many], top=top, suppressed=barred)

    def suppressed(self, kind: str, values: Sequence[str]) -> npt.NDArray[np.bool_]:
        """For each value, whether it was erased and has not come back by itself."""
        _code(kind)
        blinds = self._blinds(kind, values)
        barred = np.zeros(len(values), np.bool_)
        for places in _chunks(np.arange(len(values))):
            with self._file.turn(durable=False) as db:
                barred[places] = self._barred(db, blinds[places])
        return barred

    def _barred(self, db: sqlite3.Connection, blinds: npt.NDArray[np.void]) -> npt.NDArray[np.bool_]:
        if not db.execute("SELECT EXISTS (SELECT 1 FROM suppressed)").fetchone()[0]:
            return np.zeros(len(blinds), np.bool_)
        return _looked_up(db, BARRED, b"".join(map(self._hush, blinds.tolist()))).astype(np.bool_)

    def mark(self, kind: str, value: str) -> bytes:
        """The keyed hash by which a value is suppressed, if it is; for `hush`."""
        _code(kind)
        (blind,) = self._blinds(kind, [value]).tolist()
        return self._hush(blind)

    def lift(self, kind: str, value: str) -> bool:
        """A person's own act lets her value in again, under a new key. Says whether it was suppressed; durable."""
        _code(kind)
        (blind,) = self._blinds(kind, [value]).tolist()
        with self._file.turn(durable=True) as db:
            lifted = db.execute("DELETE FROM suppressed WHERE hash = ?", (self._hush(blind),)).rowcount
        return bool(lifted > 0)

    def seal(self, blobs: Sequence[bytes], batch: int) -> npt.NDArray[np.int64]:
        """Seals each blob; returns their record ids (int64, consecutive), one per blob. batch: see `drop_batch`."""
        return self._records.seal(blobs, batch)

    def unseal(self, record_ids: Iterable[int] | npt.NDArray[np.integer]) -> dict[int, bytes]:
        """record id -> blob; the erased and the unknown are left out. BrokenVault if one fails its check."""
        return self._records.unseal(_numbers(record_ids))

    def salts(self, key_ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Each key with the salt of its commitments (see vault_salts), made now if it has none; the erased are left out."""
        return self._salts.of(key_ids)

    def rotate(self, progress: Progress = silent) -> tuple[int, int]:
        """A new key for records: what comes is sealed under it, all that is there again, then the old key is destroyed.

        Returns the new epoch and how many records were sealed again. What a kill has cut off, the next call finishes;
        doors go on meanwhile. On the disk when it returns.
        """
        epoch = self._records.renew()
        return epoch, self._records.reseal(progress)

    def epochs(self) -> dict[int, int]:
        """How many records lie under each epoch's key; two epochs are there only while a rotation is unfinished."""
        return self._records.by_epoch()

    def forget(self, record_ids: Iterable[int] | npt.NDArray[np.integer]) -> int:
        """Wipes sealed records that nobody needs any more, however many, while doors go on; says how many there were."""
        return self._records.forget(_numbers(record_ids))

    def drop_batch(self, batch: int) -> int:
        """Removes all records that were sealed in an unfinished batch; says how many. Their ids never come back."""
        return self._records.drop_batch(batch)

    def erase(
        self,
        key_ids: Iterable[int] | npt.NDArray[np.integer],
        record_ids: Iterable[int] | npt.NDArray[np.integer] = (),
    ) -> Proof:
        """Forgets these keys and records in one transaction, on the disk when it returns; again is harmless.

        The values are suppressed: `resolve` answers -1. Sealed cells and blinds leave the file and its WAL. Only a
        blind that SQLite once moved between pages (about 1 in 1,000) may lie in unused space until `scrub`.
        """
        keys, records = str(np.unique(_numbers(key_ids)).tolist()), _numbers(record_ids)
        named = "FROM json_each(?) JOIN keys ON key_id = value WHERE blind IS NOT NULL"
        with self._file.turn(durable=True) as db:
            db.execute("BEGIN IMMEDIATE")
            blinds = db.execute(f"SELECT blind {named}", (keys,)).fetchall()
            db.executemany("INSERT OR IGNORE INTO suppressed VALUES (?)", ((self._hush(blind),) for (blind,) in blinds))
            db.execute("UPDATE keys SET blind = NULL WHERE key_id IN (SELECT value FROM json_each(?))", (keys,))
            self._salts.wipe(db, keys)
            wiped = self._records.wipe(db, records)
            if blinds:
                db.execute("INSERT OR REPLACE INTO meta VALUES ('unscrubbed', 1)")
            db.execute("COMMIT")
            self._erased += [blind for (blind,) in blinds]
            self._durable_key = self.max_key()
            self._file.settle()
        note = f"{len(blinds)} keys, {wiped} records"
        return Proof(store="vault", removed=len(blinds) + wiped, complete=True, note=note)

    def hush(self, hashes: Sequence[bytes]) -> list[int]:
        """Suppresses values by the hashes of an erasure list, and returns the keys that are such a value's, not erased
        yet. Durable when it returns; about a second per million keys."""
        for at in range(0, len(hashes), CHUNK):
            with self._file.turn(durable=True) as db:
                db.execute("BEGIN IMMEDIATE")
                some = [(h,) for h in hashes[at : at + CHUNK]]
                db.executemany("INSERT OR IGNORE INTO suppressed VALUES (?)", some)
                db.execute("COMMIT")
        gone, found, last = set(hashes), list[int](), 0
        query = "SELECT key_id, blind FROM keys WHERE key_id > ? AND blind IS NOT NULL ORDER BY key_id LIMIT ?"
        while True:
            with self._file.turn(durable=False) as db:
                rows = db.execute(query, (last, CHUNK)).fetchall()
            if not rows:
                return found
            found += [key for key, blind in rows if self._hush(blind) in gone]
            last = rows[-1][0]

    def skip(self, last: int) -> None:
        """Gives no key number up to `last` from now on: whoever lost the newer part of a vault still knows them."""
        with self._file.turn(durable=True) as db:
            if last >= self._next_key:
                db.execute("INSERT INTO keys VALUES (?, NULL, 1)", (last,))
                self._next_key = last + 1
            self._durable_key = self.max_key()

    @contextmanager
    def still(self) -> Iterator[Path]:
        """The file, whole and unchanging for the time of a `with`: for a backup. Doors wait meanwhile."""
        with self._file.turn(durable=True):
            self._file.settle()
            yield self._file.path

    def scrub(self) -> None:
        """Leaves no copy of an erased blind in unused space; for the sweep, not for the day.

        The file is searched for the blinds erased since the last scrub (about 0.3 s per 100 MB). Only if one is found,
        or this process does not know them because it started later, is the index built anew: 1.2 s per million keys.
        """
        with self._file.turn(durable=True) as db:
            self._file.settle()
            if self._restarted or self._file.holds_any(self._erased):
                db.execute("REINDEX keys_by_blind")
            db.execute("DELETE FROM meta WHERE name = 'unscrubbed'")
            self._erased, self._restarted = [], False
            self._durable_key = self.max_key()
            self._file.settle()

    def flush(self) -> None:
        """All that was resolved and sealed is on the disk when this returns; called before the lake commits."""
        minted = self.max_key()
        self._file.flush()
        self._durable_key = max(self._durable_key, minted)

    def kind_of(self, key_ids: Sequence[int] | npt.NDArray[np.integer]) -> list[str]:
        """The kind of each key, in their order, also of an erased one; "" for a number that was never given."""
        query = "SELECT ifnull(kind, 0) FROM json_each(?) j LEFT JOIN keys ON key_id = j.value ORDER BY j.key"
        with self._file.turn(durable=False) as db:
            codes = db.execute(query, (str(_numbers(key_ids).tolist()),)).fetchall()
        return [("", *KINDS)[code] for (code,) in codes]

    def max_key(self) -> int:
        """The highest key number given so far; 0 in a new vault."""
        return self._next_key - 1

    def counts(self) -> dict[str, int]:
        """How many keys (not erased), suppressed values and records (not erased) there are."""
        with self._file.turn(durable=False) as db:
            query = "SELECT (SELECT count(blind) FROM keys), (SELECT count(*) FROM suppressed)"
            keys, hushed = db.execute(query).fetchone()
        return {"keys": keys, "suppressed": hushed, "records": self._records.count()}

    def close(self) -> None:
        """Flushes and lets go of the file."""
        self._file.close()

    def _blinds(self, kind: str, values: Sequence[str]) -> npt.NDArray[np.void]:
        """The 16-byte keyed hash of each value: equal values of one kind meet, and nothing else can be told."""
        fresh = hashlib.blake2b(key=self._blind_key, digest_size=BLIND_BYTES, person=kind.encode()).copy
        joined = bytearray()
        rest = iter(values)
        while some := list(islice(rest, HASHED_AT_ONCE)):
            if joined:
                time.sleep(BREATH_S)
            digests = []
            for value in some:
                digest = fresh()
                digest.update(value.encode())
                digests.append(digest.digest())
            joined += b"".join(digests)
        return np.frombuffer(bytes(joined), f"V{BLIND_BYTES}")

    def _hush(self, blind: bytes) -> bytes:
        """What the vault keeps of an erased value: a keyed hash of its blind."""
        return hashlib.blake2b(blind, key=self._hush_key, digest_size=BLIND_BYTES).digest()


def _code(kind: str) -> int:
    if kind not in KINDS:
        raise NotFound("Kind of identifier", kind, KINDS)
    return KINDS.index(kind) + 1


def _chunks(order: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    return (order[start : start + CHUNK] for start in range(0, len(order), CHUNK))


def _next_size(size: int, took_s: float) -> int:
    """How many values the next turn of a bulk call takes, so that it lasts TURN_S: where the new values lie far apart,
    each writes a page of its own.
    """
    return int(min(max(size * TURN_S / took_s, CHUNK // 16), CHUNK))


def _looked_up(db: sqlite3.Connection, query: str, cells: bytes) -> Keys:
    """Runs a query that answers 16-byte cells with as many numbers, in their order, as one text."""
    (text,) = db.execute(query, (cells, len(cells) // BLIND_BYTES)).fetchone()
    return np.fromstring(text or "", np.int32, sep=",")


def _numbers(ids: Iterable[int] | npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    return np.asarray(ids if isinstance(ids, np.ndarray) else list(ids), dtype=np.int64)
