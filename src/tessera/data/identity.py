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

from tessera.lake.engine import Connection
from tessera.lake.state import State
from tessera.lake.view import View
from tessera.words import KINDS

Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

PRIVATE = ("records", "orders", "order_lines", "payments", "consents", "activity")
"""Tables beside `links` whose keys are persons."""

LINK = "key_a, kind_a, key_b, kind_b"

PAIR = 32
"""Two keys in one number: the first above this bit, the second below."""


def hot(caps: Mapping[str, int]) -> str:
    """SQL over `edges`, each pair once: keys linked to more user ids (or, without any, e-mails) than their kind's cap."""
    cases = " ".join(f"WHEN {i} THEN {caps[kind]}" for i, kind in enumerate(KINDS, 1) if kind in caps)
    return f"""
        SELECT key_b AS key_id, any_value(kind_b) AS kind,
               coalesce(nullif(count(*) FILTER (kind_a = 1), 0), count(*) FILTER (kind_a = 2)) AS joins
        FROM edges GROUP BY key_b HAVING joins > CASE any_value(kind_b) {cases} ELSE 2147483647 END"""


def resolve(
    con: Connection, views: Mapping[str, View], caps: Mapping[str, int], state: State, *, since: int | None = None
) -> tuple[pa.Table, bool]:
    """MEMBERSHIP anew: key_id, person_id, one row per known key; and whether it differs from what it was.

    views: links, the tables of PRIVATE, and membership as it is. since: membership holds for all batches up to this one,
    and since then rows were only added; then only the persons near to what is new are resolved again. Ids come from the
    counter "person" and are never given twice; the same input gives the same partition, whatever the order in which it
    came.

    Keys are dense numbers, so that arrays by key stand in for joins (measured on 4.5 M keys: a quarter of the time).
    """
    news = "" if since is None else f" WHERE batch > {since}"
    links = _columns(con, f"SELECT {LINK} FROM {views['links'].sql} AS v{news}")
    ends = links[::2] if since is None else _columns(con, f"SELECT key_a, key_b FROM {views['links'].sql}")
    named = [_columns(con, f"SELECT key_id FROM {views[t].sql}") for t in PRIVATE]
    named.append(_columns(con, f"SELECT email_key, phone_key FROM {views['records'].sql}"))
    key, person = _columns(con, f"SELECT key_id, person_id FROM {views['membership'].sql}")
    columns = [*ends, *(c for some in named for c in some)]
    top = max((int(c.max()) for c in columns if len(c)), default=0) + 1
    known = np.zeros(top, dtype=bool)
    for column in columns:
        known[column] = True
    persons = np.full(top, -1, dtype=np.int64)
    here = key < top
    persons[key[here]] = person[here]
    was, area = persons.copy(), known
    if since is not None:
        area = known & _near(con, views["links"], links, known & (persons < 0), persons, caps, since)
        links = _about(con, views["links"], area)
    keys = np.flatnonzero(area)
    parts = _parts(_joining(links, caps, top), area, keys)
    persons[keys] = _named(keys, parts, persons[keys], state)
    keys = np.flatnonzero(known)
    differs = not np.array_equal(was, np.where(known, persons, -1)) or not here.all()
    # A person's keys lie together: to find them is to read one row group.
    packed = np.sort(persons[keys] << PAIR | keys)
    keys, persons = packed & ((1 << PAIR) - 1), packed >> PAIR
    made = pa.table({"key_id": pa.array(keys, pa.int32()), "person_id": pa.array(persons, pa.int32())})
    return made, differs


def moved(con: Connection, was: str, now: str) -> Ints:
    """The persons whose keys differ between two states of MEMBERSHIP (relations): who joined, split, came or left."""
    told = [_columns(con, f"SELECT key_id, person_id FROM {relation} AS r") for relation in (was, now)]
    top = max((int(key.max()) for key, _ in told if len(key)), default=0) + 1
    old, new = (np.full(top, -1, dtype=np.int32) for _ in told)
    for persons, (key, person) in zip((old, new), told, strict=True):
        persons[key] = person
    differ = old != new
    persons = np.unique(np.concatenate([old[differ], new[differ]]))
    return persons[persons >= 0].astype(np.int64)


def _columns(con: Connection, select: str) -> list[Ints]:
    """The columns of an answer of whole numbers, each without its NULLs."""
    found = con.execute(select).fetchnumpy()
    return [c.compressed() if isinstance(c, np.ma.MaskedArray) else c for c in found.values()]


def _once(values: Ints) -> Ints:
    """The distinct values, sorted (np.unique hashes since numpy 2.3: measured on 5.8 M pairs, six times slower)."""
    values = np.sort(values)
    fresh = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=fresh[1:])
    return values[fresh]


def _about(con: Connection, links: View, keys: Flags, end: str = "key_b") -> list[Ints]:
    """The links whose second key (or the other `end`) is one of these, with their batch."""
    con.register("near", pa.table({end: pa.array(np.flatnonzero(keys), pa.int32())}))
    try:
        return _columns(con, f"SELECT {LINK}, batch FROM {links.sql} AS v SEMI JOIN near USING ({end})")
    finally:
        con.unregister("near")


