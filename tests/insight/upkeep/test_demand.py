"""Service demand: its intervals hold for weeks that were not seen, for counts that scatter and for few of them."""

from __future__ import annotations

import numpy as np
import pytest

from tessera.errors import BadInput
from tessera.insight.upkeep.demand import foretold


def history(weeks: int, means: list[float], k: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mean = np.array(means)[None, :] * np.ones((weeks, 1))
    return rng.poisson(mean * rng.gamma(k, 1 / k, mean.shape)).astype(float)


@pytest.mark.parametrize(("weeks", "k"), [(13, 1e6), (26, 4.0)])
def test_nine_of_ten_weeks_to_come_lie_inside(weeks: int, k: float) -> None:
    inside, total = 0, 0
    for seed in range(25):
        known = history(weeks + 4, [1.0, 6.0, 30.0], k, seed)
        found = foretold(known[:weeks])
        inside += int(((known[weeks:] >= found.low) & (known[weeks:] <= found.high)).sum())
        total += known[weeks:].size
        assert (found.low <= found.mean).all() and (found.mean <= found.high + 1).all()
    assert 0.87 <= inside / total <= 0.99


def test_counts_that_scatter_are_seen_to_and_held_out_weeks_are_counted() -> None:
    calm, wild = foretold(history(60, [20.0] * 4, 1e6, 1)), foretold(history(60, [20.0] * 4, 3.0, 1))
    assert calm.scatter < 0.05 < 0.2 < wild.scatter < 0.6
    assert wild.tried > 100 and wild.covered is not None and wild.covered > 0.85
    assert ((wild.high - wild.low) > 1.5 * (calm.high - calm.low)).all()


def test_a_season_is_foretold_where_two_years_are_known() -> None:
    week = np.arange(160)
    mean = 40 * np.exp(0.6 * np.sin(2 * np.pi * week / (365.25 / 7)))
    known = np.random.default_rng(2).poisson(mean)[:, None].astype(float)
    found = foretold(known[:150], ahead=10)
    assert np.corrcoef(found.mean[:, 0], mean[150:])[0, 1] > 0.9
    assert np.abs(found.mean[:, 0] / mean[150:] - 1).max() < 0.25


def test_nothing_ever_and_too_little() -> None:
    quiet = foretold(np.zeros((12, 2)))
    assert (quiet.high <= 2).all() and (quiet.mean < 0.5).all()
    with pytest.raises(BadInput, match="at least 8 weeks"):
        foretold(np.zeros((5, 2)))
