"""Message ids that a source has sent within its window, in memory: a double is known before it goes anywhere.

A hash table of 8-byte words, in parts that grow and forget one by one, so that no request waits for millions of them: 11 to
17 bytes an id, 4 MB at the least. A word is 56 bits of a keyed hash and the hour in which it came; 9 more bits say in which
part it is. Two ids are taken for one with a chance of n / 2^65 for n remembered ones (10 million: 1 in 3 * 10^12). Full, it
forgets the oldest.

The window is counted by a clock that nobody sets: a wall clock that is set forward makes nothing old, and one that is set back
keeps nothing for longer.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable

import numpy as np

from tessera.data.message_ids import Rows

PARTS = 512
MOST = 32 << 20
"""Ids remembered for one source: half a gigabyte at the most."""

LEAST, FULL, GROWTH = 1024, 0.7, 1.5
_TOP = np.uint64(32)


class Seen:
    """hours: the window. most: ids that are remembered; beyond, the oldest go first. elapsed: seconds, by a clock that is not
    set."""

    def __init__(self, hours: int, most: int = MOST, elapsed: Callable[[], float] = time.monotonic) -> None:
        self.hours, self._most, self._elapsed = hours, max(LEAST, most // PARTS), elapsed
        self._began: tuple[int, float] | None = None
        """The hour of the first look, and when that was by `elapsed`."""
        self._tables = [array("Q", bytes(8 * LEAST)) for _ in range(PARTS)]
        self._filled = [0] * PARTS
        self._looked = [0] * PARTS
        """By part, the hour when what is too old was last thrown out."""
        self._now = 0

    def __len__(self) -> int:
        """Ids in the tables, old ones that were not thrown out yet among them."""
        return sum(self._filled)

    def add(self, number: int, hour: int) -> bool:
        """Remembers an id (`Hashes.of`); False if it is known from the window. hour: now, since 1970."""
        if hour != self._now:
            hour = self._passed(hour)
        part, word = number & (PARTS - 1), number >> 16
        if self._looked[part] != hour:
            self._forget_old(part, hour)
        table = self._tables[part]
        size, mark = len(table), word | 0xFF
        at = (word >> 32) * size >> 32
        while found := table[at]:
            if found | 0xFF == mark:
                if found & 0xFF:
                    return False
                break
            at += 1
            if at == size:
                at = 0
        table[at] = mark - 254 + hour % 255
        if not found:
            self._filled[part] += 1
            if self._filled[part] > size * FULL:
                self._grow(part, hour)
        return True

    def forget(self, number: int) -> None:
        """Takes back what `add` has just remembered: it was not written after all."""
        part, word = number & (PARTS - 1), number >> 16
        table, mark = self._tables[part], word | 0xFF
        size = len(table)
        at = (word >> 32) * size >> 32
        while found := table[at]:
            if found | 0xFF == mark:
                table[at] = mark - 255
                return
            at = (at + 1) % size

    def load(self, rows: Rows, hour: int) -> None:
        """Remembers what lies on the disk. hour: now, since 1970. What came in an hour that is still to come (the clock was set
        back since) came now."""
        hour = self._passed(hour)
        rows = rows[rows["hour"] + self.hours >= hour]
        words = (rows["word"] | np.uint64(0xFF)) - np.uint64(254) + (np.minimum(rows["hour"], hour) % 255).astype(np.uint64)
        parts = rows["part"] & np.uint16(PARTS - 1)
        order = np.argsort(parts, kind="stable")
        words, edges = words[order], np.searchsorted(parts[order], np.arange(PARTS + 1))
        for part in range(PARTS):
            mine = words[edges[part] : edges[part + 1]]
            if len(mine):
                self._looked[part] = hour
                self._lay(part, np.concatenate((np.array(self._tables[part], np.uint64), mine)), hour)

    # parts

    def _passed(self, hour: int) -> int:
        """The hour that it is for the window: never earlier than it was, nor later than the time that has passed allows."""
        elapsed = self._elapsed()
        if self._began is None:
            self._began = (hour, elapsed)
        began, at = self._began
        latest = began + int((elapsed - at) // 3600) + 1
        self._now = max(self._now, min(hour, latest), latest - 1)
        return self._now

    def _forget_old(self, part: int, hour: int) -> None:
        self._looked[part] = hour
        words = np.frombuffer(self._tables[part], np.uint64)
        if self._filled[part] and bool(np.any((words != 0) & (self._age(words, hour) > self.hours))):
            self._lay(part, words, hour)

    def _grow(self, part: int, hour: int) -> None:
        self._lay(part, np.frombuffer(self._tables[part], np.uint64), hour)

    def _lay(self, part: int, words: np.ndarray[tuple[int], np.dtype[np.uint64]], hour: int) -> None:
        """Lays a part anew with what of these words is within the window: in the order of their homes, each at its home or
        behind the one before it, which is where looking for it ends up."""
        words = words[(words & np.uint64(0xFF)) != 0]
        age = self._age(words, hour)
        words, age = words[age <= self.hours], age[age <= self.hours]
        if len(words) > self._most:
            words = words[np.argsort(age, kind="stable")[: self._most // 2]]
        words = np.unique(words)
        same = np.flatnonzero((words[1:] | np.uint64(0xFF)) == (words[:-1] | np.uint64(0xFF)))
        words = np.delete(words, same)
        size = max(LEAST, int(len(words) * GROWTH / FULL))
        home = ((words >> _TOP) * np.uint64(size)) >> _TOP
        order = np.arange(len(words))
        place = np.maximum.accumulate(home.astype(np.int64) - order) + order if len(words) else order
        table = np.zeros(size, np.uint64)
        inside = place < size
        table[place[inside]] = words[inside]
        made = array("Q", table.tobytes())
        for word in words[~inside].tolist():  # around the end, to the first free places
            at = 0
            while made[at]:
                at += 1
            made[at] = word
        self._tables[part], self._filled[part] = made, len(words)

    def _age(
        self, words: np.ndarray[tuple[int], np.dtype[np.uint64]], hour: int
    ) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Hours since a word came; of one that was taken back, beyond any window."""
        marks = (words & np.uint64(0xFF)).astype(np.int64)
        return np.where(marks == 0, 1 << 30, (hour % 255 - (marks - 1)) % 255)
