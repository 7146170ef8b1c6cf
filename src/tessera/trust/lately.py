"""What was done lately, use by use: of which kind, and whether its set holds one person; without the log being read again.

A page of hers asks after each new entry. So the last days of the log are decoded once and kept as three arrays; of a person
it is remembered which sets hold her, and only sets that are new since are asked.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

import msgspec
import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from tessera.errors import BrokenTrail
from tessera.trust.keysets import KeySets, Unit

_AT_ONCE = 1 << 24
PEOPLE = 256
"""Of how many people it is remembered which sets hold them."""

Bools = npt.NDArray[np.bool_]
Hers = Mapping[Unit, Iterable[int]]
"""A person's ids, by what they are: her number, her keys."""


class Done(msgspec.Struct, frozen=True):
    """One kind of use: all that its entries have in common. wide: it named the most that it could have held ("at most").
    empty: no row came of it."""

    act: str
    role: str
    purpose: str
    verdict: str
    tables: tuple[str, ...]
    wide: bool
    empty: bool


@dataclass(frozen=True)
class Part:
    """The entries since a moment. numbers: ascending; at: seconds since 1970; kind: places in `kinds`. held: whether the set of
    each holds her; set_: whether it has a set at all."""

    numbers: npt.NDArray[np.int64]
    at: npt.NDArray[np.float64]
    kind: npt.NDArray[np.uint32]
    held: Bools
    set_: Bools
    kinds: list[Done]


class _Keys(msgspec.Struct, gc=False):
    digest: str
    size: int
    unit: Unit
    bound: str


class _Line(msgspec.Struct, gc=False):
    at: datetime
    act: str
    role: str
    purpose: str
    verdict: str
    rows: int | None
    tables: tuple[tuple[str, int], ...]
    keys: _Keys | None


_lines = msgspec.json.Decoder(_Line)


class Lately:
    """The newest entries of a log. first, place: the number of the first that is kept, and where its line begins."""

    def __init__(self, first: int, place: int) -> None:
        self.first, self._place = first, place
        self._at, self._kind, self._set = array("d"), array("I"), array("i")
        self._kinds: dict[Done, int] = {}
        self._sets: dict[tuple[str, int, Unit], int] = {}
        self._known: OrderedDict[tuple[tuple[Unit, tuple[int, ...]], ...], bytearray] = OrderedDict()

    def read(self, log: BinaryIO, end: int) -> None:
        """Go on with the log up to a place at the end of a line. Raises BrokenTrail at what cannot be read."""
        while self._place < end:
            log.seek(self._place)
            data = log.read(min(_AT_ONCE, end - self._place))
            data = data[: data.rfind(b"\n") + 1]
            if not data:
                raise BrokenTrail(f"an entry behind entry {self.first + len(self._at)} cannot be read")
            for line in data.splitlines():
                self._take(line)
            self._place += len(data)

    def forget(self, before: float) -> None:
        """Lets go of entries that are older (seconds since 1970), once they are half of all."""
        old = int(np.searchsorted(np.frombuffer(self._at, np.float64), before)) if self._at else 0
        if old * 2 > len(self._at):
            self.first += old
            self._at, self._kind, self._set = self._at[old:], self._kind[old:], self._set[old:]

    def of(self, kept: KeySets, hers: Hers, since: float, first: int = 0) -> Part:
        """Her part in the entries since a moment (seconds since 1970), from number `first` on. Raises BrokenTrail if a set is
        missing."""
        holds = np.frombuffer(bytes(self._holding(kept, hers)) + b"\0", np.bool_)  # the last: of entries without a set
        start = max(int(np.searchsorted(np.frombuffer(self._at, np.float64), since)), first - self.first) if self._at else 0
        at = np.frombuffer(self._at[start:], np.float64)
        sets, kinds = np.frombuffer(self._set[start:], np.int32), np.frombuffer(self._kind[start:], np.uint32)
        numbers = np.arange(len(at), dtype=np.int64) + self.first + start
        return Part(numbers, at, kinds, holds[sets], sets >= 0, list(self._kinds))

    def _take(self, line: bytes) -> None:
        try:
            said = _lines.decode(line)
        except ValueError:
            raise BrokenTrail(f"entry {self.first + len(self._at)} cannot be read") from None
        keys = said.keys
        done = Done(
            said.act, said.role, said.purpose, said.verdict, tuple(t for t, _ in said.tables),
            keys is not None and keys.bound != "exact", said.rows == 0,
        )  # fmt: skip
        self._at.append(said.at.timestamp())
        self._kind.append(self._kinds.setdefault(done, len(self._kinds)))
        name = None if keys is None else (keys.digest, keys.size, keys.unit)
        self._set.append(-1 if name is None else self._sets.setdefault(name, len(self._sets)))

    def _holding(self, kept: KeySets, hers: Hers) -> bytearray:
        """For each set, whether it holds her."""
        ids = {unit: tuple(sorted(some)) for unit, some in hers.items()}
        her = tuple(sorted(ids.items()))
        known = self._known.pop(her, bytearray())
        new = list(self._sets)[len(known) :] if len(known) < len(self._sets) else []
        if new:
            # Most sets are of one person, and of those nothing is opened: a set of one id has the digest of that id alone.
            alone = {(kept.digest([one]), unit) for unit, some in ids.items() for one in some}
            found = {name: (name[0], name[2]) in alone for name in new if name[1] == 1}
            for unit, some in ids.items():
                asked = [name for name in new if name[1] > 1 and name[2] == unit]
                found |= zip(asked, kept.holding([n[0] for n in asked], BitMap(some)), strict=True)
            known += bytes(found.get(name, False) for name in new)
        self._known[her] = known
        if len(self._known) > PEOPLE:
            self._known.popitem(last=False)
        return known
