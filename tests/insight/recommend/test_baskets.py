"""insight/recommend: baskets, their history at a moment, neighbours, measures; each beside a plain second opinion."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.insight.recommend import measures, neighbours
from tessera.insight.recommend.baskets import FADES, LATELY_DAYS, Baskets, Moments, history, repeated, sorted_rows
from tessera.insight.recommend.trends import trends

ITEMS, PEOPLE = 5, 3
BOUGHT = st.lists(st.tuples(st.integers(0, PEOPLE - 1), st.integers(0, 6), st.integers(0, ITEMS - 1)), max_size=40)


def made(bought: list[tuple[int, int, int]]) -> Baskets:
    """Rows of person, day and item; a basket is a day."""
    rows = np.array(sorted(set(bought)), np.int64).reshape(-1, 3)
    return sorted_rows(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 1].astype(float), ITEMS, PEOPLE)


@settings(max_examples=60, deadline=None)
@given(bought=BOUGHT, known=st.integers(0, 7), later=st.integers(0, 3))
def test_the_history_of_a_moment_is_what_counting_by_hand_finds(
    bought: list[tuple[int, int, int]], known: int, later: int
) -> None:
    baskets = made(bought)
    people = np.arange(PEOPLE)
    upto = np.minimum(known, baskets.many)
    now = 7.0 + later
    past = history(baskets, Moments(person=people, known=upto, day=np.full(PEOPLE, now)))
    expected = []
    for person in range(PEOPLE):
        days = sorted({d for p, d, _ in bought if p == person})[: upto[person]]
        times: defaultdict[int, list[int]] = defaultdict(list)
        for p, d, i in sorted(set(bought)):
            if p == person and d in days:
                times[i].append(d)
        for item, at in sorted(times.items()):
            back = [len(days) - 1 - days.index(d) for d in at]
            expected.append((
                person, item, len(at), min(back), now - max(at), now - min(at), sum(FADES**b for b in back),
                sum(0.5 ** ((now - d) / LATELY_DAYS) for d in at),
            ))  # fmt: skip
    found = list(zip(
        past.moment, past.item, past.count, past.back, past.age, past.oldest, past.fresh, past.lately, strict=True
    ))  # fmt: skip
    assert np.array(found).reshape(-1, 8) == pytest.approx(np.array(expected).reshape(-1, 8))


@settings(max_examples=60, deadline=None)
@given(bought=BOUGHT, kept=st.lists(st.integers(0, 7), min_size=PEOPLE, max_size=PEOPLE))
def test_the_first_baskets_are_those_that_came_first(bought: list[tuple[int, int, int]], kept: list[int]) -> None:
    days = {p: sorted({d for q, d, _ in bought if q == p})[: kept[p]] for p in range(PEOPLE)}
    mine, expected = made(bought).until(np.array(kept)), made([one for one in bought if one[1] in days[one[0]]])
    for name in ("item", "row", "day", "first"):
        assert getattr(mine, name).tolist() == getattr(expected, name).tolist()


def test_some_people_keep_their_baskets_under_new_numbers() -> None:
    baskets = made([(0, 1, 1), (1, 2, 2), (1, 3, 3), (2, 4, 4), (2, 4, 0)]).of(np.array([2, 1]))
    assert (baskets.item.tolist(), baskets.row.tolist()) == ([0, 4, 2, 3], [0, 2, 3, 4])
    assert (baskets.day.tolist(), baskets.first.tolist()) == ([4.0, 2.0, 3.0], [0, 1, 3])


def test_repeats_are_the_share_of_later_rows_that_somebody_had_before() -> None:
    assert repeated(made([(0, 1, 1), (0, 2, 1), (0, 2, 2), (1, 1, 1)])) == pytest.approx(0.5)
    assert repeated(made([(0, 1, 1)])) == 0.0
    assert repeated(made([])) == 0.0


def test_trends_know_nothing_of_the_day_itself() -> None:
    counted = trends(made([(0, 1, 1), (1, 1, 1), (0, 3, 1), (2, 6, 2)]))
    assert counted.before(np.array([1.0, 2.0, 3.5, 4.0, 99.0]), 14.0)[:, 1].tolist() == [0, 2, 2, 3, 0]
    assert counted.before(np.array([4.0]), 2.0)[:, 1].tolist() == [1]
    assert counted.all.tolist() == [0, 3, 1, 0, 0]


def test_ease_is_its_closed_form() -> None:
    random = np.random.default_rng(1)
    x = (random.random((40, ITEMS)) < 0.4).astype(np.float32)
    person, item = np.nonzero(x)
    baskets = sorted_rows(person, np.zeros_like(person), item, np.zeros(len(item)), ITEMS, 40)
    p = np.linalg.inv(x.T @ x + 3.0 * np.eye(ITEMS))
    expected = np.eye(ITEMS) - p / np.diag(p)
    assert neighbours.fit_likes(baskets, 3.0).toarray() == pytest.approx(expected, abs=1e-5)


def test_beyond_what_ease_can_do_cosines_are_taken(monkeypatch: Any) -> None:
    monkeypatch.setattr(neighbours, "EASE_ITEMS", 2)
    baskets = made([(0, 1, 0), (0, 1, 1), (1, 1, 0), (2, 1, 1), (2, 2, 2)])
    assert neighbours.method(baskets) == "cosine"
    expected = [[0, 0.5, 0, 0, 0], [0.5, 0, 2**-0.5, 0, 0], [0, 2**-0.5, 0, 0, 0], [0] * 5, [0] * 5]
    assert neighbours.fit_likes(baskets, 1.0).toarray() == pytest.approx(np.array(expected))


def test_what_follows_counts_the_next_baskets_the_further_the_less() -> None:
    follows = neighbours.follows(made([(0, 1, 0), (0, 2, 1), (0, 3, 2)]), 2).toarray()
    assert (follows[0, 1], follows[0, 2], follows[1, 2]) == pytest.approx((1.0, neighbours.FOLLOWS, 1.0))
    assert follows[1, 0] == follows[2, 0] == 0


@settings(max_examples=60, deadline=None)
@given(
    listed=st.lists(st.permutations(range(ITEMS)), min_size=PEOPLE, max_size=PEOPLE),
    wanted=st.lists(st.sets(st.integers(0, ITEMS - 1)), min_size=PEOPLE, max_size=PEOPLE), most=st.integers(1, ITEMS),
)  # fmt: skip
def test_measures_are_those_of_the_books(listed: list[list[int]], wanted: list[set[int]], most: int) -> None:
    rows = [(p, i) for p in range(PEOPLE) for i in sorted(wanted[p])]
    told = (np.array([p for p, _ in rows], np.int64), np.array([i for _, i in rows], np.int64))
    recall = measures.recall(np.array(listed), told, ITEMS, most)
    ndcg = measures.ndcg(np.array(listed), told, ITEMS, most)
    for person in range(PEOPLE):
        mine = wanted[person]
        if not mine:
            assert np.isnan(recall[person]) and np.isnan(ndcg[person])
            continue
        hit = [i in mine for i in listed[person][:most]]
        ideal = sum(1 / np.log2(n + 2) for n in range(min(most, len(mine))))
        assert recall[person] == pytest.approx(sum(hit) / min(most, len(mine)))
        assert ndcg[person] == pytest.approx(sum(h / np.log2(n + 2) for n, h in enumerate(hit)) / ideal)


def test_an_interval_holds_its_mean_and_is_the_same_for_the_same_seed() -> None:
    values = np.random.default_rng(2).random(400)
    found = measures.interval(np.r_[values, np.nan])
    assert found == measures.interval(np.r_[values, np.nan])
    assert found is not None and found.low < found.value < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)
    assert measures.interval(np.array([np.nan])) is None
