"""Sealed records: 128 cells packed in a row of SQLite, each cell erased in its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tessera.errors import BrokenVault
from tessera.trust.secrets import KEY_BYTES, NONCE_BYTES, Secrets
from tessera.trust.vault_file import DOOR, VaultFile

PACK = 128
ROWS_A_TURN = 16
BYTES_A_TURN = 256 << 10
ROWS_A_LOOK = 64

Ids = npt.NDArray[np.int64]
Row = tuple[int, int, int, bytes, bytes]


class Records:
    """record_id = row * 128 + slot. A cell is nonce, ciphertext, tag; its record_id is authenticated with it.

    sizes: uint32 per slot, 0 = erased. cells: the cells one after the other, then zeros for what was erased.
    """

    def __init__(self, file: VaultFile, secrets: Secrets) -> None:
        """BrokenVault if an epoch's key cannot be unwrapped by this master key."""
        self._file = file
        with file.turn(durable=True) as db:
            if not db.execute("SELECT 1 FROM epochs").fetchall():
                wrapped = secrets.seal("vault-epoch", os.urandom(KEY_BYTES), b"1")
                db.execute("INSERT INTO epochs VALUES (1, ?)", (wrapped,))
            epochs = db.execute("SELECT epoch, wrapped FROM epochs").fetchall()
            self._next_row = 1 + int(db.execute("SELECT ifnull(max(row), 0) FROM records").fetchone()[0])
        self._ciphers = {
            epoch: AESGCM(secrets.open("vault-epoch", wrapped, str(epoch).encode())) for epoch, wrapped in epochs
        }
        self._epoch = max(self._ciphers)

    def seal(self, blobs: Sequence[bytes], batch: int) -> Ids:
        """Seals each blob; returns their record ids (int64, consecutive, never given before), one per blob.

        batch: the landing they belong to, for `drop_batch`. Durable on return up to 64 blobs, else after `flush`.
        """
        with self._file.turn(durable=False):
            first, self._next_row = self._next_row, self._next_row - (-len(blobs) // PACK)
        for rows in _turns(self._packed(blobs, first, batch)):
            with self._file.turn(durable=len(blobs) <= DOOR) as db:
                places = ", ".join(["(?, ?, ?, ?, ?)"] * len(rows))
                db.execute(f"INSERT INTO records VALUES {places}", tuple(chain.from_iterable(rows)))
            self._file.tidy(door=len(blobs) <= DOOR)
        return np.arange(first * PACK, first * PACK + len(blobs), dtype=np.int64)

    def _packed(self, blobs: Sequence[bytes], first: int, batch: int) -> Iterator[Row]:
        encrypt = self._ciphers[self._epoch].encrypt
        for start in range(0, len(blobs), PACK):
            row, random = first + start // PACK, os.urandom(NONCE_BYTES * PACK)
            cells = []
            for slot, blob in enumerate(blobs[start : start + PACK]):
                nonce = random[slot * NONCE_BYTES : (slot + 1) * NONCE_BYTES]
                cells.append(nonce + encrypt(nonce, blob, _aad(row * PACK + slot)))
            yield row, self._epoch, batch, np.array([len(c) for c in cells], np.uint32).tobytes(), b"".join(cells)

    def unseal(self, record_ids: Ids) -> dict[int, bytes]:
        """record id -> blob; those that are erased, dropped or unknown are left out.

        Raises BrokenVault naming the record whose bytes fail their check.
        """
        found: dict[int, bytes] = {}
        for rows, slots in _by_row(record_ids):
            with self._file.turn(durable=False) as db:
                packed = _read(db, rows)
            for row, epoch, sizes, cells in packed:
                decrypt, ends = self._ciphers[epoch].decrypt, np.cumsum(sizes, dtype=np.int64)
                for slot in slots[row]:
                    if slot < len(sizes) and sizes[slot]:
                        record, cell = row * PACK + slot, cells[ends[slot] - sizes[slot] : ends[slot]]
                        try:
                            found[record] = decrypt(cell[:NONCE_BYTES], cell[NONCE_BYTES:], _aad(record))
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
            dropped += sum(int(np.count_nonzero(np.frombuffer(sizes, np.uint32))) for _, sizes in rows)
            self._file.tidy()

    def count(self) -> int:
        """How many records can be unsealed."""
        with self._file.turn(durable=False) as db:
            sizes = db.execute("SELECT sizes FROM records").fetchall()
        return sum(int(np.count_nonzero(np.frombuffer(cell, np.uint32))) for (cell,) in sizes)


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
