"""What the last turn says of everybody, as arrays by key, for the live engine to go on from.

Keys are dense numbers, so an array has one place for each: about 120 bytes a key and nothing per row in Python. It is read
through views of the purpose `operate`, as a step is, and lies in memory alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tessera.data.live_folds import LIVE, Partials, empty
from tessera.lake.engine import Connection
from tessera.lake.view import View
from tessera.words import KINDS

READS = ("links", "membership", "activity")
"""The tables it is made from."""

_NONE = int(np.iinfo(np.int64).min)
"""No time."""


class LiveBase:
    """Persons, links and partials as of one turn. top: above all keys of the vault; from there on they are the engine's own."""

    def __init__(self, con: Connection, views: Mapping[str, View], top: int) -> None:
        """Reads the views of READS. top: at least one more than every key of the vault."""
        self.top = top
        person = np.full(top, -1, np.int32)
        key, of = (c.to_numpy() for c in _read(con, f"SELECT key_id, person_id FROM {views['membership'].sql} AS v"))
        person[key] = of
        self.person = person.data
        """By key, the person whose it is; -1: nobody's."""
        self._members = _Rows(of, [key.astype(np.int32)], int(of.max(initial=0)) + 1)
        self._by_b = _links(con, views["links"], "key_b", "key_a", "kind_a", top)
        self._by_a = _links(con, views["links"], "key_a", "key_b", "kind_b", top)
        self._columns = _activity(con, views["activity"], top)

    def keys_of(self, person: int) -> list[int]:
        """The keys of a person, in no order."""
        return self._members.of(person)[0]

    def stronger(self, key: int) -> list[tuple[int, int]]:
        """Keys that came with this one and are the row's subject, each with its kind (1 is user_id)."""
        return list(zip(*self._by_b.of(key), strict=True))

    def weaker(self, key: int) -> list[tuple[int, int]]:
        """Keys that came with this one as the row's subject, each with its kind."""
        return list(zip(*self._by_a.of(key), strict=True))

    def linked(self, a: int, b: int) -> bool:
        """Whether b came with a as the row's subject."""
        return b in self._by_a.of(a)[0]

    def partials(self, key: int) -> Partials | None:
        """What events have said of a key; None if nothing."""
        if key >= self.top or not self._columns.some[key]:
            return None
        return self._columns.at(key)

    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        rows = (self._members, self._by_a, self._by_b)
        return self.person.nbytes + sum(one.nbytes() for one in rows) + self._columns.nbytes()


class _Rows:
    """Rows by a dense number: where those of each begin, and their columns. An element of a memoryview is read in a quarter of
    the time that one of an array takes."""

    def __init__(self, number: npt.NDArray[Any], columns: list[npt.NDArray[Any]], top: int) -> None:
        order = np.argsort(number, kind="stable")
        self._begins = np.searchsorted(number[order], np.arange(top + 1)).astype(np.int32).data
        self._columns, self._top = [np.ascontiguousarray(c[order]).data for c in columns], top

    def of(self, number: int) -> list[list[int]]:
        """The values of each column in the rows of a number."""
        if number >= self._top:
            return [[] for _ in self._columns]
        low, high = self._begins[number], self._begins[number + 1]
        return [c[low:high].tolist() for c in self._columns]

    def nbytes(self) -> int:
        return self._begins.nbytes + sum(c.nbytes for c in self._columns)


def _links(con: Connection, links: View, end: str, other: str, kind: str, top: int) -> _Rows:
    """Links from one end: for each key its partners, each once."""
    found = _read(con, f"SELECT DISTINCT {end}, {other}, {kind} FROM {links.sql} AS v")
    ends, others, kinds = (c.to_numpy() for c in found)
    return _Rows(ends, [others.astype(np.int32), kinds.astype(np.int8)], top)


class _Columns:
    """The merged partials of each key, by fold; of a table of which a key has no row, nothing is looked at."""

    def __init__(self, some: npt.NDArray[np.bool_], cells: list[tuple[npt.NDArray[Any], ...]], words: list[list[Any]]) -> None:
        self.some, self._words = some.data, words
        self._cells = [tuple(a.data for a in arrays) for arrays in cells]
        tables = list(dict.fromkeys(f.table for f in LIVE))
        self._tables = [[(n, f.kind) for n, f in enumerate(LIVE) if f.table == t] for t in tables]
        self._many = [next(n for n, f in enumerate(LIVE) if f.table == t and f.kind == "count" and not f.where) for t in tables]

    def at(self, key: int) -> Partials:
        made, cells = empty(), self._cells
        for many, folds in zip(self._many, self._tables, strict=True):
            if not cells[many][0][key]:
                continue
            for place, kind in folds:
                if kind in ("first", "last"):
                    rank, at, code = cells[place]
                    if code[key] >= 0:
                        made[place] = (rank[key], at[key], self._words[place][code[key]])
                elif (found := cells[place][0][key]) != _NONE:
                    made[place] = found
        return made

    def nbytes(self) -> int:
        return sum(a.nbytes for arrays in self._cells for a in arrays) + self.some.nbytes


def _activity(con: Connection, view: View, top: int) -> _Columns:
    items = []
    for f in LIVE:
        merged = f.merge()
        if f.kind in ("first", "last"):
            items += [f"({merged}).r AS {f.field}_r", f"epoch_us(({merged}).t) AS {f.field}_t", f"({merged}).v AS {f.field}_v"]
        elif f.type == "TIMESTAMPTZ":
            items.append(f"epoch_us({merged}) AS {f.field}")
        else:
            items.append(f"{merged} AS {f.field}")
    table = con.sql(f"SELECT key_id, {', '.join(items)} FROM {view.sql} AS v GROUP BY key_id").to_arrow_table()
    key = table.column("key_id").to_numpy()
    some = np.zeros(top, np.bool_)
    some[key] = True

    def spread(column: str, kind: type[np.integer[Any]], none: int) -> npt.NDArray[Any]:
        made = np.full(top, none, kind)
        cells = table.column(column)
        made[key] = cells.fill_null(none).to_numpy()
        return made

    cells: list[tuple[npt.NDArray[Any], ...]] = []
    words: list[list[Any]] = []
    for f in LIVE:
        told: list[Any] = []
        if f.kind in ("first", "last"):
            coded = table.column(f.field + "_v").combine_chunks().dictionary_encode()
            coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
            codes = np.full(top, -1, np.int32)
            codes[key] = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            told = coded.dictionary.to_pylist()
            cells.append((spread(f.field + "_r", np.int32, 0), spread(f.field + "_t", np.int64, 0), codes))
        elif f.kind == "count":
            cells.append((spread(f.field, np.int32, 0),))
        else:
            cells.append((spread(f.field, np.int64, _NONE),))
        words.append(told)
    return _Columns(some, cells, words)


def _read(con: Connection, select: str) -> list[pa.ChunkedArray]:
    return list(con.sql(select).to_arrow_table().columns)


CODES = {kind: n for n, kind in enumerate(KINDS, 1)}
"""The number of each kind of identifier, as links have it."""
