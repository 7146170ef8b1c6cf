"""All that is held of one person, table by table, with every sealed value opened: what her right of access reads.

One of the closed list that reads without a view: she may see what no purpose may, and what nobody agreed to. Rows come in
small batches, so that a person of a million rows needs no more memory than one of ten.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from tessera.lake.engine import Connection, literal, mapped, name, rows, value
from tessera.lake.store import BUCKETS, NOBODY, Lake
from tessera.lake.table import Table
from tessera.trust import traces

AT_ONCE = 2_048
"""Rows of a table that are in memory at a time."""

MACHINE_S = ("row_key", "row_hash", "batch", "record_id")
"""Columns that only our machine uses: keyed hashes and numbers of batches, which say nothing of her beyond the row."""

KEPT = "kept_sealed"
"""The column of what is sealed of a row and has no column of its own; of a refused row, all of it."""

OTHERS = "(another person's)"

Row = dict[str, Any]


class Vault(Protocol):
    """What is asked of the vault."""

    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...


@dataclass(frozen=True, kw_only=True)
class Hers:
    """A table with rows of hers. columns: those of its rows, in order. rows: how many. version: which she is shown."""

    table: Table
    columns: tuple[str, ...]
    rows: int
    version: int


class Copy:
    """Reads what is held of one person. con: a connection of its own, for the time of the copy."""

    def __init__(self, lake: Lake, vault: Vault, con: Connection, keys: Iterable[int], person: int) -> None:
        self.lake, self.vault, self.con = lake, vault, con
        self.keys, self.person = sorted(set(keys)), person
        self._orders = self._order_numbers()

    def tables(self) -> list[Hers]:
        """The tables that have rows of hers, in the order in which the house declares them."""
        found = []
        with mapped("the copy"):
            for table in self.lake.personal_tables:
                version = self.lake.version(table.name)
                if version is None:
                    continue
                many = int(value(self.con, f"SELECT count(*) FROM {self._relation(table)} WHERE {self._hers(table)}"))
                if many:
                    found.append(Hers(table=table, columns=self.columns(table), rows=many, version=version))
        return found

    def columns(self, table: Table) -> tuple[str, ...]:
        """The columns that she is shown of a table."""
        shown = tuple(n for n in table.names if n not in MACHINE_S)
        return (*shown, KEPT) if "record_id" in table.names else shown

    def rows(self, table: Table) -> Iterator[Row]:
        """Her rows of a table, oldest first, each with the columns of `columns`; sealed values in clear."""
        with mapped("the copy"):
            time = next((c for c in ("occurred_at", "at", "valid_from") if c in table.names), None)
            order = f" ORDER BY {name(time)} NULLS LAST" if time else ""
            items = ", ".join(name(n) for n in table.names)
            select = f"SELECT {items} FROM {self._relation(table)} WHERE {self._hers(table)}{order}"
            # A cursor of its own: while it is read, others may ask this connection something else.
            with self.con.cursor() as con:
                for batch in con.sql(select).to_arrow_reader(AT_ONCE):
                    yield from self._opened(table, pa.Table.from_batches([batch]).to_pylist())

    def sources(self, table: Table) -> list[tuple[str, int]]:
        """From which sources her rows of a table came, and how many from each."""
        if "source" not in table.names:
            return []
        select = f"SELECT source, count(*) FROM {self._relation(table)} WHERE {self._hers(table)} GROUP BY source"
        return sorted((str(s), int(n)) for s, n in rows(self.con, select) if s is not None)

    def spans(self, table: str) -> tuple[Any, Any]:
        """The first and last moment of her rows of a table; (None, None) without any."""
        declared = self.lake.table(table)
        select = f"SELECT min(occurred_at), max(occurred_at) FROM {self._relation(declared)} WHERE {self._hers(declared)}"
        first, last = rows(self.con, select)[0]
        return first, last

    def _opened(self, table: Table, found: list[Row]) -> Iterator[Row]:
        numbers = {r[c.name] for r in found for c in table.columns if c.sealed and r[c.name] is not None}
        numbers |= {r["record_id"] for r in found if r.get("record_id") is not None}
        blobs = {n: b.decode(errors="replace") for n, b in self.vault.unseal(sorted(numbers)).items()}
        facts = {n: _facts(b) for n, b in blobs.items()}
        columns, shared = self.columns(table), table.reason == "key" and len(table.owners) > 1
        sealed = [c.name for c in table.columns if c.sealed]
        for row in found:
            record = row.get("record_id") or 0
            mine = {}
            for column in sealed:
                said = facts.get(row[column], {}) if row[column] is not None else {}
                mine[column] = said.get(column)
            kept = {k: v for k, v in facts.get(record, {}).items() if k not in mine and v is not None}
            if record in blobs and not facts[record]:
                kept = {"text": blobs[record]}
            row |= mine
            if shared:
                self._hide_others(table, row, kept)
            if KEPT in columns:
                row[KEPT] = json.dumps(kept, ensure_ascii=False, default=str) if kept else None
            yield {c: row[c] for c in columns}

    def _hide_others(self, table: Table, row: Row, kept: Row) -> None:
        """The right to a copy does not reach other people's data (GDPR, Art. 15(4)): their numbers, and a refused row in
        which theirs stand too."""
        strangers = [c for c in table.owners if row[c] is not None and row[c] not in self.keys]
        for column in strangers:
            row[column] = None
        if strangers and kept:
            kept.clear()
            kept["withheld"] = OTHERS

    def _relation(self, table: Table) -> str:
        """Where her rows may lie: tables are laid out by their first owner."""
        if len(table.owners) > 1:
            return self.lake.relation(table.name)
        hers = {i % BUCKETS for i in (self.keys if table.reason == "key" else [self.person])}
        return self.lake.relation(table.name, buckets=hers | {NOBODY})

    def _hers(self, table: Table) -> str:
        """The condition that a row is hers: by its owner, or, of nobody, by her order's number."""
        listed = _list(self.keys if table.reason == "key" else [self.person])
        parts = [f"coalesce({name(c)} IN ({listed}), FALSE)" for c in table.owners]
        if table.reason == "key" and traces.LEADS in table.names and self._orders:
            nobodys = " AND ".join(f"{name(c)} IS NULL" for c in table.owners)
            numbers = ", ".join(literal(o) for o in self._orders)
            parts.append(f"({nobodys} AND coalesce({traces.LEADS} IN ({numbers}), FALSE))")
        return f"({' OR '.join(parts)})"

    def _order_numbers(self) -> list[str]:
        found: set[str] = set()
        for table in self.lake.personal_tables:
            if traces.LEADS in table.names and self.lake.version(table.name) is not None:
                owned = " OR ".join(f"{name(c)} IN ({_list(self.keys)})" for c in table.owners)
                select = f"SELECT DISTINCT {traces.LEADS} FROM {self._relation(table)} WHERE {owned}"
                found |= {str(o) for (o,) in rows(self.con, select) if o is not None}
        return sorted(found)


def _facts(text: str) -> Row:
    """What a sealed record says, by the name of the field; nothing where it is no JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(i)) for i in ids) or "NULL"
