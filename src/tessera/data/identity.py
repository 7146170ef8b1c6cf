"""LINKS, raw keys -> MEMBERSHIP: which keys are one person, with ids that are minted once.

Deterministic: two identifiers that came in one row are linked, and what is linked is one person. Guards first: an
identifier that is linked to more user ids than its cap (a family's phone, a shop's tablet) is hot and joins nobody; its
rows stay with the identifier itself. On a merge the oldest id stays; on a split the id stays with the part that holds
most of its keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from tessera.lake.engine import Connection
from tessera.lake.state import State
from tessera.lake.view import View
from tessera.words import KINDS

Ints = np.ndarray[Any, np.dtype[np.int64]]

PRIVATE = ("records", "orders", "order_lines", "payments", "consents", "activity")
"""Tables beside `links` whose keys are persons."""


def hot(caps: Mapping[str, int]) -> str:
    """SQL over `edges`: keys linked to more user ids (or, without any, e-mails) than their kind's cap."""
    cases = " ".join(f"WHEN {i} THEN {caps[kind]}" for i, kind in enumerate(KINDS, 1) if kind in caps)
    return f"""
        SELECT key_b AS key_id, any_value(kind_b) AS kind,
               coalesce(nullif(count(DISTINCT CASE WHEN kind_a = 1 THEN key_a END), 0),
                        count(DISTINCT CASE WHEN kind_a = 2 THEN key_a END)) AS joins
        FROM edges GROUP BY key_b HAVING joins > CASE any_value(kind_b) {cases} ELSE 2147483647 END"""


def resolve(con: Connection, views: Mapping[str, View], caps: Mapping[str, int], state: State) -> pa.Table:
    """MEMBERSHIP anew: key_id, person_id, one row per known key.

    views: links, the tables of PRIVATE, and membership as it is. Ids come from the counter "person" and are never given
    twice; the same input gives the same partition, whatever the order in which it came.
    """
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE edges AS SELECT DISTINCT key_a, kind_a, key_b, kind_b FROM {views["links"].sql}"""
    )
    con.execute(f"CREATE OR REPLACE TEMP TABLE hot AS {hot(caps)}")
    own = " UNION ALL ".join(f"SELECT key_id FROM {views[t].sql}" for t in PRIVATE)
    extra = f"SELECT email_key FROM {views['records'].sql} UNION ALL SELECT phone_key FROM {views['records'].sql}"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE nodes AS SELECT key_id, (row_number() OVER () - 1)::INTEGER AS i FROM (
            SELECT key_id FROM ({own} UNION ALL {extra} UNION ALL SELECT key_a FROM edges UNION ALL
            SELECT key_b FROM edges) WHERE key_id IS NOT NULL GROUP BY key_id)"""
    )
    pairs = con.sql(
        """SELECT a.i AS a, b.i AS b FROM edges e JOIN nodes a ON a.key_id = e.key_a JOIN nodes b ON b.key_id = e.key_b
           ANTI JOIN hot x ON x.key_id = e.key_a ANTI JOIN hot y ON y.key_id = e.key_b"""
    ).to_arrow_table()
    nodes = con.sql("SELECT key_id FROM nodes ORDER BY i").to_arrow_table()
    keys = np.asarray(nodes.column(0).to_numpy(), dtype=np.int64)
    old = con.sql(f"SELECT n.i, m.person_id FROM {views['membership'].sql} m JOIN nodes n USING (key_id)").to_arrow_table()
    for table in ("edges", "hot", "nodes"):
        con.execute(f"DROP TABLE {table}")
    a, b = (np.asarray(pairs.column(c).to_numpy(), dtype=np.int64) for c in (0, 1))
    links = coo_matrix((np.ones(len(a), np.int8), (a, b)), shape=(len(keys), len(keys)))
    _, parts = connected_components(links.tocsr(), directed=False)
    before = np.full(len(keys), -1, dtype=np.int64)
    before[np.asarray(old.column(0).to_numpy(), dtype=np.int64)] = old.column(1).to_numpy()
    persons = _named(keys, parts.astype(np.int64), before, state)
    order = np.argsort(keys)
    return pa.table({"key_id": pa.array(keys[order], pa.int32()), "person_id": pa.array(persons[order], pa.int32())})


def _named(keys: Ints, parts: Ints, before: Ints, state: State) -> Ints:
    """Each part's person id: the oldest of those whose majority it holds, else a new one in the order of its keys."""
    if len(keys) == 0:
        return keys
    count = int(parts.max()) + 1
    chosen = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
    known = before >= 0
    if known.any():
        lowest = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
        np.minimum.at(lowest, parts, keys)
        # One number for each (person, part): sorting one column is many times quicker than sorting two.
        packed, held = np.unique(before[known] * count + parts[known], return_counts=True)
        pairs = (packed // count, packed % count)
        # By person, then most keys, then the part with the lowest key: the first row of each person is her home.
        order = np.lexsort((lowest[pairs[1]], -held, pairs[0]))
        person, part = pairs[0][order], pairs[1][order]
        first = np.ones(len(person), dtype=bool)
        first[1:] = person[1:] != person[:-1]
        np.minimum.at(chosen, part[first], person[first])
    new = np.flatnonzero(chosen == np.iinfo(np.int64).max)
    if len(new):
        lowest = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
        np.minimum.at(lowest, parts, keys)
        new = new[np.argsort(lowest[new])]
        start = state.next("person", len(new))
        chosen[new] = np.arange(start, start + len(new))
    return chosen[parts]
