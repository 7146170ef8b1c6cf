"""DEVICE_HEALTH and SERVICE_DEMAND over a lake of made-up readings: what fails is told before it does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tessera.config import Config
from tessera.data.profiles import PROFILES
from tessera.data.raw import READINGS
from tessera.insight.upkeep import device_health, service_demand
from tessera.lake.engine import connect, name, rows
from tessera.lake.models import Card
from tessera.lake.state import State
from tessera.lake.step import Made, Run
from tessera.lake.store import Lake
from tessera.lake.view import View
from tessera.trust.tables import MEMBERSHIP

TODAY = date(2026, 3, 31)
DAYS, DEVICES = 120, 160


@pytest.fixture(scope="module")
def shop(tmp_path_factory: Any) -> Any:
    """A reading a day and device of heat; a third of the devices heat up for three weeks and fall silent, some of them soon."""
    folder: Path = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    fails = np.arange(DEVICES) % 3 == 0
    ends = np.where(fails, rng.integers(40, DAYS + 15, DEVICES), 10_000)
    device, day = (a.ravel() for a in np.meshgrid(np.arange(DEVICES), np.arange(DAYS), indexing="ij"))
    keep = day <= ends[device]
    device, day = device[keep], day[keep]
    heat = (
        40
        + rng.normal(0, 0.5, DEVICES)[device]
        + rng.normal(0, 0.5, len(day))
        + 8 * np.clip(1 - (ends[device] - day) / 21, 0, 1)
    )
    first = datetime(2026, 3, 31, 12, tzinfo=UTC) - timedelta(days=DAYS - 1)
    drawn = pa.table({"k": device + 1000, "d": day, "v": heat, "e": (rng.random(len(day)) < 0.01)})
    con = connect(threads=1)
    noon = datetime(2026, 3, 31, 13, tzinfo=UTC)
    tables = [READINGS, MEMBERSHIP, PROFILES, device_health.DEVICE_HEALTH, service_demand.SERVICE_DEMAND]
    lake = Lake(folder / "lake", tables, State(folder / "state.db"), lambda: noon)
    con.register("drawn", drawn)
    known = {
        "key_id": "k", "occurred_at": f"TIMESTAMPTZ '{first.isoformat()}' + to_days(CAST(d AS INTEGER))", "metric": "'heat'",
        "value": "v", "error_code": "CASE WHEN e THEN 'E1' END", "model": "'M'", "source": "'t'", "batch": "1",
    }  # fmt: skip
    columns = ", ".join(f"{known.get(c.name, 'NULL')} AS {name(c.name)}" for c in READINGS.columns)
    lake.write(con, "readings", f"SELECT {columns} FROM drawn", what="test")
    lake.write(con, "membership", "SELECT DISTINCT CAST(k AS INTEGER) AS key_id, k - 900 AS person_id FROM drawn", what="test")
    told = {"person_id": "k - 900", "region": "CASE WHEN k < 1008 THEN 'tiny' WHEN k % 2 = 0 THEN 'north' ELSE 'south' END"}
    columns = ", ".join(f"{told.get(c.name, 'NULL')} AS {name(c.name)}" for c in PROFILES.columns)
    lake.write(con, "profiles", f"SELECT {columns} FROM (SELECT DISTINCT k FROM drawn)", what="test")
    return lake, con, Config(root=folder, name="test"), ends


def run(shop: Any, step: Any, as_of: date = TODAY, model: Card | None = None) -> Made:
    lake, con, config, _ = shop
    views = {
        t: View(
            table=t, version=1, purpose=step.purpose, sql=f"(SELECT * FROM {lake.relation(t)})", columns=lake.table(t).columns
        )
        for t in step.reads
    }
    made: Made = step.run(Run(
        con=con, views=views, config=config, state=lake.state, own=lake.relation(step.writes.name), before={}, as_of=as_of,
        batch=1, model=model,
    ))  # fmt: skip
    if made.rows is not None:
        con.register("made", made.rows)
        lake.write(con, step.writes.name, "SELECT * FROM made", what="test")
    return made


def test_devices_that_will_fail_are_told_before_they_do_and_the_silent_have_failed(shop: Any) -> None:
    made = run(shop, device_health.STEP)
    ends = shop[3]
    told = {r["device"] - 1000: r for r in made.rows.to_pylist()}
    silent = {d for d, r in told.items() if r["silent"]}
    assert silent == {d for d in range(DEVICES) if ends[d] < DAYS - 7} and all(told[d]["risk"] is None for d in silent)
    live = {d: r for d, r in told.items() if not r["silent"] and ends[d] > DAYS}
    near = [r["risk"] for d, r in live.items() if ends[d] < DAYS + 8]
    assert min(near) > 0.8 and np.mean([r["risk"] < 0.2 for d, r in live.items() if ends[d] == 10_000]) > 0.95
    worst = max(live.values(), key=lambda r: r["risk"])
    assert worst["alarm"] and worst["alarm_since"] == TODAY and worst["days_left"] < 15
    assert "heat" in worst["reason_en"] and "30 天内发生故障的风险：" in worst["reason_zh"]
    assert worst["person_id"] == worst["device"] - 900
    (card,) = made.cards
    assert (card.model, card.remembers, card.people >= 140) == ("upkeep", "some", True) and card.figures["auc"].value > 0.7
    again = run(shop, device_health.STEP, TODAY + timedelta(days=1), card)
    assert not again.cards
    later = {r["device"] - 1000: r for r in again.rows.to_pylist()}
    assert all(later[d]["alarm"] == r["alarm"] and later[d]["alarm_since"] == r["alarm_since"] for d, r in told.items())


def test_demand_is_foretold_for_regions_that_tell_of_nobody(shop: Any) -> None:
    made = run(shop, service_demand.STEP)
    told = made.rows.to_pylist()
    assert {r["region"] for r in told} == {"north", "south"}
    assert all(r["cases_low"] <= r["cases"] <= r["cases_high"] and r["week"].weekday() == 0 for r in told)
    assert told[0]["covered"] > 0.8 and 2 < told[0]["cases"] < 12


def test_the_declared_lineage_names_every_column() -> None:
    for step in (device_health.STEP, service_demand.STEP):
        assert tuple(sorted(step.lineage)) == tuple(sorted(step.writes.names))


def test_no_readings_are_no_error(tmp_path: Path) -> None:
    con = connect(threads=1)
    lake = Lake(tmp_path / "lake", [READINGS, MEMBERSHIP, PROFILES, device_health.DEVICE_HEALTH, service_demand.SERVICE_DEMAND],
                State(tmp_path / "state.db"), lambda: datetime(2026, 3, 31, tzinfo=UTC))  # fmt: skip
    for step in (device_health.STEP, service_demand.STEP):
        made = run((lake, con, Config(root=tmp_path, name="test"), None), step)
        assert (
            made.rows is not None and not len(made.rows) and not rows(con, f"SELECT * FROM {lake.relation(step.writes.name)}")
        )
