"""consent_rates.py: intervals against scipy and simulation, and counts against a clerk's."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from tessera.trust.consent_rates import GROUPS, Share, compared, firsts, rates, wilson

START = datetime(2026, 1, 20, tzinfo=UTC)
STRICT = {"given": 0, "refused": 1, "withdrawn": 2}

answers = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["marketing", "sharing"]),
        st.sampled_from([*STRICT, "requested"]),
        st.integers(0, 20),
        st.sampled_from(["v1", "v2", None]),
        st.sampled_from(["web", "crm"]),
    ),
    max_size=25,
)
Told = tuple[int, str, str, int, str | None, str]


def asked(told: list[Told], sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        table = pa.table(
            {
                "person_id": pa.array([t[0] for t in told], pa.int32()),
                "purpose": pa.array([t[1] for t in told], pa.string()),
                "state": pa.array([t[2] for t in told], pa.string()),
                "occurred_at": pa.array([START + timedelta(days=t[3]) for t in told], pa.timestamp("us", "UTC")),
                "wording": pa.array([t[4] for t in told], pa.string()),
                "source": pa.array([t[5] for t in told], pa.string()),
                "language": pa.array([None for _ in told], pa.string()),
            }
        )
        con.register("consents", table)
        return con.execute(sql).fetchall()


def group(row: Told, by: str) -> str:
    month = (START + timedelta(days=row[3])).strftime("%Y-%m")
    return {"purpose": "all", "wording": row[4] or "unknown", "source": row[5], "language": "unknown", "month": month}[by]


def chosen(told: list[Told]) -> list[Told]:
    """Without what the CRM, which tells states, says again as it was."""
    kept, before = [], dict[tuple[object, ...], str]()
    for row in sorted(told, key=lambda r: (r[3], r[2])):
        of = (row[0], row[1], row[5], row[2] == "requested")
        if row[5] == "web" or before.get(of) != row[2]:
            kept.append(row)
        before[of] = row[2]
    return kept


@settings(max_examples=60, deadline=None)
@given(told=answers, by=st.sampled_from(list(GROUPS)))
def test_rates_count_each_person_once_by_her_latest_and_strictest_answer(told: list[Told], by: str) -> None:
    people: dict[tuple[str, str], set[int]] = defaultdict(set)
    last: dict[tuple[str, str, int], Told] = {}
    for row in chosen(told):
        at = (row[1], group(row, by))
        people[at].add(row[0])
        known = last.get((*at, row[0]))
        if row[2] != "requested" and (known is None or (row[3], STRICT[row[2]]) > (known[3], STRICT[known[2]])):
            last[(*at, row[0])] = row
    expected = []
    for at in sorted(people):
        said = [row[2] for (*where, _), row in last.items() if tuple(where) == at]
        expected.append((*at, len(people[at]), len(said), said.count("given")))
    assert asked(told, rates(by, {"web": True, "crm": False})) == expected


@settings(max_examples=60, deadline=None)
@given(told=answers)
def test_two_wordings_are_told_by_the_first_answer_of_each_person_to_either(told: list[Told]) -> None:
    first: dict[int, Told] = {}
    for row in told:
        if row[1] == "marketing" and row[4] is not None and row[2] != "requested":
            known = first.get(row[0])
            if known is None or (row[3], -STRICT[row[2]]) < (known[3], -STRICT[known[2]]):
                first[row[0]] = row
    # Two first answers of one moment and one strictness may differ in their wording: either may be taken.
    if any(
        r[0] == f[0] and r[1] == f[1] and r[2:4] == f[2:4] and r[4] is not None and r[4] != f[4]
        for f in first.values()
        for r in told
    ):
        return
    counted: dict[str, list[str]] = defaultdict(list)
    for row in first.values():
        counted[str(row[4])].append(row[2])
    expected = sorted((w, len(s), s.count("given")) for w, s in counted.items())
    assert sorted(asked(told, firsts("marketing", ("v1", "v2")))) == expected


@pytest.mark.parametrize(("given_", "answered"), [(0, 1), (1, 1), (3, 7), (0, 50), (50, 50), (812, 1000), (1, 100_000)])
def test_the_interval_is_scipys_wilson_interval(given_: int, answered: int) -> None:
    theirs = binomtest(given_, answered).proportion_ci(0.95, method="wilson")
    assert wilson(given_, answered) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_the_difference_lies_in_its_interval_in_about_95_of_100_worlds() -> None:
    draw = np.random.default_rng(11)
    a, b, people, worlds = 0.42, 0.5, 120, 2_000
    held = 0
    for first, second in zip(draw.binomial(people, a, worlds), draw.binomial(people, b, worlds), strict=True):
        made = compared(Share(answered=people, given=int(first)), Share(answered=people, given=int(second)))
        held += made.low <= 100 * (b - a) <= made.high
    assert 0.935 < held / worlds < 0.97


def test_a_clear_difference_is_shown_and_a_small_one_says_how_many_people_it_takes() -> None:
    clear = compared(Share(answered=1000, given=400), Share(answered=1000, given=548))
    assert clear.shows and clear.points == pytest.approx(14.8) and clear.low > 0
    small = compared(Share(answered=50, given=20), Share(answered=50, given=21))
    assert not small.shows and small.low < 0 < small.high
    assert small.needed is not None and 9_000 < small.needed < 10_000
    assert compared(Share(answered=9, given=3), Share(answered=9, given=3)).needed is None
    hair = compared(Share(answered=1_046, given=749), Share(answered=868, given=621))
    assert abs(hair.points) < 0.1 and hair.needed is None


def test_nobody_has_no_rate() -> None:
    assert (Share(answered=0, given=0).rate, Share(answered=0, given=0).interval) == (None, None)
