"""Who came into a segment and who left it, and what became of them, on a history that reads as a table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from tessera.insight.segments import moves

SINCE, TODAY = date(2026, 10, 1), date(2026, 11, 1)
HISTORY = """(1, 'lapsed', DATE '2026-09-01', DATE '2026-10-15'), (1, 'loyal', DATE '2026-10-15', NULL),
             (2, 'loyal', DATE '2026-09-01', DATE '2026-10-20'), (2, 'lapsed', DATE '2026-10-20', NULL),
             (3, 'loyal', DATE '2026-09-01', NULL),
             (4, 'loyal', DATE '2026-10-20', NULL),
             (5, 'loyal', DATE '2026-09-01', DATE '2026-10-20')"""
ORDERS = """(1, '2026-08-01', 1000, 'EUR', NULL), (1, '2026-10-14', 3000, 'EUR', 'completed'),
            (1, '2026-10-14', 9000, 'EUR', 'cancelled'), (2, '2026-09-01', 2000, 'USD', NULL),
            (4, '2026-10-19', 500, 'USD', NULL)"""


@pytest.fixture
def con() -> Iterator[Any]:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"CREATE TABLE segments AS SELECT * FROM (VALUES {HISTORY}) t(person_id, segment, valid_from, valid_to)")
    con.execute(
        f"""CREATE TABLE orders AS SELECT person_id, CAST(moment AS TIMESTAMPTZ) AS occurred_at, amount_cents, currency, status
            FROM (VALUES {ORDERS}) t(person_id, moment, amount_cents, currency, status)"""
    )
    con.execute("CREATE TABLE rates AS SELECT 'USD' AS currency, DATE '2026-01-01' AS valid_from, 0.5 AS rate")
    con.execute(
        """CREATE TABLE features AS SELECT * FROM (VALUES (1, 2, 4000, TIMESTAMPTZ '2026-10-14'),
           (2, 1, 1000, TIMESTAMPTZ '2026-09-01'), (3, 7, 9000, TIMESTAMPTZ '2026-10-30'),
           (4, 1, 250, TIMESTAMPTZ '2026-10-19'))
           t(person_id, orders, revenue_cents, last_order_at)"""
    )
    yield con
    con.close()


def asked(con: Any, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = con.sql(sql).to_arrow_table().to_pylist()
    return found


def test_changes_summed_up_to_a_day_are_the_size_on_it(con: Any) -> None:
    rows = asked(con, moves.changes("segments"))
    for day in (date(2026, 9, 1), date(2026, 10, 15), date(2026, 10, 20)):
        grown = sum(r["people"] for r in rows if r["segment"] == "loyal" and r["day"] <= day)
        stood = asked(
            con,
            f"""SELECT count(*) AS n FROM segments WHERE segment = 'loyal' AND valid_from <= DATE '{day}'
                AND (valid_to IS NULL OR valid_to > DATE '{day}')""",
        )[0]["n"]
        assert grown == stood
    assert {r["segment"]: r["people"] for r in asked(con, moves.standing("segments"))} == {"loyal": 3, "lapsed": 1}


def test_who_came_and_who_left_is_told_with_what_they_did_since(con: Any) -> None:
    rows = {(r["was"], r["now"]): r for r in asked(con, moves.between("segments", "loyal", SINCE, TODAY, "EUR"))}
    assert set(rows) == {("lapsed", "loyal"), ("loyal", "lapsed"), (None, "loyal"), ("loyal", None)}
    came = rows["lapsed", "loyal"]
    assert (came["people"], came["ordered"]) == (1, 1)
    assert (came["days_before"], came["days_now"]) == (61, 18)
    assert (came["orders_before"], came["orders_now"]) == (1, 2)
    assert (came["revenue_before"], came["revenue_now"]) == (1000, 4000)
    left = rows["loyal", "lapsed"]
    assert (left["ordered"], left["days_before"], left["days_now"], left["orders_before"]) == (0, 30, 61, 1)


def test_who_was_in_none_before_has_no_figures_of_then_but_money_in_the_workspaces_currency(con: Any) -> None:
    new = next(r for r in asked(con, moves.between("segments", "loyal", SINCE, TODAY, "EUR")) if r["was"] is None)
    assert (new["ordered"], new["days_before"], new["revenue_before"], new["revenue_now"]) == (1, None, 0, 250)


def test_who_is_in_none_any_more_has_left_without_figures(con: Any) -> None:
    gone = next(r for r in asked(con, moves.between("segments", "loyal", SINCE, TODAY, "EUR")) if r["now"] is None)
    assert (gone["people"], gone["orders_now"]) == (1, None)


def test_of_a_rule_one_is_in_or_not(con: Any) -> None:
    con.execute("CREATE TABLE rule_segments AS SELECT person_id, segment, valid_from, valid_to FROM segments")
    rows = asked(con, moves.between("rule_segments", "loyal", SINCE, TODAY, "EUR"))
    assert sorted((r["was"] or "", r["now"] or "", r["people"]) for r in rows) == [("", "in", 2), ("in", "", 2)]
