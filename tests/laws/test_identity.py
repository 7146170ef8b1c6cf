"""Law: identity equals a brute-force union-find with caps, and a person's number is stable."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tessera.data.identity import PRIVATE, _named, resolve
from tessera.lake.engine import Connection, connect
from tessera.lake.state import State
from tessera.lake.view import View

CAPS = {"email": 2, "phone": 1, "device_id": 1, "anonymous_id": 1}
CODES = {2: "email", 3: "phone", 4: "device_id", 5: "anonymous_id"}
Link = tuple[int, int]

con: Connection = connect(memory="512MB", threads=1)


def kind(key: int) -> int:
    """Keys 1..15: three of each kind, in the order of words.KINDS."""
    return (key - 1) // 3 + 1


KEYS = range(1, 16)
links = st.lists(st.sampled_from([(a, b) for a in KEYS for b in KEYS if kind(a) < kind(b)]), max_size=14)
loose = st.sets(st.sampled_from(KEYS), max_size=4)


def resolved(
    pairs: list[Link], alone: set[int], before: dict[int, int], state: State, since: int | None = None
) -> dict[int, int]:
    """data.identity over tables of these rows; each pair is a batch of its own, numbered from 1."""
    tables: dict[str, pa.Table] = {
        "links": pa.table(
            {
                "key_a": pa.array([a for a, _ in pairs], pa.int32()),
                "kind_a": pa.array([kind(a) for a, _ in pairs], pa.int8()),
                "key_b": pa.array([b for _, b in pairs], pa.int32()),
                "batch": pa.array(range(1, len(pairs) + 1), pa.int64()),
                "kind_b": pa.array([kind(b) for _, b in pairs], pa.int8()),
            }
        ),
        "membership": pa.table(
            {"key_id": pa.array(list(before), pa.int32()), "person_id": pa.array(list(before.values()), pa.int32())}
        ),
    }
    none = pa.array([], pa.int32())
    for table in PRIVATE:
        tables[table] = pa.table({"key_id": none, "email_key": none, "phone_key": none})
    known = pa.array(sorted(alone), pa.int32())
    tables["orders"] = pa.table({"key_id": known})
    views = {}
    for table, cells in tables.items():
        con.register(f"given_{table}", cells)
        views[table] = View(table=table, version=0, purpose="operate", sql=f"given_{table}", columns=())
    table, differs = resolve(con, views, CAPS, state, since=since)
    made = dict(zip(*table.to_pydict().values(), strict=True))
    assert differs == (made != dict(before))
    return made


def partition(members: dict[int, int]) -> set[frozenset[int]]:
    parts: dict[int, set[int]] = defaultdict(set)
    for key, person in members.items():
        parts[person].add(key)
    return {frozenset(p) for p in parts.values()}


def brute(pairs: list[Link], alone: set[int]) -> set[frozenset[int]]:
    """The same by the book: count, bar the hot, unite what is left."""
    users: dict[int, set[int]] = defaultdict(set)
    mails: dict[int, set[int]] = defaultdict(set)
    for a, b in pairs:
        if kind(a) == 1:
            users[b].add(a)
        if kind(a) == 2:
            mails[b].add(a)
    hot = {b for _, b in pairs if len(users[b] or mails[b]) > CAPS[CODES[kind(b)]]}
    home = {k: k for k in alone | {k for p in pairs for k in p}}

    def top(k: int) -> int:
        while home[k] != k:
            k = home[k]
        return k

    for a, b in pairs:
        if a not in hot and b not in hot:
            home[top(a)] = top(b)
    return partition({k: top(k) for k in home})


@settings(max_examples=30, deadline=None)
@given(pairs=links, alone=loose)
def test_the_persons_are_those_that_a_brute_force_union_find_finds(
    pairs: list[Link], alone: set[int], tmp_path_factory: Any
) -> None:
    state = State(tmp_path_factory.mktemp("state") / "state.db")
    assert partition(resolved(pairs, alone, {}, state)) == brute(pairs, alone)
    state.close()


@settings(max_examples=15, deadline=None)
@given(rounds=st.lists(st.tuples(links, loose), min_size=2, max_size=4), order=st.randoms(use_true_random=False))
def test_numbers_stay_whatever_the_order_and_are_never_given_twice(
    rounds: list[tuple[list[Link], set[int]]], order: Any, tmp_path_factory: Any
) -> None:
    """Each round replaces the links, as erasures and hot identifiers do, so that persons join and split."""
    state = State(tmp_path_factory.mktemp("state") / "state.db")
    before: dict[int, int] = {}
    ever: set[int] = set()
    for pairs, alone in rounds:
        now = resolved(pairs, alone, before, state)
        assert partition(now) == brute(pairs, alone)
        given_up = ever - set(before.values())
        assert not given_up & set(now.values()), "a number that was given up came back"
        for person, part in by_person(now).items():
            stayed = {before[k] for k in part if k in before}
            if person in ever:
                assert person in stayed, "an old number went to keys that never had it"
                assert person == min(p for p in stayed if majority(p, part, before, now))
            else:
                assert not any(majority(p, part, before, now) for p in stayed), "a part with a home got a new number"
        shuffled = list(pairs)
        order.shuffle(shuffled)
        assert resolved(shuffled, alone, now, state) == now, "the same input again moved somebody"
        ever |= set(now.values())
        before = now
    state.close()


@settings(max_examples=30, deadline=None)
@given(rounds=st.lists(st.tuples(links, loose), min_size=2, max_size=5))
@example(rounds=[([(4, 9), (5, 9), (9, 10)], set()), ([(3, 9)], set())])
def test_resolving_only_what_is_near_to_the_new_links_gives_the_very_numbers_of_resolving_all(
    rounds: list[tuple[list[Link], set[int]]], tmp_path_factory: Any
) -> None:
    """Links are only added; keys without a link come and go."""
    folder = tmp_path_factory.mktemp("state")
    some, everything = State(folder / "some.db"), State(folder / "all.db")
    pairs: list[Link] = []
    before: dict[int, int] = {}
    since: int | None = None
    for more, alone in rounds:
        pairs = pairs + more
        now = resolved(pairs, alone, before, some, since)
        assert now == resolved(pairs, alone, before, everything)
        before, since = now, len(pairs)
    some.close()
    everything.close()


def by_person(members: dict[int, int]) -> dict[int, set[int]]:
    parts: dict[int, set[int]] = defaultdict(set)
    for key, person in members.items():
        parts[person].add(key)
    return parts


def majority(person: int, part: set[int], before: dict[int, int], now: dict[int, int]) -> bool:
    """Whether the part holds most of the person's keys (of two equal parts, the one with the lowest key)."""
    held = {k for k, p in before.items() if p == person and k in now}
    parts = [p for p in by_person(now).values() if p & held]
    return part == max(parts, key=lambda p: (len(p & held), -min(p)))


def test_on_a_merge_the_oldest_number_stays(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    apart = resolved([(1, 4), (2, 5)], set(), {}, state)
    assert apart[1] != apart[2]
    assert set(resolved([(1, 4), (2, 5), (1, 5)], set(), apart, state).values()) == {min(apart.values())}
    state.close()


def test_on_a_split_the_number_stays_with_the_larger_part(tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    one = resolved([(1, 4), (1, 7), (1, 13)], set(), {}, state)
    two = resolved([(1, 7), (1, 13)], {4}, one, state)
    assert two[1] == two[7] == two[13] == one[1]
    assert two[4] not in one.values()
    state.close()


def test_nobody_is_no_part() -> None:
    none = np.array([], dtype=np.int64)
    assert len(_named(none, none, none, None)) == 0  # type: ignore[arg-type]
