"""Which numbers of an owner each file may hold, from the file's own footer: a page about one person opens no other file.

A file of a table is never written again, so what its footer says is read once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

import pyarrow.parquet as pq

KEPT = 4_096
"""Files of which it is remembered."""

Span = tuple[int, int] | None
"""The least and the greatest number; None where the footer does not tell."""


class Spans:
    """What is known of the files of one lake."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Span] = OrderedDict()

    def holding(self, files: Iterable[str], column: str, ids: Collection[int]) -> list[str]:
        """Those of the files that may hold a row whose `column`, an integer, is one of the ids."""
        return [file for file in files if self._may(self._span(file, column), ids)]

    def _may(self, span: Span, ids: Collection[int]) -> bool:
        return span is None or any(span[0] <= i <= span[1] for i in ids)

    def _span(self, file: str, column: str) -> Span:
        place = (file, column)
        if place in self._known:
            self._known.move_to_end(place)
            return self._known[place]
        found = self._known[place] = _read(file, column)
        if len(self._known) > KEPT:
            self._known.popitem(last=False)
        return found


def _read(file: str, column: str) -> Span:
    said = pq.read_metadata(file)
    at = said.schema.names.index(column)
    groups = [said.row_group(g).column(at).statistics for g in range(said.num_row_groups)]
    if not groups or any(g is None or not g.has_min_max for g in groups):
        return None
    return min(g.min for g in groups), max(g.max for g in groups)
