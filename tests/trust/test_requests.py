"""trust/requests.py: requests are kept without a clear word, and each of their entries is written once."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from given_tiny import Tiny
from tessera.errors import NotFound
from tessera.trust.requests import Request, a_month_after
from tessera.words import Erased


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    return Tiny(tmp_path / "shop")


def request(number: int, **facts: object) -> Request:
    plain = {"id": number, "kind": "access", "opened_at": "2026-03-01", "channel": "staff", "due": "2026-03-31"}
    return msgspec.convert({**plain, **facts}, Request)


def test_an_owing_entry_is_written_once_however_often_the_workspace_starts(tiny: Tiny) -> None:
    with tiny.open() as app:
        done = app.requests.note(request(1), "received", "user:ann")
        owing = msgspec.structs.replace(done, history=tuple(msgspec.structs.replace(e, entry=None) for e in done.history))
        app.requests.put(owing)
    for _ in range(2):
        with tiny.open() as app:
            assert app.requests.get(1).history[0].entry == done.history[0].entry
            assert [e.note for e in app.ledger.entries() if e.act == "request"] == ["request 1: received"]


def test_two_acts_of_one_name_are_two_entries(tiny: Tiny) -> None:
    with tiny.open() as app:
        made = app.requests.note(request(1), "texts read", "user:ann")
        made = app.requests.note(made, "texts read", "user:ann")
        assert len({e.entry for e in made.history}) == 2


def test_an_erasure_destroys_the_texts_of_her_requests_and_of_nobody_else(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.requests.note(request(1, key=5, person=2), "received", "user:ann", texts={"note": "hers"})
        app.requests.note(request(2, key=6, person=3), "received", "user:ann", texts={"note": "another's"})
        proof = app.requests.forget(Erased(keys=frozenset({5}), persons=frozenset({2})))
        assert (proof.removed, proof.complete) == (1, True)
        assert [app.requests.texts(app.requests.get(n)) for n in (1, 2)] == [{}, {"note": "another's"}]


def test_an_unknown_number_is_told(tiny: Tiny) -> None:
    with tiny.open() as app, pytest.raises(NotFound, match="Request '7' is not known"):
        app.requests.get(7)


@pytest.mark.parametrize(
    ("day", "later"), [("2027-01-31", "2027-02-28"), ("2028-01-31", "2028-02-29"), ("2026-12-15", "2027-01-15")]
)
def test_a_month_later_is_the_same_day_or_the_month_s_last(day: str, later: str) -> None:
    from datetime import date

    assert a_month_after(date.fromisoformat(day)) == date.fromisoformat(later)
