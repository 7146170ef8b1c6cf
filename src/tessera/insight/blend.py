"""Trees and their logistic twin, weighed by what each has foretold: on noisy habits the line helps, elsewhere not.

Both speak in log-odds, so a weighted sum of the two is a model whose contributions are the same sum of theirs: it explains
itself as exactly as they do. The weights are learned on rows that neither model had seen, and are its calibration too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput
from tessera.insight import linear, trees
from tessera.insight.calibration import sigmoid
from tessera.insight.linear import Logistic
from tessera.insight.trees import SMALL, Recipe, Trees

Numbers = npt.NDArray[np.float64]
STRENGTH = 0.001
"""Of the twin's ridge: columns of one habit say much the same, and share its weight."""
STIFF = 4.0
"""How many rows' worth of evidence holds the weights at a half each; matters below some hundred rows only."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """log-odds = trees x its margin + twin x its margin + offset; no weight is negative."""

    trees: float = 0.5
    twin: float = 0.5
    offset: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Blend:
    """A fitted pair, as `Trees` in all that scores and explains."""

    trees: Trees
    twin: Logistic
    weights: Weights
    kind: Literal["binary"] = "binary"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of the rows that are scored."""
        return self.trees.names

    def margin(self, x: Numbers) -> Numbers:
        """Calibrated log-odds, one per row."""
        w = self.weights
        return w.trees * self.trees.margin(x) + w.twin * self.twin.margin(x) + w.offset

    def score(self, x: Numbers) -> Numbers:
        """The probability of a one, one per row."""
        return sigmoid(self.margin(x))

    def contributions(self, x: Numbers) -> Numbers:
        """What each column adds to the average log-odds, and last that average; the sum is the margin."""
        w = self.weights
        found: Numbers = w.trees * self.trees.contributions(x)
        found += w.twin * self.twin.contributions(x)
        found[:, -1] += w.offset
        return found

    def written(self) -> str:
        """The model as JSON, to be kept; `read` takes it."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def read(written: str) -> Blend:
        """What `written` gave. Raises BadInput if it is nothing of the kind."""
        try:
            return msgspec.json.decode(written, type=Blend)
        except msgspec.MsgspecError as error:
            raise BadInput(f"This is no model of ours ({error}). Train it again.") from None


def fit(
    x: Numbers, y: Numbers, names: Sequence[str], *, categories: Sequence[str] = (),
    groups: npt.NDArray[Any] | None = None, recipe: Recipe = SMALL,
) -> Blend:  # fmt: skip
    """Both models of the same rows, as `trees.fit` takes them, and their weights. recipe.folds: parts to learn those on.

    Raises BadInput as `trees.fit`. Source: Wolpert (1992), stacking; Breiman (1996) for the weights that are not negative.
    """
    own = replace(recipe, folds=0)

    def pair(rows: npt.NDArray[Any]) -> tuple[Trees, Logistic]:
        grown = trees.fit(x[rows], y[rows], names, categories=categories, recipe=own)
        return grown, linear.fit(x[rows], y[rows], names, categories=categories, strength=STRENGTH)

    whole = pair(np.arange(len(y)))
    margins, seen = np.zeros((len(y), 2)), np.zeros(len(y), dtype=bool)
    for train, test in trees.folds(y, recipe.folds, recipe.seed, groups) if recipe.folds else []:
        if len(np.unique(y[train])) == 2 and len(train) >= trees.FEWEST_ROWS:
            margins[test] = np.column_stack([model.margin(x[test]) for model in pair(train)])
            seen[test] = True
    return Blend(trees=whole[0], twin=whole[1], weights=weighed(margins[seen], y[seen]))


def weighed(margins: Numbers, y: Numbers) -> Weights:
    """The weights that make unseen outcomes most likely, by Newton's steps; a weight below zero is taken out.

    margins: rows x 2, of the trees and of the twin. One class only gives a half each.
    """
    if len(np.unique(y)) < 2:
        return Weights()
    kept = [0, 1]
    while kept:
        found = _newton(np.column_stack([margins[:, kept], np.ones(len(y))]), y)
        if (found[:-1] >= 0).all():
            both = dict(zip(kept, found[:-1].tolist(), strict=True))
            return Weights(trees=both.get(0, 0.0), twin=both.get(1, 0.0), offset=float(found[-1]))
        kept.pop(int(found[:-1].argmin()))
    rate = float(y.mean())
    return Weights(trees=0.0, twin=0.0, offset=float(np.log(rate / (1 - rate))))


def _newton(z: Numbers, y: Numbers) -> Numbers:
    start = np.array([1 / (z.shape[1] - 1)] * (z.shape[1] - 1) + [0.0])
    pull = np.diag(STIFF / 4 * np.append(np.maximum(z[:, :-1].var(axis=0), 1e-6), 1.0))
    found = start.copy()
    for _ in range(50):
        p = sigmoid(z @ found)
        lean = z.T @ (p - y) + pull @ (found - start)
        step = np.linalg.solve((z * (p * (1 - p))[:, None]).T @ z + pull, lean)
        largest = float(np.abs(step).max())
        found = found - step * min(1.0, 1 / largest) if largest > 0 else found
        if largest < 1e-10:
            break
    return found
