"""How often the ledger was written, by hour and actor: for pictures, and for what is unusual."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from tessera.errors import BrokenTrail

_AT_ONCE = 1 << 24


class Tally(msgspec.Struct, kw_only=True, gc=False):
    """What one actor did in one hour: how many uses, how many of them were refused, and how many people the largest of those
    held that say exactly whom."""

    uses: int = 0
    refused: int = 0
    people: int = 0


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """by: (hour in UTC, `2026-11-24T09`; actor) -> its tally. actors, roles, acts, purposes: how often an entry has each."""

    by: dict[tuple[str, str], Tally]
    actors: dict[str, int]
    roles: dict[str, int]
    acts: dict[str, int]
    purposes: dict[str, int]


class _Set(msgspec.Struct, gc=False):
    bound: str
    size: int


class _Line(msgspec.Struct, gc=False):
    """What is counted of a line; the rest is not decoded."""

    at: str
    actor: str
    role: str
    act: str
    purpose: str
    verdict: str
    keys: _Set | None


_lines = msgspec.json.Decoder(_Line)


class Tallies:
    """What was counted so far, and up to where in the log."""

    def __init__(self) -> None:
        self._first = self._place = 0
        self.counted = _nothing()

    def read(self, log: BinaryIO, first: int, end: int) -> None:
        """Counts the log from a place (the begin of a line) to another one; what was counted already is not read again. Raises
        BrokenTrail at what cannot be read."""
        if first < self._first or not self.counted.by:
            self._first, self._place, self.counted = first, first, _nothing()
        by = self.counted.by
        names = (self.counted.actors, self.counted.roles, self.counted.acts, self.counted.purposes)
        for line in self._unread(log, end):
            try:
                told = _lines.decode(line)
            except ValueError:
                raise BrokenTrail("an entry cannot be read") from None
            key = (told.at[:13], told.actor)
            found = by.get(key)
            if found is None:
                found = by[key] = Tally()
            found.uses += 1
            found.refused += told.verdict == "refused"
            if told.keys is not None and told.keys.size > found.people and told.keys.bound == "exact":
                found.people = told.keys.size
            for counts, name in zip(names, (told.actor, told.role, told.act, told.purpose), strict=True):
                counts[name] = counts.get(name, 0) + 1

    def _unread(self, log: BinaryIO, end: int) -> Iterator[bytes]:
        while self._place < end:
            log.seek(self._place)
            data = log.read(min(_AT_ONCE, end - self._place))
            data = data[: data.rfind(b"\n") + 1]
            if not data:
                raise BrokenTrail("an entry is unfinished")
            yield from data.splitlines()
            self._place += len(data)


def _nothing() -> Counted:
    return Counted(by={}, actors={}, roles={}, acts={}, purposes={})
