"""What devices sent until a day, and what became of them -> the risk that one fails soon, and the days that are left.

A device fails when it falls silent: what stops reporting has stopped working, or was unplugged; nobody told us more. Days left
are capped at the horizon, as trees see no failure that is farther away (see remaining.py): a device that still reports then has
"that long or longer". What is reported was found on devices that the trees had not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from tessera.insight import trees
from tessera.insight.calibration import auc, platt, sigmoid
from tessera.insight.trees import Numbers, Recipe, Trees
from tessera.insight.upkeep.failing import precision
from tessera.insight.upkeep.remaining import Bounds, bounds, rmse, spread
from tessera.insight.upkeep.telemetry import Ints
from tessera.lake.models import Figure

RECIPE = Recipe(rounds=200, folds=4, threads=1)
FEWEST_FAILURES = 20
"""Of devices; below, there is no model."""


@dataclass(frozen=True, kw_only=True)
class DeviceModel:
    """metrics: those that it reads. risk: failing within the horizon. left: days, capped at the horizon."""

    metrics: tuple[str, ...]
    horizon_days: int
    risk: Trees
    left: Trees
    edges: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    @property
    def bounds(self) -> Bounds:
        """The interval of days left."""
        return Bounds(edges=np.array(self.edges), low=np.array(self.low), high=np.array(self.high))

    def written(self) -> str:
        """As text, for its card."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def read(text: str) -> DeviceModel:
        """What `written` gave."""
        return msgspec.json.decode(text, type=DeviceModel)

    def days(self, x: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """(days left, low, high) of each row; a high end at the horizon is infinite: that long or longer."""
        left = np.clip(self.left.score(x), 0, self.horizon_days)
        low, high = self.bounds.of(left, self.horizon_days)
        return left, low, high


def fit(
    x: Numbers, left: Numbers, device: Ints, names: Sequence[str], metrics: Sequence[str], horizon_days: int, seed: int
) -> tuple[DeviceModel, dict[str, Figure]] | None:
    """A model and its figures on devices not seen; None with fewer than FEWEST_FAILURES devices that failed.

    x: one row for each device and day. left: days until it fell silent; infinite if it still reports.
    """
    soon = (left <= horizon_days).astype(np.float64)
    failed = len(np.unique(device[soon > 0]))
    if failed < FEWEST_FAILURES or len(np.unique(device)) - failed < FEWEST_FAILURES:
        return None
    capped = np.minimum(left, horizon_days)
    recipe = replace(RECIPE, seed=seed)
    unseen, days = np.zeros(len(x)), np.zeros(len(x))
    plain = replace(recipe, folds=0)
    for train, test in trees.folds(soon, 4, seed, device):
        unseen[test] = trees.fit(x[train], soon[train], names, recipe=plain).margin(x[test])
        days[test] = trees.fit(x[train], capped[train], names, kind="regression", recipe=plain).score(x[test])
    days = np.clip(days, 0, horizon_days)
    within = bounds(days, capped)
    model = DeviceModel(
        metrics=tuple(metrics), horizon_days=horizon_days,
        risk=trees.fit(x, soon, names, groups=device, recipe=recipe),
        left=trees.fit(x, capped, names, kind="regression", recipe=plain),
        edges=tuple(within.edges.tolist()), low=tuple(within.low.tolist()), high=tuple(within.high.tolist()),
    )  # fmt: skip
    chance = sigmoid(platt(unseen, soon).of(unseen))
    return model, _figures(soon, chance, capped, days, device)


def _figures(soon: Numbers, chance: Numbers, capped: Numbers, days: Numbers, device: Ints) -> dict[str, Figure]:
    def told_apart(rows: Ints) -> float:
        found = auc(chance[rows], soon[rows])
        # Devices drawn anew that all came to the same end tell nothing.
        return 0.5 if found is None else found

    every = np.arange(len(soon))
    found: dict[str, Callable[[Ints], float]] = {
        "auc": told_apart,
        "average_precision": lambda rows: precision(soon[rows], chance[rows]),
        "brier": lambda rows: float(np.mean((soon[rows] - chance[rows]) ** 2)),
        "rmse_days": lambda rows: rmse(capped[rows], days[rows]),
    }
    figures = {}
    for name, of in found.items():
        low, high = spread(of, device, draws=100)
        figures[name] = Figure(round(of(every), 4), round(low, 4), round(high, 4))
    return figures | {"failing_share": Figure(round(float(soon.mean()), 4))}
