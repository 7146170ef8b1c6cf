"""Epochs of the vault: the keys that records are sealed under, each wrapped by the master key, and how one ends.

At most two are open: the newest, and the one before it while a rotation moves its records. So a row says with one bit
under which it lies (`mark`). SQLite stores 0 and 1 in no bytes at all, and a row keeps its length whatever its epoch:
only then is it written over in its place, without copies that a move to another page leaves behind.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tessera.trust.secrets import KEY_BYTES, Secrets
from tessera.trust.vault_file import VaultFile

OLD = "epoch <> ? AND length(cells) > 0"
"""Rows that a rotation has to seal anew, by the newest mark; empty ones need no key."""


class Epochs:
    """The open keys by mark. newest: the epoch that is sealed under now. sealing: how many calls seal, by epoch."""

    def __init__(self, file: VaultFile, secrets: Secrets) -> None:
        """BrokenVault if an epoch's key cannot be unwrapped by this master key."""
        self._file, self._secrets = file, secrets
        self.sealing: Counter[int] = Counter()
        with file.turn(durable=True) as db:
            if not db.execute("SELECT 1 FROM epochs").fetchall():
                self._make(db, 1)
            wrapped = dict(db.execute("SELECT epoch, wrapped FROM epochs").fetchall())
        self.ciphers = {mark(epoch): self._opened(epoch, key) for epoch, key in wrapped.items()}
        self.newest: int = max(wrapped)

    def of(self, found: int) -> int:
        """The epoch of a row's mark."""
        return self.newest if found == mark(self.newest) else self.newest - 1

    def open(self) -> list[int]:
        """The epochs whose keys are there, oldest first."""
        return sorted(map(self.of, self.ciphers))

    def renew(self) -> int:
        """A new epoch; or the newest, where the one before is still to be destroyed: a rotation that was cut off."""
        with self._file.turn(durable=True) as db:
            if len(self.ciphers) == 1:
                epoch = self.newest + 1
                self.ciphers[mark(epoch)] = self._opened(epoch, self._make(db, epoch))
                self.newest = epoch
        return self.newest

    def destroy_older(self) -> bool:
        """Wipes the wrapped key of the epoch before, in the file and its WAL; False if something still needs it."""
        with self._file.turn(durable=True) as db:
            used = db.execute(f"SELECT 1 FROM records WHERE {OLD} LIMIT 1", (mark(self.newest),)).fetchall()
            if used or self.sealing[self.newest - 1]:
                return False
            db.execute("BEGIN IMMEDIATE")
            # Over the bytes first: a page that is laid out anew could else keep a copy of what it drops.
            db.execute("UPDATE epochs SET wrapped = zeroblob(length(wrapped)) WHERE epoch < ?", (self.newest,))
            db.execute("DELETE FROM epochs WHERE epoch < ?", (self.newest,))
            db.execute("COMMIT")
            self._file.settle()
            self.ciphers.pop(mark(self.newest - 1), None)
        return True

    def _make(self, db: sqlite3.Connection, epoch: int) -> bytes:
        wrapped = self._secrets.seal("vault-epoch", os.urandom(KEY_BYTES), str(epoch).encode())
        db.execute("INSERT INTO epochs VALUES (?, ?)", (epoch, wrapped))
        return wrapped

    def _opened(self, epoch: int, wrapped: bytes) -> AESGCM:
        return AESGCM(self._secrets.open("vault-epoch", wrapped, str(epoch).encode()))


def mark(epoch: int) -> int:
    """What rows of an epoch have in their column `epoch`."""
    return epoch % 2
