"""Rolling columns say what a slow reading of each unit says, and nothing of what comes later."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_fleet import fleet

from tessera.insight.upkeep.telemetry import Telemetry, began, levels, reader, regimes, rolled


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    window=st.integers(1, 6),
    holes=st.floats(0, 0.6),
    seed=st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_windows_are_what_pandas_says_of_each_unit(sizes: list[int], window: int, holes: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.normal(1e6, 1, (len(unit), 2))
    values[rng.random(values.shape) < holes] = np.nan
    t = Telemetry(unit=unit, cycle=np.arange(len(unit), dtype=float), values=values, sensors=("a", "b"))
    grouped = pd.DataFrame(values).groupby(unit)
    slow = grouped.rolling(window, min_periods=1).mean().to_numpy()
    np.testing.assert_allclose(rolled(values, t, window), slow, rtol=1e-9)
    slow = grouped.transform(lambda c: c.ewm(span=max(window, 2), ignore_na=False).mean()).to_numpy()
    there = ~np.isnan(values)
    np.testing.assert_allclose(levels(values, t, max(window, 2))[there], slow[there], rtol=1e-9)
    for row in range(len(unit)):
        start = t.starts[unit[row]]
        first = values[start : min(start + window, row + 1)]
        for column in range(2):
            known = first[~np.isnan(first[:, column]), column]
            assert began(values, t, window)[row, column] == pytest.approx(known.mean() if len(known) else np.nan, nan_ok=True)


def test_a_row_reads_nothing_that_comes_after_it() -> None:
    t = fleet(4)
    how = reader(t)
    keep = t.place < 12
    early = Telemetry(unit=t.unit[keep], cycle=t.cycle[keep], values=t.values[keep], sensors=t.sensors)
    np.testing.assert_allclose(how.read(early), how.read(t)[keep], atol=1e-9)


def test_what_never_moves_is_not_read_and_windows_follow_the_length_of_a_life() -> None:
    how = reader(fleet(20, life=200))
    assert "level:still" not in how.names and "drift:heat" in how.names
    assert (how.window, how.span, how.start) == pytest.approx((15, 10, 20), abs=2)


def test_conditions_are_told_apart_and_each_sensor_is_measured_within_its_own() -> None:
    t = fleet(20, conditions=3)
    found = regimes(t)
    assert found is not None and len(found.known) == 3
    measured = found.measured(t.values)
    which = found.of(t.values)
    means = [measured[which == r, 2].mean() for r in range(3)]
    assert np.ptp(means) < 1e-6 and np.ptp([t.values[which == r, 2].mean() for r in range(3)]) > 100
    assert regimes(fleet(20)) is None
