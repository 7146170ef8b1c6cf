"""Units that ran until they failed -> how long another will still run, with an interval, and how likely it fails soon.

The target is capped: a new machine shows nothing yet of a failure that is far away, so all that is far counts as "that long or
longer" (Heimes 2008). Several small models, each grown from another seed, are averaged. Intervals and risks are learned from
units that the trees had not seen, in folds by unit: rows of one unit never lie on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tessera.errors import BadInput
from tessera.insight import trees
from tessera.insight.calibration import Platt, platt, sigmoid
from tessera.insight.trees import Numbers, Recipe, Trees
from tessera.insight.upkeep.telemetry import Ints, Reader, Telemetry, reader

RECIPE = Recipe(rounds=300, rate=0.03, leaves=16, depth=-1, min_leaf=50, columns=0.5, folds=0, seed=1, threads=1)
MEMBERS = 2
CAP_SHARE = 0.6
"""Of a median life: from where a failure is too far away to be seen. NASA's engines live 199 cycles; 125 is theirs."""
FEWEST_UNITS = 10
MOST_ROWS = 40_000
"""Rows to learn from; of more, every n-th of each unit: neighbours tell nearly the same."""
LEVELS = 5
"""Parts of the predictions, by size, that have an interval each: near its end a unit is told more exactly."""
SIDE = 0.05
"""What lies beyond each end of an interval of 90 %."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """How far from a prediction the truth lay. edges: predictions between the levels. low, high: of each level, the 5 % and
    95 % quantile of truth minus prediction, as split conformal prediction takes them (Vovk 2005)."""

    edges: Numbers
    low: Numbers
    high: Numbers

    def of(self, predicted: Numbers, cap: float) -> tuple[Numbers, Numbers]:
        """(low, high); a high end at the cap means "or longer" and is infinite."""
        level = np.searchsorted(self.edges, predicted)
        high = predicted + self.high[level]
        return np.clip(predicted + self.low[level], 0, cap), np.where(high >= cap - 1e-9, np.inf, np.maximum(high, 0))


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """A fitted model, and what it is worth. members: trees whose predictions are averaged. horizon: risk is that of failing
    within so many cycles. risks: (horizon - prediction) in its scale -> log-odds."""

    reader: Reader
    members: tuple[Trees, ...]
    cap: float
    horizon: float
    bounds: Bounds
    risks: Platt

    kind: Literal["regression"] = "regression"

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.reader.names

    def score(self, x: Numbers, /) -> Numbers:
        """What is left, one number a row, between 0 and the cap."""
        return np.clip(self.margin(x), 0, self.cap)

    def margin(self, x: Numbers, /) -> Numbers:
        """The mean of the members, before it is cut at 0 and the cap; what `contributions` add up to."""
        return np.asarray(np.mean([m.margin(x) for m in self.members], axis=0), dtype=np.float64)

    def contributions(self, x: Numbers, /) -> Numbers:
        """SHAP values: rows x (columns + 1), the last one the average that they start from."""
        return np.asarray(np.mean([m.contributions(x) for m in self.members], axis=0), dtype=np.float64)

    def risk(self, left: Numbers) -> Numbers:
        """The probability of failing within the horizon, of what `score` says is left."""
        return sigmoid(self.risks.of(_urgency(left, self.horizon)))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What was found in folds by unit. truth: what was really left of each row. unseen: what trees said that had not seen the
    unit; constant, by_cycle: two simple ways beside it. covered: the share of rows inside intervals that were learned from
    other folds. rows: those that count, one each."""

    truth: Numbers
    unseen: Numbers
    constant: Numbers
    by_cycle: Numbers
    covered: float
    folds: int


