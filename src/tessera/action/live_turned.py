"""What the last turn says of each person and no event changes, as arrays by person: only the fields that some rule asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tessera.action.facts import SEGMENT, STAYS
from tessera.lake.engine import Connection
from tessera.lake.view import View

_MERGED: dict[str, Callable[[list[Any]], Any]] = {"count": sum, "sum": sum, "min": min, "max": max}


class Turned:
    """Facts by person, of whoever the views' purpose allows."""

    def __init__(self, con: Connection, profiles: View, segments: View, fields: Iterable[str]) -> None:
        self._fields: dict[str, tuple[npt.NDArray[np.int32], list[Any]]] = {}
        wanted = set(fields)
        stays = sorted(wanted & set(STAYS))
        if stays:
            table = con.sql(f"SELECT person_id, {', '.join(stays)} FROM {profiles.sql} AS v").to_arrow_table()
            self._take(table, stays)
        if SEGMENT in wanted:
            now = f"SELECT person_id, {SEGMENT} FROM {segments.sql} AS v WHERE valid_to IS NULL"
            self._take(con.sql(now).to_arrow_table(), [SEGMENT])

    def of(self, persons: Iterable[int]) -> dict[str, Any]:
        """The facts of one who was, at the turn, these persons: numbers add up; of words that differ none is known."""
        told: dict[str, Any] = {}
        for name, (places, values) in self._fields.items():
            found = [values[place] for p in persons if 0 <= p < len(places) and (place := int(places[p])) >= 0]
            found = [one for one in found if one is not None]
            if not found:
                told[name] = 0 if name in STAYS and STAYS[name].kind in ("count", "sum") else None
                continue
            merged = _MERGED.get(STAYS[name].kind) if name in STAYS else None
            told[name] = merged(found) if merged else found[0] if len(set(found)) == 1 else None
        return told

    def nbytes(self) -> int:
        """Bytes that the arrays take, without the words, of which each is kept once."""
        return sum(places.nbytes for places, _ in self._fields.values())

    def _take(self, table: pa.Table, names: list[str]) -> None:
        person = table.column("person_id").to_numpy()
        top = int(person.max()) + 1 if len(person) else 0
        for name in names:
            coded = table.column(name).combine_chunks().dictionary_encode()
            coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
            places = np.full(top, -1, np.int32)
            places[person] = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
            self._fields[name] = (places, coded.dictionary.to_pylist())