def _near(
    con: Connection, view: View, news: list[Ints], new: Flags, persons: Ints, caps: Mapping[str, int], since: int
) -> Flags:
    """The keys whose person may be another one now: those of all persons who have a key that is new, stands in a new
    link, or is linked to one that has become hot, or is so no more. news: the new links; new: the new keys.

    No other key can change: a link that joins is within one person, and one that does not join has a hot end.
    """
    near = new.copy()
    near[news[0]] = near[news[2]] = True
    *links, batch = _about(con, view, near)
    before = [column[batch <= since] for column in links]
    turned = _barred(before, _once(_pairs(before)), caps, len(near)) != _barred(links, _once(_pairs(links)), caps, len(near))
    if turned.any():
        near[links[0][turned[links[2]]]] = near[_about(con, view, turned, "key_a")[2]] = True
    whose = np.zeros(int(persons.max(initial=-1)) + 2, dtype=bool)
    whose[persons[near]] = True
    # Who is nobody yet points at the last place, and is near by being new.
    whose[-1] = False
    return near | whose[persons]


def _pairs(links: list[Ints]) -> Ints:
    return (links[0].astype(np.int64) << PAIR) | links[2]


def _barred(links: list[Ints], pairs: Ints, caps: Mapping[str, int], top: int) -> Flags:
    """Which keys are hot (see `hot`), as far as these links hold all of a key's. pairs: of the links, each once."""
    kinds = np.zeros(top, dtype=np.int8)
    kinds[links[0]], kinds[links[2]] = links[1], links[3]
    a, b = pairs >> PAIR, pairs & ((1 << PAIR) - 1)
    linked = np.zeros(top, dtype=bool)
    linked[b] = True
    ends = np.flatnonzero(linked)
    place = np.zeros(top, dtype=np.int32)
    place[ends] = np.arange(len(ends), dtype=np.int32)
    users, mails = (np.bincount(place[b[kinds[a] == kind]], minlength=len(ends)) for kind in (1, 2))
    most = np.array([top, *(caps.get(kind, top) for kind in KINDS)])
    barred = np.zeros(top, dtype=bool)
    barred[ends[np.where(users > 0, users, mails) > most[kinds[ends]]]] = True
    return barred


def _joining(links: list[Ints], caps: Mapping[str, int], top: int) -> tuple[Ints, Ints]:
    """The pairs that make one person, each once, sorted: those without a hot identifier."""
    pairs = _once(_pairs(links))
    barred = _barred(links, pairs, caps, top)
    a, b = pairs >> PAIR, pairs & ((1 << PAIR) - 1)
    free = ~(barred[a] | barred[b])
    return a[free], b[free]


def _parts(joined: tuple[Ints, Ints], area: Flags, keys: Ints) -> Ints:
    """The part of each key of an area (keys: the same, ascending); the pairs are sorted, as a matrix by rows wants them."""
    # Imported here: it takes a tenth of a process's start, and only turns resolve.
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    a, b = joined
    inside = area[a] & area[b]
    place = np.zeros(len(area), dtype=np.int32)
    place[keys] = np.arange(len(keys), dtype=np.int32)
    starts = np.zeros(len(keys) + 1, dtype=np.int32)
    np.cumsum(np.bincount(place[a[inside]], minlength=len(keys)), out=starts[1:])
    ends = place[b[inside]]
    graph = csr_matrix((np.ones(len(ends), np.int8), ends, starts), shape=(len(keys), len(keys)))
    _, parts = connected_components(graph, directed=False)
    labels: Ints = parts.astype(np.int64)
    return labels


def _named(keys: Ints, parts: Ints, before: Ints, state: State) -> Ints:
    """Each part's person id: the oldest of those whose majority it holds, else a new one in the order of its keys.

    keys: ascending. parts, before: of each key, its part and its person until now (-1: none).
    """
    if len(keys) == 0:
        return keys
    lowest = np.zeros(int(parts.max()) + 1, dtype=np.int64)
    lowest[parts[::-1]] = keys[::-1]
    chosen = np.full(len(lowest), -1, dtype=np.int64)
    known = before >= 0
    if known.any():
        person, home = _homes(parts[known], before[known], lowest)
        # What is written last stays: of several persons the oldest.
        chosen[home[::-1]] = person[::-1]
    new = np.flatnonzero(chosen < 0)
    new = new[lowest[new] > 0]
    if len(new):
        new = new[np.argsort(lowest[new])]
        start = state.next("person", len(new))
        chosen[new] = np.arange(start, start + len(new))
    return chosen[parts]


def _homes(parts: Ints, persons: Ints, lowest: Ints) -> tuple[Ints, Ints]:
    """For each person, ascending, the part that holds most of her keys; of two equal ones that with the lowest key."""
    home = np.full(int(persons.max()) + 1, -1, dtype=np.int64)
    home[persons] = parts
    torn = np.zeros(len(home), dtype=bool)
    torn[persons[home[persons] != parts]] = True
    if torn.any():
        mine = torn[persons]
        # One number for each (person, part): sorting one column is many times quicker than sorting two.
        packed, held = np.unique(persons[mine] * len(lowest) + parts[mine], return_counts=True)
        person, part = packed // len(lowest), packed % len(lowest)
        order = np.lexsort((lowest[part], -held, person))
        person, part = person[order], part[order]
        first = np.ones(len(person), dtype=bool)
        first[1:] = person[1:] != person[:-1]
        home[person[first]] = part[first]
    known = np.flatnonzero(home >= 0)
    return known, home[known]