def fit(
    telemetry: Telemetry, *, cap: float | None = None, horizon: float | None = None, folds: int = 5, members: int = MEMBERS,
    seed: int = 1, groups: Ints | None = None, tell: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Remaining, Judged]:  # fmt: skip
    """A model of units that all ran until they failed (their last row), and how good it is on units that it had not seen.

    cap: None for CAP_SHARE of the median life. horizon: None for a fifth of the cap. groups: what must not be on both sides of
    a fold, one for each unit (a machine that was repaired has several lives); None: the unit itself.
    Raises BadInput for fewer than FEWEST_UNITS groups, or telemetry in which nothing moves.
    """
    owner = np.arange(len(telemetry.starts)) if groups is None else groups
    if len(np.unique(owner)) < FEWEST_UNITS:
        raise BadInput(
            f"There are {len(np.unique(owner))} units that failed; at least {FEWEST_UNITS} are needed to learn from."
        )
    life = telemetry.cycle[telemetry.last] - telemetry.cycle[telemetry.starts] + 1
    cap = float(cap) if cap else max(round(CAP_SHARE * float(np.median(life))), 1.0)
    horizon = float(horizon) if horizon else max(round(cap / 5), 1.0)
    how = reader(telemetry)
    if not how.kept:
        raise BadInput("No sensor moves in this table: there is nothing to learn from.")
    x, left = how.read(telemetry), telemetry.remaining
    target = np.minimum(left, cap)
    part = _parts(owner, min(folds, len(np.unique(owner))), seed)[telemetry.unit]
    some = np.flatnonzero(telemetry.place % max(-(-len(x) // MOST_ROWS), 1) == 0)
    steps = folds + 1
    unseen, constant, by_cycle = (np.zeros(len(x)) for _ in range(3))
    for k in range(part.max() + 1):
        tell(k, steps)
        train, test = some[part[some] != k], np.flatnonzero(part == k)
        unseen[test] = np.clip(
            np.mean([m.margin(x[test]) for m in _grown(x[train], target[train], how, members, seed)], axis=0), 0, cap
        )
        constant[test] = target[train].mean()
        by_cycle[test] = _by_cycle(telemetry.cycle[train], target[train], telemetry.cycle[test])
    tell(folds, steps)
    model = Remaining(
        reader=how, members=_grown(x[some], target[some], how, members, seed), cap=cap, horizon=horizon,
        bounds=bounds(unseen, target), risks=platt(_urgency(unseen, horizon), (left <= horizon).astype(np.float64)),
    )  # fmt: skip
    tell(steps, steps)
    covered = _covered(unseen, target, part, cap)
    return model, Judged(
        truth=left, unseen=unseen, constant=constant, by_cycle=by_cycle, covered=covered, folds=int(part.max() + 1)
    )


def bounds(predicted: Numbers, truth: Numbers) -> Bounds:
    """Intervals by level of the prediction."""
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, LEVELS + 1)[1:-1]))
    level, off = np.searchsorted(edges, predicted), truth - predicted
    ends = [np.quantile(off[level == i], (SIDE, 1 - SIDE)) if (level == i).any() else (0.0, 0.0) for i in range(len(edges) + 1)]
    return Bounds(edges=edges, low=np.array([e[0] for e in ends]), high=np.array([e[1] for e in ends]))


def rmse(truth: Numbers, said: Numbers) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((truth - said) ** 2)))


def nasa(truth: Numbers, said: Numbers) -> float:
    """The sum of NASA's score: d cycles cost exp(d / 13) - 1 too early, exp(d / 10) - 1 too late (Saxena 2008)."""
    late = np.clip(said - truth, -500, 500)
    return float(np.sum(np.where(late < 0, np.expm1(-late / 13), np.expm1(late / 10))))


def spread(by_unit: Callable[[Ints], float], units: Ints, seed: int = 1, draws: int = 500) -> tuple[float, float]:
    """A 95 % interval of a figure over rows, by drawing units anew: rows of a unit go together."""
    rng = np.random.default_rng(seed)
    order = np.argsort(units, kind="stable")
    cuts = np.flatnonzero(np.r_[True, np.diff(units[order]) != 0])
    rows = np.split(order, cuts[1:])
    found = [by_unit(np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])) for _ in range(draws)]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


def _grown(x: Numbers, y: Numbers, how: Reader, members: int, seed: int) -> tuple[Trees, ...]:
    return tuple(
        trees.fit(x, y, how.names, kind="regression", recipe=replace(RECIPE, seed=seed * 1000 + m)) for m in range(members)
    )


def _parts(owner: Ints, parts: int, seed: int) -> Ints:
    """The fold of each unit."""
    names, which = np.unique(owner, return_inverse=True)
    dealt = np.random.default_rng(seed).permutation(len(names)) % parts
    return np.asarray(dealt[which], dtype=np.int64)


def _by_cycle(cycle: Numbers, target: Numbers, at: Numbers) -> Numbers:
    """What is left by age alone: the mean target of those of about the same cycle."""
    edges = np.unique(np.quantile(cycle, np.linspace(0, 1, 41)[1:-1]))
    which = np.searchsorted(edges, cycle)
    total, many = (np.bincount(which, w, minlength=len(edges) + 1) for w in (target, None))
    mean = np.where(many > 0, total / np.maximum(many, 1), target.mean())
    return np.asarray(mean[np.searchsorted(edges, at)], dtype=np.float64)


def _urgency(left: Numbers, horizon: float) -> Numbers:
    return (horizon - left) / max(horizon / 4, 1e-9)


def _covered(unseen: Numbers, target: Numbers, part: Ints, cap: float) -> float:
    inside = np.zeros(len(target), dtype=bool)
    for k in range(part.max() + 1):
        here = part == k
        low, high = bounds(unseen[~here], target[~here]).of(unseen[here], cap)
        inside[here] = (target[here] >= low - 1e-9) & (target[here] <= high + 1e-9)
    return float(inside.mean())
