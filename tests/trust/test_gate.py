"""The gate: who sees which rows now, whatever the tables hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pytest
from given_gate import Gated
from hypothesis import given, settings
from hypothesis import strategies as st

from given_people import NOW, Shop
from tessera.app import App
from tessera.lake.engine import connect
from tessera.words import Erased

KEYS = 12
masks = st.dictionaries(st.integers(1, KEYS), st.integers(0, 7), max_size=KEYS)
owners = st.lists(st.none() | st.integers(1, KEYS), max_size=12)


def gated(mask: dict[int, int], blocked: set[int]) -> Gated:
    made = Gated(Path(tempfile.mkdtemp()), keys=KEYS)
    made.write("mask", [{"key_id": k, "person_id": k, "mask": m} for k, m in mask.items()])
    if blocked:
        made.permits.block("1", Erased(keys=frozenset(blocked), persons=frozenset()))
    return made


@settings(max_examples=25, deadline=None)
@given(masks, owners, st.sets(st.integers(1, KEYS)), st.sampled_from(["operate", "analytics", "marketing"]))
def test_a_view_holds_the_rows_of_those_who_allow_it_and_of_nobody_and_no_others(
    mask: dict[int, int], rows: list[int | None], blocked: set[int], purpose: str
) -> None:
    house = gated(mask, blocked)
    house.write("touches", [{"key_id": k} for k in rows])
    bit = {"operate": None, "analytics": 1, "marketing": 2}[purpose]
    allowed = {k for k in range(1, KEYS + 1) if (bit is None or mask.get(k, 0) >> bit & 1) and k not in blocked}
    assert house.seen("touches", purpose, "key_id") == sorted((k for k in rows if k is None or k in allowed), key=str)


@settings(max_examples=15, deadline=None)
@given(masks, masks, st.lists(st.integers(1, KEYS), min_size=1, max_size=8))
def test_an_older_version_is_seen_under_todays_permission(before: dict[int, int], now: dict[int, int], rows: list[int]) -> None:
    house = gated(before, set())
    house.write("touches", [{"key_id": k} for k in rows])
    house.write("touches", [])
    house.write("mask", [{"key_id": k, "person_id": k, "mask": m} for k, m in now.items()])
    assert house.seen("touches", "analytics", "key_id") == []
    assert house.seen("touches", "analytics", "key_id", 0) == sorted((k for k in rows if now.get(k, 0) & 2), key=str)


def test_without_any_consent_a_view_is_empty_and_rows_of_nobody_pass(tmp_path: Path) -> None:
    house = Gated(tmp_path)
    house.write("touches", [{"key_id": 1}, {"key_id": None, "campaign": "spring"}])
    assert house.seen("touches", "analytics", "campaign") == ["spring"]


def test_a_permission_that_was_never_loaded_lets_nobody_pass(tmp_path: Path) -> None:
    house = gated({1: 7}, set())
    house.write("touches", [{"key_id": 1}, {"key_id": None}])
    view = house.gate.for_step("touches", house.config.purposes["analytics"])
    assert connect().execute(f"SELECT key_id FROM {view.sql}").fetchall() == [(None,)]


def test_a_key_beyond_the_permission_ends_the_question(tmp_path: Path) -> None:
    house = gated({1: 7}, set())
    house.write("touches", [{"key_id": KEYS + 5}])
    with pytest.raises(duckdb.Error):
        house.seen("touches", "analytics", "key_id")


def test_a_table_of_nobody_is_open_to_every_purpose(tmp_path: Path) -> None:
    house = Gated(tmp_path)
    house.write("rates", [{"currency": "GBP"}])
    assert house.seen("rates", "marketing", "currency") == ["GBP"]


def test_a_person_who_is_being_erased_leaves_every_view_at_once(tmp_path: Path) -> None:
    house = gated({1: 7, 2: 7}, set())
    house.write("touches", [{"key_id": 1}, {"key_id": 2}])
    house.write("profiles", [{"person_id": 1}, {"person_id": 2}])
    house.state.put("counter", "person", 3)
    for purpose in ("operate", "analytics"):
        assert house.seen("touches", purpose, "key_id") == house.seen("profiles", purpose, "person_id") == [1, 2]
    house.permits.block("1", Erased(keys=frozenset({1}), persons=frozenset({1})))
    for purpose in ("operate", "analytics"):
        assert house.seen("touches", purpose, "key_id") == house.seen("profiles", purpose, "person_id") == [2]


def test_a_row_with_two_owners_needs_the_permission_of_both(tmp_path: Path) -> None:
    house = gated({1: 2, 2: 2, 3: 0}, set())
    house.write("links", [{"key_a": 1, "key_b": 2}, {"key_a": 1, "key_b": 3}, {"key_a": 3, "key_b": 1}])
    assert house.seen("links", "analytics", "key_b") == [2]


def test_a_withdrawal_empties_the_view_at_the_next_turn(copied: Shop) -> None:
    her = copied.people[3]
    question = "SELECT message_id FROM events WHERE person_id = {}"
    with App(copied.root, clock=lambda: NOW) as app:
        (person,) = app.people.find(her.email)
        assert len(app.sql(question.format(person), purpose="analytics").rows()) == 2
        copied.rows["crm"][3] |= {"analytics": "no", "updated": "2026-11-01T00:00:00+00:00"}
        copied.write(["crm"])
        app.turn()
        assert app.sql(question.format(person), purpose="analytics").rows() == []
        assert app.sql(question.format(person).replace("events", "events VERSION AS OF 0"), purpose="analytics").rows() == []
        assert len(app.sql(question.format(person), purpose="operate").rows()) == 2


def test_she_who_never_answered_is_in_no_view_that_needs_consent(still: App) -> None:
    found = still.sql("SELECT count(*) FROM consents WHERE purpose = 'sharing'", purpose="operate").rows()
    assert found == [(0,)]
    for table in still.gate.presented():
        shown = {t: d for t, d in still.gate.presented().items() if d.reason != "nobody"}
        if table in shown:
            view = still.gate.for_step(table, still.config.purposes["sharing"])
            con = connect()
            still.gate.load(con, [view])
            owned = " OR ".join(f"{c} IS NOT NULL" for c in still.lake.table(table).owners)
            assert con.execute(f"SELECT count(*) FROM {view.sql} WHERE {owned}").fetchall() == [(0,)]
