"""The gate: opens a table as a view for a step or a reader; nothing else reads people's data.

Purpose, role, consent and blocks become text around the table. Each yes and no carries its reason. Those who must read
without a view are the closed list WITHOUT_A_VIEW; a test finds every other place that opens a table or the vault.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from tessera.config import Config, Purpose, Verdict
from tessera.lake.engine import Connection, literal, name
from tessera.lake.spans import Spans
from tessera.lake.store import BUCKETS, Lake
from tessera.lake.table import Column, Table
from tessera.lake.view import View, allowed
from tessera.trust import access, removal
from tessera.trust.access import Reader, Seen, Subject
from tessera.trust.ages import Ages
from tessera.trust.permits import ANYBODY, Permits, Unit
from tessera.trust.tables import MEMBERSHIP

WITHOUT_A_VIEW = {
    "data.landing": "landing: where data becomes ours; contract, consent at the door and keys are applied there",
    "trust.removal": "rights and the gate: the rows of the erased leave what was written",
    "trust.rights": "rights: an erasure, a copy for her and a legal duty read what no purpose may see",
    "trust.requests": "rights: what a customer wrote to her request is sealed, and read by whoever answers it",
    "trust.endings": "expiry: what was held for a consent that has ended burns, and no purpose may see it",
    "trust.expiry": "expiry: the burn takes out what is too old for every purpose",
    "trust.permits": "the gate itself: it reads who allows what",
    "data.corrections": "rights: what a customer corrected is compared with what sources say of her",
    "data.quarantine": "quarantine: rows that are not data yet, for repair",
    "decided": "the ledger: whom each landed decision concerned",
    "loop": "the turn: counts, versions and changed keys, to know whom a step has to compute anew",
    "restore": "backup: compares a restored workspace with what was backed up, file by file; looks at no row",
    "app": "the workspace: finds a person's number for a door before the gate is asked",
}
"""Modules that open tables or the vault themselves, each with its reason."""

INTERNAL = ("row_key", "row_hash", "batch", "record_id", "email_key", "phone_key")
PERSON = Column(name="person_id", type="INTEGER", category="user.unique_id.pseudonymous")


class Gate:
    """Opens views. One for a workspace; cheap to ask."""

    def __init__(self, config: Config, lake: Lake, permits: Permits, ages: Ages) -> None:
        self.config, self.lake, self.permits, self.ages, self.spans = config, lake, permits, ages, Spans()

    def for_step(
        self, table: str, purpose: Purpose, *, version: int | None = None, bucket: int | None = None,
        upkeep: bool = False,
    ) -> View:
        """A table for a step: every column of the lake (sealed ones stay sealed), only rows its purpose allows.

        bucket: only the rows of that bucket of the newest version. upkeep: with people who are restricted, for the house's
        own bookkeeping (see lake.step.Step).
        """
        declared = self.lake.table(table)
        at = self.lake.version(table) if version is None else version
        conditions, bits = self._allowed(declared, purpose, upkeep)
        columns = ", ".join(name(c) for c in declared.names)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        source = self.lake.relation(table, version) if bucket is None else self.lake.bucket(table, bucket)
        source = removal.detached(declared, source, self.permits.blocked_keys)
        sql = f"(SELECT {columns} FROM {source}{where})"
        return View(table=table, version=at, purpose=purpose.name, sql=sql, columns=declared.columns, bits=bits)

    def for_reader(
        self, table: Table, reader: Reader, *, columns: Iterable[str], version: int | None, extra: Iterable[str] = ()
    ) -> View:
        """A table for a person who asks: her role's columns, masked where it says so, and the rows she may use.

        table: as `presented`. columns: those she uses. extra: key columns for our own look-ups, which she does not see.
        """
        declared = self.lake.table(table.name)
        wanted = [c for c in table.columns if c.name in set(columns)]
        items = []
        for c in wanted:
            shown = access.masked(c, self.verdict_of(table, c.name, reader), table)
            items.append(f"{shown} AS {name(c.name)}")
        items += [name(c) for c in extra]
        # A restriction or an objection closes her data to us, and never to her.
        conditions, bits = self._allowed(declared, reader.purpose, upkeep=reader.subject is not None)
        conditions += [
            access.row_condition(rule, reader, declared) for rule in access.row_rules(self.config.access, reader, table)
        ]
        conditions += _hers(declared, reader)
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        relation = self.lake.relation_of(table.name, self._files(declared, version, reader))
        source = f"(SELECT * FROM {removal.detached(declared, relation, self.permits.blocked_keys)}{where}) AS t"
        if PERSON in wanted and declared.reason == "key":
            if reader.one is not None:  # her rows are those of her keys
                source += f" CROSS JOIN (SELECT CAST({int(reader.one.person)} AS INTEGER) AS person_id) AS m"
            else:
                members = f"(SELECT key_id AS member, person_id FROM {self.lake.relation(MEMBERSHIP.name)})"
                source += f" LEFT JOIN {members} AS m ON m.member = t.{declared.owners[0]}"
        sql = f"SELECT {', '.join(items) or 'TRUE AS it'} FROM {source}"
        at = self.lake.version(table.name) if version is None else version
        return View(table=table.name, version=at, purpose=reader.purpose.name, sql=sql, columns=tuple(wanted), bits=bits)

    def seen(self, table: Table, column: str, reader: Reader) -> Seen:
        """What the reader may see of a column, and why."""
        if column in INTERNAL:
            return Seen(verdict="hidden", reason=f"{column} is the machine's own.")
        if reader.subject is not None:
            return _her_own(table)
        return access.verdict(self.config.access, reader.role, reader.purpose, table.column(column).category)

    def hidden(self, reader: Reader, tables: dict[str, Table], table: str, column: str) -> str | None:
        """Why the reader may not see a column at all; None if she may (perhaps masked)."""
        seen = self.seen(tables[table], column, reader)
        if seen.verdict != "hidden":
            return None
        return f"{seen.reason} Ask {self.config.access.contact}."

    def verdict_of(self, table: Table, column: str, reader: Reader) -> Verdict:
        """The bare verdict."""
        return self.seen(table, column, reader).verdict

    def load(self, con: Connection, views: Iterable[View]) -> None:
        """Gives a connection the permissions that these views ask for."""
        for view in views:
            purpose = self.config.purposes[view.purpose]
            for bits in view.bits:
                _, unit, whom = bits.split("_", 2)
                self.permits.load(con, purpose, cast(Unit, unit), upkeep=whom == ANYBODY)

    def sieve(self, con: Connection, table: Table, epoch: int) -> int:
        """Takes out of a table just written those who were erased after that epoch of the permits; returns how many
        rows. What was written had been read before she was gone."""
        who = self.permits.erased_since(epoch)
        if who is None or table.reason == "nobody":
            return 0
        with removal.Named(con, who):
            return removal.remove(self.lake, con, table, "sieve", who)

    def presented(self) -> dict[str, Table]:
        """The tables that people may ask for, as they see them: rows about a key also have their person."""
        shown = {}
        for table in self.lake.tables.values():
            if table.visible:
                extra = (PERSON,) if table.reason == "key" else ()
                shown[table.name] = Table(
                    name=table.name, whose=table.whose, columns=(*extra, *table.columns), note=table.note,
                    compartment=table.compartment,
                )
        return shown

    def _files(self, table: Table, version: int | None, reader: Reader) -> list[str]:
        """Where rows that she may use can lie: of one person alone, the buckets or the files that may hold hers."""
        if reader.one is None or len(table.owners) != 1:
            return self.lake.files(table.name, version)
        ids = _ids(table, reader.one)
        files = self.lake.files(table.name, version, {i % BUCKETS for i in ids})
        return self.spans.holding(files, table.owners[0], ids) if table.whole else files

    def _allowed(self, table: Table, purpose: Purpose, upkeep: bool = False) -> tuple[list[str], tuple[str, ...]]:
        young = self.ages.conditions(table, purpose)
        if table.reason == "nobody":
            opens = [f"{name(table.compartment)} = {literal(purpose.name)}"] if table.compartment else []
            return [*opens, *young], ()
        unit: Unit = "key" if table.reason == "key" else "person"
        bits = self.permits.name(purpose, unit, upkeep)
        if not bits:
            return young, ()
        return [*(allowed(bits, column, nobodys=unit == "key") for column in table.owners), *young], (bits,)


def _her_own(table: Table) -> Seen:
    """What a person sees of a table at her own door: all of it where it is about people, for only her rows are there."""
    if table.reason == "nobody":
        return Seen(verdict="hidden", reason=f"{table.name} is about nobody in particular.")
    return Seen(verdict="clear", reason="It is about you.")


def _hers(table: Table, reader: Reader) -> list[str]:
    """The condition that a person at her own door, or a page about her, sees no row but hers. Of a row with several owners (a
    card that two people signed) each has to be her."""
    if reader.one is None:
        return []
    listed = ", ".join(map(str, sorted(_ids(table, reader.one)))) or "-1"
    # Plain, for so the engine looks into a file only where it may lie; an owner that is null passes no WHERE.
    hers = [f"{name(c)} IN ({listed})" for c in table.owners]
    return hers or ["FALSE"]


def _ids(table: Table, one: Subject) -> set[int]:
    """What a person's rows of a table are owned by: her keys, or her number."""
    return {int(i) for i in one.keys} if table.reason == "key" else {int(one.person)}
