"""A model and many rows -> the model as a whole: how much each column counts, and how the score goes with its value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.insight.explain.contributions import Explainable, Explained

Numbers = npt.NDArray[np.float64]
FEWEST = 10
"""Rows that a bin is told of at least, so that it tells of nobody."""
BINS = 10
SAMPLE = 400


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much a column moves scores: points, the mean absolute contribution in the score's unit; share, of all columns."""

    column: str
    points: float
    share: float


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """The mean score if a column had values of this bin for everybody. low, high: of the bin; equal for a category's code;
    None where the value is missing. rows: how many had such a value."""

    low: float | None
    high: float | None
    rows: int
    score: float


def importance(explained: Explained) -> list[Importance]:
    """Every column, the one that moves scores most first."""
    moved = np.abs(explained.points).mean(axis=0) if len(explained.points) else np.zeros(len(explained.names))
    total = float(moved.sum()) or 1.0
    found = [Importance(column=c, points=float(m), share=float(m / total)) for c, m in zip(explained.names, moved, strict=True)]
    return sorted(found, key=lambda i: (-i.points, i.column))


def dependence(model: Explainable, x: Numbers, column: str, *, category: bool = False, seed: int = 1) -> list[Dependence]:
    """How the mean score goes with one column's value, the others as they are.

    Bins hold about as many rows each; a category has a bin per code. Bins of fewer than FEWEST rows are not told. SAMPLE
    rows at most stand for all. Source: Friedman (2001), partial dependence.
    """
    place = model.names.index(column)
    value = x[:, place]
    missing, known = np.isnan(value), value[~np.isnan(value)]
    bins = _levels(known) if category else _bins(known)
    if missing.sum() >= FEWEST:
        bins.append((None, None, int(missing.sum()), np.nan))
    some = np.random.default_rng(seed).permutation(x)[:SAMPLE]
    found = []
    for low, high, rows, stands in bins:
        if rows >= FEWEST:
            changed = some.copy()
            changed[:, place] = stands
            found.append(Dependence(low=low, high=high, rows=rows, score=float(model.score(changed).mean())))
    return found


Made = tuple[float | None, float | None, int, float]


def _bins(known: Numbers) -> list[Made]:
    if not len(known):
        return []
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1), method="inverted_cdf"))
    which = np.clip(np.searchsorted(cuts[1:], known, side="left"), 0, max(len(cuts) - 2, 0))
    parts = [known[which == i] for i in range(max(len(cuts) - 1, 1))]
    return [
        (float(p.min()), float(p.max()), len(p), float(np.quantile(p, 0.5, method="inverted_cdf"))) for p in parts if len(p)
    ]


def _levels(known: Numbers) -> list[Made]:
    codes, many = np.unique(known, return_counts=True)
    return [(float(c), float(c), int(n), float(c)) for c, n in zip(codes, many, strict=True)]
