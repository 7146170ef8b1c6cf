"""Failures that hang on a product of two columns are found by the pairs; a column that says the outcome is no help."""

from __future__ import annotations

import numpy as np
import pytest

from tessera.errors import BadInput
from tessera.insight.upkeep import failing


def rows(n: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Too much power breaks a machine, and too little; of columns by themselves neither tells much."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-10, 10, (n, 3))
    power = x[:, 0] * x[:, 1]
    return x, ((power > np.quantile(power, 0.96)) | (power < np.quantile(power, 0.04))).astype(float)


def test_pairs_are_chosen_where_a_product_decides_and_they_rank_failures_first() -> None:
    x, y = rows()
    model, judged = failing.fit(x, y, ["torque", "speed", "noise"], [True] * 3, folds=3)
    assert set(judged.choices) <= {"products", "ratios"} and model.choice != "none"
    assert failing.precision(y, judged.unseen) > 0.9
    fresh, truth = rows(seed=1)
    assert failing.precision(truth, model.score(fresh)) > 0.9


def test_a_ratio_to_nothing_is_missing() -> None:
    made = failing.pairs("ratios", [0, 1], ["a", "b"])
    found = failing.widened(np.array([[1.0, 0.0], [6.0, 3.0]]), made)
    assert np.isnan(found[0, 4]) and found[1].tolist() == [6, 3, 18, 3, 2]


def test_a_column_of_causes_says_the_outcome() -> None:
    y = np.r_[np.ones(20), np.zeros(80)]
    assert failing.tells(np.r_[np.ones(8), np.zeros(92)], y)
    assert not failing.tells(np.r_[np.ones(8), np.zeros(52), np.ones(40)], y)
    assert not failing.tells(np.arange(100.0), y)


def test_too_few_failures_are_refused() -> None:
    x, y = rows(200)
    with pytest.raises(BadInput, match="at least 20"):
        failing.fit(x, y, ["a", "b", "c"], [True] * 3)
