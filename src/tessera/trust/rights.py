"""Erasure: at once through gate and vault, then physically through every personal table and version.

`erase` blocks her keys (all reads forget her at once), destroys her identifiers and sealed records in the vault and
suppresses them, and asks every store that `Forgets`. `sweep` deletes or detaches her rows, table by table, and drops the
versions that still had them. Each stage can be killed and is finished by the next sweep: the block list says who is due.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import pyarrow as pa

from tessera.config import Config
from tessera.errors import NotFound
from tessera.lake.engine import Connection, literal, mapped, name, rows
from tessera.lake.store import BUCKETS, LOOSE, NOBODY, Lake
from tessera.lake.table import Delete, Detach, Table
from tessera.trust.permits import Permits
from tessera.trust.tables import MEMBERSHIP
from tessera.words import Clock, Erased, Forgets, Proof


class Vault(Protocol):
    """What an erasure asks of the vault."""

    def erase(self, key_ids: Iterable[int], record_ids: Iterable[int] = ()) -> Proof: ...
    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...
    def scrub(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an erasure would touch: rows per table, and what becomes of them."""

    who: Erased
    rows: dict[str, tuple[int, str]]


@dataclass(kw_only=True)
class Swept:
    """What a sweep did: people, rows per table, and tables whose older versions are gone."""

    people: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    expired: list[str] = field(default_factory=list)


class Rights:
    """One of the closed list that reads without a view: an erasure has to find what no purpose may see any more."""

    def __init__(
        self, config: Config, lake: Lake, vault: Vault, permits: Permits, con: Connection, clock: Clock,
        stores: Sequence[Forgets] = (),
    ) -> None:
        self.config, self.lake, self.vault, self.permits = config, lake, vault, permits
        self.con, self.clock, self.stores = con, clock, stores

    def plan(self, persons: Iterable[int]) -> Plan:
        """Whom and what an erasure concerns; NotFound for a person that nobody is."""
        wanted = sorted(set(persons))
        keys = {
            int(r[0])
            for r in rows(
                self.con,
                f"SELECT key_id FROM {self.lake.relation(MEMBERSHIP.name)} WHERE person_id IN ({_list(wanted)})",
            )
        } - set(self.permits.blocked_keys)
        if not keys:
            raise NotFound("Person", _list(wanted))
        bare = Erased(keys=frozenset(keys), persons=frozenset(wanted))
        records: set[int] = set()
        found: dict[str, tuple[int, str]] = {}
        with self._her(bare):
            for table in self.lake.personal_tables:
                for relation in self._relations(table):
                    count = f"SELECT count(*) FROM {relation} WHERE {_hers(table)}"
                    many = int(rows(self.con, count)[0][0])
                    if "record_id" in table.names and many:
                        sealed = f"SELECT record_id FROM {relation} WHERE {_hers(table)} AND record_id IS NOT NULL"
                        records |= {int(r[0]) for r in rows(self.con, sealed)}
                    if many:
                        fate = "deleted" if isinstance(table.on_erase, Delete) else "kept without her"
                        found[table.name] = (max(many, found.get(table.name, (0, ""))[0]), fate)
        records |= self._nameless(records)
        who = Erased(keys=bare.keys, persons=bare.persons, records=frozenset(records))
        return Plan(who=who, rows=found)

    def erase(self, persons: Iterable[int]) -> tuple[Plan, list[Proof]]:
        """The instant part: nobody reads her any more, and her identifiers are gone and suppressed."""
        plan = self.plan(persons)
        number = self.lake.state.next("erasure")
        self.permits.block(str(number), plan.who)
        proofs = [self.vault.erase(plan.who.keys, plan.who.records)]
        proofs += [store.forget(plan.who) for store in self.stores]
        self.lake.state.put("due", "sweep", self._due().isoformat())
        return plan, proofs

    def due(self) -> datetime | None:
        """When the next sweep has to run; None if nobody waits for one."""
        if not self.permits.blocked_keys and not self.permits.blocked_persons:
            return None
        text = self.lake.state.get("due", "sweep")
        return datetime.fromisoformat(text) if text else self.clock().astimezone(UTC)

    def sweep(self) -> Swept:
        """The physical part, for everybody who waits: her rows, and every version that had them."""
        swept = Swept()
        waiting = self.lake.state.items("blocked")
        if not waiting:
            return swept
        who = Erased(
            keys=frozenset(k for w in waiting.values() for k in w["keys"]),
            persons=frozenset(p for w in waiting.values() for p in w["persons"]),
            records=frozenset(r for w in waiting.values() for r in w["records"]),
        )
        # Again, for what a write that was under way has sealed since.
        self.vault.erase(who.keys, who.records)
        with self._her(who), mapped("the sweep"):
            for table in self.lake.personal_tables:
                many = self.rewrite(table)
                if many:
                    swept.rows[table.name] = many
                if self.lake.version(table.name) is not None:
                    self.lake.vacuum(table.name, timedelta(0))
                    swept.expired.append(table.name)
        self.vault.scrub()
        with self.lake.state.together():
            for number in waiting:
                self.lake.state.drop("blocked", number)
            self.lake.state.drop("due", "sweep")
        self.lake.state.scour()
        self.permits.reload()
        swept.people = len(waiting)
        return swept

    def rewrite(self, table: Table) -> int:
        """Deletes or detaches the rows of those in `her_keys` and `her_persons`; returns how many. Only the buckets that
        hold any are written anew."""
        lake, con = self.lake, self.con
        files = lake.files(table.name)
        if not files:
            return 0
        found = rows(
            con,
            f"SELECT filename, count(*) FROM read_parquet([{', '.join(map(literal, files))}], filename=true, "
            f"hive_partitioning=false) WHERE {_hers(table)} GROUP BY filename",
        )
        if not found:
            return 0
        buckets = {_bucket(str(f)) for f, _ in found}
        relation = lake.relation_of(table.name, [f for f in files if _bucket(f) in buckets])
        select = _without(table, relation)
        detached = isinstance(table.on_erase, Detach)
        # Detached rows are nobody's: they move to the bucket of nobody, beside the rows that lie there.
        if detached and buckets != {LOOSE}:
            buckets |= {NOBODY}
            relation = lake.relation_of(table.name, [f for f in files if _bucket(f) in buckets])
            select = _without(table, relation)
        staged = lake.stage(con, table.name, select, rows_hint=0 if buckets == {LOOSE} else BUCKETS * 1_000_000)
        lake.commit(table.name, staged, what="sweep", mode="overwrite", only_buckets=buckets)
        return sum(int(n) for _, n in found)

    def _nameless(self, known: set[int]) -> set[int]:
        """Sealed quarantine rows without any key in which one of her values stands: they are searched."""
        from_records = self.vault.unseal(sorted(known))
        values = set()
        for blob in from_records.values():
            values |= _values(blob)
        if not values or self.lake.version("quarantine") is None:
            return set()
        relation = self.lake.relation("quarantine")
        loose = [int(r[0]) for r in rows(self.con, f"SELECT record_id FROM {relation} WHERE key_id IS NULL")]
        found = set()
        for record, blob in self.vault.unseal(loose).items():
            text = blob.decode(errors="replace").lower()
            if any(v in text for v in values):
                found.add(record)
        return found

    def _relations(self, table: Table) -> list[str]:
        if self.lake.version(table.name) is None:
            return []
        return [self.lake.relation(table.name)]

    def _due(self) -> datetime:
        return self.clock().astimezone(UTC) + timedelta(days=self.config.sweep_days)

    def _her(self, who: Erased) -> _Registered:
        return _Registered(self.con, who)


