"""A batch's rows -> CONSENTS: each answer to a purpose, also those of row versions that the same chunk replaced.

Of a state (a CRM's record) only the newest version becomes a row, but an answer counts from the version in which it
changed (trust/consent.py), and a chunk may hold several versions that another workspace took one by one.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from tessera.data.intake import ANSWERS, Intake
from tessera.data.landed import Vault
from tessera.data.raw import LATEST_WINS
from tessera.lake.engine import Connection, literal, name, value

SCRATCH = ("answered", "older")
"""Tables of one batch, in the connection alone."""

_CASES = (f"WHEN a IN ({', '.join(map(literal, words))}) THEN {literal(state)}" for state, words in ANSWERS.items())
STATE = f"CASE {' '.join(_CASES)} END"
"""SQL: what an answer means; NULL where nobody understands it."""


def answers(con: Connection, intake: Intake, vault: Vault, batch: int, now: datetime) -> str:
    """The SELECT of what the batch adds to CONSENTS, over landing's tables `reading`, `ids`, `bad` and `good`.

    Answers of a row without a time are of the moment of the batch. Replaced versions have no sealed record.
    """
    told = "SELECT rn, unnest(_consent, recursive := true) FROM reading WHERE _consent IS NOT NULL"
    kept = f"""SELECT a.p, {STATE} AS state, a.s, a.w, a.l, a.u, g.seen_at, g.record_id, {intake.subject("g")} AS key_id
               FROM ({told}) a JOIN good g ON a.rn = g.rn"""
    if _older(con, intake, vault):
        kept += """ UNION ALL SELECT DISTINCT a.p, a.state, a.s, a.w, a.l, a.u, o.seen_at, NULL::BIGINT AS record_id, o.key_id
                    FROM answered a JOIN older o ON a.rn = o.rn"""
    return f"""
        SELECT key_id, p AS purpose, state, coalesce(seen_at, {literal(now.isoformat())}::TIMESTAMPTZ) AS occurred_at,
               u AS until, w AS wording, l AS language, s AS source, record_id, {batch} AS batch
        FROM ({kept}) WHERE state IS NOT NULL AND key_id IS NOT NULL"""


def _older(con: Connection, intake: Intake, vault: Vault) -> bool:
    """Makes `older` (rn, seen_at, key_id) and `answered` (rn, p, state, s, w, l, u): replaced versions that answer a purpose,
    but for those of suppressed people. One without a time is left out: when it was said, only its successor knows."""
    if intake.table.name not in LATEST_WINS or not intake.kinds:
        return False
    replaced = "SELECT rn FROM ids WHERE seen_at IS NOT NULL AND rn IN (SELECT rn FROM bad WHERE why = 'double')"
    if value(con, f"SELECT count(*) FROM ({replaced})") == 0:
        return False
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE answered AS SELECT * FROM (SELECT rn, p, {STATE} AS state, s, w, l, u FROM (
                SELECT r.rn, unnest(r._consent, recursive := true) FROM reading r SEMI JOIN ({replaced}) d ON r.rn = d.rn))
            WHERE state IS NOT NULL"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE older AS SELECT *, {intake.subject_kind} AS whose, NULL::INTEGER AS key_id FROM ids
            SEMI JOIN answered USING (rn)"""
    )
    # Suppressed people first, so that nothing of them is given a number; then a number for whose the answer is, and for
    # no other identifier of the row: a number that no table has is one that no erasure finds.
    for kind in intake.kinds:
        _resolve(con, vault, kind, "TRUE", mint=False)
        con.execute(f"DELETE FROM older WHERE {name('_id_' + kind)} IN (SELECT x FROM resolved WHERE k < 0)")
    for kind in intake.kinds:
        mine = f"whose = {literal(kind)}"
        _resolve(con, vault, kind, mine, mint=True)
        con.execute(f"UPDATE older SET key_id = k FROM resolved WHERE {name('_id_' + kind)} = x AND {mine}")
    con.execute("DROP TABLE resolved")
    return True


def _resolve(con: Connection, vault: Vault, kind: str, where: str, *, mint: bool) -> None:
    """Makes `resolved` (x, k): the keys of one kind of identifiers of `older`."""
    column = name("_id_" + kind)
    select = f"SELECT DISTINCT {column} AS x FROM older WHERE {column} IS NOT NULL AND {where}"
    found = con.sql(select).to_arrow_table().column(0)
    keys = pa.array(vault.resolve(kind, found.to_pylist(), mint=mint), pa.int32())
    con.register("pairs", pa.table({"x": found, "k": keys}))
    con.execute("CREATE OR REPLACE TEMP TABLE resolved AS SELECT x, k FROM pairs")
    con.unregister("pairs")
