"""How rows of erased people leave a table: deleted, or detached from them; the sweep and the gate do it alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa

from tessera.lake.engine import Connection, literal, name, rows
from tessera.lake.store import BUCKETS, LOOSE, NOBODY, Lake, Staged, bucket_of
from tessera.lake.table import Delete, Detach, Table
from tessera.trust import traces
from tessera.words import Erased


class Named:
    """Their keys, persons, records and orders as relations of the connection, for the time of a `with`."""

    def __init__(self, con: Connection, who: Erased) -> None:
        self.con, self.who = con, who

    def __enter__(self) -> Named:
        self._ids("her_keys", self.who.keys, pa.int32())
        self._ids("her_persons", self.who.persons, pa.int32())
        self.records(self.who.records)
        self.orders(())
        return self

    def records(self, ids: Collection[int]) -> None:
        """Sets their records."""
        self._ids("her_records", ids, pa.int64())

    def orders(self, marks: Collection[str]) -> None:
        """Sets the marks of their order numbers."""
        self.con.register("her_orders", pa.table({"mark": pa.array(sorted(marks), pa.string())}))

    def _ids(self, relation: str, ids: Collection[int], kind: pa.DataType) -> None:
        self.con.register(relation, pa.table({"id": pa.array(np.array(sorted(ids), dtype=np.int64), kind)}))

    def __exit__(self, *_: object) -> None:
        for relation in ("her_keys", "her_persons", "her_records", "her_orders"):
            self.con.unregister(relation)


def owned(table: Table) -> str:
    """The condition that a row has one of the keys or persons of those who are `Named`."""
    relation = "her_keys" if table.reason == "key" else "her_persons"
    parts = [f"coalesce({name(c)} IN (SELECT id FROM {relation}), FALSE)" for c in table.owners]
    if table.reason == "key" and "person_id" in table.names:
        # A key that was given her number while she was erased gets another with the next turn.
        parts.append("coalesce(person_id IN (SELECT id FROM her_persons), FALSE)")
    return f"({' OR '.join(parts)})"


def gone(table: Table, salt: str = "") -> str:
    """The condition that the row itself is theirs, and goes or is detached. salt: see `traces.row_mark`."""
    parts = [owned(table)]
    if "record_id" in table.names:
        parts.append("coalesce(record_id IN (SELECT id FROM her_records), FALSE)")
    if traces.LEADS in table.names and salt:
        nobodys = " AND ".join(f"{name(c)} IS NULL" for c in table.owners)
        mark = traces.row_mark(salt, traces.LEADS)
        parts.append(f"({nobodys} AND coalesce({mark} IN (SELECT mark FROM her_orders), FALSE))")
    return f"({' OR '.join(parts)})"


def hers(table: Table, salt: str = "") -> str:
    """The condition that a row concerns them: it is theirs, or is another's and names one of their keys."""
    others = [f"coalesce({name(c)} IN (SELECT id FROM her_keys), FALSE)" for c in _others(table)]
    return f"({' OR '.join([gone(table, salt), *others])})"


def places(lake: Lake, table: Table, who: Erased) -> list[str]:
    """The files in which a row may concern them. What has one owner lies by her alone, with the records that were sealed
    with it, and rows of nobody that hang on her orders in the bucket of nobody; else a row may lie anywhere."""
    named_elsewhere = _others(table) or (table.reason == "key" and "person_id" in table.names)
    if len(table.owners) > 1 or named_elsewhere:
        return lake.files(table.name)
    ids = who.keys if table.reason == "key" else who.persons
    return lake.files(table.name, buckets={NOBODY, *(i % BUCKETS for i in ids)})


def remove(lake: Lake, con: Connection, table: Table, what: str, who: Erased, salt: str = "") -> int:
    """Deletes or detaches the rows of those who are `Named`; returns how many. Only the buckets that hold any are
    written anew."""
    files = lake.files(table.name)
    found = _found(con, places(lake, table, who), hers(table, salt))
    if not found:
        return 0
    buckets = {bucket_of(f) for f in found}
    # Detached rows are nobody's: they move to the bucket of nobody, beside the rows that lie there.
    if isinstance(table.on_erase, Detach) and max(buckets) > LOOSE:
        buckets |= {NOBODY}
    staged = _rewritten(lake, con, table, [f for f in files if bucket_of(f) in buckets], buckets, salt)
    lake.commit(table.name, staged, what=what, mode="overwrite", only_buckets=buckets)
    return sum(found.values())


