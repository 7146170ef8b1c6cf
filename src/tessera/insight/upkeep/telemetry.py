"""Readings of units in the order of their cycles -> what a model reads of them: recent levels, and drift from their own start.

Of each sensor there are three columns: its exponentially weighted level, its mean over a window, and how far that mean lies
from the unit's own first cycles. Units differ when they are new, so the drift says more than the level. A row reads nothing
that comes after it. Columns that never move are left out.

Machines that run in a few distinct conditions (height, load) show the condition, not their wear; where columns of the file tell
such conditions apart, each sensor is measured in its own spread within the condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

STILL = 1e-9
"""A column whose spread is less, beside its size, never moves."""
SHARE_WINDOW, SHARE_LEVEL, SHARE_START = 0.075, 0.05, 0.1
"""Window, span of the weighted level and own start, as shares of a median life: 15, 10 and 20 cycles of 200."""
FEWEST_OF_REGIME = 50
MOST_LEVELS, MOST_REGIMES = 12, 30
SWITCHES = 0.2
"""A condition changes between one cycle and the next at least so often; what changes seldom is wear or a setting for good."""
GAP = 0.03
"""Values of a condition lie in clumps, with gaps between them of that share of all their range."""


@dataclass(frozen=True, kw_only=True)
class Telemetry:
    """Rows sorted by unit, then cycle. unit: 0, 1, 2, ... cycle: any unit of time or use. values: rows x sensors, NaN where
    nothing was read. sensors: their names."""

    unit: Ints
    cycle: Numbers
    values: Numbers
    sensors: tuple[str, ...]

    @cached_property
    def starts(self) -> Ints:
        """The first row of each unit."""
        return np.asarray(np.flatnonzero(np.r_[True, self.unit[1:] != self.unit[:-1]]), dtype=np.int64)

    @cached_property
    def sizes(self) -> Ints:
        """How many rows each unit has."""
        return np.asarray(np.diff(np.r_[self.starts, len(self.unit)]), dtype=np.int64)

    @property
    def last(self) -> Ints:
        """The last row of each unit."""
        return np.asarray(self.starts + self.sizes - 1, dtype=np.int64)

    @cached_property
    def place(self) -> Ints:
        """The how-manieth row of its unit each row is, from 0."""
        return np.asarray(np.arange(len(self.unit)) - np.repeat(self.starts, self.sizes), dtype=np.int64)

    @property
    def remaining(self) -> Numbers:
        """What is left of each row until the last one of its unit, in the unit of `cycle`."""
        return np.asarray(np.repeat(self.cycle[self.last], self.sizes) - self.cycle, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Regimes:
    """Conditions told apart by columns. columns: their places among the sensors. cuts: for each, the values between its
    clumps. known: the code of each condition -> its number. mean, spread: conditions x sensors."""

    columns: tuple[int, ...]
    cuts: tuple[tuple[float, ...], ...]
    known: dict[int, int]
    mean: Numbers
    spread: Numbers

    def of(self, values: Numbers) -> Ints:
        """The condition of each row; one that was never seen counts as the first."""
        code = _coded(values, self.columns, self.cuts)
        return np.array([self.known.get(c, 0) for c in code.tolist()], dtype=np.int64)

    def measured(self, values: Numbers) -> Numbers:
        """Each sensor in its spread within the condition."""
        which = self.of(values)
        scaled: Numbers = (values - self.mean[which]) / self.spread[which]
        return scaled


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How a table of telemetry becomes columns: fitted once to units whose lives are known, then the same for any others.
    kept: the places of the sensors that move. window, span, start: in rows."""

    sensors: tuple[str, ...]
    kept: tuple[int, ...]
    regimes: Regimes | None
    window: int
    span: int
    start: int

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that `read` makes."""
        named = [self.sensors[i] for i in self.kept]
        return ("cycle", *(f"{what}:{s}" for what in ("level", "mean", "drift") for s in named))

    def read(self, telemetry: Telemetry) -> Numbers:
        """One row for each, columns as in `names`."""
        values = telemetry.values if self.regimes is None else self.regimes.measured(telemetry.values)
        values = values[:, list(self.kept)]
        mean = rolled(values, telemetry, self.window)
        return np.column_stack(
            [telemetry.cycle, levels(values, telemetry, self.span), mean, mean - began(values, telemetry, self.start)]
        )


def reader(telemetry: Telemetry) -> Reader:
    """What is to be read of such units: which sensors move, in which conditions, over which windows."""
    found = regimes(telemetry)
    values = telemetry.values if found is None else found.measured(telemetry.values)
    known = ~np.isnan(values)
    many = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, values, 0.0)
    middle = filled.sum(axis=0) / many
    spread = np.sqrt((np.where(known, filled - middle, 0.0) ** 2).sum(axis=0) / many)
    size = np.abs(filled).max(axis=0, initial=0.0)
    life = float(np.median(telemetry.sizes))
    return Reader(
        sensors=telemetry.sensors,
        kept=tuple(np.flatnonzero(spread > STILL * np.maximum(size, 1.0)).tolist()),
        regimes=found,
        window=max(round(SHARE_WINDOW * life), 3),
        span=max(round(SHARE_LEVEL * life), 2),
        start=max(round(SHARE_START * life), 3),
    )


def rolled(values: Numbers, telemetry: Telemetry, window: int) -> Numbers:
    """The mean of the last `window` rows of the same unit, this one included; NaN are passed over."""
    first = np.maximum(telemetry.place - window + 1, 0)
    return _mean(values, np.arange(len(values)) - telemetry.place + first, np.arange(len(values)) + 1)


def began(values: Numbers, telemetry: Telemetry, rows: int) -> Numbers:
    """The mean of the unit's first `rows` rows, or of those that there are by now."""
    start = np.repeat(telemetry.starts, telemetry.sizes)
    return _mean(values, start, start + np.minimum(rows, telemetry.place + 1))


