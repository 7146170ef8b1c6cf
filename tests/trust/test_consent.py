"""consent: which answer a person has given, as rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.config import Purpose
from tessera.lake.engine import connect, rows
from tessera.trust import consent

PURPOSES = [
    Purpose(name=name, data_use="", basis="consent", sentence={}, bit=bit) for bit, name in enumerate(("operate", "analytics"))
]


@pytest.mark.parametrize(
    ("choices", "mask"),
    [
        ("('given', '2026-01-01', NULL)", 2),
        ("('given', '2026-01-01', NULL), ('withdrawn', '2026-02-01', NULL)", 0),
        ("('withdrawn', '2026-01-01', NULL), ('given', '2026-02-01', NULL)", 2),
        ("('given', '2026-02-01', NULL), ('refused', '2026-02-01', NULL)", 0),
        ("('given', '2026-01-01', '2026-02-15')", 0),
        ("('given', '2026-01-01', NULL), ('given', '2026-02-01', '2026-02-15')", 0),
        ("('given', '2026-02-01', NULL), ('given', '2026-02-01', '2026-02-15')", 0),
        ("('given', '2026-02-01', '2026-09-01'), ('given', '2026-02-01', NULL)", 2),
        ("('given', '2026-05-01', NULL)", 0),
    ],
)
def test_her_latest_choice_decides_and_of_equally_old_ones_the_strictest(choices: str, mask: int) -> None:
    con = connect()
    con.execute("CREATE TABLE membership AS SELECT 1 AS key_id, 1 AS person_id")
    con.execute(
        f"""CREATE TABLE consents AS SELECT 1 AS key_id, 'analytics' AS purpose, state,
            said::TIMESTAMPTZ AS occurred_at, until::TIMESTAMPTZ AS until FROM (VALUES {choices}) AS t(state, said, until)"""
    )
    made = rows(con, f"WITH nothing AS (SELECT 1) {consent.mask(PURPOSES, '2026-03-01T00:00:00+00:00')}")
    assert made == [(1, 1, mask)]


NOW = datetime(2026, 3, 1, tzinfo=UTC)
choices = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.sampled_from(["analytics", "marketing"]),
        st.sampled_from(["given", "refused", "withdrawn"]),
        st.integers(-3, 1),
        st.none() | st.integers(-2, 2),
    ),
    max_size=14,
)


@settings(max_examples=25, deadline=None)
@given(choices, st.dictionaries(st.integers(1, 6), st.integers(1, 3), min_size=6))
def test_the_mask_is_what_a_clerk_would_note_over_all_her_keys(
    said: list[tuple[int, str, str, int, int | None]], persons: dict[int, int]
) -> None:
    """Times are days from now: a later choice than now is none yet, a given one whose end is past is none."""
    purposes = [
        Purpose(name=n, data_use="", basis="consent", sentence={}, bit=b) for b, n in enumerate(("x", "analytics", "marketing"))
    ]
    con = connect(threads=1)
    con.execute("CREATE TABLE membership(key_id INTEGER, person_id INTEGER)")
    con.executemany("INSERT INTO membership VALUES (?, ?)", list(persons.items()))
    con.execute(
        "CREATE TABLE consents(key_id INTEGER, purpose VARCHAR, state VARCHAR, occurred_at TIMESTAMPTZ, until TIMESTAMPTZ)"
    )
    for key, purpose, state, day, end in said:
        until = None if end is None else NOW + timedelta(days=end)
        con.execute("INSERT INTO consents VALUES (?, ?, ?, ?, ?)", [key, purpose, state, NOW + timedelta(days=day), until])
    made = {k: m for k, _, m in rows(con, f"WITH nothing AS (SELECT 1) {consent.mask(purposes, NOW.isoformat())}")}
    for key, person in persons.items():
        wanted = 0
        for bit, purpose in ((1, "analytics"), (2, "marketing")):
            hers = [c for c in said if persons[c[0]] == person and c[1] == purpose and c[3] <= 0]
            latest = [c for c in hers if c[3] == max(h[3] for h in hers)]
            ends = [c[4] for c in latest if c[4] is not None]
            if latest and all(c[2] == "given" for c in latest) and all(end > 0 for end in ends):
                wanted |= 1 << bit
        assert made[key] == wanted
