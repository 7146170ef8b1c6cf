"""insight/churn/standing.py: a new model scores unless it is surely worse; then the old one goes on, and the next try waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from given_orders import NOW, Shop, hasty, orders

from tessera.insight.calibration import sigmoid
from tessera.insight.churn import checks, model, scores, standing
from tessera.insight.churn.model import OVER_STANDING, Learned, Stack
from tessera.insight.churn.past import Past

FIRST = NOW - timedelta(days=32)


@pytest.fixture(scope="module", autouse=True)
def few() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        hasty(patch)
        yield


@pytest.fixture
def shop(tmp_path: Path, first: Shop) -> Shop:
    """A shop whose model was learned a month ago."""
    made = Shop(tmp_path, orders(500))
    made.model, made.facts = first.model, dict(first.facts)
    return made


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    made = Shop(tmp_path_factory.mktemp("shop"), orders(500))
    made.turn(FIRST)
    return made


def broken(patch: pytest.MonkeyPatch) -> None:
    """Months whose outcomes are the wrong way round, up to the newest snapshot: what is learned of them foretells worse."""
    right = Past.snapshot

    def snapshot(self: Past, at: date) -> Stack:
        found = right(self, at)
        newest = self.run.as_of + timedelta(days=1 - self.question.horizon_days)
        return found if at == newest else replace(found, y=1 - found.y)

    patch.setattr(Past, "snapshot", snapshot)


def test_after_a_month_the_new_model_scores_and_says_how_far_it_is_ahead(shop: Shop) -> None:
    before = shop.model
    checked, scored = shop.turn(NOW - timedelta(days=1))
    (card,) = checked.cards
    ahead = card.figures[OVER_STANDING]
    assert ahead.low is not None and ahead.high is not None and ahead.low < ahead.value < ahead.high
    assert card.status == "champion" and ahead.high >= 0 and shop.model is card and card is not before
    assert set(scored.rows["model"].to_pylist()) == {card.id}  # type: ignore[union-attr]


def test_a_surely_worse_model_waits_and_the_next_try_comes_after_a_month(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shop.model
    with monkeypatch.context() as patch:
        broken(patch)
        checked, scored = shop.turn(NOW - timedelta(days=1))
        (card,) = checked.cards
        assert card.status == "challenger" and (card.figures[OVER_STANDING].high or 0) < 0
    assert shop.model is before is not None
    assert set(scored.rows["model"].to_pylist()) == {before.id}  # type: ignore[union-attr]
    # Told is the one that scores, and nobody tries again before a month is over, whatever the scores do.
    known = Learned.read(before.learned)
    told = {r["subject"]: r["value"] for r in checked.rows.to_pylist() if r["kind"] == "importance"}  # type: ignore[union-attr]
    assert told == {i.column: i.points * 100 for i in known.importance}
    for days, fits in ((0, 0), (29, 0), (30, 1)):
        made = checks.STEP.run(shop.run(as_of=NOW - timedelta(days=1) + timedelta(days=days)))
        assert len(made.cards) == fits
        if not fits:
            assert made.facts == {"tried": NOW.isoformat()}


def test_only_an_old_model_that_knows_later_months_than_its_rival_must_be_ahead_by_more(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    monkeypatch.setattr(standing, "HEAD_START", 1.0)
    (card,) = checks.STEP.run(shop.run(as_of=NOW - timedelta(days=1))).cards
    assert card.status == "champion" and (card.figures[OVER_STANDING].high or 0) < 0
    # As if it had been learned a horizon ago: then it knows nothing more, and any sure loss counts.
    assert shop.model is not None
    early = replace(Learned.read(shop.model.learned), newest=NOW - timedelta(days=2 * 45))
    shop.model = msgspec.structs.replace(shop.model, learned=early.written())
    (card,) = checks.STEP.run(shop.run(as_of=NOW - timedelta(days=1))).cards
    assert card.status == "challenger"


def test_a_fit_that_was_asked_for_or_follows_a_sweep_is_compared_with_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    (asked,) = checks.STEP.run(shop.run(as_of=NOW - timedelta(days=1), refit=True)).cards
    shop.model = None
    (swept,) = checks.STEP.run(shop.run(as_of=NOW - timedelta(days=1))).cards
    for card in (asked, swept):
        assert card.status == "champion" and OVER_STANDING not in card.figures


def test_a_model_of_another_question_is_no_rival_and_scores_nobody(shop: Shop) -> None:
    assert shop.model is not None
    other = replace(Learned.read(shop.model.learned), horizon_days=7)
    shop.model = msgspec.structs.replace(shop.model, learned=other.written())
    (card,) = checks.STEP.run(shop.run(as_of=NOW - timedelta(days=1))).cards
    assert card.status == "champion" and OVER_STANDING not in card.figures
    assert scores.STEP.run(shop.run(scores.STEP)).rows.num_rows == 0  # type: ignore[union-attr]


def test_moved_scores_ask_for_a_new_fit_unless_the_last_one_was_not_taken() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(600, 2))
    y = (rng.random(600) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(float)
    stack = Stack(x=x, y=y, people=np.arange(600))
    known, _ = model.learned(["a", "b"], stack, None, stack, {}, form="purchases", horizon_days=30, fitted_at=NOW, newest=NOW)
    day, there = NOW + timedelta(days=10), x + np.array([2.0, 0.0])
    assert standing.holds(known, day, x, None) and not standing.holds(known, day, there, None)
    assert standing.holds(known, day, there, NOW + timedelta(days=1))
    assert not standing.holds(known, NOW + timedelta(days=31), there, NOW + timedelta(days=1))
    assert not standing.holds(known, NOW + timedelta(days=30), x, None)


def test_the_comparison_is_that_of_the_same_people_drawn_again() -> None:
    rng = np.random.default_rng(2)
    y = (rng.random(400) < 0.4).astype(float)
    good, poor = sigmoid(y + rng.normal(size=400)), sigmoid(y + 3 * rng.normal(size=400))
    figures: dict[str, Any] = model.figures(good, y, {OVER_STANDING: poor, "auc_over_twin": good})
    assert figures[OVER_STANDING].low > 0 and model.figures(poor, y, {OVER_STANDING: good})[OVER_STANDING].high < 0  # type: ignore[operator]
    twin = figures["auc_over_twin"]
    assert (twin.value, twin.low, twin.high) == (0, 0, 0)
