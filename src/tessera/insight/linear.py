"""Rows and what became of them -> a logistic model that can be read: the transparent twin beside the trees.

It takes the same rows: missing values and codes as they are. A number is standardised (its logarithm, where that lies more
evenly) and cut off at four deviations, so that a few huge amounts do not bend the line; where some are missing, that has a
weight of its own, and a category has one per value. Contributions are exact: weight x (value - average).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput
from tessera.insight.calibration import sigmoid

Numbers = npt.NDArray[np.float64]
CHUNK = 65_536
FAR = 4.0
LEVELS = 30
"""Values of a category that have a weight of their own: the most frequent ones."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One number that the model sees. column: which column it is made from. level: None for the standardised value,
    "missing", or the code whose presence it says. log: of the value's logarithm. mean: the number's average. weight."""

    column: int
    level: float | Literal["missing"] | None
    log: bool = False
    shift: float = 0.0
    scale: float = 1.0
    mean: float = 0.0
    weight: float = 0.0

    def of(self, x: Numbers) -> Numbers:
        """The number, one per row."""
        value = x[:, self.column]
        if self.level is None:
            value = _logs(value) if self.log else value
            return np.nan_to_num(np.clip((value - self.shift) / self.scale, -FAR, FAR), nan=0.0)
        there = np.isnan(value) if self.level == "missing" else value == self.level
        return np.asarray(there, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """A fitted logistic regression, as `Trees` in all that explains and scores."""

    names: tuple[str, ...]
    terms: tuple[Term, ...]
    intercept: float
    kind: Literal["binary"] = "binary"

    def margin(self, x: Numbers) -> Numbers:
        """Log-odds, one per row."""
        total: Numbers = self.contributions(x).sum(axis=1)
        return total

    def score(self, x: Numbers) -> Numbers:
        """The probability of a one, one per row."""
        return sigmoid(self.margin(x))

    def contributions(self, x: Numbers) -> Numbers:
        """What each column adds to the average log-odds, and last that average; the sum is the margin."""
        x = np.atleast_2d(np.asarray(x, dtype=np.float64))
        if x.shape[1] != len(self.names):
            raise BadInput(f"The model has {len(self.names)} columns, the rows have {x.shape[1]}.")
        found = np.zeros((len(x), len(self.names) + 1))
        for start in range(0, len(x), CHUNK):
            part = x[start : start + CHUNK]
            for term in self.terms:
                found[start : start + CHUNK, term.column] += term.weight * (term.of(part) - term.mean)
        found[:, -1] = self.intercept + sum(t.weight * t.mean for t in self.terms)
        return found


def fit(x: Numbers, y: Numbers, names: Sequence[str], *, categories: Sequence[str] = (), strength: float = 1.0) -> Logistic:
    """A logistic regression with a ridge penalty. strength: its inverse, as scikit-learn's C.

    x, y, categories: as `trees.fit` takes them. Raises BadInput for one class only.
    Source: Cox (1958); ridge as in le Cessie and van Houwelingen (1992); fitted by scikit-learn's L-BFGS.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if set(np.unique(y)) != {0.0, 1.0}:
        raise BadInput(f"The outcome must have two values, 0 and 1; there are {len(np.unique(y))}.")
    terms = [t for i, c in enumerate(names) for t in _terms(x[:, i], i, c in set(categories))]
    if not terms:
        rate = float(np.mean(y))
        return Logistic(names=tuple(names), terms=(), intercept=float(np.log(rate / (1 - rate))))
    seen = np.column_stack([t.of(x) for t in terms])
    with warnings.catch_warnings():
        # A last digit that has not settled changes no ranking; columns that say the same never settle.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, max_iter=300).fit(seen, y)
    return Logistic(
        names=tuple(names),
        terms=tuple(
            replace(t, mean=float(m), weight=float(w)) for t, m, w in zip(terms, seen.mean(axis=0), model.coef_[0], strict=True)
        ),
        intercept=float(model.intercept_[0]),
    )


def _terms(value: Numbers, column: int, category: bool) -> list[Term]:
    missing = np.isnan(value)
    known = value[~missing]
    found: list[Term] = [Term(column=column, level="missing")] if 0 < missing.sum() < len(value) else []
    if category:
        levels, many = np.unique(known, return_counts=True)
        kept = levels[np.lexsort((levels, -many))][:LEVELS] if len(levels) > 1 or len(found) else levels[:0]
        return found + [Term(column=column, level=float(v)) for v in sorted(kept)]
    log = _skew(_logs(known)) < _skew(known)
    known = _logs(known) if log else known
    spread = float(known.std()) if len(known) else 0.0
    if spread > 0 and np.isfinite(spread):
        found.append(Term(column=column, level=None, log=log, shift=float(known.mean()), scale=spread))
    return found


def _logs(value: Numbers) -> Numbers:
    """Logarithms that know zero and debts: sign(x) ln(1 + |x|)."""
    found: Numbers = np.sign(value) * np.log1p(np.abs(value))
    return found


def _skew(value: Numbers) -> float:
    spread = value.std() if len(value) else 0.0
    return float(abs(np.mean(((value - value.mean()) / spread) ** 3))) if spread > 0 else 0.0
