"""LINKS, MEMBERSHIP -> why: which identifiers are one person, and the rows that joined them; kinds, never values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from tessera.data import identity
from tessera.lake.engine import Connection, rows
from tessera.lake.view import View
from tessera.words import KINDS

MOST = 1_000
"""Most pairs of one answer: a shop's tablet may have met everybody."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two identifiers that stood in one row of a source. joined: whether that made them one person."""

    key_a: int
    kind_a: str
    key_b: int
    kind_b: str
    source: str
    first_seen: datetime | None
    rows: int
    joined: bool


@dataclass(frozen=True, kw_only=True)
class Hot:
    """An identifier that many share, so that it joins nobody: linked to `joins` user ids, where `cap` are allowed."""

    key: int
    kind: str
    joins: int
    cap: int


@dataclass(frozen=True, kw_only=True)
class Why:
    """How a person came together. keys: her identifiers by number, with their kind ("" if only landing knows it)."""

    person: int
    keys: dict[int, str]
    pairs: tuple[Pair, ...]
    hot: tuple[Hot, ...]
    more: int = 0


def why(con: Connection, views: Mapping[str, View], caps: Mapping[str, int], person: int) -> Why | None:
    """The evidence for one person; None if no key is hers. con: with the permissions of the views.

    views: links and membership. A hot identifier is listed with the pairs that it did not join.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE hers AS SELECT key_id FROM {views["membership"].sql}
            WHERE person_id = {int(person)}"""
    )
    keys = {int(r[0]): "" for r in rows(con, "SELECT key_id FROM hers ORDER BY key_id")}
    if not keys:
        return None
    links = views["links"].sql
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE touching AS SELECT * FROM {links}
            WHERE key_a IN (SELECT key_id FROM hers) OR key_b IN (SELECT key_id FROM hers)"""
    )
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE edges AS SELECT DISTINCT key_a, kind_a, key_b, kind_b FROM {links}
            WHERE key_b IN (SELECT key_a FROM touching UNION SELECT key_b FROM touching)"""
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE hot AS {identity.hot(caps)}")
    hot = tuple(
        Hot(key=int(key), kind=KINDS[kind - 1], joins=int(joins), cap=caps[KINDS[kind - 1]])
        for key, kind, joins in rows(con, "SELECT key_id, kind, joins FROM hot ORDER BY key_id")
    )
    found = rows(
        con,
        """SELECT key_a, kind_a, key_b, kind_b, source, min(occurred_at), sum(rows)::BIGINT,
                  key_a IN (SELECT key_id FROM hers) AND key_b IN (SELECT key_id FROM hers)
                  AND key_a NOT IN (SELECT key_id FROM hot) AND key_b NOT IN (SELECT key_id FROM hot) AS joined
           FROM touching GROUP BY ALL ORDER BY joined DESC, min(occurred_at) NULLS LAST, key_a, key_b, source""",
    )
    pairs = tuple(
        Pair(
            key_a=int(a),
            kind_a=KINDS[ka - 1],
            key_b=int(b),
            kind_b=KINDS[kb - 1],
            source=source,
            first_seen=seen,
            rows=int(n),
            joined=bool(joined),
        )
        for a, ka, b, kb, source, seen, n, joined in found[:MOST]
    )
    kinds = {p.key_a: p.kind_a for p in pairs} | {p.key_b: p.kind_b for p in pairs}
    for table in ("hers", "touching", "edges", "hot"):
        con.execute(f"DROP TABLE {table}")
    named = {key: kinds.get(key, "") for key in keys}
    return Why(person=person, keys=named, pairs=pairs, hot=hot, more=max(0, len(found) - MOST))
