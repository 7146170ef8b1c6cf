"""Paths, drawn again and again -> how sure Markov credits are: 95 % intervals by a Poisson bootstrap.

Each time a path was gone it is drawn anew a Poisson(1) number of times, independent of all others, which is the bootstrap
of many observations without their sum fixed (Hanley and MacGibbon, 2006). States and steps are those of the paths as they
are; only their weights are drawn.
"""

from __future__ import annotations

import numpy as np

from tessera.insight.attribution.chain import Walks, weighed
from tessera.insight.attribution.paths import Floats, Paths
from tessera.insight.attribution.removal import removed
from tessera.words import Progress, silent

RESAMPLES = 200

MOST_WORK = 1.2e9
"""Touches drawn and steps solved in all; about ten seconds. More of it is done when asked for."""

NEAR = 1e-5
"""The tolerance of a resample's solve: far below what resampling itself leaves open."""


def affordable(paths: Paths, walks: Walks) -> int:
    """RESAMPLES if they are a matter of seconds, else none."""
    each = 3 * len(paths) + 3 * len(walks.steps) + 10 * len(walks.source) * len(paths.channels)
    return RESAMPLES if RESAMPLES * each <= MOST_WORK else 0


def resampled(paths: Paths, walks: Walks, resamples: int, seed: int, progress: Progress = silent) -> Floats:
    """Markov credits of each resample: (resamples, channels, outcomes), outcomes as conversions and value of each kind."""
    made = np.zeros((resamples, len(paths.channels), 2 * len(paths.kinds)))
    each = np.divide(paths.values, paths.conversions, out=np.zeros_like(paths.values), where=paths.conversions > 0)
    for i in range(resamples):
        progress("resamples", i, resamples)
        rng = np.random.default_rng([seed, i])
        conversions, null = rng.poisson(paths.conversions).astype(float), rng.poisson(paths.null).astype(float)
        outcomes = np.stack([conversions, conversions * each], axis=2).reshape(len(paths), -1)
        weight = conversions.sum(axis=1) + null
        if not weight.any():
            continue
        lost = removed(weighed(walks, weight, outcomes), len(paths.channels), tolerance=NEAR)
        whole = lost.sum(axis=0)
        made[i] = np.divide(lost * outcomes.sum(axis=0), whole, out=np.zeros_like(lost), where=whole > 0)
    return made


def around(credit: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    """The middle 95 % of the draws, moved so that their mean lies on the credit, and not below 0.

    credit: (channels,). drawn: (resamples, channels). Resamples lack the rarest steps, which pulls all of them a little to one
    side at high orders; how far they lie apart is what tells of chance.
    """
    off = credit - drawn.mean(axis=0)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return np.clip(low + off, 0.0, credit), np.maximum(high + off, credit)
