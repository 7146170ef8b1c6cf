"""insight/churn: what was known at a midnight, and nothing that came later; which midnights may be used for what."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from given_orders import BEGAN, DAYS, NOW, Order, Shop, orders
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.insight.churn.history import FEATURES, WORDS
from tessera.insight.churn.past import opened
from tessera.insight.churn.snapshots import MOST, WARM_DAYS, plan

AT = BEGAN + timedelta(days=200)


def features(folder: Path, made: list[Order], **told: object) -> dict[int, np.ndarray]:
    shop = Shop(folder, made, **told)  # type: ignore[arg-type]
    with opened(shop.run(), [shop.question()], BEGAN) as (past,):
        people, x = past.rows(AT)
    return dict(zip(people.tolist(), x, strict=True))


def test_nothing_that_comes_at_or_after_the_midnight_changes_a_feature(tmp_path: Path) -> None:
    made = orders(80)
    whole = features(tmp_path, made)
    before = features(tmp_path, [o for o in made if o[1].date() < AT])
    assert whole.keys() == before.keys() and len(whole) > 40
    assert all(np.array_equal(whole[p], before[p], equal_nan=True) for p in whole)


def test_the_outcome_is_read_only_from_what_comes_at_or_after_the_midnight(tmp_path: Path) -> None:
    made = orders(80)
    shop = Shop(tmp_path, made)
    with opened(shop.run(), [shop.question()], BEGAN) as (past,):
        found = past.snapshot(AT)
    until = AT + timedelta(days=45)
    stayed = {p for p, at, _, status in made if status == "paid" and AT <= at.date() < until}
    assert dict(zip(found.people.tolist(), found.y.tolist(), strict=True)) == {
        p: float(p not in stayed) for p in found.people.tolist()
    }
    assert 0.2 < found.y.mean() < 0.9


def test_features_are_what_plain_python_counts(tmp_path: Path) -> None:
    made = orders(40)
    found = features(tmp_path, made)
    at = {f: i for i, f in enumerate(FEATURES)}
    for person, x in found.items():
        own = [(o[1], o[2], o[3]) for o in made if o[0] == person and o[1].date() < AT]
        kept = sorted({o[0].date() for o in own if o[2] == "paid"})
        gaps = [(b - a).days for a, b in pairwise(kept)]
        silent = (AT - kept[-1]).days
        spent = sum(o[1] for o in own if o[2] == "paid")
        assert x[at["recency_days"]] == silent and x[at["tenure_days"]] == (AT - kept[0]).days
        assert x[at["order_days"]] == len(kept) and x[at["revenue_cents"]] == spent
        assert x[at["orders_90"]] == sum((AT - d).days <= 90 for d in kept)
        assert x[at["returns"]] == sum(o[2] == "refunded" for o in own)
        if gaps:
            assert x[at["gap_days"]] == pytest.approx(np.mean(gaps)) and x[at["gap_last_days"]] == gaps[-1]
            assert x[at["silence_survived"]] == pytest.approx(sum(g >= silent for g in gaps) / len(kept))
        else:
            assert np.isnan(x[at["gap_days"]]) and np.isnan(x[at["before_last_days"]])


def test_every_feature_has_words_in_both_languages_and_none_says_who_she_is() -> None:
    for feature, word in WORDS.items():
        assert word.en and word.her_en and not word.her_en.startswith("the customer"), feature
        assert all(c > "\u3400" or c.isdigit() or c in "（）" for c in word.zh + word.her_zh), feature
    assert not {"country", "city", "region", "gender", "age", "tier"} & set(FEATURES)


@settings(deadline=None)
@given(st.integers(0, 800), st.integers(7, 200))
def test_no_model_learns_from_an_outcome_that_was_not_in_yet(history: int, horizon: int) -> None:
    first = date(2025, 1, 1)
    now = first + timedelta(days=history)
    found = plan(first, now, horizon)
    span = timedelta(days=horizon)
    assert all(at + span <= now and (at - first).days >= WARM_DAYS for at in found.final) and len(found.final) <= MOST
    assert bool(found.final) == (history >= horizon + WARM_DAYS)
    assert (found.judge is not None) == (history >= 2 * horizon + WARM_DAYS) == bool(found.learn)
    if found.judge is not None:
        assert found.judge + span <= now and all(at + span <= found.judge for at in found.learn)
    assert len(set(found.final)) == len(found.final)


def test_a_subscription_ends_where_its_event_says(tmp_path: Path) -> None:
    started, over = "Subscription Started", "Subscription Cancelled"
    day = {o: orders(1)[0][1].replace(month=1, day=1) + timedelta(days=o) for o in range(DAYS)}
    told = [(1, day[5], started), (1, day[210], over), (2, day[5], started), (2, day[50], over), (3, day[9], started),
            (4, day[9], started), (4, day[20], over), (4, day[30], started), (4, day[290], over), (5, day[30], over),
            (6, day[205], started), (7, day[9], "Product Viewed")]  # fmt: skip
    shop = Shop(tmp_path, [], told, form="subscription")
    with opened(shop.run(), [shop.question()], BEGAN) as (past,):
        found = past.snapshot(AT)
        assert past.first() == BEGAN + timedelta(days=5)
    assert dict(zip(found.people.tolist(), found.y.tolist(), strict=True)) == {1: 1.0, 3: 0.0, 4: 0.0}
    subscribed = found.x[:, FEATURES.index("subscribed_days")].tolist()
    assert subscribed == [195.0, 191.0, 170.0] and np.isnan(found.x[:, FEATURES.index("recency_days")]).all()
    assert (NOW - AT).days == 100
