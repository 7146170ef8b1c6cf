"""Rows that each say whether a machine failed -> the probability that one fails: small trees over the columns and their pairs.

Failures follow from quantities that no sensor measures: power is torque times speed, what heat can leave is a difference of two
temperatures. Trees find a product only in many small steps, so pairs of numeric columns are given to them as columns. Which
pairs (none, products and differences, or ratios too) is chosen on rows apart from those that are reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from tessera.errors import BadInput
from tessera.insight import trees
from tessera.insight.trees import Numbers, Recipe, Trees

RECIPE = Recipe(rounds=300, rate=0.04, leaves=8, depth=-1, min_leaf=20, columns=0.6, folds=4, seed=1, threads=1)
FEWEST_FAILURES = 20
PAIRED = 8
"""Numeric columns that are paired: those that count most."""
Pairs = Literal["none", "products", "ratios"]
CHOICES: tuple[Pairs, ...] = ("none", "products", "ratios")


@dataclass(frozen=True, kw_only=True)
class Made:
    """A column made of two: what it is called, and how."""

    name: str
    of: tuple[int, int]
    how: Literal["product", "difference", "ratio"]


@dataclass(frozen=True, kw_only=True)
class Failing:
    """A fitted model: columns of the file, and those made of pairs of them. choice: which pairs."""

    columns: tuple[str, ...]
    made: tuple[Made, ...]
    choice: Pairs
    model: Trees

    def widened(self, x: Numbers) -> Numbers:
        """The rows with the columns that were made."""
        return widened(x, self.made)

    def score(self, x: Numbers) -> Numbers:
        """The probability that each row fails, calibrated."""
        return self.model.score(self.widened(x))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """unseen: the probability of each row, by trees that had not seen it; nor had the choice of pairs. choices: which pairs
    each fold took. tried: how many settings were compared."""

    unseen: Numbers
    choices: tuple[Pairs, ...]
    tried: int


def fit(
    x: Numbers, y: Numbers, names: Sequence[str], numeric: Sequence[bool], *, folds: int = 5, seed: int = 1,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Failing, Judged]:  # fmt: skip
    """A model of all rows, and how good it is on rows that it had not seen.

    x: rows x columns (NaN is missing; a column that is not numeric holds codes). y: 1 where the row failed.
    Raises BadInput for fewer than FEWEST_FAILURES failures.
    """
    if min(y.sum(), len(y) - y.sum()) < FEWEST_FAILURES:
        raise BadInput(
            f"There are {int(y.sum())} failures in {len(y):,} rows; at least {FEWEST_FAILURES} of either are needed."
        )
    recipe = replace(RECIPE, seed=seed)
    unseen, choices = np.zeros(len(y)), []
    dealt = trees.folds(y, folds, seed)
    for k, (train, test) in enumerate(dealt):
        tell(k, len(dealt) + 1)
        found = _fitted(x[train], y[train], names, numeric, replace(recipe, folds=0))
        unseen[test] = found.score(x[test])
        choices.append(found.choice)
    tell(len(dealt), len(dealt) + 1)
    model = _fitted(x, y, names, numeric, recipe)
    tell(len(dealt) + 1, len(dealt) + 1)
    return model, Judged(unseen=unseen, choices=tuple(choices), tried=len(CHOICES))


def precision(y: Numbers, said: Numbers) -> float:
    """Average precision: the mean, over the failures, of how many of those ranked at least as high failed too."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(y, said))


def pairs(choice: Pairs, columns: Sequence[int], names: Sequence[str]) -> tuple[Made, ...]:
    """The columns to be made of those columns.

    >>> [m.name for m in pairs("products", [0, 1], ["torque", "speed"])]
    ['torque * speed', 'torque - speed']
    """
    made = []
    for a, b in combinations(columns, 2):
        if choice != "none":
            made.append(Made(name=f"{names[a]} * {names[b]}", of=(a, b), how="product"))
            made.append(Made(name=f"{names[a]} - {names[b]}", of=(a, b), how="difference"))
        if choice == "ratios":
            made.append(Made(name=f"{names[a]} / {names[b]}", of=(a, b), how="ratio"))
    return tuple(made)


def widened(x: Numbers, made: Sequence[Made]) -> Numbers:
    """The rows with more columns; a ratio to zero is missing."""
    if not made:
        return x
    columns = []
    for m in made:
        a, b = x[:, m.of[0]], x[:, m.of[1]]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = a * b if m.how == "product" else a - b if m.how == "difference" else a / b
        columns.append(np.where(np.isfinite(found), found, np.nan))
    return np.column_stack([x, *columns])


def tells(column: Numbers, y: Numbers) -> bool:
    """Whether a 0/1 column says the outcome rather than foretells it: nearly all its ones failed, as in a list of causes."""
    known = column[~np.isnan(column)]
    if set(np.unique(known)) != {0.0, 1.0}:
        return False
    ones = column == 1
    return bool(ones.sum() >= 5 and y[ones].mean() >= 0.95)


def _fitted(x: Numbers, y: Numbers, names: Sequence[str], numeric: Sequence[bool], recipe: Recipe) -> Failing:
    chosen = _paired(x, y, names, numeric, recipe)
    found = {choice: pairs(choice, chosen, names) for choice in (CHOICES if len(chosen) > 1 else CHOICES[:1])}
    best = _best(x, y, names, numeric, found, recipe)
    return Failing(columns=tuple(names), made=found[best], choice=best, model=_grown(x, y, names, numeric, found[best], recipe))


def _paired(x: Numbers, y: Numbers, names: Sequence[str], numeric: Sequence[bool], recipe: Recipe) -> list[int]:
    """The numeric columns that count most, in the order of the file."""
    some = [i for i, is_number in enumerate(numeric) if is_number and len(np.unique(x[:2000, i])) > 2]
    if len(some) <= PAIRED:
        return some
    model = _grown(x, y, names, numeric, (), replace(recipe, folds=0, rounds=100))
    rows = np.random.default_rng(recipe.seed).permutation(len(x))[:2000]
    counts = np.abs(model.contributions(x[rows])[:, :-1]).mean(axis=0)
    return sorted(sorted(some, key=lambda i: -counts[i])[:PAIRED])


def _best(
    x: Numbers, y: Numbers, names: Sequence[str], numeric: Sequence[bool], found: dict[Pairs, tuple[Made, ...]], recipe: Recipe
) -> Pairs:  # fmt: skip
    """Which pairs tell best, on a third of the rows after learning from the others; of equals the simpler."""
    dealt = trees.folds(y, 3, recipe.seed + 1)
    if len(found) == 1 or not dealt:
        return "none"
    train, test = dealt[0]
    told: dict[Pairs, float] = {}
    for choice, made in found.items():
        model = _grown(x[train], y[train], names, numeric, made, replace(recipe, folds=0))
        told[choice] = precision(y[test], model.score(widened(x[test], made)))
    return max(told, key=lambda c: told[c])


def _grown(
    x: Numbers, y: Numbers, names: Sequence[str], numeric: Sequence[bool], made: Sequence[Made], recipe: Recipe
) -> Trees:  # fmt: skip
    every = [*names, *(m.name for m in made)]
    categories = [n for n, is_number in zip(names, numeric, strict=True) if not is_number]
    return trees.fit(widened(x, made), y, every, categories=categories, recipe=recipe)