class _Registered:
    """Her keys, persons and records as relations of the connection, for the time of a `with`."""

    def __init__(self, con: Connection, who: Erased) -> None:
        self.con, self.who = con, who

    def __enter__(self) -> None:
        for relation, ids, kind in (
            ("her_keys", self.who.keys, pa.int32()),
            ("her_persons", self.who.persons, pa.int32()),
            ("her_records", self.who.records, pa.int64()),
        ):
            self.con.register(relation, pa.table({"id": pa.array(np.array(sorted(ids), dtype=np.int64), kind)}))

    def __exit__(self, *_: object) -> None:
        for relation in ("her_keys", "her_persons", "her_records"):
            self.con.unregister(relation)


def _hers(table: Table) -> str:
    """The condition that a row concerns her."""
    relation = "her_keys" if table.reason == "key" else "her_persons"
    parts = [f"coalesce({name(c)} IN (SELECT id FROM {relation}), FALSE)" for c in (*table.owners, *_others(table))]
    if "record_id" in table.names:
        parts.append("coalesce(record_id IN (SELECT id FROM her_records), FALSE)")
    return f"({' OR '.join(parts)})"


def _others(table: Table) -> tuple[str, ...]:
    """Further columns that hold keys: hers are set to null in other people's rows."""
    return tuple(n for n in ("email_key", "phone_key") if n in table.names and n not in table.owners)


def _without(table: Table, relation: str) -> str:
    keys = "her_keys" if table.reason == "key" else "her_persons"
    owned = " OR ".join(f"coalesce({name(c)} IN (SELECT id FROM {keys}), FALSE)" for c in table.owners)
    if "record_id" in table.names:
        owned += " OR coalesce(record_id IN (SELECT id FROM her_records), FALSE)"
    others = {c: f"CASE WHEN {name(c)} IN (SELECT id FROM her_keys) THEN NULL ELSE {name(c)} END" for c in _others(table)}
    if isinstance(table.on_erase, Delete):
        items = ", ".join(f"{others.get(c.name, name(c.name))} AS {name(c.name)}" for c in table.columns)
        return f"SELECT {items} FROM {relation} WHERE NOT ({owned})"
    lost = {*table.owners, *table.on_erase.also, *(c.name for c in table.columns if c.personal)}
    items = ", ".join(
        f"CASE WHEN {owned} THEN NULL ELSE {name(c)} END AS {name(c)}" if c in lost else name(c) for c in table.names
    )
    return f"SELECT {items} FROM {relation}"


def _bucket(path: str) -> int:
    parent = path.rsplit("/", 2)[-2]
    return int(parent.removeprefix("bucket=")) if parent.startswith("bucket=") else LOOSE


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(i)) for i in ids)


def _values(blob: bytes) -> set[str]:
    """The texts of a sealed record that are long enough to find her by."""
    try:
        found = json.loads(blob)
    except ValueError:
        return set()
    return {str(v).lower() for k, v in found.items() if k in ("email", "phone", "name") and len(str(v)) >= 6}
