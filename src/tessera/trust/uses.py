"""Which entries name which set: what the ledger remembers of its log to answer "which uses held me?"."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import msgspec
import numpy as np
from pyroaring import BitMap

from tessera.errors import BrokenTrail
from tessera.trust.keysets import KeySets, Unit


class _Named(msgspec.Struct):
    unit: Unit
    digest: str


class _Line(msgspec.Struct):
    keys: _Named | None = None


_line = msgspec.json.Decoder(_Line)
_NOBODY = 0


class Uses:
    """For each entry of the log, read once, the number of its set; so a question asks each set once."""

    def __init__(self) -> None:
        self._of = array("I")
        self._sets: dict[tuple[Unit, str], int] = {}

    def __len__(self) -> int:
        """How many entries were read."""
        return len(self._of)

    def read(self, lines: Iterable[tuple[int, bytes]]) -> None:
        """Go on with these numbers and lines of the log. Raises BrokenTrail at a line that cannot be read."""
        decode, sets, note = _line.decode, self._sets, self._of.append
        for number, line in lines:
            try:
                keys = decode(line).keys
            except ValueError:
                raise BrokenTrail(f"entry {number} cannot be read", number) from None
            note(sets.setdefault((keys.unit, keys.digest), len(sets) + 1) if keys else _NOBODY)

    def of(self, kept: KeySets, ids: BitMap, unit: Unit) -> list[int]:
        """The numbers of the entries whose set holds any of these ids, ascending. Raises BrokenTrail if a set is missing."""
        holds = np.zeros(len(self._sets) + 1, dtype=np.bool_)
        asked = {digest: number for (named, digest), number in self._sets.items() if named == unit}
        holds[list(asked.values())] = list(kept.holding(asked, ids))
        if not self._of:
            return []
        found: list[int] = np.flatnonzero(holds[np.frombuffer(self._of, dtype=np.uint32)]).tolist()
        return found
