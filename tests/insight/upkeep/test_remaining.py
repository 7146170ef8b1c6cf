"""Remaining life on units that nobody has seen: better than age, intervals that hold, the same twice; refusals in words."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_fleet import fleet

from tessera.errors import BadInput
from tessera.insight.upkeep import remaining, words
from tessera.insight.upkeep.telemetry import Telemetry

SHARED = Path(os.environ.get("TESSERA_SHARED") or Path(__file__).parents[4] / "shared")
FD001 = SHARED / "data" / "insight" / "cmapss_fd001"


@pytest.fixture(scope="module")
def learned() -> tuple[remaining.Remaining, remaining.Judged, Telemetry]:
    past = fleet()
    return *remaining.fit(past, folds=3, members=1), past


def test_it_tells_more_than_age_and_more_than_a_constant(learned: tuple) -> None:
    model, judged, _ = learned
    capped = np.minimum(judged.truth, model.cap)
    error = remaining.rmse(capped, judged.unseen)
    assert error < 0.6 * remaining.rmse(capped, judged.by_cycle) < 0.6 * remaining.rmse(capped, judged.constant)
    assert 0.8 <= judged.covered <= 0.98


def test_what_it_says_of_new_units_lies_in_its_intervals_and_risk_falls_with_what_is_left(learned: tuple) -> None:
    model, _, _ = learned
    new = fleet(units=30, seed=5)
    left = model.score(model.reader.read(new))
    low, high = model.bounds.of(left, model.cap)
    truth = np.minimum(new.remaining, model.cap)
    assert 0.8 <= np.mean((truth >= low) & (truth <= high)) <= 1
    assert (np.diff(model.risk(np.linspace(0, model.cap, 50))) <= 0).all()
    assert model.risk(np.array([0.0]))[0] > 0.8 and model.risk(np.array([model.cap]))[0] < 0.05


def test_the_reasons_of_a_unit_add_up_to_what_is_said_of_it(learned: tuple) -> None:
    model, _, past = learned
    x = model.reader.read(past)[past.last]
    said = model.score(x)
    told = words.reasons(model, x, said)[0]
    assert f"Remaining life: {said[0]:.1f}" in told["en"][0] and "lowers it" in told["en"][1]
    assert "漂移" in "".join(told["zh"]) or "水平" in "".join(told["zh"]) or "均值" in "".join(told["zh"])


def test_the_same_table_gives_the_same_model() -> None:
    past = fleet(12)
    once, again = (remaining.fit(past, folds=2, members=1)[0] for _ in range(2))
    assert once.members[0].text == again.members[0].text


def test_too_few_failures_or_nothing_that_moves_is_refused() -> None:
    with pytest.raises(BadInput, match="at least 10"):
        remaining.fit(fleet(9))
    past = fleet(12)
    with pytest.raises(BadInput, match="No sensor moves"):
        remaining.fit(replace(past, values=np.ones_like(past.values)))


def test_a_unit_s_lives_never_lie_on_both_sides_of_a_fold() -> None:
    parts = remaining._parts(np.array([5, 5, 7, 7, 9, 9]), 3, seed=1)
    assert parts[::2].tolist() == parts[1::2].tolist() and sorted(parts[::2]) == [0, 1, 2]


@pytest.mark.heavy
@pytest.mark.skipif(not FD001.is_dir(), reason="C-MAPSS FD001 lies in ../shared")
def test_fd001_is_told_as_well_as_promised() -> None:
    def table(name: str) -> np.ndarray:
        with gzip.open(FD001 / name, "rt") as file:
            return np.loadtxt(file)

    def telemetry(rows: np.ndarray) -> Telemetry:
        names = tuple(f"s{i}" for i in range(rows.shape[1] - 2))
        return Telemetry(unit=rows[:, 0].astype(np.int64) - 1, cycle=rows[:, 1], values=rows[:, 2:], sensors=names)

    model, _ = remaining.fit(telemetry(table("train_FD001.txt.gz")), cap=125)
    running, truth = telemetry(table("test_FD001.txt.gz")), table("RUL_FD001.txt.gz")
    said = model.score(model.reader.read(running)[running.last])
    assert remaining.rmse(truth, said) <= 12.9 and remaining.nasa(truth, said) <= 260
