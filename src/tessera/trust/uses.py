"""Which entries name which set: what the ledger remembers of its log to answer "which uses held me?"."""

from __future__ import annotations

import re
from array import array
from typing import BinaryIO

import numpy as np
from pyroaring import BitMap

from tessera.errors import BrokenTrail
from tessera.trust.keysets import KeySets, Unit

_AT_ONCE = 1 << 24
_KEYS = re.compile(rb'"keys":(?:null|\{"bound":"(?:exact|at most)","digest":"([0-9a-f]{64})","size":\d+,"unit":"(\w+)")')
"""What a line says of its set. The log is canonical JSON, in which no text can look like this; it is half the time of
decoding the lines."""


class Uses:
    """For each entry of the log, read once, the number of its set; so a question asks each set once."""

    def __init__(self) -> None:
        self._of, self._place = array("I"), 0
        self._sets: dict[tuple[bytes, bytes], int] = {(b"", b""): 0}

    def read(self, log: BinaryIO, end: int) -> None:
        """Go on with the log up to a place at the end of a line. Raises BrokenTrail at what cannot be read."""
        sets, note = self._sets, self._of.append
        while self._place < end:
            log.seek(self._place)
            data = log.read(min(_AT_ONCE, end - self._place))
            data = data[: data.rfind(b"\n") + 1]
            found = _KEYS.findall(data)
            if not found or len(found) != data.count(b"\n"):
                raise BrokenTrail(f"an entry behind entry {len(self._of)} cannot be read")
            for named in found:
                note(sets.setdefault(named, len(sets)))
            self._place += len(data)

    def of(self, kept: KeySets, ids: BitMap, unit: Unit) -> list[int]:
        """The numbers of the entries whose set holds any of these ids, ascending. Raises BrokenTrail if a set is missing."""
        holds = np.zeros(len(self._sets), dtype=np.bool_)
        asked = {digest.decode(): number for (digest, named), number in self._sets.items() if named == unit.encode()}
        holds[list(asked.values())] = list(kept.holding(asked, ids))
        if not self._of:
            return []
        found: list[int] = np.flatnonzero(holds[np.frombuffer(self._of, dtype=np.uint32)]).tolist()
        return found
