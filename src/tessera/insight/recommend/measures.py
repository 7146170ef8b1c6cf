"""How good lists of recommendations are: recall, NDCG, hits, each with an interval over people, and against another list.

Recall at n is hits / min(n, what was bought), so that a perfect list has 1; NDCG as Järvelin and Kekäläinen (2002), with the
same ideal. Intervals are of 95 %, from resamples of people (Efron 1979); the same people are drawn for lists that are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.insight.recommend.baskets import Baskets, Floats, Ints, Moments, history

RESAMPLES = 1_000

Targets = tuple[Ints, Ints]
"""Moments and items that were bought, row by row."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean and its 95 % interval."""

    value: float
    low: float
    high: float


def hits(listed: Ints, wanted: Targets, items: int) -> npt.NDArray[np.bool_]:
    """Which of the listed items (moments x places; -1: none) were bought."""
    key = np.arange(len(listed))[:, None] * items + listed
    return (listed >= 0) & np.isin(key, wanted[0] * items + wanted[1])


def recall(listed: Ints, wanted: Targets, items: int, most: int, fresh: tuple[Baskets, Moments] | None = None) -> Floats:
    """Recall at `most` of each moment; NaN where nothing was to be found. fresh: only what she had not bought before counts."""
    wanted = wanted if fresh is None else only_new(wanted, *fresh)
    many = np.bincount(wanted[0], minlength=len(listed))
    got = hits(listed[:, :most], wanted, items).sum(axis=1)
    return np.where(many > 0, got / np.maximum(np.minimum(many, most), 1), np.nan)


def ndcg(listed: Ints, wanted: Targets, items: int, most: int) -> Floats:
    """NDCG at `most` of each moment; NaN where nothing was to be found."""
    many = np.bincount(wanted[0], minlength=len(listed))
    worth = 1 / np.log2(np.arange(2, most + 2))
    got = (hits(listed[:, :most], wanted, items) * worth[: listed.shape[1]]).sum(axis=1)
    ideal = np.r_[0.0, np.cumsum(worth)][np.minimum(many, most)]
    return np.where(many > 0, got / np.maximum(ideal, 1e-12), np.nan)


def only_new(wanted: Targets, baskets: Baskets, moments: Moments) -> Targets:
    """Of what was bought, what its person had not before."""
    past = history(baskets, moments)
    new = ~np.isin(wanted[0] * baskets.items + wanted[1], past.moment * baskets.items + past.item)
    return wanted[0][new], wanted[1][new]


def interval(values: Floats, seed: int = 7, resamples: int = RESAMPLES) -> Interval | None:
    """The mean over people with its interval, without those of whom there is nothing to say (NaN); None if nobody is left."""
    there = values[~np.isnan(values)]
    if not len(there):
        return None
    drawn = resampled(there, seed, resamples)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(value=float(there.mean()), low=float(low), high=float(high))


def resampled(values: Floats, seed: int, resamples: int = RESAMPLES) -> Floats:
    """Means of resamples of people, in pieces."""
    random = np.random.default_rng(seed)
    step = max(1, 20_000_000 // max(len(values), 1))
    means = [
        values[random.integers(0, len(values), (min(step, resamples - at), len(values)))].mean(axis=1)
        for at in range(0, resamples, step)
    ]
    return np.concatenate(means)
