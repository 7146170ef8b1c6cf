"""Sealed text for a step: the columns that it declares it opens, of the rows that its view shows, and of no others.

A step reads views. Where it has to read what is sealed (a post, to learn what it is about), it says so in `Step.opens`; the
gate's view decides whose rows those are: purpose, consent, restriction and expiry hold as for any column. The text is handed
on in memory, chunk by chunk; what the step writes is what it learned, and the ledger's entry of the step says what it opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from tessera.lake.engine import Connection, name
from tessera.lake.view import View, over

CHUNK = 50_000


class Vault(Protocol):
    """What an opening asks of the vault."""

    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...


@dataclass(frozen=True, kw_only=True)
class Opener:
    """Opens declared columns for one run of one step. opens: (table, column) pairs."""

    con: Connection
    vault: Vault
    views: dict[str, View]
    opens: tuple[tuple[str, str], ...]

    def __call__(self, table: str, column: str, beside: Iterable[str], order: str, only: str = "true") -> Iterator[pa.Table]:
        """The rows that the view shows and that have a text, in chunks: `beside`, then the text under the column's own name.

        order: the column to sort by, so that the same rows come in the same order. only: a condition on the view's columns;
        what it leaves out is not opened. Raises PermissionError for a column that the step does not declare: that is a
        mistake of ours.
        """
        if (table, column) not in self.opens:
            raise PermissionError(f"{table}.{column} is sealed, and this step does not declare that it opens it")
        items = ", ".join(name(c) for c in (*beside, column))
        select = f"SELECT {items} FROM {name(table)} WHERE {name(column)} IS NOT NULL AND ({only}) ORDER BY {name(order)}"
        whole = self.con.sql(over({table: self.views[table]}, select)).to_arrow_table()
        for start in range(0, len(whole), CHUNK):
            part = whole.slice(start, CHUNK)
            numbers = part[column].to_pylist()
            blobs = self.vault.unseal(sorted(set(numbers)))
            texts = [json.loads(blobs[n]).get(column) if n in blobs else None for n in numbers]
            yield part.set_column(part.num_columns - 1, column, pa.array(texts, pa.string()))
