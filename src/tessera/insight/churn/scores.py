"""ORDERS, ORDER_LINES, EVENTS, CHURN_CHECKS -> CHURN: how likely each customer is to leave, and why, as contributions.

The reasons are kept as numbers (feature, value, points) and become words when somebody asks (`churn/words.py`): the words can
get better without a turn, and no sentence about a person lies in the lake.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tessera.data import raw
from tessera.data.profiles import PROFILES
from tessera.insight.churn import leaving, standing
from tessera.insight.churn.model import Learned
from tessera.insight.churn.past import READS, Past, lineage, opened
from tessera.insight.explain.contributions import explained
from tessera.lake.arrow import schema
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table

REASONS = 4
PART = 200_000
"""People that are scored at once: their features take 60 MB."""


def columns(what: str) -> tuple[Column, ...]:
    """A table's columns for one score and its reasons. what: what is foretold, as in "that she leaves"."""
    return (
        Column(name="probability", type="DOUBLE", category=raw.PURCHASE, note=f"{what} within the horizon"),
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
    )


CHURN = Table(
    name="churn",
    whose="person:person_id",
    columns=(PROFILES.column("person_id"), *columns("that she leaves")),
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
    known, asked = Learned.read(run.model.learned), leaving.question(run.config.insight.of("churn"))
    now = run.as_of + timedelta(days=1)
    if not standing.answers(known, asked):
        return Made(rows=SCHEMA.empty_table())
    with opened(run, [asked], now) as (past,):
        return Made(rows=everybody(past, known, now, run.model.id, SCHEMA))


def everybody(
    past: Past, known: Learned, now: date, model: str, shape: pa.Schema, same: Mapping[str, str] | None = None
) -> pa.Table:
    """A row for everybody of the midnight of `now`. shape: the table's. same: columns with one value for all."""
    parts, as_of = -(-past.many(now) // PART), now - timedelta(days=1)
    made = [scored(known, *past.rows(now, part, parts), as_of, model, shape, same) for part in range(parts)]
    return pa.concat_tables(made) if made else shape.empty_table()


def scored(
    known: Learned, people: npt.NDArray[np.int64], x: npt.NDArray[np.float64], as_of: date, model: str, shape: pa.Schema,
    same: Mapping[str, str] | None = None,
) -> pa.Table:  # fmt: skip
    """The rows of these people, by their features."""
    found = explained(known.blend, x)
    order = np.argsort(-np.abs(found.points), axis=1, kind="stable")[:, :REASONS]
    names = np.array(known.blend.names, dtype=object)
    columns: dict[str, Any] = {
        "person_id": people,
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
            f"reason_{i + 1}": names[column],
            f"value_{i + 1}": pa.array(values, pa.float64(), from_pandas=True),
            f"points_{i + 1}": points,
        }
    columns |= {"rest": rest}
    alike = {"horizon_days": known.horizon_days, "as_of": as_of, "model": model, **(same or {})}
    columns |= {n: [v] * len(people) for n, v in alike.items()}
    return pa.table(
        [columns[n] if isinstance(columns[n], pa.Array) else pa.array(columns[n], shape.field(n).type) for n in shape.names],
        schema=shape,
    )


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
