"""READINGS, MEMBERSHIP -> DEVICE_HEALTH: each device with its person, how likely it fails soon, the days left, and its alarm.

The purpose is `personalise` ("products and advice that fit you"): what is learned of her device is advice to her. `operate`
needs no consent, so nothing that learns about people runs under it; `analytics` promises to better the shop, and says
nothing of writing to her. A care journey reads this table under a purpose of its own, and finds only those who allow that too.

A row's columns are means over time, by one scan: level (weights fall by e in five days), the mean of a week, and the drift of
that from the device's first two weeks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa

from tessera.data import raw
from tessera.insight.explain.contributions import explained
from tessera.insight.explain.sentences import Subject, sentences, why
from tessera.insight.explain.words import Word
from tessera.insight.trees import Numbers
from tessera.insight.upkeep import alarms, device_model, words
from tessera.insight.upkeep.alarms import Alarms
from tessera.insight.upkeep.device_model import DeviceModel
from tessera.insight.upkeep.telemetry import Ints
from tessera.lake.arrow import schema
from tessera.lake.engine import literal, rows, value
from tessera.lake.models import Card
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

SILENT_DAYS = 7
"""A device that reported and has sent nothing for so long has failed."""
BACK_DAYS, EVERY_DAYS = 60, 5
"""Learned from days so far back, each so many days apart."""
OLD_DAYS = 30
DEVICES = 20_000
"""Devices that are learned from."""
METRICS = 12
START_DAYS, WEEK_DAYS, LEVEL_DAYS, ERROR_DAYS = 14, 7, 5, 14
SEED = 7

DEVICE_HEALTH = Table(
    name="device_health",
    whose="person:person_id",
    columns=(
        Column(name="person_id", type="INTEGER", category=raw.PSEUDONYM),
        Column(name="device", type="INTEGER", category=raw.PSEUDONYM, note="the device's key"),
        Column(name="device_model", type="VARCHAR", category=raw.DEVICE),
        Column(name="last_reading_at", type="TIMESTAMPTZ", category=raw.SENSOR),
        Column(name="silent", type="BOOLEAN", category=raw.SENSOR, note="it has sent nothing for a week: it has failed"),
        Column(name="risk", type="DOUBLE", category=raw.SENSOR, note="of failing within horizon_days; null: silent"),
        Column(name="horizon_days", type="INTEGER"),
        Column(name="days_left", type="DOUBLE", category=raw.SENSOR, note="at most horizon_days: that long or longer"),
        Column(name="days_low", type="DOUBLE", category=raw.SENSOR, note="of an interval of 90 %"),
        Column(name="days_high", type="DOUBLE", category=raw.SENSOR, note="null: longer than horizon_days"),
        Column(name="alarm", type="BOOLEAN", category=raw.SENSOR),
        Column(name="alarm_since", type="DATE", category=raw.SENSOR, note="null: no alarm"),
        Column(name="switched_on", type="DATE", category=raw.SENSOR, note="the alarm's last switch, or when it was first seen"),
        Column(name="turning_since", type="DATE", category=raw.SENSOR, note="since when the risk asks for the other state"),
        Column(name="reason_en", type="VARCHAR", category=raw.SENSOR, note="null: the risk is low"),
        Column(name="reason_zh", type="VARCHAR", category=raw.SENSOR),
        Column(name="as_of", type="DATE"),
        Column(name="model", type="VARCHAR"),
    ),
    purposes=("personalise",),
    on_erase=Delete(),
    unique=("device",),
    whole=True,
    note="one row per device that reports, with the person whose it is",
)

SCHEMA = schema(DEVICE_HEALTH)


def columns(metrics: Sequence[str]) -> tuple[str, ...]:
    """The columns of a row that is scored, as `described` makes them after device, moment and days left."""
    return (*(f"{what}:{m}" for m in metrics for what in ("level", "mean", "drift")), "errors", "age_days")


def described(metrics: Sequence[str], moments: Sequence[datetime], newest: datetime, some: str = "") -> str:
    """SQL over the view `readings`: a row for each device that reported around a moment: device, its model, its last reading,
    days until it fell silent (null: it has not), then `columns`. some: a condition on key_id."""
    at = ", ".join(f"(TIMESTAMPTZ {literal(m.isoformat())})" for m in moments)
    of = []
    for m in metrics:
        mine = f"FILTER (metric = {literal(m)})"
        week = f"avg(value) FILTER (metric = {literal(m)} AND back <= {WEEK_DAYS})"
        start = f"avg(value) FILTER (metric = {literal(m)} AND along <= {START_DAYS})"
        weight = f"exp(-back / {LEVEL_DAYS})"
        of += [f"sum(value * {weight}) {mine} / sum({weight}) {mine}", week, f"{week} - {start}"]
    items = ", ".join(f"{sql} AS x{i}" for i, sql in enumerate(of))
    silent = f"{_days('last_at', f'TIMESTAMPTZ {literal(newest.isoformat())}')} >= {SILENT_DAYS}"
    return f""", known AS (SELECT key_id, occurred_at, metric, value, error_code, model FROM readings
            WHERE key_id IS NOT NULL AND occurred_at <= TIMESTAMPTZ {literal(newest.isoformat())}{some}),
        devices AS (SELECT key_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at, max(model) AS model
            FROM known GROUP BY key_id),
        placed AS (SELECT k.key_id, m.moment, d.first_at, d.last_at, d.model, k.metric, k.value, k.error_code,
                   {_days("k.occurred_at", "m.moment")} AS back, {_days("d.first_at", "k.occurred_at")} AS along
            FROM known k JOIN devices d USING (key_id) JOIN (VALUES {at}) AS m(moment) ON k.occurred_at <= m.moment
            WHERE m.moment <= d.last_at + INTERVAL 2 DAY OR m.moment = TIMESTAMPTZ {literal(newest.isoformat())})
        SELECT key_id, any_value(model) AS model, any_value(last_at) AS last_at,
               CASE WHEN any_value({silent}) THEN {_days("any_value(last_at)", "moment", back=True)} END AS days_left,
               {items}{"," if items else ""} count(error_code) FILTER (back <= {ERROR_DAYS}) AS errors,
               {_days("any_value(first_at)", "moment")} AS age_days
        FROM placed GROUP BY key_id, moment ORDER BY key_id, moment"""


def _days(since: str, until: str, *, back: bool = False) -> str:
    a, b = (until, since) if back else (since, until)
    return f"(epoch({b}) - epoch({a})) / 86400.0"


def _read(run: Run, metrics: Sequence[str], moments: Sequence[datetime], newest: datetime, some: str = "") -> pa.Table:
    views = {"readings": run.views["readings"]}
    found = run.con.sql(over(views, described(metrics, moments, newest, some)))
    assert found is not None
    return found.to_arrow_table()


def _numbers(table: pa.Table) -> Numbers:
    return np.column_stack([
        c.cast("float64").to_numpy(zero_copy_only=False).astype(np.float64) for c in table.columns[4:]
    ])  # fmt: skip


def _run(run: Run) -> Made:
    views = {"readings": run.views["readings"]}
    day = f"TIMESTAMPTZ {literal((run.as_of + timedelta(days=1)).isoformat())}"
    newest = value(run.con, over(views, f"SELECT max(occurred_at) FROM readings WHERE occurred_at < {day}"))
    horizon = int(run.config.insight.of("upkeep").get("horizon_days", 30))
    if newest is None:
        return Made(rows=SCHEMA.empty_table())
    card = run.model
    cards: tuple[Card, ...] = ()
    if card is None or run.refit or (run.as_of - card.fitted_at).days >= OLD_DAYS:
        card = _fitted(run, newest, horizon) or (None if run.refit else run.model)
        cards = (card,) if card is not None and card is not run.model else ()
    model = DeviceModel.read(card.learned) if card is not None else None
    now = _read(run, model.metrics if model else (), [newest], newest)
    return Made(rows=_listed(run, now, model, card.id if card else None, horizon), cards=cards)


def _fitted(run: Run, newest: datetime, horizon: int) -> Card | None:
    """A model of days whose outcome is known by now; None with too few failures."""
    views = {"readings": run.views["readings"]}
    asked = (
        f"SELECT metric FROM readings WHERE metric IS NOT NULL GROUP BY metric ORDER BY count(*) DESC, metric LIMIT {METRICS}"
    )
    metrics = tuple(sorted(r[0] for r in rows(run.con, over(views, asked))))
    known = newest - timedelta(days=horizon + SILENT_DAYS)
    moments = [known - timedelta(days=d) for d in range(0, BACK_DAYS, EVERY_DAYS)]
    many = int(value(run.con, over(views, "SELECT count(DISTINCT key_id) FROM readings")) or 0)
    some = f" AND hash(key_id) % {many} < {DEVICES}" if many > DEVICES else ""
    table = _read(run, metrics, moments, newest, some)
    if not len(table):
        return None
    left = table["days_left"].cast("float64").to_numpy(zero_copy_only=False).astype(np.float64)
    left = np.where(np.isnan(left), np.inf, np.maximum(left, 0))
    device: Ints = table["key_id"].to_numpy(zero_copy_only=False).astype(np.int64)
    found = device_model.fit(_numbers(table), left, device, columns(metrics), metrics, horizon, SEED)
    if found is None:
        return None
    model, figures = found
    return Card(
        model="upkeep", fitted_at=run.as_of, people=len(np.unique(device)), remembers="some", figures=figures, seed=SEED,
        settings={"horizon_days": horizon, "silent_days": SILENT_DAYS, "metrics": list(metrics), "days": len(moments)},
        note="A failure is a device that fell silent: it may have been unplugged. People are counted by their devices.",
        learned=model.written(),
    )  # fmt: skip


def _listed(run: Run, now: pa.Table, model: DeviceModel | None, model_id: str | None, horizon: int) -> pa.Table:
    """The table's rows, in the order of devices."""
    device = now["key_id"].to_numpy(zero_copy_only=False).astype(np.int64)
    silent = ~np.isnan(now["days_left"].cast("float64").to_numpy(zero_copy_only=False).astype(np.float64))
    risk, left, low, high = (np.full(len(device), np.nan) for _ in range(4))
    en: list[str | None] = [None] * len(device)
    zh = list(en)
    if model is not None and (~silent).any():
        x = _numbers(now)
        risk[~silent] = model.risk.score(x[~silent])
        left[~silent], low[~silent], high[~silent] = model.days(x[~silent])
        told = np.flatnonzero(~silent & (risk >= alarms.OFF))
        for row, said in zip(told.tolist(), _reasons(model, x[told]), strict=True):
            en[row], zh[row] = said
    state = _state(run, device, risk)
    own = dict(rows(run.con, over({"membership": run.views["membership"]}, "SELECT key_id, person_id FROM membership")))
    kept = np.array([d in own for d in device.tolist()], dtype=bool)
    whole = pa.table({
        "person_id": [own.get(d) for d in device.tolist()], "device": device, "device_model": now["model"],
        "last_reading_at": now["last_at"], "silent": silent, "risk": _known(risk),
        "horizon_days": np.full(len(device), horizon),
        "days_left": _known(left), "days_low": _known(low), "days_high": _known(np.where(np.isinf(high), np.nan, high)),
        "alarm": state.on, "alarm_since": _dates(np.where(state.on, state.since, np.nan)), "switched_on": _dates(state.since),
        "turning_since": _dates(state.turning), "reason_en": pa.array(en, pa.string()), "reason_zh": pa.array(zh, pa.string()),
        "as_of": [run.as_of] * len(device), "model": pa.array([model_id] * len(device), pa.string()),
    })  # fmt: skip
    return whole.cast(SCHEMA).filter(pa.array(kept))


