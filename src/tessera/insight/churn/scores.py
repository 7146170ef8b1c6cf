"""ORDERS, ORDER_LINES, EVENTS, CHURN_CHECKS -> CHURN: how likely each customer is to leave, and why, as contributions.

The reasons are kept as numbers (feature, value, points) and become words when somebody asks (`churn/words.py`): the words can
get better without a turn, and no sentence about a person lies in the lake.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tessera.data import raw
from tessera.data.profiles import PROFILES
from tessera.insight.churn.history import FEATURES
from tessera.insight.churn.model import Learned
from tessera.insight.churn.past import READS, lineage, opened
from tessera.insight.explain.contributions import explained
from tessera.lake.arrow import schema
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table

REASONS = 4
PART = 200_000
"""People that are scored at once: their features take 60 MB."""

CHURN = Table(
    name="churn",
    whose="person:person_id",
    columns=(
        PROFILES.column("person_id"),
        Column(name="probability", type="DOUBLE", category=raw.PURCHASE, note="that she leaves within the horizon"),
        Column(name="band", type="VARCHAR", category=raw.PURCHASE, note="high (a fifth), medium, low (half of all)"),
        Column(name="typical", type="DOUBLE", category=raw.PURCHASE, note="where contributions start: the average log-odds"),
        *(
            column
            for i in range(1, REASONS + 1)
            for column in (
                Column(
                    name=f"reason_{i}", type="VARCHAR", category=raw.PURCHASE, note="a feature, the one that counts most first"
                ),
                Column(name=f"value_{i}", type="DOUBLE", category=raw.PURCHASE, note="hers; null: not known"),
                Column(name=f"points_{i}", type="DOUBLE", category=raw.PURCHASE, note="of probability; + raises"),
            )
        ),
        Column(name="rest", type="DOUBLE", category=raw.PURCHASE, note="of all other features together"),
        Column(name="horizon_days", type="INTEGER"),
        Column(name="as_of", type="DATE"),
        Column(name="model", type="VARCHAR", note="its id among the models"),
    ),
    purposes=("analytics", "personalise", "marketing"),
    on_erase=Delete(),
    unique=("person_id",),
    whole=True,
    note="how likely each customer is to leave: typical + all points + rest = probability",
)
SCHEMA = schema(CHURN)


def _run(run: Run) -> Made:
    if run.model is None or not run.model.learned:
        return Made(rows=SCHEMA.empty_table())
    known, now = Learned.read(run.model.learned), run.as_of + timedelta(days=1)
    with opened(run, now) as past:
        parts = -(-past.many(now) // PART)
        made = [scored(known, *past.rows(now, part, parts), run.as_of, run.model.id) for part in range(parts)]
    return Made(rows=pa.concat_tables(made) if made else SCHEMA.empty_table())


def scored(known: Learned, people: npt.NDArray[np.int64], x: npt.NDArray[np.float64], as_of: date, model: str) -> pa.Table:
    """CHURN's rows for these people and their features."""
    found = explained(known.blend, x)
    order = np.argsort(-np.abs(found.points), axis=1, kind="stable")[:, :REASONS]
    names = np.array(FEATURES, dtype=object)
    columns: dict[str, Any] = {
        "person_id": pa.array(people, pa.int32()),
        "probability": found.score,
        "band": known.band(found.score),
        "typical": np.full(len(people), found.average),
    }
    rest = found.points.sum(axis=1)
    for i in range(REASONS):
        column = order[:, i]
        points = np.take_along_axis(found.points, column[:, None], axis=1)[:, 0]
        values = np.take_along_axis(x, column[:, None], axis=1)[:, 0]
        rest = rest - points
        columns |= {
            f"reason_{i + 1}": pa.array(names[column], pa.string()),
            f"value_{i + 1}": pa.array(values, pa.float64(), from_pandas=True),
            f"points_{i + 1}": points,
        }
    columns |= {
        "rest": rest,
        "horizon_days": pa.array(np.full(len(people), known.horizon_days), pa.int32()),
        "as_of": pa.array([as_of] * len(people), pa.date32()),
        "model": pa.array([model] * len(people), pa.string()),
    }
    return pa.table([pa.array(columns[n], SCHEMA.field(n).type) if not isinstance(columns[n], pa.Array) else columns[n]
                     for n in SCHEMA.names], schema=SCHEMA)  # fmt: skip


STEP = Step(
    name="churn",
    reads=(*READS[:-1], "churn_checks"),
    writes=CHURN,
    purpose="analytics",
    run=_run,
    aged=True,
    daily=True,
    model="churn",
    lineage=lineage(CHURN.names, ("horizon_days", "as_of", "model")) | {"person_id": (("membership", "person_id"),)},
)
