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
_KEYS = re.compile(rb'"keys":(?:null|\{"bound":"(?:exact|at most)","digest":"(.{64}","size":\d+,"unit":"\w+)"})')
"""What a line says of its set. The log is canonical JSON, in which no text can look like this; it takes a third of the time
of decoding the lines."""


class _Numbers(dict[bytes, int]):
    """What was said of each set, numbered as it comes."""

    def __missing__(self, said: bytes) -> int:
        self[said] = number = len(self)
        return number


class Uses:
    """For each entry of the log, read once, the number of its set; so a question asks each set once."""

    def __init__(self) -> None:
        self._of, self._place = array("I"), 0
        self._sets = _Numbers()

    def read(self, log: BinaryIO, end: int) -> None:
        """Go on with the log up to a place at the end of a line. Raises BrokenTrail at what cannot be read."""
        while self._place < end:
            log.seek(self._place)
            data = log.read(min(_AT_ONCE, end - self._place))
            data = data[: data.rfind(b"\n") + 1]
            found = _KEYS.findall(data)
            if not found or len(found) != data.count(b"\n"):
                raise BrokenTrail(f"an entry behind entry {len(self._of)} cannot be read")
            self._of.extend(map(self._sets.__getitem__, found))
            self._place += len(data)

    def of(self, kept: KeySets, ids: BitMap, unit: Unit) -> list[int]:
        """The numbers of the entries whose set holds any of these ids, ascending. Raises BrokenTrail if a set is missing."""
        holds = np.zeros(len(self._sets), dtype=np.bool_)
        asked = {s[:64].decode(): number for s, number in self._sets.items() if s.endswith(f'"{unit}'.encode())}
        holds[list(asked.values())] = list(kept.holding(asked, ids))
        if not self._of:
            return []
        found: list[int] = np.flatnonzero(holds[np.frombuffer(self._of, dtype=np.uint32)]).tolist()
        return found