def _state(run: Run, device: Ints, risk: Numbers) -> Alarms:
    """The alarms of today, from those of the table as it stands."""
    day = float(run.as_of.toordinal())
    state = alarms.first(risk, day)
    asked = f"SELECT device, alarm, switched_on, turning_since, as_of FROM {run.own} AS own WHERE as_of <= ?"
    was = {r[0]: r[1:] for r in rows(run.con, asked, [run.as_of])}
    known = np.array([d in was for d in device.tolist()], dtype=bool)
    if not known.any():
        return state
    old = [was[d] for d in device[known].tolist()]
    before = Alarms(
        on=np.array([bool(o[0]) for o in old]),
        since=np.array([_ordinal(o[1]) for o in old]),
        turning=np.array([_ordinal(o[2]) for o in old]),
    )
    later = alarms.after(before, risk[known], day)
    for whole, part in ((state.on, later.on), (state.since, later.since), (state.turning, later.turning)):
        whole[known] = part
    return state


def _reasons(model: DeviceModel, x: Numbers) -> list[tuple[str, str]]:
    days = model.horizon_days
    subject = Subject(en=f"Risk of failing within {days} days", zh=f"{days} 天内发生故障的风险：")
    called = words.words(model.risk.names) | {
        "errors": Word(en=f"its errors in {ERROR_DAYS} days", zh=f"{ERROR_DAYS} 天内的错误次数", unit="times"),
        "age_days": Word(en="its age", zh="使用时间", unit="days"),
    }
    parts = explained(model.risk, x)
    said = []
    for row in range(len(x)):
        reason = why(parts, row, [None if np.isnan(v) else float(v) for v in x[row]], top=3)
        en, zh = (sentences(reason, language, known=called, subject=subject) for language in ("en", "zh"))
        said.append((" ".join(en), "".join(zh)))
    return said


