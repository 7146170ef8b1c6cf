"""How many uses there were since a moment, allowed and refused, and how many rows landed; read on from where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tessera.trust.entries import Entry

MOST = 50_000
"""Entries that are looked through at once, the newest; of a day with more, what is told is a part, and says so."""


class Ledger(Protocol):
    """What is asked of the ledger."""

    def __len__(self) -> int: ...
    def entries(self, start: int = 0, before: int | None = None, limit: int | None = None) -> Iterator[Entry]: ...


@dataclass
class Daily:
    """The counts since a moment. partly: there were more entries than were looked through."""

    since: datetime
    allowed: int = 0
    refused: int = 0
    landed: int = 0
    partly: bool = False
    acts: Counter[str] = field(default_factory=Counter)
    _until: int = -1

    def read(self, ledger: Ledger) -> None:
        """Counts what was entered since it last looked."""
        size = len(ledger)
        if self._until < 0:
            begin = first(ledger, self.since)
            self.partly, self._until = size - begin > MOST, max(begin, size - MOST)
        for entry in ledger.entries(self._until, size):
            self.acts[entry.act] += 1
            if entry.verdict == "refused":
                self.refused += 1
            else:
                self.allowed += 1
            if entry.act == "landing":
                self.landed += entry.rows or 0
        self._until = size


def first(ledger: Ledger, since: datetime) -> int:
    """The number of the first entry that is no older than a moment; how many there are, where all are. Times never go back in a
    ledger, so it is looked for by halves."""
    low, high = 0, len(ledger)
    while low < high:
        middle = (low + high) // 2
        at = datetime.fromisoformat(next(iter(ledger.entries(middle, middle + 1))).at)
        low, high = (low, middle) if at >= since else (middle + 1, high)
    return low