def drop(lake: Lake, con: Connection, table: Table, condition: str, what: str) -> int:
    """Deletes the rows that meet a condition; returns how many. Only the buckets that hold any are written anew."""
    files = lake.files(table.name)
    found = _found(con, files, condition)
    if not found:
        return 0
    if not table.bucketed:
        kept = lake.stage(con, table.name, f"SELECT * FROM {lake.relation_of(table.name, files)} WHERE NOT {condition}")
        lake.commit(table.name, kept, what=what, mode="overwrite")
        return sum(found.values())
    buckets = {bucket_of(f) for f in found}
    staged: list[Staged] = []
    for bucket in sorted(buckets):
        mine = lake.relation_of(table.name, [f for f in files if bucket_of(f) == bucket])
        select = f"SELECT * FROM {mine} WHERE NOT {condition}"
        staged += lake.stage(con, table.name, select, bucket=None if bucket == LOOSE else bucket)
    lake.commit(table.name, staged, what=what, mode="overwrite", only_buckets=buckets)
    return sum(found.values())


def _found(con: Connection, files: list[str], condition: str) -> dict[str, int]:
    """Which of some files have rows that meet a condition, with how many."""
    if not files:
        return {}
    listed = ", ".join(map(literal, files))
    query = f"""SELECT filename, count(*) FROM read_parquet([{listed}], filename=true, hive_partitioning=false)
                WHERE {condition} GROUP BY filename"""
    return {str(file): int(many) for file, many in rows(con, query)}


def _rewritten(
    lake: Lake, con: Connection, table: Table, files: list[str], buckets: Collection[int], salt: str
) -> list[Staged]:
    """The buckets without them, each written by itself: to lay rows out anew costs twice as much."""
    staged: list[Staged] = []
    moved = isinstance(table.on_erase, Detach) and NOBODY in buckets
    for bucket in sorted(buckets):
        mine = lake.relation_of(table.name, [f for f in files if bucket_of(f) == bucket])
        if not moved:
            select = _without(table, mine, salt)
        elif bucket != NOBODY:
            select = f"SELECT * FROM {mine} WHERE NOT {gone(table, salt)}"
        else:
            others = lake.relation_of(table.name, [f for f in files if bucket_of(f) != NOBODY])
            theirs = f"(SELECT * FROM {others} WHERE {gone(table, salt)})"
            select = f"{_without(table, mine, salt)} UNION ALL {_without(table, theirs, salt)}"
        staged += lake.stage(con, table.name, select, bucket=None if bucket == LOOSE else bucket)
    return staged


def _others(table: Table) -> tuple[str, ...]:
    """Further columns that hold keys: theirs are set to null in other people's rows."""
    return tuple(n for n in ("email_key", "phone_key") if n in table.names and n not in table.owners)


def _without(table: Table, relation: str, salt: str) -> str:
    theirs = gone(table, salt)
    if isinstance(table.on_erase, Delete):
        hidden = "CASE WHEN {0} IN (SELECT id FROM her_keys) THEN NULL ELSE {0} END"
        others = {c: hidden.format(name(c)) for c in _others(table)}
        items = ", ".join(f"{others.get(c, name(c))} AS {name(c)}" for c in table.names)
        return f"SELECT {items} FROM {relation} WHERE NOT {theirs}"
    return _detached(table, table.on_erase, relation, theirs)


def detached(table: Table, relation: str, keys: Iterable[int]) -> str:
    """A relation as it will be once the sweep has gone over it: rows of these keys that stay are nobody's already, so that
    no sum of money changes at either moment. A table whose rows go is left as it is."""
    listed = ", ".join(map(str, keys))
    if not listed or not isinstance(table.on_erase, Detach) or table.reason != "key":
        return relation
    hers = " OR ".join(f"coalesce({name(c)} IN ({listed}), FALSE)" for c in table.owners)
    return f"({_detached(table, table.on_erase, relation, f'({hers})')})"


def _detached(table: Table, how: Detach, relation: str, theirs: str) -> str:
    lost = {*table.owners, *how.also, *(c.name for c in table.columns if c.personal)}
    items = ", ".join(
        f"CASE WHEN {theirs} THEN NULL ELSE {name(c)} END AS {name(c)}" if c in lost else name(c) for c in table.names
    )
    return f"SELECT {items} FROM {relation}"
