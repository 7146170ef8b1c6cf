"""One chunk on its way into the lake: its passes over the rows, and the files they leave for the manifest."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tessera.data import landing_consents, orders
from tessera.data.chunk import Chunk
from tessera.data.intake import Intake
from tessera.data.landed import Landed, Vault, numbered
from tessera.data.raw import LATEST_WINS, LINKS, ORDERS, QUARANTINE, TOUCHED
from tessera.lake.engine import Connection, literal, mapped, name, rows, value
from tessera.lake.store import Staged
from tessera.trust import traces
from tessera.trust.tables import CONSENTS
from tessera.words import KINDS

if TYPE_CHECKING:
    from tessera.data.landing import Landing

KIND_CODES = {kind: i for i, kind in enumerate(KINDS, 1)}

MOST_ODD = 0.1
"""Share of a chunk's rows that may be held whole, of a chunk that is read in place."""

MOST_KNOWN = 3_000_000
"""Identifiers of a kind, about 70 bytes each, whose keys are remembered from chunk to chunk."""

SCRATCH = ("ids", "bad", "rowkeys", "good", "broken", "suspects", "before", "named", "touched_orders")
"""Tables of one batch, in the connection alone."""


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
        self.types: dict[str, str] = {}
        self.plain = chunk.table is None and intake.plain(chunk.columns)
        self.odd = "odd" if self.plain else "reading"

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
                    "progress": [[s, k, v] for (s, k), v in self._progress().items()],
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
            self._read()
            self._names()
            self._suspect()
            self._gather()
            self._doubles()
            self._keys()
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
        if not self.chunk.rows:
            return
        for table in (*SCRATCH, *landing_consents.SCRATCH, *(("odd", "odd_rows") if self.plain else ("reading",))):
            self.con.execute(f"DROP TABLE IF EXISTS {table}")
        if self.plain:
            self.con.execute("DROP VIEW IF EXISTS reading")
        if self.chunk.table is not None:
            self.con.unregister(self.chunk.relation)

    def _progress(self) -> dict[tuple[str, str], Any]:
        """A snapshot is remembered only when it was read to its end: what vanished is known only then."""
        return self.chunk.progress if self.chunk.last or self.contract.sync != "snapshot" else {}

    def _read(self) -> None:
        """The narrow columns of all rows, once: row number, verdict, identifiers, the row's own name."""
        con, chunk = self.con, self.chunk
        if chunk.table is not None:
            con.register(chunk.relation, chunk.table)
        self.types = {r[0]: str(r[1]) for r in rows(con, f"DESCRIBE SELECT * FROM {chunk.relation}")}
        reading = self.intake.reading(chunk, self.types)
        if not self.plain:
            con.execute(f"CREATE TEMP TABLE reading AS {reading}")
            reading = "SELECT * FROM reading"
        ids = "".join(f", {name('_id_' + k)}" for k in self.intake.kinds)
        ids += "".join(f", {name('_loose_' + k)}" for k in self.intake.loose)
        keyed = ", row_key, row_hash" if "row_key" in self.table.names else ""
        seen = "occurred_at" if "occurred_at" in self.table.names else "NULL::TIMESTAMPTZ"
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE ids AS SELECT rn, _violation, _odd, {seen} AS seen_at{ids}{keyed},
                CASE WHEN _uniq IS NOT NULL THEN hash(_uniq) END AS h FROM ({reading})"""
        )
        con.execute("CREATE OR REPLACE TEMP TABLE bad AS SELECT rn, 'broken' AS why FROM ids WHERE _violation IS NOT NULL")

    def _gather(self) -> None:
        """Of a chunk that is read in place: the few odd rows whole, and `reading` as these and the plain ones.

        A row is odd that may have something to seal, is broken, or may be a double; of the others no text has to be
        looked into again. Where too many are odd to be held, each pass looks anew.
        """
        if not self.plain:
            return
        con = self.con
        con.execute(
            """CREATE OR REPLACE TEMP TABLE odd_rows AS SELECT rn FROM ids WHERE _odd OR _violation IS NOT NULL
               UNION SELECT rn FROM suspects"""
        )
        if value(con, "SELECT count(*) FROM odd_rows") > self.chunk.rows * MOST_ODD:
            self.odd = "reading"
            con.execute(f"CREATE OR REPLACE TEMP VIEW reading AS {self.intake.reading(self.chunk, self.types)}")
            return
        some = replace(self.chunk, relation=f"(SELECT * FROM {self.chunk.relation} SEMI JOIN odd_rows USING (rn))")
        con.execute(f"CREATE OR REPLACE TEMP TABLE odd AS {self.intake.reading(some, self.types)}")
        plain = self.intake.reading(self.chunk, self.types, clean=True)
        con.execute(
            f"""CREATE OR REPLACE TEMP VIEW reading AS SELECT * FROM ({plain}) ANTI JOIN odd_rows USING (rn)
                UNION ALL BY NAME SELECT * FROM odd"""
        )

    def _names(self) -> None:
        """Rows of a source that come again as they were are no news."""
        if "row_key" not in self.table.names:
            return
        if self.contract.sync == "snapshot":
            self.con.execute("INSERT INTO present SELECT row_key FROM ids WHERE row_key IS NOT NULL")
        known = self.lake.relation(self.table.name)
        self.landed.unchanged = self._bad(
            "unchanged",
            f"""SELECT rn FROM ids SEMI JOIN (SELECT row_key, row_hash FROM {known}
                WHERE source = {literal(self.contract.name)} AND vanished_at IS NULL) AS k
                ON ids.row_key = k.row_key AND ids.row_hash = k.row_hash""",
        )

    def _suspect(self) -> None:
        """Rows whose name may have come before, by its hash: in this chunk, or (where the first stays) in the table."""
        con, table = self.con, self.table
        con.execute("CREATE OR REPLACE TEMP TABLE suspects(rn BIGINT)")
        con.execute("CREATE OR REPLACE TEMP TABLE before(u VARCHAR)")
        named = [c for c in table.unique if c != "source"]
        if self.chunk.replaced:
            listed = ", ".join(map(str, self.chunk.replaced))
            self._bad("double", f"SELECT rn FROM ids WHERE rn IN ({listed})")
        if not named or value(con, "SELECT count(h) FROM ids") == 0:
            return
        con.execute(
            """INSERT INTO suspects SELECT rn FROM ids WHERE h IN (SELECT h FROM ids ANTI JOIN bad USING (rn)
               WHERE h IS NOT NULL GROUP BY h HAVING count(*) > 1)"""
        )
        if table.name not in LATEST_WINS and self.lake.rows(table.name):
            theirs = " || chr(31) || ".join(f"{name(c)}::VARCHAR" for c in named)
            con.execute(
                f"""INSERT INTO before SELECT {theirs} AS u FROM {self.lake.relation(table.name)}
                    WHERE source = {literal(self.contract.name)}
                    AND hash({theirs}) IN (SELECT h FROM ids WHERE h IS NOT NULL)"""
            )
            con.execute("INSERT INTO suspects SELECT rn FROM ids WHERE h IN (SELECT hash(u) FROM before)")

    def _doubles(self) -> None:
        """Rows whose name came before: the suspects' names themselves decide."""
        con, table = self.con, self.table
        if not value(con, "SELECT count(*) FROM suspects"):
            return
        when = "occurred_at" if "occurred_at" in table.names else "NULL::TIMESTAMPTZ"
        order = f"{when} DESC NULLS LAST, rn DESC" if table.name in LATEST_WINS else "rn"
        suspect = f"SELECT rn, _uniq, {when} FROM {self.odd} SEMI JOIN suspects USING (rn) ANTI JOIN bad USING (rn)"
        self.landed.doubles += self._bad(
            "double",
            f"""SELECT rn FROM (SELECT rn, row_number() OVER (PARTITION BY _uniq ORDER BY {order}) AS place
                FROM ({suspect})) WHERE place > 1""",
        )
        self.landed.doubles += self._bad("double", f"SELECT rn FROM ({suspect}) WHERE _uniq IN (SELECT u FROM before)")

    def _keys(self) -> None:
        """Identifiers to key_ids, once per distinct value; rows of suppressed people are not taken."""
        con, kinds = self.con, self.intake.kinds
        self._forget_known()
        # The rows a contract refuses are kept sealed, so their keys are looked up too: an erasure has to find them.
        joins, columns = "", ""
        for kind in kinds:
            column = name("_id_" + kind)
            self._resolve(kind)
            joins += f" LEFT JOIN known_{kind} ON ids.{column} = known_{kind}.x"
            columns += f", known_{kind}.k AS {kind}"
        columns += "".join(f", ids.{name('_loose_' + kind)}" for kind in self.intake.loose)
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE rowkeys AS SELECT ids.rn, ids.seen_at, ids._violation{columns} FROM ids{joins}"
        )
        if self.plain:
            # The texts of the identifiers are done with, and the rows' turn in memory comes now.
            con.execute("DROP TABLE ids")
        if kinds:
            least = f"least({', '.join(f'coalesce({k}, 0)' for k in kinds)})" if len(kinds) > 1 else kinds[0]
            n = self._bad("suppressed", f"SELECT rn FROM rowkeys WHERE {least} < 0")
            self.landed.suppressed = n
        self._orders_gone()
        con.execute(
            """CREATE OR REPLACE TEMP TABLE good AS SELECT rowkeys.* EXCLUDE (_violation), NULL::BIGINT AS record_id
               FROM rowkeys ANTI JOIN bad USING (rn)"""
        )
        con.execute(
            """CREATE OR REPLACE TEMP TABLE broken AS SELECT rn, _violation FROM rowkeys SEMI JOIN
               (SELECT rn FROM bad WHERE why = 'broken') b USING (rn) ANTI JOIN
               (SELECT rn FROM bad WHERE why = 'suppressed') s USING (rn)"""
        )
        self.landed.kept = int(value(con, "SELECT count(*) FROM good"))

    def _resolve(self, kind: str) -> None:
        """Adds to known_<kind> (x, k) the keys of those of the batch's identifiers of a kind that it does not have."""
        con, intake, column = self.con, self.intake, name("_id_" + kind)
        taken = f"""ids ANTI JOIN (SELECT rn FROM bad WHERE why <> 'broken') b USING (rn)
                    ANTI JOIN known_{kind} known ON known.x = {column}"""
        told = f"SELECT DISTINCT {column} AS x FROM {taken} WHERE {column} IS NOT NULL"
        lookups = {True: told}
        if kind in intake.loose and f"{kind}_key" not in self.table.names:
            # One that joins nothing gets no new number where no table would have it: no erasure would find that.
            kept = f"NOT {name('_loose_' + kind)} OR _violation IS NOT NULL OR {intake.subject_kind} = {literal(kind)}"
            minted = f"{told} AND ({kept})"
            lookups = {True: minted, False: f"{told} AND {column} NOT IN ({minted})"}
        found = pa.concat_tables([numbered(con, self.vault, kind, s, mint=mint) for mint, s in lookups.items()])
        con.register("minted", found)
        con.execute(f"INSERT INTO known_{kind} SELECT x, nullif(k, 0) AS k FROM minted")
        con.unregister("minted")

    def _orders_gone(self) -> None:
        """Rows without an owner that hang on an erased person's order are not taken."""
        gone = self.state.items(traces.GONE) if traces.LEADS in self.table.names else {}
        if not gone:
            return
        self.con.register("gone", pa.table({"mark": pa.array(gone, pa.string())}))
        nobodys = "".join(f" AND k.{kind} IS NULL" for kind in self.intake.kinds)
        mark = traces.row_mark(self.landing.salt, f"r.{traces.LEADS}")
        self.landed.suppressed += self._bad(
            "suppressed",
            f"""SELECT r.rn FROM reading r JOIN rowkeys k ON k.rn = r.rn
                WHERE r.{traces.LEADS} IS NOT NULL{nobodys} AND {mark} IN (SELECT mark FROM gone)""",
        )
        self.con.unregister("gone")

    def _forget_known(self) -> None:
        """Keeps which key an identifier has from chunk to chunk: the vault then looks up only those that are new.

        Not the suppressed (a person's own act may let her in meanwhile), not after an erasure, and not too many.
        """
        erasures = self.state.get("counter", "erasure")
        for kind in self.intake.kinds:
            self.con.execute(f"CREATE TABLE IF NOT EXISTS known_{kind}(x VARCHAR, k INTEGER)")
            many = int(value(self.con, f"SELECT count(*) FROM known_{kind}"))
            if many > MOST_KNOWN or self.landing.known_at != erasures:
                self.con.execute(f"DELETE FROM known_{kind}")
            else:
                self.con.execute(f"DELETE FROM known_{kind} WHERE coalesce(k, 0) <= 0")
        self.landing.known_at = erasures

    def _records(self) -> None:
        """Seals what each row has to hide, and notes the number of its record."""
        con = self.con
        found = f"SELECT r.rn, r._blob FROM {self.odd} r SEMI JOIN good g ON r.rn = g.rn WHERE r._blob IS NOT NULL"
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
        con, table = self.con, self.table
        if not self.landed.kept:
            return
        subject = self.intake.subject('g')
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
                known = _has(con, "reading", "_s_" + c.name)
                special = f"CASE WHEN r.{name('_s_' + c.name)} IS NOT NULL THEN g.record_id END" if known else "NULL"
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
        if self.contract.sync != "snapshot" or not self.chunk.last or "row_key" not in table.names:
            return
        relation = self.lake.relation(table.name)
        gone = (
            f"{self._own()} AND vanished_at IS NULL AND row_key IS NOT NULL "
            "AND row_key NOT IN (SELECT row_name FROM present)"
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
        """What broke its contract, sealed as it came, with the reason and the keys that an erasure will ask for."""
        con, kinds = self.con, self.intake.kinds
        broken = _Broken()
        if self.chunk.rows and value(con, "SELECT count(*) FROM broken"):
            keys = "".join(f", k.{kind}" for kind in kinds)
            found = rows(
                con,
                f"""SELECT b._violation, r._raw{keys} FROM broken b JOIN {self.odd} r ON r.rn = b.rn
                    JOIN rowkeys k ON k.rn = b.rn""",
            )
            for violation, raw, *ks in found:
                reason, _, at = violation.partition("|")
                broken.add((raw or "").encode(), reason, at, self.chunk.shape, [k for k in ks if k and k > 0])
        for reject in self.chunk.rejects:
            broken.add(reject.text, reject.reason, reject.detail, "text", [])
        named = self.state.items(traces.NAMED)
        self.landed.suppressed += broken.recognise(self.vault, named, self.landing.salt)
        texts, cells = self._unknown(broken.texts, broken.cells())
        if not texts:
            return
        self.landed.quarantined = len(texts)
        for reason in cells["reason"]:
            self.landed.reasons[reason] = self.landed.reasons.get(reason, 0) + 1
        first = self.state.next("quarantine", len(texts))
        records = self.vault.seal(texts, self.number)
        con.register(
            "q",
            pa.table(
                {
                    "quarantine_id": pa.array(range(first, first + len(texts)), pa.int64()),
                    "record_id": pa.array(records, pa.int64()),
                    **{c: pa.array(cells[c], pa.string()) for c in ("reason", "field", "shape", "row_hash")},
                    **{f"k{i}": pa.array(cells[f"k{i}"], pa.int32()) for i in range(5)},
                }
            ),
        )
        self._stage(
            QUARANTINE.name,
            f"""SELECT quarantine_id, {literal(self.contract.name)} AS source, reason, field,
                {literal(self.now.isoformat())}::TIMESTAMPTZ AS at, 'open' AS state, shape, record_id, k0 AS key_id,
                k1 AS key_2, k2 AS key_3, k3 AS key_4, k4 AS key_5, row_hash, {self.number} AS batch FROM q""",
            "append",
        )
        con.unregister("q")

    def _unknown(self, texts: list[bytes], cells: dict[str, list[Any]]) -> tuple[list[bytes], dict[str, list[Any]]]:
        """Without the rows that wait in quarantine already: a snapshot brings its broken rows each time."""
        key = (self.intake.salt + self.contract.name).encode()
        told = (text or str(field).encode() for text, field in zip(texts, cells["field"], strict=True))
        cells["row_hash"] = ["q" + hmac.digest(key, text, "sha256")[:16].hex() for text in told]
        if not texts or not self.lake.rows(QUARANTINE.name):
            return texts, cells
        self.con.register("q", pa.table({"row_hash": pa.array(cells["row_hash"], pa.string())}))
        waiting = f"source = {literal(self.contract.name)} AND state = 'open' AND row_hash IN (SELECT row_hash FROM q)"
        select = f"SELECT DISTINCT row_hash FROM {self.lake.relation(QUARANTINE.name)} WHERE {waiting}"
        known = {r[0] for r in rows(self.con, select)}
        self.con.unregister("q")
        new = [i for i, h in enumerate(cells["row_hash"]) if h not in known]
        self.landed.unchanged += len(texts) - len(new)
        return [texts[i] for i in new], {c: [v[i] for i in new] for c, v in cells.items()}

    def _bad(self, why: str, select: str) -> int:
        """Marks rows that do not land; a broken row of a suppressed person is marked again, so that it is not kept."""
        before = int(value(self.con, "SELECT count(*) FROM bad"))
        known = "SELECT rn FROM bad WHERE why <> 'broken'" if why == "suppressed" else "SELECT rn FROM bad"
        self.con.execute(
            f"INSERT INTO bad SELECT rn, {literal(why)} FROM ({select}) AS x ANTI JOIN ({known}) b USING (rn)"
        )
        return int(value(self.con, "SELECT count(*) FROM bad")) - before

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


@dataclass
class _Broken:
    """Rows for the quarantine: what came, why it broke, and whose it may be."""

    texts: list[bytes] = field(default_factory=list)
    facts: list[tuple[str, str, str]] = field(default_factory=list)
    keys: list[list[int]] = field(default_factory=list)

    def add(self, text: bytes, reason: str, at: str, shape: str, keys: list[int]) -> None:
        self.texts.append(text)
        self.facts.append((reason, at, shape))
        self.keys.append(keys)

    def recognise(self, vault: Vault, named: Collection[str], salt: str) -> int:
        """Looks for known identifiers in the texts of rows without a key; says how many were of erased people, and
        leaves them out. named: the marks of erased people's names, by which rows without any identifier are known."""
        loose = {i: self.texts[i].decode(errors="replace") for i, keys in enumerate(self.keys) if not keys}
        for i, keys in zip(loose, traces.keys_in(list(loose.values()), vault), strict=True):
            hers = not keys and named and not traces.marks([loose[i]], salt.encode()).isdisjoint(named)
            self.keys[i] = [-1] if hers else sorted(keys)
        kept = [i for i, keys in enumerate(self.keys) if -1 not in keys]
        gone = len(self.texts) - len(kept)
        self.texts, self.facts = [self.texts[i] for i in kept], [self.facts[i] for i in kept]
        self.keys = [self.keys[i] for i in kept]
        return gone

    def cells(self) -> dict[str, list[Any]]:
        """The columns that describe them."""
        facts = {c: [f[i] for f in self.facts] for i, c in enumerate(("reason", "field", "shape"))}
        return facts | {f"k{i}": [k[i] if i < len(k) else None for k in self.keys] for i in range(5)}


def _has(con: Connection, view: str, column: str) -> bool:
    return any(r[0] == column for r in rows(con, f"DESCRIBE SELECT * FROM {view}"))

