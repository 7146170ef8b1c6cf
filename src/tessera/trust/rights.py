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

from tessera.config import Config
from tessera.errors import NotFound
from tessera.lake.engine import Connection, mapped, rows
from tessera.lake.store import Lake
from tessera.lake.table import Delete
from tessera.trust import removal
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
        found: dict[str, tuple[int, str]] = {}
        with removal.named(self.con, bare):
            for table in self.lake.personal_tables:
                count = f"SELECT count(*) FROM {self.lake.relation(table.name)} WHERE {removal.hers(table)}"
                many = int(rows(self.con, count)[0][0])
                if many:
                    found[table.name] = (many, "deleted" if isinstance(table.on_erase, Delete) else "kept without her")
            records = self._sealed()
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
        # The first who waits sets the day: an erasure every day would else put it off for ever.
        if self.lake.state.get("due", "sweep") is None:
            self.lake.state.put("due", "sweep", self._due().isoformat())
        return plan, proofs

    def resume(self) -> None:
        """Finishes at the vault what a kill has left of an erasure: those whom the block list names are suppressed."""
        for who in self.lake.state.items("blocked").values():
            self.vault.erase(who["keys"], who["records"])

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
        # Again, for what a kill left undone and a write that was under way has brought since.
        with removal.named(self.con, who), mapped("the sweep"):
            self.vault.erase(who.keys, who.records | self._sealed())
            for store in self.stores:
                store.forget(who)
            for table in self.lake.personal_tables:
                many = removal.remove(self.lake, self.con, table, "sweep")
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
            # Rows of others changed too (her e-mail in theirs): what was made by person is made anew for everybody.
            self.lake.state.next("sweep")
        self.lake.state.scour()
        self.permits.reload()
        swept.people = len(waiting)
        return swept

    def _sealed(self) -> set[int]:
        """The sealed records of the rows of those who are `named`, as the tables stand now."""
        found: set[int] = set()
        for table in self.lake.personal_tables:
            if "record_id" in table.names:
                select = f"SELECT record_id FROM {self.lake.relation(table.name)} WHERE {removal.owned(table)}"
                found |= {int(r[0]) for r in rows(self.con, f"{select} AND record_id IS NOT NULL")}
        return found

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

    def _due(self) -> datetime:
        return self.clock().astimezone(UTC) + timedelta(days=self.config.sweep_days)


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(i)) for i in ids)


def _values(blob: bytes) -> set[str]:
    """The texts of a sealed record that are long enough to find her by."""
    try:
        found = json.loads(blob)
    except ValueError:
        return set()
    return {str(v).lower() for k, v in found.items() if k in ("email", "phone", "name") and len(str(v)) >= 6}
