"""A model and rows -> what each column added, from the average to the score: in log-odds, and in points of probability.

Contributions add up in log-odds. People read probabilities, and the step from one to the other bends: so a row's
contributions are all multiplied by the one positive number that makes them add up in probability as well. No sign and no order
changes by that, and the sum is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tessera.insight.calibration import sigmoid

Numbers = npt.NDArray[np.float64]
FAR = 600.0
"""A margin beyond which a probability is 0 or 1 in any number that we have, and cosh overflows."""


class Explainable(Protocol):
    """What can be explained: `Trees`, `Logistic`, or whatever has contributions that add up to its margin."""

    @property
    def kind(self) -> Literal["binary", "regression"]: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    def margin(self, x: Numbers, /) -> Numbers: ...
    def score(self, x: Numbers, /) -> Numbers: ...
    def contributions(self, x: Numbers, /) -> Numbers: ...


@dataclass(frozen=True, kw_only=True)
class Explained:
    """names: the columns. parts: rows x columns, log-odds (or the value's unit). base: the margin that they start from.
    margin: base + the row's parts. points: the same in the score's own unit, 0..1 for a probability. average: the score at
    the base. score: average + the row's points."""

    names: tuple[str, ...]
    kind: Literal["binary", "regression"]
    base: float
    parts: Numbers
    margin: Numbers
    average: float
    points: Numbers
    score: Numbers


def explained(model: Explainable, x: Numbers) -> Explained:
    """The contributions of each row; both sums are exact to 1e-9, and a point has the sign of its part."""
    x = np.atleast_2d(x)
    return of_parts(model.kind, model.names, model.contributions(x) if len(x) else np.zeros((0, len(model.names) + 1)))


def of_parts(kind: Literal["binary", "regression"], names: tuple[str, ...], found: Numbers) -> Explained:
    """The same of contributions that are there already: rows x (columns + 1), the last one being the base."""
    parts, base = found[:, :-1], float(found[0, -1]) if len(found) else 0.0
    margin = base + parts.sum(axis=1)
    if kind == "regression":
        return Explained(
            names=names, kind=kind, base=base, parts=parts, margin=margin, average=base, points=parts, score=margin
        )
    points = parts * per_margin(base, margin)[:, None]
    average = float(sigmoid(np.array(base)))
    return Explained(
        names=names, kind=kind, base=base, parts=parts, margin=margin, average=average, points=points,
        score=average + points.sum(axis=1),
    )  # fmt: skip


def per_margin(base: float, margin: Numbers) -> Numbers:
    """(sigmoid(margin) - sigmoid(base)) / (margin - base), which is positive and has no gap where both are equal.

    By sinh(d/2) / (2 cosh(margin/2) cosh(base/2)) for the difference, as a difference of two rounded probabilities would lose
    its sign near 0 and 1.
    """
    m, b = np.clip(margin, -FAR, FAR), float(np.clip(base, -FAR, FAR))
    half = (m - b) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        steep = np.where(np.abs(half) < 1e-8, 1.0, np.sinh(half) / half)
    return np.asarray(steep / (4 * np.cosh(m / 2) * np.cosh(b / 2)), dtype=np.float64)
