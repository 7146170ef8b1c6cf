"""Erasure: at once through gate and vault, then physically through every personal table and version.

`erase` blocks her keys (all reads forget her at once), destroys her identifiers and sealed records in the vault and
suppresses them, and asks every store that `Forgets`: it reads only the buckets of her keys. `sweep` finds the rest
(rows in which she is the second owner, rows without a key that hang on her orders, broken rows in which she is named),
deletes or detaches it, table by table, and drops the versions that still had it. Each stage can be killed: `recover`
finishes the first at the next start, the next sweep the second.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np

from tessera.config import Config
from tessera.errors import NotFound
from tessera.lake.engine import Connection, literal, mapped, name, rows, value
from tessera.lake.store import BUCKETS, Lake
from tessera.lake.table import Delete, Table
from tessera.trust import removal, traces
from tessera.trust.erasures import ErasureList
from tessera.trust.permits import Permits
from tessera.trust.rights_duties import Duties
from tessera.trust.tables import MEMBERSHIP
from tessera.words import Clock, Erased, Forgets, Proof

LOOSE_AT_ONCE = 20_000

ERASED = "erased"
"""The state's space of persons who were erased: number -> when. A number is given once, and stands for nobody any more."""


class Vault(Protocol):
    """What an erasure asks of the vault."""

    def erase(self, key_ids: Iterable[int], record_ids: Iterable[int] = ()) -> Proof: ...
    def hush(self, hashes: Sequence[bytes]) -> list[int]: ...
    def skip(self, last: int) -> None: ...
    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...
    def resolve(self, kind: str, values: list[str], *, mint: bool = True) -> np.ndarray[Any, Any]: ...
    def scrub(self) -> None: ...
    def seal(self, blobs: list[bytes], batch: int) -> np.ndarray[Any, Any]: ...
    def drop_batch(self, batch: int) -> object: ...


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
        self, config: Config, lake: Lake, vault: Vault, permits: Permits, con: Connection, clock: Clock, salt: str,
        stores: Sequence[Forgets] = (),
    ) -> None:
        """salt: the secret under which landing marks row names."""
        self.config, self.lake, self.vault, self.permits = config, lake, vault, permits
        self.con, self.clock, self.salt, self.stores = con, clock, salt, stores
        self.duties = Duties(config, lake, vault, con, clock)

    def also(self, store: Forgets) -> None:
        """From now on an erasure asks this store too."""
        if store not in self.stores:
            self.stores = (*self.stores, store)

    def plan(self, persons: Iterable[int]) -> Plan:
        """Whom and what an erasure concerns, all tables read; NotFound for a person that nobody is."""
        who = self._whom(persons)
        found: dict[str, tuple[int, str]] = {}
        with removal.Named(self.con, who):
            for table in self.lake.personal_tables:
                count = f"SELECT count(*) FROM {self._relation(table, who)} WHERE {removal.hers(table)}"
                if many := int(value(self.con, count)):
                    found[table.name] = (many, _fate(table))
            records = self._records(who)
        return Plan(who=Erased(keys=who.keys, persons=who.persons, records=frozenset(records)), rows=found)

    def erase(
        self, persons: Iterable[int], began: Callable[[str], None] = lambda _: None
    ) -> tuple[Plan, list[Proof]]:
        """The instant part: nobody reads her any more, and her identifiers are gone and suppressed. The plan counts the
        rows in the buckets of her keys; what else is hers the sweep finds.

        began: is told the erasure's number in the transaction that begins it; `again` finishes that one.
        """
        who = self._whom(persons)
        state = self.lake.state
        with state.together():
            number = str(state.next("erasure"))
            # The first who waits sets the day: an erasure every day would else put it off for ever.
            if state.get("due", "sweep") is None:
                state.put("due", "sweep", self._due().isoformat())
            self._block(number, who)
            began(number)
        return self._forget(number, who)

    def again(self, number: str) -> tuple[Plan, list[Proof]]:
        """The instant part of an erasure that was begun, once more: what a kill left of it is done now."""
        fact = self.lake.state.get("blocked", number, {"keys": (), "persons": ()})
        who = Erased(keys=frozenset(fact["keys"]), persons=frozenset(fact["persons"]))
        return self._forget(number, who) if who.keys else (Plan(who=who, rows={}), [])

    def replay(self, known: ErasureList) -> Erased:
        """The instant part for all whom a list names and who are here again: in a backup that is older than their
        erasure. Values that are not here are suppressed too. Whoever had a key of theirs is made anew by a turn."""
        keys = self.vault.hush([bytes.fromhex(v) for v in known.values])
        self.vault.skip(known.last_key)
        members = self.lake.relation(MEMBERSHIP.name)
        theirs = f"SELECT DISTINCT person_id FROM {members} WHERE key_id IN (SELECT unnest(?::INTEGER[]))"
        persons = {int(p) for (p,) in self.con.execute(theirs, [keys]).fetchall()} if keys else set()
        who, state = Erased(keys=frozenset(keys), persons=frozenset(persons)), self.lake.state
        names = sorted(set(known.names) - set(state.items(traces.NAMED)))
        orders = set(known.orders) - set(state.items(traces.GONE))
        with state.together():
            for counter, given in known.counters.items():
                state.put("counter", counter, max(given, int(state.get("counter", counter, 1))))
            if not (keys or names or orders):
                return who
            number = str(state.next("erasure"))
            self._block(number, who)
            state.put("blocked", number, state.get("blocked", number) | {"marks": names})
            state.put_many(traces.GONE, dict.fromkeys(sorted(orders), 1))
        self._forget(number, who)
        return who

    def erased_at(self, person: int) -> datetime | None:
        """When the person of that number was erased; None for whoever was not, and for a number that nobody had."""
        at = self.lake.state.get(ERASED, str(int(person)))
        return datetime.fromisoformat(at) if at else None

    def recover(self) -> None:
        """Finishes the instant part of erasures that a kill has cut off."""
        self.duties.recover()
        for number, fact in self.lake.state.items("blocked").items():
            if not fact.get("done"):
                self._forget(number, Erased(keys=frozenset(fact["keys"]), persons=frozenset(fact["persons"])))

    def due(self) -> datetime | None:
        """When the next sweep has to run; None if nobody waits for one."""
        if not self.permits.blocked_keys and not self.permits.blocked_persons:
            return None
        text = self.lake.state.get("due", "sweep")
        return datetime.fromisoformat(text) if text else self.clock().astimezone(UTC)

    def sweep(self) -> Swept:
        """The physical part, for everybody who waits: her rows, and every version that had them. Whoever writes tables
        waits meanwhile (the caller sees to it): what a write under way has added since is found here."""
        swept = Swept()
        waiting = self.lake.state.items("blocked")
        if not waiting:
            return swept
        self.recover()
        waiting = self.lake.state.items("blocked")
        who = Erased(
            keys=frozenset(k for w in waiting.values() for k in w["keys"]),
            persons=frozenset(p for w in waiting.values() for p in w["persons"]),
        )
        marked = {m for w in waiting.values() for m in w.get("marks", ())}
        # The vault's file is searched while the tables are written: each leaves one core idle.
        with removal.Named(self.con, who) as her, mapped("the sweep"), ThreadPoolExecutor(1) as beside:
            self._mark_orders(
                (table, f"{self._relation(table, who)} WHERE {removal.owned(table)}")
                for table in self.lake.personal_tables
            )
            her.orders(self.lake.state.items(traces.GONE))
            records = self._records(who) | self._loose(marked)
            her.records(records)
            self.vault.erase(who.keys, records)
            scrubbed = beside.submit(self.vault.scrub)
            for table in self.lake.personal_tables:
                many = removal.remove(self.lake, self.con, table, "sweep", who, self.salt)
                if many:
                    swept.rows[table.name] = many
                if self.lake.version(table.name) is not None:
                    self.lake.vacuum(table.name, timedelta(0))
                    swept.expired.append(table.name)
            for table in self.lake.forgetting_tables:
                if many := removal.drop(self.lake, self.con, table, f"({table.forgets})", "sweep"):
                    swept.rows[table.name] = many
                if self.lake.version(table.name) is not None:
                    self.lake.vacuum(table.name, timedelta(0))
            scrubbed.result()
        with self.lake.state.together():
            self.lake.state.put_many(traces.NAMED, dict.fromkeys(marked, 1))
            for number in waiting:
                self.lake.state.drop("blocked", number)
            self.lake.state.drop("due", "sweep")
            # Rows of others changed too (her e-mail in theirs): what was made by person is made anew for everybody.
            self.lake.state.next("sweep")
        self.lake.state.scour()
        self.permits.reload()
        swept.people = len(waiting)
        return swept

    # parts

    def _block(self, number: str, who: Erased) -> None:
        """Nobody reads them any more, and their numbers say since when; in the caller's transaction."""
        self.permits.block(number, who)
        at = self.clock().astimezone(UTC).isoformat()
        self.lake.state.put_many(ERASED, {str(person): at for person in sorted(who.persons)})

    def _whom(self, persons: Iterable[int]) -> Erased:
        wanted = sorted(set(persons))
        members = self.lake.relation(MEMBERSHIP.name)
        found = rows(self.con, f"SELECT key_id FROM {members} WHERE person_id IN ({_list(wanted)})") if wanted else []
        keys = {int(r[0]) for r in found} - set(self.permits.blocked_keys)
        if not keys:
            raise NotFound("Person", _list(wanted))
        return Erased(keys=frozenset(keys), persons=frozenset(wanted))

    def _forget(self, number: str, who: Erased) -> tuple[Plan, list[Proof]]:
        """The vault and the stores, after the block; again is harmless."""
        records, named = self._near(who)
        fact = self.lake.state.get("blocked", number)
        # Before her name is gone from the vault: the sweep looks for it in broken rows.
        fact["marks"] = sorted({*fact.get("marks", ()), *traces.marks(named, self.salt.encode())})
        self.lake.state.put("blocked", number, fact)
        self._mark_orders(self._places(who))
        # And before the values are gone that a law makes us keep.
        self.duties.keep(number, who)
        who = Erased(keys=who.keys, persons=who.persons, records=frozenset(records))
        self.permits.drop(who.keys)
        proofs = [self.vault.erase(who.keys, records)]
        proofs += [store.forget(who) for store in self.stores]
        self.lake.state.put("blocked", number, fact | {"done": True})
        # She is gone; what follows is for the receipt.
        counts = " UNION ALL ".join(
            f"SELECT {literal(table.name)}, count(*) FROM {where}" for table, where in self._places(who)
        )
        found = {str(t): int(many) for t, many in rows(self.con, counts)} if counts else {}
        return Plan(who=who, rows={t: (n, _fate(self.lake.table(t))) for t, n in found.items() if n}), proofs

    def _places(self, who: Erased) -> Iterator[tuple[Table, str]]:
        """Where her rows lie: per table the buckets of her keys and the condition, as text after FROM."""
        for table in self.lake.personal_tables:
            ids = who.keys if table.reason == "key" else who.persons
            files = self.lake.files(table.name, buckets={i % BUCKETS for i in ids})
            if files and ids:
                hers = " OR ".join(f"{name(c)} IN ({_list(sorted(ids))})" for c in table.owners)
                yield table, f"{self.lake.relation_of(table.name, files)} WHERE ({hers})"

    def _near(self, who: Erased) -> tuple[set[int], list[str]]:
        """Her sealed records, in the buckets of her keys alone; and her names."""
        parts = []
        for table, where in self._places(who):
            if "record_id" in table.names:
                names = any(c.sealed and c.name == "name" for c in table.columns)
                parts.append(f"SELECT record_id, {literal(names)} AS named FROM {where}")
        found = rows(self.con, " UNION ALL ".join(parts)) if parts else []
        records = {int(r) for r, _ in found if r is not None}
        blobs = self.vault.unseal(sorted({int(r) for r, named in found if named and r is not None}))
        return records, [n for blob in blobs.values() if (n := _name(blob))]

    def _mark_orders(self, places: Iterable[tuple[Table, str]]) -> None:
        """Remembers her order numbers as keyed marks: rows without an owner hang on them, also when they come again."""
        for table, where in places:
            if traces.LEADS in table.names and self.lake.version(table.name) is not None:
                mark = traces.row_mark(self.salt, traces.LEADS)
                marks = rows(self.con, f"SELECT DISTINCT {mark} FROM {where} AND {traces.LEADS} IS NOT NULL")
                self.lake.state.put_many(traces.GONE, {str(m): 1 for (m,) in marks})

    def _relation(self, table: Table, who: Erased) -> str:
        """All that may be theirs in a table, as text after FROM; see `removal.places`."""
        return self.lake.relation_of(table.name, removal.places(self.lake, table, who))

    def _records(self, who: Erased) -> set[int]:
        """The sealed records of all her rows, wherever they lie; not of another's row that names a key of hers."""
        found: set[int] = set()
        for table in self.lake.personal_tables:
            if "record_id" in table.names and self.lake.version(table.name) is not None:
                relation, hers = self._relation(table, who), removal.gone(table, self.salt)
                sealed = f"SELECT record_id FROM {relation} WHERE {hers} AND record_id IS NOT NULL"
                found |= {int(r) for r in self.con.execute(sealed).fetchnumpy()["record_id"]}
        return found

    def _loose(self, marked: Collection[str]) -> set[int]:
        """Sealed rows without any key, in which an erased person's identifier or name stands; or nothing any more."""
        if self.lake.version("quarantine") is None:
            return set()
        relation = self.lake.relation("quarantine")
        sealed = f"SELECT record_id FROM {relation} WHERE key_id IS NULL AND record_id IS NOT NULL"
        loose = [int(r[0]) for r in rows(self.con, sealed)]
        found: set[int] = set()
        for start in range(0, len(loose), LOOSE_AT_ONCE):
            some = loose[start : start + LOOSE_AT_ONCE]
            blobs = self.vault.unseal(some)
            found |= set(some) - set(blobs)
            texts = {r: b.decode(errors="replace") for r, b in blobs.items()}
            for record, keys in zip(texts, traces.keys_in(list(texts.values()), self.vault), strict=True):
                if -1 in keys or (marked and not traces.marks([texts[record]], self.salt.encode()).isdisjoint(marked)):
                    found.add(record)
        return found

    def _due(self) -> datetime:
        return self.clock().astimezone(UTC) + timedelta(days=self.config.sweep_days)


def _fate(table: Table) -> str:
    return "deleted" if isinstance(table.on_erase, Delete) else "kept without her"


def _list(ids: Iterable[int]) -> str:
    return ", ".join(str(int(i)) for i in ids)


def _name(blob: bytes) -> str | None:
    """The name in a sealed record."""
    try:
        found = json.loads(blob)
    except ValueError:
        return None
    return str(found["name"]) if isinstance(found, dict) and found.get("name") else None
