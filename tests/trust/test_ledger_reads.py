"""Reads of the ledger for those who look through it: filters, days, counts by hour; and what is unusual in them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tessera.trust import unusual
from tessera.trust.entries import Filter
from tessera.trust.ledger import Ledger, Use
from tessera.trust.tallies import Counted, Tally

START = datetime(2026, 10, 1, 9, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def kept(tmp_path: Path) -> Callable[[], tuple[Ledger, Time]]:
    def made() -> tuple[Ledger, Time]:
        time = Time()
        ledger = Ledger(tmp_path, Ed25519PrivateKey.generate(), b"s" * 32, time, seal_every=8)
        return ledger, time

    return made


def use(actor: str = "account:ana", act: str = "read", **more: object) -> Use:
    facts: dict[str, object] = {"actor": actor, "role": "sales", "act": act, "purpose": "operate", **more}
    return Use(**facts)  # type: ignore[arg-type]


def test_a_filter_takes_what_says_all_of_it_and_nothing_that_only_looks_alike(
    kept: Callable[[], tuple[Ledger, Time]],
) -> None:
    ledger, _ = kept()
    with ledger:
        ledger.append_many(
            [
                use(tables=(("profiles", 3),)),
                use("account:bo", verdict="refused", reason="no"),
                use(note='"actor":"account:bo"', categories=("profiles",)),
                use("account:bo", "find", purpose="marketing"),
            ]
        )
        numbers = lambda **asked: [e.seq for e in ledger.matching(Filter(**asked))]  # noqa: E731
        assert numbers() == [3, 2, 1, 0]
        assert numbers(actor="account:bo") == [3, 1] and numbers(actor="account:bo", act="find") == [3]
        assert numbers(verdict="refused") == [1] and numbers(purpose="marketing") == [3] and numbers(role="owner") == []
        assert numbers(table="profiles") == [0]
        assert [e.seq for e in ledger.matching(Filter(), before=3, most=2)] == [2, 1]
        assert [e.seq for e in ledger.matching(Filter(actor="account:bo"), start=2)] == [3]


def test_the_first_entry_of_a_moment_is_found_wherever_the_heads_lie(kept: Callable[[], tuple[Ledger, Time]]) -> None:
    ledger, time = kept()
    with ledger:
        for _ in range(30):
            ledger.append(use())
            time.now += timedelta(hours=1)
        for number in (0, 1, 7, 8, 9, 29):
            at = START + timedelta(hours=number)
            assert ledger.since(at) == number and ledger.since(at + timedelta(minutes=1)) == number + 1
        assert ledger.since(START - timedelta(days=1)) == 0


def test_counts_are_those_of_the_entries_and_go_on_where_they_were(kept: Callable[[], tuple[Ledger, Time]]) -> None:
    ledger, time = kept()
    with ledger:
        few, many = ledger.keep([1, 2], "key"), ledger.keep(range(1, 900), "person")
        ledger.append_many([use(keys=few), use(keys=many), use(verdict="refused")])
        ledger.append(use("tessera", "step", keys=ledger.keep(range(1, 9_000), "key", "at most")))
        counted = ledger.tally(0)
        assert counted.by["2026-10-01T09", "account:ana"] == Tally(uses=3, refused=1, people=899)
        assert counted.by["2026-10-01T09", "tessera"] == Tally(uses=1, refused=0, people=0)
        time.now += timedelta(hours=1)
        ledger.append(use(act="find"))
        assert ledger.tally(0).by["2026-10-01T10", "account:ana"].uses == 1
        assert ledger.tally(0).acts == {"read": 3, "step": 1, "find": 1}


def counted(days: dict[int, list[tuple[int, Tally]]], actor: str = "account:ana") -> Counted:
    """Counts by day of October and hour."""
    by = {(f"2026-10-{day:02d}T{hour:02d}", actor): tally for day, hours in days.items() for hour, tally in hours}
    return Counted(by=by, actors={}, roles={}, acts={}, purposes={})


def steady(days: int, **last: int) -> dict[int, list[tuple[int, Tally]]]:
    """Days with 20 uses or so at 9 and 10; and one more day."""
    made = {day: [(9, Tally(uses=10 + day % 3, people=3)), (10, Tally(uses=10, people=2))] for day in range(1, days + 1)}
    return made | {days + 1: [(9, Tally(**{"uses": 10, "people": 3, **last}))]}


def test_a_day_like_the_others_is_not_told_of_and_one_far_from_them_is_with_its_numbers() -> None:
    assert unusual.look(counted(steady(9)), "UTC", "tessera").found == ()
    (much,) = unusual.look(counted(steady(9, uses=300)), "UTC", "tessera").found
    assert (much.kind, much.value, much.usual, much.days) == ("uses", 300, 21, 9) and 42 <= much.limit < 300
    (export,) = unusual.look(counted(steady(9, people=4_000)), "UTC", "tessera").found
    assert (export.kind, export.value, export.usual) == ("people", 4_000, 3)
    (noes,) = unusual.look(counted(steady(9, refused=8)), "UTC", "tessera").found
    assert (noes.kind, noes.value, noes.usual, noes.limit) == ("refused", 8, 0, 5)


def test_an_hour_that_is_not_hers_is_told_of_in_the_zone_of_the_house() -> None:
    days = steady(9) | {10: [(9, Tally(uses=12)), (1, Tally(uses=9))]}
    (night,) = unusual.look(counted(days), "Asia/Shanghai", "tessera").found
    assert (night.kind, night.hour, night.value, night.usual) == ("hours", 9, 9, 0.0)


def test_of_who_has_few_days_and_of_the_machine_nothing_is_said() -> None:
    few = unusual.look(counted(steady(6, uses=900)), "UTC", "tessera")
    assert (few.found, few.judged, few.young) == ((), 0, 1)
    machine = unusual.look(counted(steady(9, uses=90_000), "tessera"), "UTC", "tessera")
    assert (machine.found, machine.judged, machine.young) == ((), 0, 0)
