"""What the last turn says of everybody, as arrays by key, for the live engine to go on from.

Keys are dense numbers, so an array has one place for each: about 120 bytes a key and nothing per row in Python. It is read
through views of the purpose `operate`, as a step is, and lies in memory alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tessera.data.live_folds import LIVE, Partials, empty
from tessera.lake.engine import Connection
from tessera.lake.view import View
from tessera.words import KINDS

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.int32]

READS = ("links", "membership", "activity")
"""The tables it is made from."""

_NONE = np.iinfo(np.int64).min
"""No time."""


class LiveBase:
    """Persons, links and partials as of one turn. top: above all keys of the vault; from there on they are the engine's own."""

    def __init__(self, con: Connection, views: Mapping[str, View], top: int) -> None:
        """Reads the views of READS. top: at least one more than every key of the vault."""
        self.top = top
        self.person = np.full(top, -1, np.int32)
        key, person = (c.to_numpy() for c in _read(con, f"SELECT key_id, person_id FROM {views['membership'].sql} AS v"))
        self.person[key] = person
        order = np.argsort(person, kind="stable")
        self._of_person, self._members = person[order], key[order].astype(np.int32)
        self._by_b = _Sides(con, views["links"], "key_b", "key_a", "kind_a")
        self._by_a = _Sides(con, views["links"], "key_a", "key_b", "kind_b")
        self._columns = _activity(con, views["activity"], top)

    def keys_of(self, person: int) -> list[int]:
        """The keys of a person, ascending within nothing in particular."""
        low, high = np.searchsorted(self._of_person, [person, person + 1])
        found: list[int] = self._members[low:high].tolist()
        return found

    def stronger(self, key: int) -> list[tuple[int, int]]:
        """Keys that came with this one and are the row's subject, each with its kind (1 is user_id)."""
        return self._by_b.of(key)

    def weaker(self, key: int) -> list[tuple[int, int]]:
        """Keys that came with this one as the row's subject, each with its kind."""
        return self._by_a.of(key)

    def partials(self, key: int) -> Partials | None:
        """What events have said of a key; None if nothing."""
        if key >= self.top or not self._columns.some[key]:
            return None
        return self._columns.at(key)

    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        arrays = [self.person, self._of_person, self._members, *self._by_a.arrays(), *self._by_b.arrays()]
        return int(sum(a.nbytes for a in arrays)) + self._columns.nbytes()


class _Sides:
    """Links from one end: for each key its partners, each once."""

    def __init__(self, con: Connection, links: View, end: str, other: str, kind: str) -> None:
        select = f"SELECT DISTINCT {end}, {other}, {kind} FROM {links.sql} AS v ORDER BY {end}"
        self._end, self._other, self._kind = (c.to_numpy() for c in _read(con, select))

    def of(self, key: int) -> list[tuple[int, int]]:
        low, high = np.searchsorted(self._end, [key, key + 1])
        return list(zip(self._other[low:high].tolist(), self._kind[low:high].tolist(), strict=True))

    def arrays(self) -> Iterator[npt.NDArray[Any]]:
        yield from (self._end, self._other, self._kind)


class _Columns:
    """The merged partials of each key, by fold."""

    def __init__(self, some: npt.NDArray[np.bool_], cells: list[tuple[npt.NDArray[Any], ...]], words: list[list[Any]]) -> None:
        self.some, self._cells, self._words = some, cells, words

    def at(self, key: int) -> Partials:
        made = empty()
        for place, (f, arrays) in enumerate(zip(LIVE, self._cells, strict=True)):
            if f.kind in ("first", "last"):
                rank, at, code = arrays
                if code[key] >= 0:
                    made[place] = (int(rank[key]), int(at[key]), self._words[place][code[key]])
            elif (found := int(arrays[0][key])) != (0 if f.kind == "count" else _NONE):
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
