"""Permits: today's answers as bitmaps."""

from __future__ import annotations

import tempfile
from pathlib import Path

from given_gate import PURPOSES, Gated
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.lake.engine import connect
from tessera.words import Erased


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(1, 300)), st.sets(st.integers(1, 300)))
def test_the_bit_of_a_key_is_set_where_it_is_allowed_and_not_blocked(allowed: set[int], blocked: set[int]) -> None:
    house = Gated(Path(tempfile.mkdtemp()), keys=300)
    house.write("mask", [{"key_id": k, "person_id": k, "mask": 2} for k in allowed])
    house.permits.block("1", Erased(keys=frozenset(blocked), persons=frozenset()))
    con = connect()
    house.permits.load(con, PURPOSES["analytics"], "key")
    found = con.execute("SELECT i FROM range(302) t(i) WHERE get_bit(getvariable('allow_key_analytics'), i::INTEGER) = 1")
    assert {r[0] for r in found.fetchall()} == allowed - blocked == set(house.permits.ids(PURPOSES["analytics"], "key"))


def test_a_purpose_that_needs_no_consent_asks_for_no_bitmap_until_somebody_is_blocked(tmp_path: Path) -> None:
    house = Gated(tmp_path)
    assert house.permits.name(PURPOSES["operate"], "key") is None
    house.permits.block("1", Erased(keys=frozenset({3}), persons=frozenset()))
    assert house.permits.name(PURPOSES["operate"], "key") == "allow_key_any"
    assert 3 not in house.permits.ids(PURPOSES["operate"], "key")
    assert house.permits.name(PURPOSES["operate"], "person") is None


def test_the_cut_changes_with_the_mask_and_with_the_blocks_and_comes_back(tmp_path: Path) -> None:
    house = Gated(tmp_path)
    cuts = [house.permits.cut(PURPOSES["analytics"])]
    house.write("mask", [{"key_id": 1, "person_id": 1, "mask": 2}])
    cuts.append(house.permits.cut(PURPOSES["analytics"]))
    house.permits.block("1", Erased(keys=frozenset({1}), persons=frozenset()))
    cuts.append(house.permits.cut(PURPOSES["analytics"]))
    assert len(set(cuts)) == 3
    house.state.drop("blocked", "1")
    house.permits.reload()
    assert house.permits.cut(PURPOSES["analytics"]) == cuts[1]


def test_the_block_list_outlives_the_process(tmp_path: Path) -> None:
    Gated(tmp_path).permits.block("7", Erased(keys=frozenset({4}), persons=frozenset({2})))
    again = Gated(tmp_path)
    assert set(again.permits.blocked_keys) == {4} and set(again.permits.blocked_persons) == {2}


def test_new_persons_are_let_in_as_soon_as_they_have_a_number(tmp_path: Path) -> None:
    house = Gated(tmp_path)
    house.permits.block("1", Erased(keys=frozenset(), persons=frozenset({1})))
    house.state.put("counter", "person", 3)
    assert 2 in house.permits.ids(PURPOSES["operate"], "person")
    before = house.permits.stamp(PURPOSES["operate"], "person")
    house.state.put("counter", "person", 90)
    assert 89 in house.permits.ids(PURPOSES["operate"], "person")
    assert house.permits.stamp(PURPOSES["operate"], "person") != before
