"""How rows of erased people leave a table: deleted, or detached from them; the sweep and the gate do it alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from tessera.lake.engine import Connection, literal, name, rows
from tessera.lake.store import BUCKETS, LOOSE, NOBODY, Lake, bucket_of
from tessera.lake.table import Delete, Detach, Table
from tessera.words import Erased


@contextmanager
def named(con: Connection, who: Erased) -> Iterator[None]:
    """Her keys, persons and records as relations of the connection (her_keys, her_persons, her_records)."""
    relations = {
        "her_keys": (who.keys, pa.int32()),
        "her_persons": (who.persons, pa.int32()),
        "her_records": (who.records, pa.int64()),
    }
    for relation, (ids, kind) in relations.items():
        con.register(relation, pa.table({"id": pa.array(np.array(sorted(ids), dtype=np.int64), kind)}))
    try:
        yield
    finally:
        for relation in relations:
            con.unregister(relation)


def hers(table: Table) -> str:
    """The condition that a row concerns those who are `named`."""
    parts = [owned(table)]
    parts += [f"coalesce({name(c)} IN (SELECT id FROM her_keys), FALSE)" for c in _others(table)]
    return f"({' OR '.join(parts)})"


def remove(lake: Lake, con: Connection, table: Table, what: str) -> int:
    """Deletes or detaches the rows of those who are `named`; returns how many. Only the buckets that hold any are
    written anew."""
    files = lake.files(table.name)
    if not files:
        return 0
    found = rows(
        con,
        f"SELECT filename, count(*) FROM read_parquet([{', '.join(map(literal, files))}], filename=true, "
        f"hive_partitioning=false) WHERE {hers(table)} GROUP BY filename",
    )
    if not found:
        return 0
    buckets = {bucket_of(str(f)) for f, _ in found}
    # Detached rows are nobody's: they move to the bucket of nobody, beside the rows that lie there.
    if isinstance(table.on_erase, Detach) and buckets != {LOOSE}:
        buckets |= {NOBODY}
    relation = lake.relation_of(table.name, [f for f in files if bucket_of(f) in buckets])
    hint = 0 if buckets == {LOOSE} else BUCKETS * 1_000_000
    staged = lake.stage(con, table.name, _without(table, relation), rows_hint=hint)
    lake.commit(table.name, staged, what=what, mode="overwrite", only_buckets=buckets)
    return sum(int(n) for _, n in found)


def owned(table: Table) -> str:
    """The condition that a row is hers, and not another's that only names her."""
    relation = "her_keys" if table.reason == "key" else "her_persons"
    parts = [f"coalesce({name(c)} IN (SELECT id FROM {relation}), FALSE)" for c in table.owners]
    if table.reason == "key" and "person_id" in table.names:
        # A key that was given her number while she was erased gets another with the next turn.
        parts.append("coalesce(person_id IN (SELECT id FROM her_persons), FALSE)")
    if "record_id" in table.names:
        parts.append("coalesce(record_id IN (SELECT id FROM her_records), FALSE)")
    return f"({' OR '.join(parts)})"


def _others(table: Table) -> tuple[str, ...]:
    """Further columns that hold keys: hers are set to null in other people's rows."""
    return tuple(n for n in ("email_key", "phone_key") if n in table.names and n not in table.owners)


def _without(table: Table, relation: str) -> str:
    mine = owned(table)
    if isinstance(table.on_erase, Delete):
        others = {
            c: f"CASE WHEN {name(c)} IN (SELECT id FROM her_keys) THEN NULL ELSE {name(c)} END" for c in _others(table)
        }
        items = ", ".join(f"{others.get(c, name(c))} AS {name(c)}" for c in table.names)
        return f"SELECT {items} FROM {relation} WHERE NOT {mine}"
    lost = {*table.owners, *table.on_erase.also, *(c.name for c in table.columns if c.personal)}
    items = ", ".join(
        f"CASE WHEN {mine} THEN NULL ELSE {name(c)} END AS {name(c)}" if c in lost else name(c) for c in table.names
    )
    return f"SELECT {items} FROM {relation}"
