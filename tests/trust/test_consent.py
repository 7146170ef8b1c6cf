"""consent: which answer a person has given, as rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.config import Purpose
from tessera.lake.engine import connect, rows
from tessera.trust import consent

ACTS = {"web": True, "crm": False}
"""An event of `web` is an act, a row of `crm` a state; of `old` no contract is left."""

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PURPOSES = [
    Purpose(name=n, data_use="", basis="consent", sentence={}, bit=b) for b, n in enumerate(("x", "analytics", "marketing"))
]
Said = tuple[int, str, str, int, int | None, str]
"""key, purpose, state, day from now, end in days from now, source."""


def masks(said: Iterable[Said], persons: dict[int, int]) -> dict[int, int]:
    con = connect(threads=1)
    con.execute("CREATE TABLE membership(key_id INTEGER, person_id INTEGER)")
    con.executemany("INSERT INTO membership VALUES (?, ?)", list(persons.items()))
    con.execute(
        """CREATE TABLE consents(key_id INTEGER, purpose VARCHAR, state VARCHAR, occurred_at TIMESTAMPTZ, until TIMESTAMPTZ,
           source VARCHAR)"""
    )
    for key, purpose, state, day, end, source in said:
        until = None if end is None else NOW + timedelta(days=end)
        con.execute(
            "INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?)",
            [key, purpose, state, NOW + timedelta(days=day), until, source],
        )
    select = consent.mask(PURPOSES, NOW.isoformat(), ACTS)
    return {k: m for k, _, m in rows(con, f"WITH nothing AS (SELECT 1) {select}")}


def agreed(*said: tuple[str, str, int] | tuple[str, str, int, int]) -> bool:
    """Whether one person with one key agrees, after what sources said of her: (source, state, day[, end])."""
    told: list[Said] = [(1, "analytics", s[1], s[2], s[3] if len(s) == 4 else None, s[0]) for s in said]
    return masks(told, {1: 1})[1] == 2


@pytest.mark.parametrize(
    ("choices", "agrees"),
    [
        ([("web", "given", -9)], True),
        ([("web", "given", -9), ("web", "withdrawn", -8)], False),
        ([("web", "withdrawn", -9), ("web", "given", -8)], True),
        ([("web", "given", -9), ("web", "refused", -9)], False),
        ([("web", "given", -9, -2)], False),
        ([("web", "given", -9), ("web", "given", -8, -2)], False),
        ([("web", "given", -9), ("web", "given", -9, -2)], False),
        ([("web", "given", -9, 80), ("web", "given", -9)], True),
        ([("web", "given", 9)], False),
    ],
)  # fmt: skip
def test_her_latest_choice_decides_and_of_equally_old_ones_the_strictest(
    choices: list[tuple[str, str, int]], agrees: bool
) -> None:
    assert agreed(*choices) is agrees


@pytest.mark.parametrize(
    ("choices", "agrees"),
    [
        ([("crm", "given", -9), ("web", "withdrawn", -8), ("crm", "given", -7)], False),
        ([("crm", "given", -7), ("web", "withdrawn", -8), ("crm", "given", -9)], False),
        ([("web", "given", -9), ("crm", "withdrawn", -8), ("web", "given", -7)], True),
        ([("crm", "refused", -9), ("web", "withdrawn", -8), ("crm", "given", -7)], True),
        ([("crm", "given", -9), ("web", "withdrawn", -8), ("crm", "refused", -7), ("crm", "given", -6)], True),
        ([("crm", "refused", -9), ("web", "given", -8), ("crm", "refused", -7)], True),
        ([("crm", "refused", -9), ("web", "given", -8), ("crm", "withdrawn", -7)], False),
        ([("crm", "given", -9), ("crm", "refused", -9), ("crm", "given", -8)], True),
        ([("crm", "given", -9), ("crm", "refused", -9), ("web", "given", -8), ("crm", "refused", -7)], True),
        ([("crm", "given", -9), ("web", "refused", -8), ("crm", "given", -7, 80)], True),
        ([("crm", "given", -9, 80), ("web", "refused", -8), ("crm", "given", -7, 80)], False),
    ],
)  # fmt: skip
def test_a_state_that_is_sent_again_is_no_choice_until_its_answer_changes(
    choices: list[tuple[str, str, int]], agrees: bool
) -> None:
    assert agreed(*choices) is agrees


def test_of_a_source_without_a_contract_a_repeated_no_counts_and_a_repeated_yes_does_not() -> None:
    assert not agreed(("old", "given", -9), ("web", "refused", -8), ("old", "given", -7))
    assert not agreed(("old", "refused", -9), ("web", "given", -8), ("old", "refused", -7))


def test_a_change_is_of_one_key_and_the_choice_of_all_her_keys() -> None:
    said: list[Said] = [
        (1, "analytics", "given", -9, None, "crm"),
        (3, "analytics", "withdrawn", -8, None, "web"),
        (2, "analytics", "given", -7, None, "crm"),
        (1, "analytics", "given", -6, None, "crm"),
    ]
    assert masks(said, {1: 1, 2: 1, 3: 1}) == {1: 2, 2: 2, 3: 2}
    assert masks([s for s in said if s[0] != 2], {1: 1, 2: 1, 3: 1}) == {1: 0, 2: 0, 3: 0}


def clerk(said: list[Said], persons: dict[int, int], person: int, purpose: str) -> bool:
    """Notes on a card for each key and source what was said, moment by moment, and reads all cards of the person."""
    cards: dict[tuple[int, str], dict[int, list[tuple[str, int | None]]]] = defaultdict(lambda: defaultdict(list))
    for key, about, state, day, end, source in said:
        if persons[key] == person and about == purpose and (day <= 0 or state != "given"):
            cards[key, source][day].append((state, end))
    choices: list[tuple[int, bool, int | None]] = []
    for (_, source), card in cards.items():
        before: tuple[str, int | None] | None = None
        for day in sorted(card):
            told = card[day]
            ends = [end for _, end in told if end is not None]
            word = "withdrawn" if ("withdrawn" in dict(told)) else "refused" if ("refused" in dict(told)) else "given"
            answer = (word, min(ends, default=None) if word == "given" else None)
            if source == "web" or answer != before or (source == "old" and word != "given"):
                choices.append((day, word == "given", answer[1]))
            before = answer
    latest = [c for c in choices if c[0] == max(day for day, _, _ in choices)]
    return bool(latest) and all(yes and (end is None or end > 0) for _, yes, end in latest)


said_by_many = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["analytics", "marketing"]),
        st.sampled_from(["given", "given", "refused", "withdrawn"]),
        st.integers(-6, 1),
        st.sampled_from([None, None, None, -2, -1, 1, 2]),
        st.sampled_from(["web", "crm", "crm", "old"]),
    ),
    max_size=20,
)


@settings(max_examples=80, deadline=None)
@given(said_by_many, st.dictionaries(st.integers(1, 6), st.integers(1, 3), min_size=6))
def test_the_mask_is_what_a_clerk_would_note_over_all_her_keys(said: list[Said], persons: dict[int, int]) -> None:
    """Times are days from now: a later yes than now is none yet (a later no counts), one whose end is past is none."""
    made = masks(said, persons)
    for key, person in persons.items():
        wanted = sum(bit for bit, purpose in ((2, "analytics"), (4, "marketing")) if clerk(said, persons, person, purpose))
        assert made[key] == wanted


@settings(max_examples=80, deadline=None)
@given(said_by_many)
def test_what_a_page_shows_of_one_person_is_what_the_mask_says(said: list[Said]) -> None:
    past = [(k, p, s, d, None, source) for k, p, s, d, _, source in said if d <= 0]
    names = ("key_id", "purpose", "state", "occurred_at", "until", "source")
    shown = consent.choices([dict(zip(names, s, strict=True)) for s in past], ACTS)
    made = masks(past, dict.fromkeys(range(1, 7), 1))[1]
    for bit, purpose in ((2, "analytics"), (4, "marketing")):
        assert bool(made & bit) == (shown.get(purpose, {}).get("state") == "given")
