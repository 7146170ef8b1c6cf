"""The folder of letters to customers: each lies there for as long as its link opens anything, and goes with an erasure.

Its name tells the house whose it is, by a keyed name, and nobody else anything.
"""

from __future__ import annotations

import os
import secrets as chance
import time
from pathlib import Path
from typing import Protocol

from tessera.words import Erased, Proof

KEPT_S = 900
"""How long a letter lies in the folder, in seconds."""


class Names(Protocol):
    """Who makes keyed names (trust.secrets.Secrets)."""

    def name_of(self, text: str) -> str: ...


class Letters:
    """Letters as files (0600); a store that forgets."""

    name = "letters"

    def __init__(self, folder: Path, names: Names) -> None:
        self.folder, self._names = folder, names

    def put(self, key: int, letter: bytes) -> None:
        """Keeps a letter to whoever has a key; older ones go."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.clear()
        path = self.folder / f"{self._whose(key)}-{chance.token_hex(8)}.eml"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(letter)

    def clear(self) -> None:
        """Removes letters whose time is over."""
        for path in self.folder.glob("*.eml"):
            if path.stat().st_mtime < time.time() - KEPT_S:
                path.unlink(missing_ok=True)

    def forget(self, who: Erased) -> Proof:
        """Removes letters to erased people; see words.Forgets."""
        theirs = {self._whose(key) for key in who.keys}
        mine = [path for path in self.folder.glob("*.eml") if path.name.partition("-")[0] in theirs]
        for path in mine:
            path.unlink(missing_ok=True)
        return Proof(store=self.name, removed=len(mine), complete=True)

    def _whose(self, key: int) -> str:
        return self._names.name_of(f"letter/{key}")
