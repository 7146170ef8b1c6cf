"""The burn: rows that are too old leave the files, with their sealed records and every older version that had them.

Nobody reads them any more from the day on that they are too old (trust/ages.py); the burn comes with the turn, as often as
sweeps do, or when it is asked for. A kill at any point leaves rows to the next burn, which does the same again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import numpy as np
from pyroaring import BitMap

from tessera.config import Config
from tessera.lake.engine import Connection, literal, mapped, name, rows, value
from tessera.lake.store import Lake
from tessera.lake.table import Table
from tessera.trust import removal
from tessera.trust.ages import Ages, old, oldest_again
from tessera.trust.entries import Use
from tessera.trust.ledger import Ledger
from tessera.words import Clock

DUE = "burn"


class Vault(Protocol):
    """What the burn asks of the vault."""

    def forget(self, record_ids: Iterable[int]) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Term:
    """How long rows of one table are kept. source: of which; None: of all. first: the first day that is kept.
    old: how many rows are older and wait for the burn."""

    table: str
    source: str | None
    days: int
    first: date
    old: int


@dataclass(kw_only=True)
class Burnt:
    """What a burn did: rows by table, sealed records, tables whose older versions are gone, entries of the ledger."""

    rows: dict[str, int] = field(default_factory=dict)
    records: int = 0
    expired: list[str] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)


class Expiry:
    """One of the closed list that reads without a view: what is too old no purpose may see."""

    def __init__(
        self, config: Config, lake: Lake, vault: Vault, ledger: Ledger, ages: Ages, con: Connection, clock: Clock
    ) -> None:
        self.config, self.lake, self.vault, self.ledger = config, lake, vault, ledger
        self.ages, self.con, self.clock = ages, con, clock

    def terms(self) -> list[Term]:
        """Every term that is set, by table and source, with what waits for the burn."""
        return [
            Term(table=table.name, source=source, days=days, first=first, old=self._count(table, condition))
            for table, source, days, first, condition in self._terms()
        ]

    def due(self) -> datetime | None:
        """When the next burn has to run; None if nothing is too old. The first row that is sets the day."""
        if not any(True for _ in self._over()):
            return None
        text = self.lake.state.get("due", DUE)
        if text is None:
            text = (self.clock().astimezone(UTC) + timedelta(days=self.config.sweep_days)).isoformat()
            self.lake.state.put("due", DUE, text)
        return datetime.fromisoformat(text)

    def burn(self, actor: str, role: str) -> Burnt:
        """Takes out all that is too old now. Whoever writes tables waits meanwhile (the caller sees to it)."""
        burnt, going = Burnt(), dict[str, list[str]]()
        for table, condition in self._over():
            going.setdefault(table.name, []).append(condition)
        with mapped("the burn"):
            for named, conditions in going.items():
                self._burn(self.lake.table(named), f"({' OR '.join(conditions)})", burnt, actor, role)
        self.lake.state.drop("due", DUE)
        return burnt

    def _burn(self, table: Table, condition: str, burnt: Burnt, actor: str, role: str) -> None:
        relation = self.lake.relation(table.name)
        if many := self._count(table, condition):
            # The entry first: what is gone can not be told of any more.
            burnt.entries.append(self._told(table, condition, many, actor, role))
            if "record_id" in table.names:
                sealed = f"SELECT record_id FROM {relation} WHERE {condition} AND record_id IS NOT NULL"
                burnt.records += self.vault.forget(self.con.execute(sealed).fetchnumpy()["record_id"])
            burnt.rows[table.name] = removal.drop(self.lake, self.con, table, condition, "burn")
            self.lake.vacuum(table.name, timedelta(0))
            burnt.expired.append(table.name)
        if "occurred_at" in table.names:
            now = self.lake.relation(table.name)
            left = rows(self.con, f"SELECT source, epoch_us(min(occurred_at)) FROM {now} GROUP BY source")
            oldest_again(table.name, {str(source): micros for source, micros in left}, self.lake.state)

    def _told(self, table: Table, condition: str, many: int, actor: str, role: str) -> int:
        held = BitMap()
        for owner in table.owners:
            query = f"SELECT DISTINCT {name(owner)} AS i FROM {self.lake.relation(table.name)} WHERE {condition}"
            found = self.con.execute(f"{query} AND {name(owner)} IS NOT NULL").fetchnumpy()["i"]
            held |= BitMap(np.asarray(found).astype(np.uint32))
        use = Use(
            actor=actor, role=role, act="burn", purpose="operate", rows=many,
            tables=((table.name, self.lake.version(table.name) or 0),),
            categories=tuple(sorted({c.category for c in table.columns if c.personal})),
            keys=self.ledger.keep(held, "key"),
        )  # fmt: skip
        return self.ledger.append(use).seq

    def _over(self) -> Iterator[tuple[Table, str]]:
        """Tables that may have something too old, and the condition of what is."""
        for table, source, _, _, condition in self._terms():
            if source is None or source in self.ages.over(table.name):
                yield table, condition

    def _terms(self) -> Iterator[tuple[Table, str | None, int, date, str]]:
        for table in self.lake.tables.values():
            if self.lake.version(table.name) is None:
                continue
            for source, first in self.ages.first(table.name).items():
                yield table, source, self.ages.kept.sources[table.name][source], first, old(source, first)
            if table.keep_days is not None:
                first = self.ages.day() - timedelta(days=table.keep_days)
                yield table, None, table.keep_days, first, f"{name('at')} < TIMESTAMPTZ {literal(f'{first} 00:00:00+00')}"

    def _count(self, table: Table, condition: str) -> int:
        return int(value(self.con, f"SELECT count(*) FROM {self.lake.relation(table.name)} WHERE {condition}"))
