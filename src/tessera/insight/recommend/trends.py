"""How many baskets had each item in the weeks before a day, counted up to the day before: nothing of what comes is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.insight.recommend.baskets import Baskets, Floats, Ints

WINDOWS = (14.0, 45.0)
"""Days: what is in fashion, and what is in season."""
CELLS = 20_000_000
"""Numbers kept at the most; with more days x items the days are counted together."""


@dataclass(frozen=True, kw_only=True)
class Trends:
    """sums: baskets of each item before each period's end. begin: the first period's first day. step: days of a period.
    all: baskets of each item."""

    sums: npt.NDArray[np.float32]
    begin: float
    step: float
    all: Floats

    def before(self, days: Floats, window: float) -> npt.NDArray[np.float32]:
        """Baskets with each item in so many days before each day: days x items."""
        upto, since = self._at(days), self._at(days - window)
        found: npt.NDArray[np.float32] = self.sums[upto] - self.sums[since]
        return found

    def _at(self, days: Floats) -> Ints:
        periods = np.floor((np.floor(days) - self.begin) / self.step).astype(np.int64)
        return np.clip(periods, 0, len(self.sums) - 1)


def trends(baskets: Baskets) -> Trends:
    """Counts what stands."""
    whole = np.floor(baskets.day)
    begin, end = (float(whole.min()), float(whole.max())) if len(whole) else (0.0, 0.0)
    step = max(1.0, np.ceil((end - begin + 2) * baskets.items / CELLS))
    periods = int((end - begin) // step) + 2
    sums = np.zeros((periods, baskets.items), np.float32)
    at = ((whole - begin) // step).astype(np.int64)[baskets.basket] + 1
    np.add.at(sums, (at, baskets.item), 1.0)
    np.cumsum(sums, axis=0, out=sums)
    return Trends(sums=sums, begin=begin, step=step, all=sums[-1].astype(np.float64))
