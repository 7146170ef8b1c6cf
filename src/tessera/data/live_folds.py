"""The declared folds, event by event: the same declarations that `profiles` turns into SQL, as functions of Python.

A person's partials are a list with one place for each fold of a table that only grows (profiles.ADDED): counts, sums, times
(microseconds since 1970, UTC), and for first and last a tuple (rank of the source, time, value), None where nothing has come.
Nothing here knows of keys, consent or the disk, so that the same functions run within a Flink job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from tessera.data.folds import Fold
from tessera.data.profiles import ADDED, FOLDS
from tessera.data.rules import Row, columns, compiled

Partials = list[Any]

LIVE = tuple(f for f in FOLDS if f.table in ADDED)
"""The folds that events change, in the order of their places."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = {"last": -62_135_596_800_000_000, "first": 253_402_214_400_000_000}
"""Where a row without a time stands: 0001-01-01 and 9999-12-31, as in `Fold.partial`."""


def micros(at: datetime) -> int:
    """A moment as microseconds since 1970, UTC."""
    past = at - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def empty() -> Partials:
    """The partials of somebody of whom nothing has come."""
    return [0 if f.kind == "count" else None for f in LIVE]


def merge(into: Partials, other: Partials) -> None:
    """Adds the partials of another key of the same person."""
    for place, (_, joined) in enumerate(_PLACES):
        if other[place] is not None:
            into[place] = other[place] if into[place] is None else joined(into[place], other[place])


def values(partials: Partials) -> dict[str, Any]:
    """The fields of the profile that partials say: times as aware datetimes, sums of nothing as 0."""
    told: dict[str, Any] = {}
    for f, found in zip(LIVE, partials, strict=True):
        if f.kind in ("first", "last"):
            told[f.field] = None if found is None else found[2]
        elif f.kind in ("count", "sum"):
            told[f.field] = found or 0
        elif found is not None and f.type == "TIMESTAMPTZ":
            told[f.field] = datetime.fromtimestamp(found / 1_000_000, UTC)
        else:
            told[f.field] = found
    return told


def columns_of(table: str) -> frozenset[str]:
    """The columns of a table's rows that its folds read."""
    texts = [text for f in LIVE if f.table == table for text in (f.of, f.where) if text]
    return frozenset().union({"occurred_at"}, *map(columns, texts))


class Folder:
    """The folds of one table. ranks: of the sources, as the turn has them."""

    def __init__(self, table: str, ranks: Mapping[str, int]) -> None:
        self._ranks = dict(ranks)
        self._folds = [
            (place, f, compiled(f.of), compiled(f.where) if f.where else None, _PLACES[place][1])
            for place, f in enumerate(LIVE)
            if f.table == table
        ]

    def fold(self, partials: Partials, row: Row, source: str) -> None:
        """Adds one row. row: the columns of `columns_of`; occurred_at as an aware datetime or None."""
        at = row.get("occurred_at")
        moment = None if at is None else micros(at)
        for place, f, of, where, joined in self._folds:
            if where is not None and where(row) is not True:
                continue
            if f.kind == "count":
                partials[place] += 1
                continue
            found = moment if f.of == "occurred_at" else of(row)
            if found is None:
                continue
            if f.kind in ("first", "last"):
                found = (self._ranks.get(source, 0), _NEVER[f.kind] if moment is None else moment, found)
            partials[place] = found if partials[place] is None else joined(partials[place], found)


def _joined(f: Fold) -> Callable[[Any, Any], Any]:
    if f.kind in ("count", "sum"):
        return lambda a, b: a + b
    return max if f.kind in ("max", "last") else min


_PLACES = [(f.field, _joined(f)) for f in LIVE]
