"""One chunk on its way into the lake: its passes over the rows, and the files they leave for the manifest."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tessera.data import landing_consents, orders
from tessera.data.chunk import Chunk
from tessera.data.intake import Intake
from tessera.data.landed import Landed
from tessera.data.landing_broken import REFUSED, quarantined
from tessera.data.landing_judged import Judged
from tessera.data.raw import LATEST_WINS, LINKS, ORDERS, QUARANTINE, TOUCHED
from tessera.lake.engine import Connection, literal, mapped, name, rows, value
from tessera.lake.store import Staged
from tessera.trust import ages
from tessera.trust.tables import CONSENTS
from tessera.words import KINDS

if TYPE_CHECKING:
    from tessera.data.landing import Landing

KIND_CODES = {kind: i for i, kind in enumerate(KINDS, 1)}


class Batch:
    """One chunk on its way into the lake."""

    def __init__(self, landing: Landing, con: Connection, intake: Intake, chunk: Chunk) -> None:
        self.landing, self.con, self.intake, self.chunk = landing, con, intake, chunk
        self.lake, self.vault, self.state = landing.lake, landing.vault, landing.lake.state
        self.contract, self.table = intake.contract, intake.table
        self.landed = Landed(source=self.contract.name, rows=chunk.rows + len(chunk.rejects))
        self.number = self.state.next("batch")
        self.now = landing.clock().astimezone(UTC)
        self.tables: dict[str, dict[str, Any]] = {}
        self.forget: list[int] = []
        self.judged = Judged(landing, con, intake, chunk, self.landed)

    def land(self) -> Landed | None:
        """Lands the chunk; None if somebody was erased meanwhile, and it has to be read again without her."""
        erasures = self.state.get("counter", "erasure")
        self.state.put("open", str(self.number), self.now.isoformat())
        with mapped(f"landing {self.contract.name}"):
            try:
                self._fill()
                self.vault.flush()
                if self.state.get("counter", "erasure") != erasures:
                    self._undo()
                    return None
                manifest = {
                    "what": f"landing {self.contract.name}, batch {self.number}",
                    "tables": self.tables,
                    "forget": self.forget,
                    "progress": [[s, k, v] for (s, k), v in self._progress().items()] + self._oldest(),
                }
                self.state.put("manifest", str(self.number), manifest)
            except Exception:
                # Staged files and sealed records go at once: on a full disk the next try needs their room.
                with suppress(Exception):
                    self._undo()
                raise
            self.landing.commit(self.number, manifest)
            self._leave()
            if self.chunk.last:
                self.con.execute("DELETE FROM present")
        return self.landed

    def _fill(self) -> None:
        """Writes all that the batch will add, as files that no table has yet."""
        if self.chunk.rows:
            self.judged.judge()
            self._records()
            self._rows()
            self._orders()
            self._links()
            self._consents()
        self._vanished()
        self._quarantine()

    def _undo(self) -> None:
        """As if the batch had never been begun."""
        self.state.drop("manifest", str(self.number))
        self.vault.drop_batch(self.number)
        for part in self.tables.values():
            self.lake.discard(Staged(**s) for s in part["staged"])
        self.state.drop("open", str(self.number))
        self._leave()

    def _leave(self) -> None:
        if self.chunk.rows:
            self.judged.leave()

    def _progress(self) -> dict[tuple[str, str], Any]:
        """A snapshot is remembered only when it was read to its end: what vanished is known only then."""
        return self.chunk.progress if self.chunk.last or self.contract.sync != "snapshot" else {}

    def _oldest(self) -> list[list[Any]]:
        """How old the oldest rows are that the batch adds, for whoever asks what is too old (trust/ages.py)."""
        filled = [t for t in (self.table.name, ORDERS.name) if t in self.tables and "occurred_at" in self.lake.table(t).names]
        if not filled or not self.chunk.rows:
            return []
        micros = value(self.con, "SELECT epoch_us(min(seen_at)) FROM good")
        return [list(fact) for t in filled for fact in ages.oldest(t, self.contract.name, micros, self.state)]

    def _records(self) -> None:
        """Seals what each row has to hide, and notes the number of its record."""
        con = self.con
        found = f"SELECT r.rn, r._blob FROM {self.judged.odd} r SEMI JOIN good g ON r.rn = g.rn WHERE r._blob IS NOT NULL"
        table = con.sql(found).to_arrow_table()
        if table.num_rows == 0:
            return
        blobs = [b.encode() for b in table.column(1).to_pylist()]
        records = self.vault.seal(blobs, self.number)
        con.register("sealed", pa.table({"rn": table.column(0), "record_id": pa.array(records, pa.int64())}))
        con.execute(
            """CREATE OR REPLACE TEMP TABLE good AS SELECT g.* EXCLUDE (record_id), s.record_id
               FROM good g LEFT JOIN sealed s USING (rn)"""
        )
        con.unregister("sealed")

    def _rows(self) -> None:
        """The raw table's rows: appended, or the table written anew where rows of the same name are replaced."""
        table = self.table
        if not self.landed.kept:
            return
        subject, filled = self.intake.subject("g"), self.intake.sealed_columns
        items = []
        for c in table.columns:
            special = {
                "key_id": subject,
                "email_key": "g.email" if "email" in self.intake.kinds else "NULL::INTEGER",
                "phone_key": "g.phone" if "phone" in self.intake.kinds else "NULL::INTEGER",
                "record_id": "g.record_id",
                "source": literal(self.contract.name),
                "batch": str(self.number),
                "vanished_at": "NULL::TIMESTAMPTZ",
            }.get(c.name)
            if c.sealed:
                there = name("_s_" + c.name)
                special = f"CASE WHEN r.{there} IS NOT NULL THEN g.record_id END" if c.name in filled else "NULL"
            items.append(f"{special or 'r.' + name(c.name)} AS {name(c.name)}")
        select = f"SELECT {', '.join(items)} FROM reading r JOIN good g ON r.rn = g.rn"
        mode = "append"
        if table.name in LATEST_WINS and self._replaces():
            mode = "overwrite"
            kept = ", ".join(name(c.name) for c in table.columns)
            select = f"SELECT {kept} FROM {self._without_replaced()} UNION ALL BY NAME {select}"
        self._stage(table.name, select, mode)

    def _orders(self) -> None:
        """Where a source has lines only: the orders that this batch touched, anew from all their lines."""
        part = self.tables.get(self.table.name)
        if not self.contract.derive_orders or part is None:
            return
        con, lake, source = self.con, self.lake, literal(self.contract.name)
        staged = lake.relation_of(self.table.name, [s["path"] for s in part["staged"]])
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE touched_orders AS "
            f"{orders.touched(f'(SELECT * FROM {staged} WHERE batch = {self.number})')}"
        )
        lines = staged
        if part["mode"] == "append" and lake.rows(self.table.name):
            lines = f"(SELECT * FROM {lake.relation(self.table.name)} UNION ALL BY NAME SELECT * FROM {staged})"
        select, mode = orders.derived(lines, self.contract.name, self.number), "append"
        ours = f"source = {source} AND order_id IN (SELECT order_id FROM touched_orders)"
        known = lake.relation(ORDERS.name)
        old = rows(con, f"SELECT key_id FROM {known} WHERE {ours}") if lake.rows(ORDERS.name) else []
        if old:
            self._touch(r[0] for r in old)
            mode = "overwrite"
            columns = ", ".join(name(c) for c in ORDERS.names)
            select = (
                f"SELECT {columns} FROM {known} WHERE NOT coalesce({ours}, FALSE) UNION ALL BY NAME "
                f"SELECT {columns} FROM ({select})"
            )
        many = int(value(con, "SELECT count(*) FROM touched_orders")) + lake.rows(ORDERS.name)
        self._stage(ORDERS.name, select, mode, many)

    def _named(self) -> str:
        return " || chr(31) || ".join(f"{name(c)}::VARCHAR" for c in self.table.unique if c != "source")

    def _own(self) -> str:
        return f"source = {literal(self.contract.name)}" if "source" in self.table.unique else "TRUE"

    def _replaces(self) -> bool:
        """Whether rows of this batch replace earlier ones; notes whose, and which sealed records die with them."""
        con = self.con
        if not self.table.unique or not self.lake.rows(self.table.name):
            return False
        con.execute(
            """CREATE OR REPLACE TEMP TABLE named AS SELECT r._uniq AS u FROM reading r JOIN good g ON r.rn = g.rn
               WHERE r._uniq IS NOT NULL"""
        )
        owners = list(self.table.owners)
        columns = ", ".join([*owners, "record_id"]) if self.table.reason == "key" else "NULL AS record_id"
        old = con.sql(
            f"""SELECT {columns} FROM {self.lake.relation(self.table.name)}
                WHERE {self._own()} AND {self._named()} IN (SELECT u FROM named)"""
        ).to_arrow_table()
        if old.num_rows == 0:
            return False
        self.forget += [r for r in old.column("record_id").to_pylist() if r is not None]
        self._touch(k for c in owners for k in old.column(c).to_pylist())
        return True

    def _without_replaced(self) -> str:
        return (
            f"(SELECT * FROM {self.lake.relation(self.table.name)} WHERE NOT coalesce({self._own()} "
            f"AND {self._named()} IN (SELECT u FROM named), FALSE))"
        )

    def _touch(self, keys: Iterable[int | None]) -> None:
        touched = sorted({k for k in keys if k is not None})
        if touched:
            self.con.register("t", pa.table({"key_id": pa.array(touched, pa.int32())}))
            self._stage(TOUCHED.name, f"SELECT key_id, {self.number} AS batch FROM t", "append")
            self.con.unregister("t")

    def _links(self) -> None:
        """Pairs of identifiers that came in one row: the subject with each of the others."""
        kinds = [k for k in self.intake.kinds if k in self.intake.joining]
        if len(kinds) < 2:
            return
        firm = ", ".join(f"{self.intake.firm(k, k, 'good')} AS {k}" for k in kinds)
        source = f"(SELECT seen_at, {firm} FROM good)" if self.intake.loose else "good"
        pairs = " UNION ALL ".join(
            f"SELECT seen_at, {a} AS key_a, {KIND_CODES[a]} AS kind_a, {b} AS key_b, {KIND_CODES[b]} AS kind_b FROM {source} "
            f"WHERE {a} > 0 AND {b} > 0" + "".join(f" AND {c} IS NULL" for c in kinds[:i])
            for i, a in enumerate(kinds)
            for b in kinds[i + 1 :]
        )
        self._stage(
            LINKS.name,
            f"""SELECT key_a, kind_a, key_b, kind_b, {literal(self.contract.name)} AS source, min(seen_at) AS occurred_at,
                count(*) AS rows, {self.number} AS batch FROM ({pairs}) GROUP BY key_a, kind_a, key_b, kind_b""",
            "append",
        )

    def _consents(self) -> None:
        """Answers to purposes that rows carry, also rows that a later one of this chunk replaced."""
        if self.intake.has_consent:
            select = landing_consents.answers(self.con, self.intake, self.vault, self.number, self.now)
            self._stage(CONSENTS.name, select, "append")

    def _vanished(self) -> None:
        """At the end of a snapshot: rows that the source no longer has are marked, and unmarked if they come back."""
        table = self.table
        if self.contract.sync != "snapshot" or not self.chunk.last or "vanished_at" not in table.names:
            return
        relation = self.lake.relation(table.name)
        gone = (
            f"{self._own()} AND vanished_at IS NULL AND {self._named()} IS NOT NULL "
            f"AND {self._named()} NOT IN (SELECT row_name FROM present)"
        )
        keys = [r[0] for r in rows(self.con, f"SELECT key_id FROM {relation} WHERE {gone}")]
        if keys:
            self.landed.vanished = len(keys)
            marked = f"CASE WHEN {gone} THEN {literal(self.now.isoformat())}::TIMESTAMPTZ ELSE vanished_at END"
            part = self.tables.pop(table.name, None)
            sources = [relation] if part is None or part["mode"] == "append" else []
            if part is not None:
                sources.append(self.lake.relation_of(table.name, [s["path"] for s in part["staged"]]))
            everything = " UNION ALL BY NAME ".join(f"SELECT * FROM {s}" for s in sources)
            self._stage(table.name, f"SELECT * REPLACE ({marked} AS vanished_at) FROM ({everything})", "overwrite")
            if part is not None:
                self.lake.discard(Staged(**s) for s in part["staged"])
            self._touch(keys)

    def _quarantine(self) -> None:
        """What broke its contract."""
        select = quarantined(self.judged, self.number, self.now)
        if select is not None:
            self._stage(QUARANTINE.name, select, "append")
            self.con.unregister(REFUSED)

    def _stage(self, table: str, select: str, mode: str, many: int | None = None) -> None:
        # The small maps must stay on the build side: without spill the optimiser may put the wide batch there (measured:
        # 4 M rows died at 4 GB).
        self.con.execute("SET disabled_optimizers='build_side_probe_side,join_order'")
        try:
            hint = self.chunk.rows + (self.lake.rows(table) if mode == "overwrite" else 0)
            staged = self.lake.stage(self.con, table, select, rows_hint=hint if many is None else many)
        finally:
            self.con.execute("SET disabled_optimizers=''")
        if not staged and mode == "append":
            return
        part = self.tables.get(table)
        if part is not None and mode == "append":
            part["staged"] += [asdict(s) for s in staged]
        else:
            self.tables[table] = {"mode": mode, "staged": [asdict(s) for s in staged]}
