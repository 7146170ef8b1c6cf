"""One chunk judged: which of its rows land, whose they are, and which are broken, doubles, or of people who were erased.

Its results are tables of the landing connection: `good` (rn, seen_at, a key for each kind of identifier, record_id),
`broken` (rn, _violation), `rowkeys` (the keys of all rows), and `reading`, the rows as `reading` has them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from tessera.data import landing_consents
from tessera.data.chunk import Chunk
from tessera.data.intake import Intake
from tessera.data.intake_reading import reading
from tessera.data.landed import Landed
from tessera.data.raw import LATEST_WINS
from tessera.lake.engine import Connection, literal, name, rows, value
from tessera.trust import traces
from tessera.words import KINDS

if TYPE_CHECKING:
    from tessera.data.landing import Landing

MOST_ODD = 0.1
"""Share of a chunk's rows that may be held whole, of a chunk that is read in place."""

MOST_KNOWN = 6_000_000
"""Identifiers, about 60 bytes each, whose keys are remembered from chunk to chunk and from source to source."""

SCRATCH = ("ids", "bad", "rowkeys", "good", "broken", "suspects", "before", "named", "touched_orders")
"""Tables of one batch, in the connection alone."""


class Judged:
    """The passes over one chunk that find out what becomes of each row; `landed` counts them.

    plain: the chunk is read in place, see `Intake.plain`. odd: the relation in which rows are whole that have something
    to seal, are broken or may be doubles.
    """

    def __init__(self, landing: Landing, con: Connection, intake: Intake, chunk: Chunk, landed: Landed) -> None:
        self.landing, self.con, self.intake, self.chunk, self.landed = landing, con, intake, chunk, landed
        self.lake, self.vault, self.state = landing.lake, landing.vault, landing.lake.state
        self.contract, self.table = intake.contract, intake.table
        self.types: dict[str, str] = {}
        self.plain = chunk.table is None and intake.plain(chunk.columns)
        self.odd = "odd" if self.plain else "reading"

    def judge(self) -> None:
        """All passes, in their order."""
        self._read()
        self._names()
        self._suspect()
        self._gather()
        self._doubles()
        self._keys()

    def leave(self) -> None:
        """Drops all that the batch has made in the connection."""
        for table in (*SCRATCH, *landing_consents.SCRATCH, *(("odd", "odd_rows") if self.plain else ("reading",))):
            self.con.execute(f"DROP TABLE IF EXISTS {table}")
        if self.plain:
            self.con.execute("DROP VIEW IF EXISTS reading")
        if self.chunk.table is not None:
            self.con.unregister(self.chunk.relation)

    def _read(self) -> None:
        """The narrow columns of all rows, once: row number, verdict, identifiers, the row's own name."""
        con, chunk = self.con, self.chunk
        if chunk.table is not None:
            con.register(chunk.relation, chunk.table)
        self.types = {r[0]: str(r[1]) for r in rows(con, f"DESCRIBE SELECT * FROM {chunk.relation}")}
        select = reading(self.intake, chunk, self.types)
        if not self.plain:
            con.execute(f"CREATE TEMP TABLE reading AS {select}")
            select = "SELECT * FROM reading"
        ids = "".join(f", {name('_id_' + k)}" for k in self.intake.kinds)
        ids += "".join(f", {name('_loose_' + k)}" for k in self.intake.loose)
        keyed = ", row_key, row_hash" if "row_key" in self.table.names else ""
        seen = "occurred_at" if "occurred_at" in self.table.names else "NULL::TIMESTAMPTZ"
        con.execute(
            f"""CREATE OR REPLACE TEMP TABLE ids AS SELECT rn, _violation, _odd, {seen} AS seen_at{ids}{keyed},
                CASE WHEN _uniq IS NOT NULL THEN hash(_uniq) END AS h FROM ({select})"""
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
            con.execute(f"CREATE OR REPLACE TEMP VIEW reading AS {reading(self.intake, self.chunk, self.types)}")
            return
        some = replace(self.chunk, relation=f"(SELECT * FROM {self.chunk.relation} SEMI JOIN odd_rows USING (rn))")
        con.execute(f"CREATE OR REPLACE TEMP TABLE odd AS {reading(self.intake, some, self.types)}")
        plain = reading(self.intake, self.chunk, self.types, clean=True)
        con.execute(
            f"""CREATE OR REPLACE TEMP VIEW reading AS SELECT * FROM ({plain}) ANTI JOIN odd_rows USING (rn)
                UNION ALL BY NAME SELECT * FROM odd"""
        )

    def _names(self) -> None:
        """Rows of a source that come again as they were are no news."""
        if self.contract.sync == "snapshot" and "vanished_at" in self.table.names:
            self.con.execute("INSERT INTO present SELECT _uniq FROM reading WHERE _uniq IS NOT NULL")
        if "row_key" not in self.table.names:
            return
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
        self._resolve()
        # The rows a contract refuses are kept sealed, so their keys are looked up too: an erasure has to find them.
        joins = "".join(f" LEFT JOIN known_{k} ON ids.{name('_id_' + k)} = known_{k}.x" for k in kinds)
        columns = "".join(f", known_{k}.k AS {k}" for k in kinds)
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
        self._before_return()
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

    def _resolve(self) -> None:
        """Adds to known_<kind> (x, k) the keys of the batch's identifiers that it does not have.

        The vault looks up one kind while the engine gathers the next: each leaves one core idle.
        """
        con, found = self.con, []
        with ThreadPoolExecutor(1) as vault:
            for kind in reversed(self.intake.kinds):
                for mint, select in self._asked(kind):
                    texts = con.sql(select).to_arrow_table().column(0)
                    found.append((kind, texts, vault.submit(self.vault.resolve, kind, texts.to_pylist(), mint=mint)))
        for kind, texts, keys in found:
            con.register("minted", pa.table({"x": texts, "k": pa.array(keys.result(), pa.int32())}))
            con.execute(f"INSERT INTO known_{kind} SELECT x, nullif(k, 0) AS k FROM minted")
            con.unregister("minted")

    def _asked(self, kind: str) -> list[tuple[bool, str]]:
        """SELECTs of the identifiers of a kind to look up, each with whether a new one gets a number."""
        intake, column = self.intake, name("_id_" + kind)
        told = f"""SELECT DISTINCT {column} AS x FROM ids ANTI JOIN (SELECT rn FROM bad WHERE why <> 'broken') b USING (rn)
                   ANTI JOIN known_{kind} known ON known.x = {column} WHERE {column} IS NOT NULL"""
        if kind not in intake.loose or f"{kind}_key" in self.table.names:
            return [(True, told)]
        # One that joins nothing gets no new number where no table would have it: no erasure would find that.
        kept = f"NOT {name('_loose_' + kind)} OR _violation IS NOT NULL OR {intake.subject_kind} = {literal(kind)}"
        minted = f"{told} AND ({kept})"
        return [(True, minted), (False, f"{told} AND {column} NOT IN ({minted})")]

    def _before_return(self) -> None:
        """Rows that are older than their person's own return after an erasure, or do not say how old, are not taken."""
        since = self.state.items(traces.LIFTED) if self.intake.kinds else {}
        if not since:
            return
        keys, moments = pa.array(map(int, since), pa.int32()), pa.array(list(since.values()), pa.string())
        self.con.register("returned", pa.table({"key_id": keys, "since": moments}))
        hers = " OR ".join(f"{kind} = key_id" for kind in self.intake.kinds)
        self.landed.suppressed += self._bad(
            "suppressed",
            f"""SELECT DISTINCT rn FROM rowkeys JOIN returned ON {hers}
                WHERE seen_at IS NULL OR seen_at < since::TIMESTAMPTZ""",
        )
        self.con.unregister("returned")

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
        erasures, many = self.state.get("counter", "erasure"), 0
        for kind in KINDS:
            self.con.execute(f"CREATE TABLE IF NOT EXISTS known_{kind}(x VARCHAR, k INTEGER)")
            many += int(value(self.con, f"SELECT count(*) FROM known_{kind}"))
        stale = many > MOST_KNOWN or self.landing.known_at != erasures
        for kind in KINDS:
            self.con.execute(f"DELETE FROM known_{kind}" + ("" if stale else " WHERE coalesce(k, 0) <= 0"))
        self.landing.known_at = erasures

    def _bad(self, why: str, select: str) -> int:
        """Marks rows that do not land; a broken row of a suppressed person is marked again, so that it is not kept."""
        before = int(value(self.con, "SELECT count(*) FROM bad"))
        known = "SELECT rn FROM bad WHERE why <> 'broken'" if why == "suppressed" else "SELECT rn FROM bad"
        self.con.execute(
            f"INSERT INTO bad SELECT rn, {literal(why)} FROM ({select}) AS x ANTI JOIN ({known}) b USING (rn)"
        )
        return int(value(self.con, "SELECT count(*) FROM bad")) - before
