"""Salts of keys: what a commitment about a person is hidden with, and what dies with her.

A salt is 16 random bytes, made when it is first asked for. Without it nothing leads from a commitment to anybody, and
an erasure wipes it with her identifiers.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence

from tessera.trust.vault_file import CHUNK, VaultFile

SALT_BYTES = 16

ASKED = """SELECT k.key_id, s.salt FROM json_each(?) j JOIN keys k ON k.key_id = j.value
    LEFT JOIN salts s ON s.key_id = k.key_id WHERE k.blind IS NOT NULL"""


class Salts:
    """The salts within the vault's file."""

    def __init__(self, file: VaultFile) -> None:
        self._file = file

    def of(self, key_ids: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """Each key with its salt; an erased or unknown key is left out. Up to 2,000 keys a transaction.

        New salts are in the file, and on the disk after the vault's `flush`.
        """
        for start in range(0, len(key_ids), CHUNK):
            keys = str([int(k) for k in key_ids[start : start + CHUNK]])
            with self._file.turn(durable=False) as db:
                found: dict[int, bytes | None] = dict(db.execute(ASKED, (keys,)).fetchall())
                new = {k: os.urandom(SALT_BYTES) for k, salt in found.items() if salt is None}
                if new:
                    db.execute("BEGIN IMMEDIATE")
                    db.executemany("INSERT INTO salts(key_id, salt) VALUES (?, ?)", new.items())
                    db.execute("COMMIT")
            self._file.tidy()
            yield from ((k, new[k] if s is None else s) for k, s in found.items())

    def wipe(self, db: sqlite3.Connection, keys: str) -> None:
        """Within a turn's transaction: the salts of these keys (a JSON list) are zeros from now on."""
        blank = f"UPDATE salts SET salt = zeroblob({SALT_BYTES}) WHERE key_id IN (SELECT value FROM json_each(?))"
        db.execute(blank, (keys,))