def levels(values: Numbers, telemetry: Telemetry, span: int) -> Numbers:
    """The exponentially weighted mean of all rows so far of the same unit: weights fall by 1 - 2 / (span + 1) a row, and NaN
    have none (what pandas calls ewm with adjust and ignore_na off)."""
    from scipy.signal import lfilter

    known = ~np.isnan(values)
    both = np.concatenate([np.where(known, values, 0.0), known.astype(np.float64)], axis=1)
    keep = 1 - 2 / (span + 1)
    for start, size in zip(telemetry.starts.tolist(), telemetry.sizes.tolist(), strict=True):
        both[start : start + size] = lfilter([1.0], [1.0, -keep], both[start : start + size], axis=0)
    total, weight = both[:, : values.shape[1]], both[:, values.shape[1] :]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weight > 1e-12, total / weight, np.nan), dtype=np.float64)


def regimes(telemetry: Telemetry) -> Regimes | None:
    """The conditions that the units run in; None where no column tells any apart."""
    values = telemetry.values
    found = [(i, clumps) for i in range(values.shape[1]) if (clumps := _clumps(values[:, i], telemetry))]
    if not found:
        return None
    columns = tuple(i for i, _ in found)
    cuts = tuple(c for _, c in found)
    codes, which, many = np.unique(_coded(values, columns, cuts), return_inverse=True, return_counts=True)
    if len(codes) > MOST_REGIMES or many.min() < FEWEST_OF_REGIME:
        return None
    mean = np.stack([np.nanmean(values[which == r], axis=0) for r in range(len(codes))])
    spread = np.stack([np.nanstd(values[which == r], axis=0) for r in range(len(codes))])
    # What is constant within a condition says nothing beyond it: divided by 1, it stays where it is.
    spread = np.where(spread > 1e-6 * np.maximum(np.abs(mean), 1.0), spread, 1.0)
    mean = np.round(mean, 9)
    return Regimes(
        columns=columns, cuts=cuts, known={int(c): r for r, c in enumerate(codes.tolist())}, mean=mean, spread=spread
    )


def _clumps(column: Numbers, telemetry: Telemetry) -> tuple[float, ...]:
    """The values between the clumps of a column that tells conditions apart; () if it is none."""
    if np.isnan(column).any():
        return ()
    ordered = np.unique(column)
    reach = float(ordered[-1] - ordered[0])
    if len(ordered) < 2 or reach <= 0:
        return ()
    gaps = np.flatnonzero(np.diff(ordered) > GAP * reach)
    if not 1 <= len(gaps) < MOST_LEVELS:
        return ()
    cuts = (ordered[gaps] + ordered[gaps + 1]) / 2
    clump = np.searchsorted(cuts, column)
    edges = np.r_[ordered[0], ordered[gaps + 1]], np.r_[ordered[gaps], ordered[-1]]
    same = telemetry.unit[1:] == telemetry.unit[:-1]
    switched = float(np.mean(clump[1:][same] != clump[:-1][same])) if same.any() else 0.0
    narrow = float(np.max(edges[1] - edges[0])) <= GAP * reach
    return tuple(cuts.tolist()) if narrow and switched >= SWITCHES else ()


def _coded(values: Numbers, columns: Sequence[int], cuts: Sequence[Sequence[float]]) -> Ints:
    code = np.zeros(len(values), dtype=np.int64)
    for column, at in zip(columns, cuts, strict=True):
        code = code * (MOST_LEVELS + 1) + np.searchsorted(np.asarray(at), values[:, column])
    return code


def _mean(values: Numbers, start: Ints, end: Ints) -> Numbers:
    """Means of rows start..end-1, for each row, by differences of running sums."""
    known = ~np.isnan(values)
    # Sums of numbers far from zero lose digits, so each column is summed around its own middle.
    middle = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    nothing = np.zeros((1, values.shape[1]))
    total = np.concatenate([nothing, np.cumsum(np.where(known, values - middle, 0.0), axis=0)])
    count = np.concatenate([nothing, np.cumsum(known, axis=0)])
    many = count[end] - count[start]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(many > 0, (total[end] - total[start]) / many + middle, np.nan), dtype=np.float64)
