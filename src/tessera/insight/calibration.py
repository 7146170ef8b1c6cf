"""Margins and what became of them -> probabilities that mean what they say, and how far they do.

Platt's map is a straight line in log-odds, so contributions that add up to a margin add up to the calibrated one too:
each is multiplied by the slope. An isotonic map would calibrate as well and break that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
BINS = 10
STIFF = 4.0
"""How many rows' worth of evidence holds the map at the identity: matters below some hundred rows only."""


@dataclass(frozen=True, kw_only=True)
class Platt:
    """log-odds = slope x margin + offset; slope > 0, so that no order changes."""

    slope: float = 1.0
    offset: float = 0.0

    def of(self, margin: Numbers) -> Numbers:
        """Calibrated log-odds."""
        calibrated: Numbers = self.slope * margin + self.offset
        return calibrated


IDENTITY = Platt()


def sigmoid(margin: Numbers) -> Numbers:
    """Log-odds -> probability, without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    small = np.exp(-np.abs(margin))
    found: Numbers = np.where(margin >= 0, 1 / (1 + small), small / (1 + small))
    return found


def platt(margin: Numbers, y: Numbers) -> Platt:
    """The line that makes margins of unseen rows most likely, held a little at the identity; by Newton's steps.

    margin: log-odds that a model gave to rows that it had not learned from. y: 0 or 1. One class only, or margins that run
    against the outcome, give the identity. Source: Platt (1999); the prior is ours in place of his smoothed targets.
    """
    if len(np.unique(y)) < 2:
        return IDENTITY
    # Where all margins lie near one value, slope and offset cannot be told apart; the prior decides then.
    slope, offset = 1.0, 0.0
    pull = STIFF * np.array([max(float(margin.var()), 1e-6), 1.0]) / 4
    for _ in range(50):
        p = sigmoid(slope * margin + offset)
        lean = np.array([np.dot(margin, p - y), np.sum(p - y)]) + pull * (slope - 1, offset)
        w = p * (1 - p)
        bend = np.array([[np.dot(w, margin**2), np.dot(w, margin)], [np.dot(w, margin), w.sum()]]) + np.diag(pull)
        step = np.linalg.solve(bend, lean)
        largest = max(abs(step))
        slope, offset = slope - step[0] * min(1, 1 / largest), offset - step[1] * min(1, 1 / largest)
        if largest < 1e-10:
            break
    return Platt(slope=float(slope), offset=float(offset)) if slope > 0 else IDENTITY


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Rows with about the same probability. said: their mean probability. came: the share of ones among them."""

    rows: int
    said: float
    came: float


def reliability(p: Numbers, y: Numbers, bins: int = BINS) -> tuple[Bin, ...]:
    """Rows by probability, in equally wide bins of 0..1; empty bins are not told."""
    which = np.minimum((p * bins).astype(int), bins - 1)
    many = np.bincount(which, minlength=bins)
    said, came = (np.bincount(which, weights=v, minlength=bins) for v in (p, y))
    return tuple(Bin(rows=int(n), said=float(s / n), came=float(c / n)) for n, s, c in zip(many, said, came, strict=True) if n)


def ece(p: Numbers, y: Numbers, bins: int = BINS) -> float:
    """Expected calibration error: how far, on average over rows, a bin's probability is from what came of it.

    Source: Naeini, Cooper, Hauskrecht (2015), equally wide bins.

    >>> ece(np.array([0.1, 0.1, 0.9, 0.9]), np.array([0.0, 0.0, 1.0, 0.0]))
    0.25
    """
    return sum(b.rows * abs(b.said - b.came) for b in reliability(p, y, bins)) / len(p)


def brier(p: Numbers, y: Numbers) -> float:
    """The mean squared distance of probability and outcome (Brier 1950); 0 is best."""
    return float(np.mean((p - y) ** 2))


def auc(p: Numbers, y: Numbers) -> float | None:
    """The chance that a one scores higher than a zero, ties by half (Mann and Whitney 1947); None for one class only.

    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0.0, 0.0, 1.0, 1.0]))
    0.875
    """
    ones = int(y.sum())
    if not 0 < ones < len(y):
        return None
    _, place, many = np.unique(p, return_inverse=True, return_counts=True)
    rank = (np.cumsum(many) - (many - 1) / 2)[place]
    return float((rank[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones)))
