"""The vault's index in memory: which key an identifier has, in a microsecond, while the vault itself is at other work.

It holds keyed hashes and numbers, never a value, and lies nowhere but in memory. What it does not know gets a number of its own
from `top` up, which no table and no file ever has: the next turn gives the true one.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Collection

import numpy as np
import numpy.typing as npt

BLIND_BYTES = 16
SUPPRESSED = -1


class KeyIndex:
    """Keys by identifier, as of one moment, and those that came since."""

    def __init__(
        self, blind_key: bytes, hush_key: bytes, blinds: npt.NDArray[np.void], keys: npt.NDArray[np.int32], *, top: int,
        suppressed: Collection[bytes],
    ) -> None:  # fmt: skip
        """blinds: 16 bytes each, in any order; keys: theirs. suppressed: the marks of erased values (see Vault.mark)."""
        self.top = top
        self._blind_key, self._hush_key, self._suppressed = blind_key, hush_key, frozenset(suppressed)
        halves = blinds.view(">u8")
        order = np.argsort(halves[::2], kind="stable")
        ordered, place = np.ascontiguousarray(keys[order], np.int32), np.full(top, -1, np.int32)
        place[ordered] = np.arange(len(order), dtype=np.int32)
        # One element of a memoryview is read in a quarter of the time that one of an array takes.
        self._highs, self._lows = (halves[n::2][order].astype(np.uint64).data for n in (0, 1))
        self._numbers, self._places = ordered.data, place.data
        self._own: dict[bytes, int] = {}
        self._owned: list[bytes] = []
        self._fresh: dict[str, hashlib.blake2b] = {}

    def key(self, kind: str, value: str, *, mint: bool = True) -> int:
        """The key of a normalised value; of an unknown one a number of its own (without `mint`: 0), of an erased one -1."""
        return self.of(self.blind(kind, value), mint=mint)

    def of(self, blind: bytes, *, mint: bool = True) -> int:
        """The same for what `blind` told."""
        high, low = int.from_bytes(blind[:8], "big"), int.from_bytes(blind[8:], "big")
        highs = self._highs
        at = bisect_left(highs, high)
        while at < len(highs) and highs[at] == high:
            if self._lows[at] == low:
                return self._numbers[at]
            at += 1
        if (own := self._own.get(blind)) is not None:
            return own
        if self._suppressed and self._mark(blind) in self._suppressed:
            return SUPPRESSED
        if not mint:
            return 0
        self._owned.append(blind)
        return self._own.setdefault(blind, self.top + len(self._own))

    def blind_of(self, key: int) -> bytes:
        """What a key is known by, 16 bytes: the same at each start, also of one that had a number of its own. Empty for a key
        whose identifier was erased."""
        if key >= self.top:
            return self._owned[key - self.top]
        if (place := self._places[key]) < 0:
            return b""
        return self._highs[place].to_bytes(8, "big") + self._lows[place].to_bytes(8, "big")

    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return self._highs.nbytes + self._lows.nbytes + self._numbers.nbytes + self._places.nbytes

    def _mark(self, blind: bytes) -> bytes:
        return hashlib.blake2b(blind, key=self._hush_key, digest_size=BLIND_BYTES).digest()

    def blind(self, kind: str, value: str) -> bytes:
        """The keyed hash of a normalised value: the same for every index of a vault."""
        fresh = self._fresh.get(kind)
        if fresh is None:
            fresh = self._fresh[kind] = hashlib.blake2b(key=self._blind_key, digest_size=BLIND_BYTES, person=kind.encode())
        digest = fresh.copy()
        digest.update(value.encode())
        return digest.digest()
