"""What a legal duty keeps of an erased person: only the columns it names, sealed anew, in a compartment of its own.

A purpose with `holds` (purposes.yaml) is such a duty. At an erasure its columns of her rows are copied into HELD before the
vault forgets; HELD opens for that purpose alone, and a row goes when its time is over. One of the closed list: it reads rows
that are being erased.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tessera.config import Config, Purpose
from tessera.lake.engine import Connection, literal, rows
from tessera.lake.store import Lake
from tessera.trust.rights_copy import Copy
from tessera.trust.tables import HELD
from tessera.words import Clock, Erased

HOLDING = "holding"
"""The state's space of batches of sealed rows that no version of HELD has yet."""

WHO = "records"
"""The table of who she is: its rows are kept for as long as the longest other row of the duty, and without one not at all."""


class Vault(Protocol):
    """What is asked of the vault."""

    def seal(self, blobs: list[bytes], batch: int) -> np.ndarray[Any, Any]: ...
    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...
    def erase(self, key_ids: Iterable[int], record_ids: Iterable[int] = ()) -> object: ...
    def drop_batch(self, batch: int) -> object: ...


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One row that a duty keeps: of which table, its own moment, until when, and the named columns in clear."""

    duty: str
    table: str
    at: datetime | None
    until: date
    facts: dict[str, Any]


class Duties:
    """The compartment. con: a connection that reads her rows."""

    def __init__(self, config: Config, lake: Lake, vault: Vault, con: Connection, clock: Clock) -> None:
        self.config, self.lake, self.vault, self.con, self.clock = config, lake, vault, con, clock

    @property
    def holding(self) -> list[Purpose]:
        """The purposes that keep anything."""
        return [p for p in self.config.purposes.values() if p.holds]

    def of(self, copy: Copy) -> Iterator[Kept]:
        """What the duties would keep of a person, were she erased now."""
        for purpose in self.holding:
            found = [k for table in purpose.holds if table != WHO for k in self._kept(purpose, table, copy)]
            yield from found
            if found and WHO in purpose.holds:
                until = max(k.until for k in found)
                yield from self._kept(purpose, WHO, copy, until)

    def keep(self, number: str, who: Erased) -> None:
        """Takes into the compartment what duties keep of people about to be erased; again, for the same erasure, is
        harmless."""
        if not self.holding or self._there(number):
            return
        found = [k for person in sorted(who.persons) for k in self.of(Copy(self.lake, self.vault, self.con, who.keys, person))]
        if len(who.persons) > 1:  # keys are not told apart by person: each row once
            found = list({repr(k): k for k in found}.values())
        if not found:
            return
        state = self.lake.state
        batch = state.next("batch")
        state.put(HOLDING, str(batch), 1)
        blobs = [json.dumps({"facts": json.dumps(k.facts, ensure_ascii=False, default=str)}).encode() for k in found]
        records = self.vault.seal(blobs, batch)
        made = pa.table(
            {
                "duty": [k.duty for k in found],
                "erasure": pa.array([int(number)] * len(found), pa.int64()),
                "of_table": [k.table for k in found],
                "occurred_at": pa.array([k.at for k in found], pa.timestamp("us", "UTC")),
                "until": pa.array([k.until for k in found], pa.date32()),
                "facts": pa.array(records, pa.int64()),
                "batch": pa.array([batch] * len(found), pa.int64()),
            }
        )
        with self.con.cursor() as con:
            con.register("held_rows", made)
            staged = self.lake.stage(con, HELD.name, "SELECT * FROM held_rows")
        self.lake.commit(HELD.name, staged, what=f"erasure {number}, legal duties")
        state.drop(HOLDING, str(batch))

    def told(self, number: str) -> list[dict[str, Any]]:
        """What was kept at an erasure, by duty: how many rows of which tables, until when. Nothing of what they say."""
        select = f"""SELECT duty, of_table, count(*), max(until) FROM {self.lake.relation(HELD.name)}
                     WHERE erasure = {int(number)} GROUP BY duty, of_table ORDER BY duty, of_table"""
        found = rows(self.con, select)
        return [
            {"purpose": duty, "table": table, "rows": int(n), "until": until.isoformat()} for duty, table, n, until in found
        ]

    def recover(self) -> None:
        """Destroys sealed rows of a batch that a kill kept from the compartment; one that is in it stays."""
        for batch in self.lake.state.items(HOLDING):
            select = f"SELECT count(*) FROM {self.lake.relation(HELD.name)} WHERE batch = {int(batch)}"
            if not rows(self.con, select)[0][0]:
                self.vault.drop_batch(int(batch))
            self.lake.state.drop(HOLDING, batch)

    def over(self) -> list[int]:
        """The sealed rows whose time is over."""
        if self.lake.version(HELD.name) is None:
            return []
        select = f"SELECT facts FROM {self.lake.relation(HELD.name)} WHERE until < DATE {literal(self._today().isoformat())}"
        return [int(r) for (r,) in rows(self.con, select)]

    def lapse(self, records: Iterable[int]) -> None:
        """Destroys rows whose time is over, out of every version; again is harmless."""
        self.vault.erase((), records)
        left = f"SELECT * FROM {self.lake.relation(HELD.name)} WHERE until >= DATE {literal(self._today().isoformat())}"
        with self.con.cursor() as con:
            self.lake.write(con, HELD.name, left, what="legal duties that are over")
        self.lake.vacuum(HELD.name, timedelta(0))

    def _kept(self, purpose: Purpose, table: str, copy: Copy, until: date | None = None) -> Iterator[Kept]:
        declared, today = self.lake.table(table), self._today()
        if self.lake.version(table) is None or purpose.keep_days is None:
            return
        for row in copy.rows(declared):
            at = row.get("occurred_at")
            end = until or (at.astimezone(UTC).date() if at else today) + timedelta(days=purpose.keep_days)
            if end >= today:
                facts = {c: row[c] for c in purpose.holds[table] if row.get(c) is not None}
                yield Kept(duty=purpose.name, table=table, at=at, until=end, facts=facts)

    def _there(self, number: str) -> bool:
        if self.lake.version(HELD.name) is None:
            return False
        select = f"SELECT count(*) FROM {self.lake.relation(HELD.name)} WHERE erasure = {int(number)}"
        return bool(rows(self.con, select)[0][0])

    def _today(self) -> date:
        return self.clock().astimezone(UTC).date()
