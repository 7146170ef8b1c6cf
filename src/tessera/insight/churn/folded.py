"""Rows and a yes/no -> how well the recipe does on rows that it has not seen: k parts, repeated; and the final model.

Each repetition deals the rows anew. The model (trees, and as much of their logistic twin as helps) and the twin alone are
judged on the same parts, so their difference has an interval of its own. Weights and calibration are learned inside each
training part, so nothing that is told was chosen on what it is told of.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tessera.insight import blend, linear, trees
from tessera.insight.blend import Blend
from tessera.insight.calibration import Bin, auc, brier, ece, reliability
from tessera.insight.trees import SMALL, Recipe

Numbers = npt.NDArray[np.float64]
FOLDS = 5
SEEDS = 5


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A mean over the parts of all repetitions, and its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What one kind of model did on unseen rows: auc with its interval; brier and ece, the means of the repetitions."""

    auc: Spread
    brier: float
    ece: float


@dataclass(frozen=True, kw_only=True)
class Folded:
    """What was found. ahead: AUC of the model less that of the twin, on the same parts. unseen: each row's probability when its
    part was unseen, of the first repetition. bins: of those, how probabilities compare with what came."""

    rows: int
    folds: int
    seeds: int
    model: Judged
    twin: Judged
    ahead: Spread
    unseen: Numbers
    bins: tuple[Bin, ...]


def judged(
    x: Numbers, y: Numbers, names: Sequence[str], categories: Sequence[str], *,
    seeds: int = SEEDS, folds: int = FOLDS, recipe: Recipe = SMALL, tell: Callable[[int, int], None] = lambda *_: None,
) -> Folded:  # fmt: skip
    """Stratified k-fold, repeated with other deals. tell: how many of the fits are done. Raises BadInput as `trees.fit`.

    Intervals: Nadeau and Bengio (2003), whose variance allows for training parts that overlap.
    """
    parts = [(seed, *part) for seed in range(seeds) for part in trees.folds(y, folds, seed)]
    own = replace(recipe, threads=1)
    done = 0

    def one(part: tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]) -> tuple[Numbers, Numbers]:
        nonlocal done
        seed, train, test = part
        both = blend.fit(x[train], y[train], names, categories=categories, recipe=replace(own, seed=seed + 1))
        twin = linear.fit(x[train], y[train], names, categories=categories)
        scores = both.score(x[test]), twin.score(x[test])
        done += 1
        tell(done, len(parts))
        return scores

    # LightGBM lets go of the interpreter, and one thread for each of two fits is quicker than two threads for one.
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        scored = list(pool.map(one, parts))
    both = []
    for model in range(2):
        whole = np.zeros((seeds, len(y)))
        for (seed, _, test), scores in zip(parts, scored, strict=True):
            whole[seed, test] = scores[model]
        both.append((np.array([auc(s[model], y[p[2]]) for p, s in zip(parts, scored, strict=True)]), whole))
    return Folded(
        rows=len(y),
        folds=len(parts) // seeds,
        seeds=seeds,
        model=_told(*both[0], y, folds),
        twin=_told(*both[1], y, folds),
        ahead=spread(both[0][0] - both[1][0], folds),
        unseen=both[0][1][0],
        bins=reliability(both[0][1][0], y),
    )


def final(x: Numbers, y: Numbers, names: Sequence[str], categories: Sequence[str], recipe: Recipe = SMALL) -> Blend:
    """The model that is kept: learned from all rows."""
    return blend.fit(x, y, names, categories=categories, recipe=recipe)


def spread(found: Numbers, folds: int) -> Spread:
    """Mean and 95 % interval of a measure over the parts of repeated k-fold.

    Source: Nadeau and Bengio (2003): the variance of J parts is (1/J + 1/(k - 1)) times that of one.
    """
    from scipy.stats import t

    mean = float(found.mean())
    if len(found) < 2:
        return Spread(mean=mean, low=mean, high=mean)
    wide = float(t.ppf(0.975, len(found) - 1) * np.sqrt((1 / len(found) + 1 / max(folds - 1, 1)) * found.var(ddof=1)))
    return Spread(mean=mean, low=mean - wide, high=mean + wide)


def _told(aucs: Numbers, whole: Numbers, y: Numbers, folds: int) -> Judged:
    found = spread(aucs, folds)
    return Judged(
        auc=Spread(mean=found.mean, low=max(found.low, 0.0), high=min(found.high, 1.0)),
        brier=float(np.mean([brier(p, y) for p in whole])),
        ece=float(np.mean([ece(p, y) for p in whole])),
    )
