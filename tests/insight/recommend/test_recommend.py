"""insight/recommend: it finds the truth of made-up buyers, says why, chooses on earlier baskets, and trades margin."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from made_trade import PER_TASTE, trade

from tessera.errors import BadInput
from tessera.insight.recommend import cold, fitting, judging, lists, margins, neighbours, telling, words
from tessera.insight.recommend.baskets import Baskets, sorted_rows
from tessera.insight.recommend.gathering import gathered
from tessera.insight.recommend.judging import Verdict
from tessera.insight.recommend.lists import Lists
from tessera.insight.recommend.trends import trends
from tessera.lake.engine import connect

RETAIL = Path(os.environ.get("TESSERA_SHARED", Path(__file__).parents[4] / "shared")) / "data/insight/online_retail"


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return judging.judge(trade(), single=False)


def test_it_is_better_than_what_is_popular_and_than_frequency_with_ease(verdict: Verdict) -> None:
    for measure in ("recall_at_10", "new_recall_at_10", "ndcg_at_10"):
        better = verdict.figures[measure].better["popularity"]
        assert better is not None and better.low > 0.1, measure
    recall = verdict.figures["recall_at_10"]
    assert recall.value is not None and recall.value.value > 0.8
    assert recall.better["personal_and_ease"] is not None and recall.better["personal_and_ease"].high >= 0


def test_the_last_baskets_take_no_part_in_what_is_learned(verdict: Verdict) -> None:
    mine = verdict.baskets
    random = np.random.default_rng(9)
    changed = mine.item.copy()
    last = np.isin(mine.basket, mine.first[1:] - 1)
    changed[last] = random.integers(0, mine.items, int(last.sum()))
    other = Baskets(items=mine.items, item=changed, row=mine.row, day=mine.day, first=mine.first)
    again = judging.judge(other, single=False)
    assert again.recommender == verdict.recommender
    assert (again.lists.items == verdict.lists.items).all()


def test_who_never_buys_twice_is_shown_what_is_new_alone() -> None:
    baskets = trade(people=120, again=False)
    verdict = judging.judge(baskets, single=False)
    assert not verdict.recommender.settings.again and not verdict.lists.again.any()
    figure = verdict.figures["recall_at_10"]
    assert figure.better["popularity"] is not None and figure.better["popularity"].low > 0.1
    known = fitting.known(baskets, verdict.recommender)
    people = np.arange(20)
    shown = lists.listed(known, verdict.recommender, lists.now(baskets, people, 70.0), 10)
    for person in people:
        rows = slice(baskets.row[baskets.first[person]], baskets.row[baskets.first[person + 1]])
        assert not set(shown.items[person][shown.items[person] >= 0]) & set(baskets.item[rows].tolist())


def test_a_reason_says_how_often_and_with_what(verdict: Verdict) -> None:
    known = fitting.known(verdict.baskets, verdict.recommender)
    moments = lists.now(known.baskets, np.arange(40), float(known.baskets.day.max()) + 3)
    shown = lists.listed(known, verdict.recommender, moments, 10)
    why = lists.reasons(known, moments, shown)
    assert (why.times[shown.again] >= 1).all() and (why.times[~shown.again] == 0).all()
    new = (shown.items >= 0) & ~shown.again
    spoken = new & (why.because >= 0)
    assert spoken.sum() > 0.5 * new.sum()
    same = why.because[spoken] // PER_TASTE == shown.items[spoken] // PER_TASTE
    assert same.mean() > 0.9, "what speaks for an item is of the same taste"
    told = list(telling.told(shown, why, 0, [f"item {n}" for n in range(known.baskets.items)]))
    assert [line.rank for line in told] == list(range(1, len(told) + 1))
    line = next(line for line in told if line.kind == "repurchase" and line.times > 1)
    assert f"bought it {line.times} times" in line.said("en") and f"{line.times} 次" in line.said("zh")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_of_reason_has_its_words(language: words.Language) -> None:
    said = {
        words.because("repurchase", language, times=4, every=30.0, since=28.0), words.because("popular", language),
        words.because("repurchase", language, times=2, every=0.2, since=1.0), words.because("discovery", language),
        words.because("repurchase", language, times=1, since=3.0), words.because("popular", language, grouped=True),
        words.because("discovery", language, other="LAMP"),
    }  # fmt: skip
    assert len(said) == 7 and all(text.endswith((".", "。")) for text in said)
    assert (sum(any("\u4e00" <= c <= "\u9fff" for c in text) for text in said) == 7) is (language == "zh")


def test_chances_are_of_the_size_of_what_comes(verdict: Verdict) -> None:
    shown = verdict.lists.first(10)
    key = np.arange(len(shown.items))[:, None] * verdict.baskets.items + shown.items
    bought = np.isin(key, verdict.wanted[0] * verdict.baskets.items + verdict.wanted[1])
    assert shown.chance[shown.items >= 0].mean() == pytest.approx(bought[shown.items >= 0].mean(), rel=0.15)


def test_margin_first_earns_more_and_foretells_less(verdict: Verdict) -> None:
    worth = np.where(np.arange(verdict.baskets.items) % 2 == 0, 10.0, 1.0)
    trades = margins.trade(verdict.lists, worth, verdict.wanted, 10)
    assert [t.weight for t in trades] == list(margins.WEIGHTS)
    first, last = trades[0], trades[-1]
    assert first.recall is not None and last.recall is not None and last.recall.value < first.recall.value
    assert last.promised > first.promised
    assert first.recall == verdict.figures["recall_at_10"].value, "a weight of 0 changes nothing"


def test_margins_that_nobody_knows_are_the_mean() -> None:
    assert margins.filled(np.array([1.0, np.nan, 3.0])).tolist() == [1.0, 2.0, 3.0]
    shown = Lists(items=np.array([[0, 1, -1]]), chance=np.array([[0.5, 0.4, 0.0]]), again=np.zeros((1, 3), bool))
    assert margins.reordered(shown, np.array([1.0, 2.0]), 1.0).items.tolist() == [[1, 0, -1]]


def test_a_group_is_shown_what_is_popular_in_it_and_then_with_all() -> None:
    rows = [(p, 0, 0 if p < 12 else 1, 100.0) for p in range(24)] + [(24, 0, 2, 100.0), (25, 0, 3, 1.0)]
    person, visit, item, day = (np.array(column) for column in zip(*rows, strict=True))
    baskets = sorted_rows(person, visit, item, day, 4, 26)
    groups = np.where(person < 12, 0, 1)
    listed, people = cold.popular(baskets, 101.0, 3, groups, 3)
    assert listed.tolist() == [[0, 1, 2], [1, 0, 2], [0, 1, 2], [0, 1, 2]]
    assert people[:, 0].tolist() == [12, 12, 0, 12], "a group that fewer than ten bought in says nothing of its own"


def test_an_item_that_hardly_anybody_bought_goes_with_its_category() -> None:
    rows = [(p, 0, i, 100.0) for p in range(20) for i in (0, 1)] + [(20, 0, 2, 100.0)]
    person, visit, item, day = (np.array(column) for column in zip(*rows, strict=True))
    baskets = sorted_rows(person, visit, item, day, 4, 21)
    likes, bought_by = neighbours.fit_likes(baskets, 10.0), np.bincount(item, minlength=4).astype(float)
    found = cold.kin(likes, bought_by, np.array([5, 6, 5, -1]), trends(baskets), 101.0).toarray()
    assert found[2].tolist() == pytest.approx([cold.KIN_WEIGHT, 0, 0, 0])
    assert (found[:2] == likes.toarray()[:2]).all() and not found[3].any()


def test_too_few_people_are_not_judged_and_have_lists_all_the_same() -> None:
    few = trade(people=20)
    with pytest.raises(BadInput, match="people have 3 baskets or more"):
        judging.judge(few, single=False)
    recommender = fitting.fit(few, single=False)
    shown = lists.listed(fitting.known(few, recommender), recommender, lists.now(few, np.arange(20), 70.0), 5)
    assert (shown.items >= 0).all()


def test_days_orders_and_rows_make_baskets() -> None:
    con = connect()
    con.execute("""CREATE TABLE bought AS SELECT * FROM (VALUES
        ('b', 'x', TIMESTAMP '2026-01-02 10:00', 1, 'o1'), ('b', 'y', TIMESTAMP '2026-01-02 12:00', 2, 'o2'),
        ('a', 'x', TIMESTAMP '2026-01-03 10:00', 3, 'o3'), ('b', 'x', TIMESTAMP '2026-01-02 10:00', 4, 'o1'),
        ('b', 'x', TIMESTAMP '2026-01-05 10:00', 5, 'o4')) AS t (person, item, bought_at, place, basket)""")
    by_day, by_order, by_row = (gathered(con, "bought", by) for by in ("day", "order", "row"))
    assert (by_day.people, by_day.items) == (["a", "b"], ["x", "y"])
    assert [len(g.baskets.day) for g in (by_day, by_order, by_row)] == [3, 4, 5]
    assert by_day.baskets.item.tolist() == [0, 0, 1, 0]
    assert gathered(con, "bought").by == "day", "somebody comes back for the same"


@pytest.mark.heavy
@pytest.mark.skipif(not RETAIL.is_dir(), reason="Online Retail is not here")
def test_online_retail_s_next_basket_is_foretold_as_promised() -> None:
    con = connect(threads=2)
    con.execute(f"""CREATE TEMP TABLE bought AS SELECT CustomerID AS person, StockCode AS item, 0 AS place,
        CAST(InvoiceDate AS TIMESTAMP) AS bought_at FROM read_parquet('{RETAIL}/online_retail.parquet')
        WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0 AND InvoiceNo NOT LIKE 'C%'""")
    got = gathered(con, "bought")
    verdict = judging.judge(got.baskets, single=False)
    assert (got.by, verdict.judged, len(np.unique(verdict.baskets.item))) == ("day", 1_916, 3_588)
    for measure, least in (("recall_at_10", 0.33), ("new_recall_at_10", 0.10)):
        figure = verdict.figures[measure]
        assert figure.value is not None and figure.value.low >= least, measure
        assert all(of is not None and of.low > 0 for of in figure.better.values()), measure


def test_one_s_own_list_is_the_same_alone_as_among_all(verdict: Verdict) -> None:
    known = fitting.known(verdict.baskets, verdict.recommender)
    every = lists.listed(known, verdict.recommender, lists.now(known.baskets, np.arange(known.baskets.people), 80.0), 10)
    one = lists.listed(known, verdict.recommender, lists.now(known.baskets, np.array([17]), 80.0), 10)
    assert (one.items[0] == every.items[17]).all() and (one.chance[0] == every.chance[17]).all()
