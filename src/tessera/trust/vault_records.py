"""Sealed records: 128 cells packed in a row of SQLite, each cell erased in its place."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag

from tessera.errors import BrokenVault
from tessera.trust.secrets import NONCE_BYTES, Secrets
from tessera.trust.vault_epochs import OLD, Epochs, mark
from tessera.trust.vault_file import DOOR, VaultFile
from tessera.words import Progress

PACK = 128
ROWS_A_TURN = 16
BYTES_A_TURN = 256 << 10
ROWS_A_LOOK = 64
SEALING_S = 0.01
"""How long a rotation waits for whoever is still sealing under an older key."""

Ids = npt.NDArray[np.int64]
Row = tuple[int, int, int, bytes, bytes]


class Records:
    """record_id = row * 128 + slot. A cell is nonce, ciphertext, tag; its record_id is authenticated with it.

    sizes: uint32 per slot, 0 = erased. cells: the cells one after the other, then zeros for what was erased.
    """

    def __init__(self, file: VaultFile, secrets: Secrets) -> None:
        """BrokenVault if an epoch's key cannot be unwrapped by this master key."""
        self._file, self._epochs = file, Epochs(file, secrets)
        with file.turn(durable=False) as db:
            self._next_row = 1 + int(db.execute("SELECT ifnull(max(row), 0) FROM records").fetchone()[0])

    def seal(self, blobs: Sequence[bytes], batch: int) -> Ids:
        """Seals each blob; returns their record ids (int64, consecutive, never given before), one per blob.

        batch: the landing they belong to, for `drop_batch`. Durable on return up to 64 blobs, else after `flush`.
        """
        with self._file.turn(durable=False):
            first, self._next_row = self._next_row, self._next_row - (-len(blobs) // PACK)
            epoch = self._epochs.newest
            self._epochs.sealing[epoch] += 1
        try:
            for rows in _turns(self._packed(blobs, first, batch, epoch)):
                with self._file.turn(durable=len(blobs) <= DOOR) as db:
                    places = ", ".join(["(?, ?, ?, ?, ?)"] * len(rows))
                    db.execute(f"INSERT INTO records VALUES {places}", tuple(chain.from_iterable(rows)))
                self._file.tidy(door=len(blobs) <= DOOR)
        finally:
            with self._file.turn(durable=False):
                self._epochs.sealing[epoch] -= 1
        return np.arange(first * PACK, first * PACK + len(blobs), dtype=np.int64)

    def _packed(self, blobs: Sequence[bytes], first: int, batch: int, epoch: int) -> Iterator[Row]:
        encrypt, sign = self._epochs.ciphers[mark(epoch)].encrypt, mark(epoch)
        for start in range(0, len(blobs), PACK):
            row, random = first + start // PACK, os.urandom(NONCE_BYTES * PACK)
            cells = []
            for slot, blob in enumerate(blobs[start : start + PACK]):
                nonce = random[slot * NONCE_BYTES : (slot + 1) * NONCE_BYTES]
                cells.append(nonce + encrypt(nonce, blob, _aad(row * PACK + slot)))
            yield row, sign, batch, np.array([len(c) for c in cells], np.uint32).tobytes(), b"".join(cells)

    def unseal(self, record_ids: Ids) -> dict[int, bytes]:
        """record id -> blob; those that are erased, dropped or unknown are left out.

        Raises BrokenVault naming the record whose bytes fail their check.
        """
        found: dict[int, bytes] = {}
        for rows, slots in _by_row(record_ids):
            with self._file.turn(durable=False) as db:
                packed = _read(db, rows)
                ciphers = dict(self._epochs.ciphers)  # one that is destroyed from now on still opens what was read
            for row, sign, sizes, cells in packed:
                ends = np.cumsum(sizes, dtype=np.int64)
                for slot in slots[row]:
                    if slot < len(sizes) and sizes[slot]:
                        record, cell = row * PACK + slot, cells[ends[slot] - sizes[slot] : ends[slot]]
                        try:
                            found[record] = ciphers[sign].decrypt(cell[:NONCE_BYTES], cell[NONCE_BYTES:], _aad(record))
                        except InvalidTag:
                            raise BrokenVault(f"Record {record} of the vault fails its check.") from None
        return found

    def wipe(self, db: sqlite3.Connection, record_ids: Ids) -> int:
        """Within the caller's transaction: zeroes these cells and says how many there were.

        A row keeps its length, so that SQLite writes over the old bytes in their place.
        """
        wiped = 0
        for rows, slots in _by_row(record_ids):
            changed = []
            for row, _, sizes, cells in _read(db, rows):
                ends = np.cumsum(sizes, dtype=np.int64)
                held = [slot for slot in slots[row] if slot < len(sizes) and sizes[slot]]
                kept, at = [], 0
                for slot in held:
                    kept.append(cells[at : ends[slot] - sizes[slot]])
                    at = int(ends[slot])
                rest = b"".join([*kept, cells[at:]])
                sizes[held] = 0
                wiped += len(held)
                if sizes.any():
                    changed.append((sizes.tobytes(), rest.ljust(len(cells), b"\0"), row))
                else:
                    changed.append((b"", b"", row))
            db.executemany("UPDATE records SET sizes = ?, cells = ? WHERE row = ?", changed)
        return wiped

    def forget(self, record_ids: Ids) -> int:
        """Wipes these cells a few rows at a time, so that doors get in between; says how many there were. On the disk, and
        out of the WAL, when it returns."""
        ids, wiped = np.unique(record_ids), 0
        _, starts = np.unique(ids // PACK, return_index=True)
        for some in np.split(ids, starts[ROWS_A_TURN::ROWS_A_TURN]) if len(ids) else ():
            with self._file.turn(durable=False) as db:
                db.execute("BEGIN IMMEDIATE")
                wiped += self.wipe(db, some)
                db.execute("COMMIT")
            self._file.tidy()
        self._file.flush()
        return wiped

    def drop_batch(self, batch: int) -> int:
        """Removes what an unfinished landing has sealed, and says how many records; durable when it returns."""
        dropped = 0
        while True:
            with self._file.turn(durable=False) as db:
                query = "SELECT row, sizes FROM records WHERE batch = ? LIMIT ?"
                rows = db.execute(query, (batch, ROWS_A_TURN)).fetchall()
                named = [(row,) for row, _ in rows]
                db.execute("BEGIN IMMEDIATE")
                db.executemany("UPDATE records SET batch = NULL, sizes = x'', cells = x'' WHERE row = ?", named)
                db.execute("COMMIT")
            if not rows:
                self._file.flush()
                return dropped
            dropped += sum(_held(sizes) for _, sizes in rows)
            self._file.tidy()

    def count(self) -> int:
        """How many records can be unsealed."""
        return sum(self.by_epoch().values())

    def by_epoch(self) -> dict[int, int]:
        """How many records can be unsealed, by the epoch of their key; an epoch without any is there too."""
        with self._file.turn(durable=False) as db:
            sizes = db.execute("SELECT epoch, sizes FROM records").fetchall()
        found = dict.fromkeys(self._epochs.open(), 0)
        for sign, cell in sizes:
            if held := _held(cell):
                found[self._epochs.of(sign)] += held
        return found

    # a new epoch

    def renew(self) -> int:
        """Seals what comes from now on under a new key, and returns its epoch; where a rotation was cut off, that one."""
        return self._epochs.renew()

    def reseal(self, progress: Progress) -> int:
        """Seals every record under the newest key, says how many cells, and destroys the older keys: all or, cut off at
        any point, what is left for the next time. Doors go on: reading and writing are turns, sealing is outside."""
        with self._file.turn(durable=False) as db:
            total = db.execute(f"SELECT count(*) FROM records WHERE {OLD}", (mark(self._epochs.newest),)).fetchone()[0]
        done = cells = 0
        while True:
            done, cells = self._pass(done, cells, total, progress)
            self._file.flush()
            if self._epochs.destroy_older():
                return cells
            time.sleep(SEALING_S)

    def _pass(self, done: int, cells: int, total: int, progress: Progress) -> tuple[int, int]:
        """Once over the rows of older epochs. A row that an erasure changed meanwhile waits for the next pass."""
        at, newest = 0, mark(self._epochs.newest)
        query = f"SELECT row, epoch, sizes, cells FROM records WHERE {OLD} AND row > ? ORDER BY row LIMIT ?"
        while True:
            with self._file.turn(durable=False) as db:
                rows = db.execute(query, (newest, at, ROWS_A_TURN)).fetchall()
            if not rows:
                return done, cells
            at = rows[-1][0]
            fresh = [(newest, self._resealed(*row), row[0], row[1], row[3]) for row in rows]
            with self._file.turn(durable=False) as db:
                db.execute("BEGIN IMMEDIATE")
                update = "UPDATE records SET epoch = ?, cells = ? WHERE row = ? AND epoch = ? AND cells = ?"
                db.executemany(update, fresh)
                db.execute("COMMIT")
            self._file.tidy()
            done, cells = done + len(rows), cells + sum(_held(row[2]) for row in rows)
            progress("re-encrypting the vault", min(done, total), total)

    def _resealed(self, row: int, sign: int, sizes: bytes, cells: bytes) -> bytes:
        """A row's cells under the newest key, each as long as it was: SQLite writes over the old ones in their place."""
        decrypt = self._epochs.ciphers[sign].decrypt
        encrypt = self._epochs.ciphers[mark(self._epochs.newest)].encrypt
        random, fresh, at = os.urandom(NONCE_BYTES * PACK), [], 0
        for slot, size in enumerate(np.frombuffer(sizes, np.uint32).tolist()):
            if size:
                cell, nonce, record = cells[at : at + size], random[slot * NONCE_BYTES :][:NONCE_BYTES], row * PACK + slot
                at += size
                try:
                    blob = decrypt(cell[:NONCE_BYTES], cell[NONCE_BYTES:], _aad(record))
                except InvalidTag:
                    raise BrokenVault(f"Record {record} of the vault fails its check.") from None
                fresh.append(nonce + encrypt(nonce, blob, _aad(record)))
        return b"".join(fresh).ljust(len(cells), b"\0")


def _held(sizes: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(sizes, np.uint32)))


def _aad(record: int) -> bytes:
    return record.to_bytes(8, "little")


def _turns(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in groups that one transaction may take: 16 rows, and no further row after 256 kB."""
    group: list[Row] = []
    size = 0
    for row in rows:
        group.append(row)
        size += len(row[-1])
        if len(group) == ROWS_A_TURN or size > BYTES_A_TURN:
            yield group
            group, size = [], 0
    if group:
        yield group


def _by_row(record_ids: Ids) -> Iterator[tuple[list[int], dict[int, list[int]]]]:
    """The packed rows of these records, 64 at a time, and the slots wanted in each, ascending."""
    ids = np.unique(record_ids)
    rows, starts = np.unique(ids // PACK, return_index=True)
    wanted = np.split(ids % PACK, starts[1:])
    for at in range(0, len(rows), ROWS_A_LOOK):
        some = rows[at : at + ROWS_A_LOOK].tolist()
        yield some, {row: slots.tolist() for row, slots in zip(some, wanted[at:], strict=False)}


def _read(db: sqlite3.Connection, rows: list[int]) -> list[tuple[int, int, npt.NDArray[np.uint32], bytes]]:
    query = "SELECT row, epoch, sizes, cells FROM records WHERE row IN (SELECT value FROM json_each(?))"
    found = db.execute(query, (str(rows),)).fetchall()
    return [(row, epoch, np.frombuffer(sizes, np.uint32).copy(), cells) for row, epoch, sizes, cells in found]
