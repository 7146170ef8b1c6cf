"""insight/attribution/journeys.py: which touches led to which order, by the engine and by hand; few stay unseen."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.insight.attribution import journeys
from tessera.insight.attribution.journeys import Journeys
from tessera.lake.engine import Connection, connect, rows

START = datetime(2026, 1, 1, tzinfo=UTC)
AS_OF = date(2026, 1, 31)
WINDOW = 5
Touch = tuple[int, int, str]
"""person, hour, channel"""
Order = tuple[int, int, int]
"""person, hour, cents"""


@pytest.fixture(scope="module")
def con() -> Connection:
    made = connect(threads=1)
    made.execute("CREATE TABLE rates (currency VARCHAR, valid_from DATE, rate DOUBLE)")
    made.execute("CREATE TABLE membership AS SELECT i::INTEGER AS key_id, (i + 100)::INTEGER AS person_id FROM range(100) r(i)")
    made.execute(
        "CREATE TABLE touches (key_id INTEGER, occurred_at TIMESTAMPTZ, channel VARCHAR, source VARCHAR, touch_id VARCHAR)"
    )
    made.execute(
        "CREATE TABLE orders (key_id INTEGER, occurred_at TIMESTAMPTZ, amount_cents BIGINT, currency VARCHAR, status VARCHAR,"
        " source VARCHAR, order_id VARCHAR)"
    )
    return made


def filled(con: Connection, touches: list[Touch], orders: list[Order]) -> Connection:
    """These touches and orders, and no other."""
    con.execute("DELETE FROM touches; DELETE FROM orders")
    for n, (person, hour, channel) in enumerate(touches):
        con.execute("INSERT INTO touches VALUES (?, ?, ?, 's', ?)", [person, START + timedelta(hours=hour), channel, f"{n:04}"])
    for n, (person, hour, cents) in enumerate(orders):
        con.execute(
            "INSERT INTO orders VALUES (?, ?, ?, NULL, 'completed', 's', ?)",
            [person, START + timedelta(hours=hour), cents, f"{n:04}"],
        )
    return con


def asked(direct: str = "keep") -> Journeys:
    return Journeys(currency="EUR", window_days=WINDOW, direct=direct, as_of=AS_OF)


def found(con: Connection, direct: str = "keep") -> Counter[tuple[str, str, int]]:
    """kind, path, value of each journey."""
    # The first CTE stands for `over`'s.
    listed = rows(con, f"WITH nothing AS (SELECT 1) {asked(direct).sql()} SELECT kind, path, value_cents, led FROM journeys")
    return Counter((kind, path, int(value) if led else 0) for kind, path, value, led in listed)


def by_hand(touches: list[Touch], orders: list[Order]) -> Counter[tuple[str, str, int]]:
    """The same, touch by touch."""
    made: Counter[tuple[str, str, int]] = Counter()
    window, end = WINDOW * 24, 24 * 31
    for person in {t[0] for t in touches}:
        hers = sorted((hour, i, channel) for i, (p, hour, channel) in enumerate(touches) if p == person)
        sold = Counter[int]()
        for p, hour, cents in orders:
            if p == person:
                sold[hour] += cents
        times = sorted(sold)
        idle: dict[int | None, list[tuple[int, str]]] = {}
        led: dict[int, list[str]] = {}
        for hour, _, channel in hers:
            then = next((t for t in times if t >= hour), None)
            if then is not None and then - hour <= window:
                led.setdefault(then, []).append(channel)
            else:
                idle.setdefault(then, []).append((hour, channel))
        for then, names in led.items():
            made["first" if then == times[0] else "repeat", " > ".join(names), sold[then]] += 1
        for then, alone in idle.items():
            runs = [[alone[0]]]
            for before, this in pairwise(alone):
                runs.append([this]) if this[0] - before[0] > window else runs[-1].append(this)
            for run in runs:
                is_open = then is None and run[-1][0] + window >= end
                made["open" if is_open else "null", " > ".join(c for _, c in run), 0] += 1
    return made


TOUCHES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 24 * 31 - 1), st.sampled_from("abc")), min_size=1, max_size=14)
ORDERS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 24 * 31 - 1), st.integers(1, 99)), max_size=6)


@given(touches=TOUCHES, orders=ORDERS)
@settings(max_examples=25, deadline=None)
def test_every_touch_is_in_one_journey_and_led_where_a_hand_would_say(
    con: Connection, touches: list[Touch], orders: list[Order]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journeys, "FEWEST", 1)
        assert found(filled(con, touches, orders)) == by_hand(touches, orders)


def test_a_direct_visit_counts_only_where_nothing_else_led(con: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journeys, "FEWEST", 1)
    filled(con, [(0, 1, "mail"), (0, 2, "Direct"), (1, 1, "Direct")], [(0, 3, 5), (1, 3, 7)])
    assert found(con, "ignore") == Counter({("first", "mail", 5): 1, ("first", "Direct", 7): 1})
    assert found(con, "keep") == Counter({("first", "mail > Direct", 5): 1, ("first", "Direct", 7): 1})


def test_what_was_cancelled_or_is_yet_to_come_is_no_order(con: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journeys, "FEWEST", 1)
    filled(con, [(0, 1, "mail")], [(0, 2, 5), (0, 24 * 40, 7)])
    con.execute("UPDATE orders SET status = 'cancelled' WHERE order_id = '0000'")
    assert found(con) == Counter({("null", "mail", 0): 1})


def test_channels_and_paths_of_few_people_are_not_named(con: Connection) -> None:
    touches = [(p, 1, "mail") for p in range(12)] + [(p, 2, "secret") for p in range(3)]
    filled(con, touches, [(p, 3, 10) for p in range(12)])
    shown = rows(con, f"WITH nothing AS (SELECT 1) {asked().explored()}")
    # Nine took mail alone and three mail and what is not named: neither is a path of ten, together they are one row.
    assert [row[:4] for row in shown] == [(None, 12, 2, 12)]
    channels = {row[0] for row in rows(con, f"WITH nothing AS (SELECT 1) {asked().met()}")}
    assert channels == {"mail", "other"}


def test_time_decay_halves_with_each_week(con: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journeys, "FEWEST", 1)
    filled(con, [(0, 0, "a"), (0, 84, "b")], [(0, 100, 600)])
    met = {row[0]: row[3:] for row in rows(con, f"WITH nothing AS (SELECT 1) {asked().met()}")}
    # Half a week apart: 2^-0.5 to 1.
    assert met["a"][0] / met["b"][0] == pytest.approx(2**-0.5, rel=1e-5)
    assert met["a"][1] + met["b"][1] == pytest.approx(600, rel=1e-6)