def _known(numbers: Numbers) -> pa.Array:
    return pa.array(numbers, pa.float64(), from_pandas=True)


def _dates(days: Numbers) -> pa.Array:
    return pa.array([None if np.isnan(d) else date.fromordinal(int(d)) for d in days.tolist()], pa.date32())


def _ordinal(day: date | None) -> float:
    return float("nan") if day is None else float(day.toordinal())


_TOLD = tuple(("readings", c) for c in ("occurred_at", "metric", "value", "error_code"))

STEP = Step(
    name="device_health",
    reads=("readings", "membership"),
    writes=DEVICE_HEALTH,
    purpose="personalise",
    run=_run,
    aged=True,
    keeps=True,
    model="upkeep",
    daily=True,
    optional=True,
    lineage={
        "person_id": (("membership", "person_id"), ("membership", "key_id")),
        "device": (("readings", "key_id"),),
        "device_model": (("readings", "model"),),
        "last_reading_at": (("readings", "occurred_at"),),
        "horizon_days": (),
        "as_of": (),
        **dict.fromkeys(
            ("silent", "risk", "days_left", "days_low", "days_high", "alarm", "alarm_since", "switched_on", "turning_since",
             "reason_en", "reason_zh", "model"), _TOLD,
        ),
    },
)  # fmt: skip
