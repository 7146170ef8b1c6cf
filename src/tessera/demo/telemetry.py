"""Device telemetry: the readings of the last ninety days; a device that will fail drifts for weeks before it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tessera.demo.people import Crowd
from tessera.demo.shop import DAY_S, DAYS, END_S, MODELS, START, Bools, Floats, Ints
from tessera.demo.tally import MISSING, Tally

WINDOW_D = 90
DRIFT_D = 28
METRICS = ("temperature", "vibration", "battery", "power")
UNITS = ("C", "mm/s", "%", "W")
_BASE: Floats = np.array([[38, 0.4, 100, 6], [41, 0.5, 100, 7], [33, 0.3, 78, 4], [44, 2.2, 70, 28]])
"""Usual values by model and metric; a Thermo has no battery worth a reading."""
_SPREAD: Floats = np.array([1.6, 0.12, 4.0, 0.8])
_DRIFT: Floats = np.array([11.0, 1.1, -38.0, 5.0])
"""How far each metric has gone on the day a device fails."""
_ROTA: Ints = np.array([[0, 1, 3], [0, 1, 3], [0, 2, 3], [1, 2, 0]])
"""Which metrics a model sends: two of the three each day, in turn."""


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """The devices of a block: whose (place in the crowd), whether and when (seconds after START) they fail.

    A failing device fails within the window or in the 21 days after the shop's today.
    """

    owner: Ints
    fails: Bools
    failed_at: Ints


def fleet(who: Crowd) -> Fleet:
    """Which devices fail, and when."""
    rng = who.rng
    owner = np.array([i for i, device in enumerate(who.device) if device], dtype=np.int64)
    fails = rng.random(len(owner)) < np.array([0.07, 0.05, 0.1, 0.14])[_models(who, owner)]
    earliest = np.maximum(DAYS - WINDOW_D + 30, who.registered[owner] + 15)
    day = np.maximum(rng.integers(DAYS - WINDOW_D + 30, DAYS + 21, len(owner)), earliest)
    at = day * DAY_S + rng.integers(0, DAY_S, len(owner))
    return Fleet(owner=owner, fails=fails, failed_at=np.where(fails, at, 0))


def _models(who: Crowd, owner: Ints) -> Ints:
    return np.array([MODELS.index(who.model[i]) for i in owner], dtype=np.int64)


def readings(who: Crowd, devices: Fleet, tally: Tally) -> pa.Table:
    """Two readings a day and device, some lost, few without a value; none after a device failed."""
    rng = who.rng
    begins = np.maximum(who.registered[devices.owner], DAYS - WINDOW_D)
    days = DAYS - begins
    device = np.repeat(np.arange(len(begins)), days * 2)
    place = np.arange(len(device)) - (np.cumsum(days * 2) - days * 2)[device]
    model = _models(who, devices.owner)[device]
    metric = _ROTA[model, (place // 2 + place % 2) % 3]
    hour = rng.integers(0, 20, len(begins))[device]
    at = (begins[device] + place // 2) * DAY_S + hour * 3600 + (place % 2) * 7200 + rng.integers(0, 1800, len(device))
    fails, failed_at = devices.fails[device], devices.failed_at[device]
    keep = (at < END_S) & (rng.random(len(device)) > 0.04) & (~fails | (at < failed_at))
    device, model, metric, at = device[keep], model[keep], metric[keep], at[keep]
    fails, failed_at = fails[keep], failed_at[keep]

    drift = np.where(fails, np.clip(1 - (failed_at - at) / (DRIFT_D * DAY_S), 0, 1), 0.0) ** 1.5
    own = rng.normal(0, 0.6, (len(begins), len(METRICS)))[device, metric]
    season = np.where(metric == 0, 1.5 * np.sin(at / DAY_S / 58), 0.0)
    value = _BASE[model, metric] + _SPREAD[metric] * (own + rng.normal(0, 1, len(at)) * (1 + drift)) + season
    value = np.round(np.maximum(value + _DRIFT[metric] * drift, 0.0), 3)
    value = np.where(metric == METRICS.index("battery"), np.minimum(value, 100.0), value)
    faulty = rng.random(len(at)) < np.where(fails, 0.25 * drift, 0.002)
    codes = np.array(["E12", "E07", "E31", "E40"])[model]

    lost = rng.random(len(at)) < 0.0005
    counted = tally.source("telemetry")
    counted.rows += len(at)
    counted.broken[MISSING, "value"] += int(lost.sum())
    names = np.array([who.device[i] for i in devices.owner])
    start_us = int(START.timestamp()) * 1_000_000
    return pa.table(
        {
            "device_id": pa.array(names[device].tolist(), pa.string()),
            "occurred_at": pa.array(at * 1_000_000 + start_us, pa.int64()).cast(pa.timestamp("us", tz="UTC")),
            "metric": pa.array(np.array(METRICS)[metric].tolist(), pa.string()),
            "value": pa.array(value, pa.float64(), mask=lost),
            "unit": pa.array(np.array(UNITS)[metric].tolist(), pa.string()),
            "model": pa.array(np.array(MODELS)[model].tolist(), pa.string()),
            "error_code": pa.array(codes.tolist(), pa.string(), mask=~faulty),
        }
    )
