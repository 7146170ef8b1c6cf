"""Questions that are kept: sealed, seen by their owner and the role that they are shared with, and none that names a person."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tessera.errors import BadInput, NotAllowed, NotFound
from tessera.lake.state import State
from tessera.trust.questions import MOST, Questions, Saved
from tessera.trust.secrets import Secrets

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SQL = "SELECT count(*) FROM orders WHERE occurred_at >= '2026-01-01 09:30:00'"


@pytest.fixture
def kept(tmp_path: Path) -> Questions:
    return Questions(State(tmp_path / "state.db"), Secrets(bytes(32)), lambda: NOON)


def keep(kept: Questions, name: str = "Orders", text: str = SQL, actor: str = "user:ann", shared: str = "") -> Saved:
    return kept.keep(name, text, actor=actor, roles=["sales", "owner"], role="sales", purpose="operate", shared=shared)


def test_a_question_is_kept_as_it_was_written_and_nobody_else_sees_it(kept: Questions) -> None:
    made = keep(kept, "  My   orders ")
    assert kept.get(made.id, "user:ann", ()) == made
    assert (made.name, made.text, made.at, made.role, made.purpose) == ("My orders", SQL, NOON, "sales", "operate")
    assert kept.seen_by("user:bob", ["sales"]) == []
    with pytest.raises(NotFound):
        kept.get(made.id, "user:bob", ["sales"])


def test_one_that_is_shared_is_seen_by_the_role_and_changed_by_its_owner_alone(kept: Questions) -> None:
    made = keep(kept, shared="sales")
    assert kept.seen_by("user:bob", ["sales"]) == [made]
    assert kept.seen_by("user:bob", ["analyst"]) == []
    for change in (lambda: kept.rename(made.id, "x", "user:bob"), lambda: kept.drop(made.id, "user:bob")):
        with pytest.raises(NotFound):
            change()
    assert kept.rename(made.id, "Renamed", "user:ann").name == "Renamed"
    kept.drop(made.id, "user:ann")
    assert kept.seen_by("user:ann", ["sales"]) == []


def test_it_is_shared_with_a_role_of_ones_own_only(kept: Questions) -> None:
    with pytest.raises(NotAllowed):
        keep(kept, shared="officer")


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 FROM profiles WHERE email = 'ann@example.org'", "SELECT 1 FROM profiles WHERE phone = '+41 79 123 45 67'",
        "SELECT 1 FROM records WHERE row_key = '12345678901'", "SELECT 1 -- ann%40example.org",
    ],
)  # fmt: skip
def test_one_that_may_name_a_person_is_not_kept(kept: Questions, text: str) -> None:
    with pytest.raises(BadInput, match="may name a person"):
        keep(kept, text=text)
    with pytest.raises(BadInput, match="may name a person"):
        keep(kept, name="about ann@example.org")
    assert kept.seen_by("user:ann", ()) == []


@pytest.mark.parametrize(("name", "text"), [("", SQL), ("x" * 81, SQL), ("ok", " "), ("ok", "x" * 20_001)])
def test_it_has_a_name_and_a_length(kept: Questions, name: str, text: str) -> None:
    with pytest.raises(BadInput):
        keep(kept, name, text)


def test_nobody_keeps_more_than_the_most(kept: Questions) -> None:
    for i in range(MOST):
        keep(kept, f"q{i}")
    with pytest.raises(BadInput, match="the most"):
        keep(kept)


def test_nothing_of_it_lies_in_clear_in_the_state(kept: Questions) -> None:
    keep(kept, "Secret name", "SELECT 'secret text'")
    kept.state.scour()
    found = b"".join(p.read_bytes() for p in kept.state.path.parent.iterdir())
    assert b"ecret" not in found and b"user:ann" not in found
