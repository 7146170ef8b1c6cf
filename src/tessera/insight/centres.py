"""FEATURES -> SEGMENT_CENTRES: the model of segments: fitted once, then frozen until the people have changed.

Refitting each night would move people who did nothing. The centres are kept in the run's facts and fitted anew only
when `fitting.fits` says so, or when segments.yaml changes. With few buyers the RFM scores decide by fixed rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from tessera.insight import fitting, names
from tessera.insight.fitting import Centre, Model, Points
from tessera.insight.names import Place
from tessera.lake.engine import literal, rows, value
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table
from tessera.lake.view import over

RULES = "rules-1"
"""The id of the model that has no centres."""

SAMPLE = 50_000
"""About how many people a model is fitted to."""

SEGMENT_CENTRES = Table(
    name="segment_centres",
    whose="nobody",
    columns=(
        Column(name="model", type="VARCHAR"),
        Column(name="segment", type="VARCHAR"),
        Column(name="label_en", type="VARCHAR"),
        Column(name="label_zh", type="VARCHAR"),
        Column(name="people", type="BIGINT", note="in the segment now; null below 10, so that it tells of nobody"),
        Column(name="share", type="DOUBLE", note="of all who have a segment"),
        Column(name="recency_days", type="DOUBLE", note="the centre: days since the last order"),
        Column(name="orders", type="DOUBLE"),
        Column(name="revenue_cents", type="DOUBLE"),
        Column(name="weight_recency", type="DOUBLE", note="of squared distances between logarithms; null: by rule"),
        Column(name="weight_orders", type="DOUBLE"),
        Column(name="weight_revenue", type="DOUBLE"),
        Column(name="k", type="INTEGER", note="how many centres; null: by rule"),
        Column(name="seed", type="BIGINT"),
        Column(name="stability", type="DOUBLE", note="adjusted Rand index between models of two halves of the people"),
        Column(name="fitted_at", type="DATE"),
    ),
    purposes=("analytics",),
    unique=("segment",),
    note="one row per segment of the present model; about groups, never about a person",
)

_ARROW = {
    "VARCHAR": pa.string(), "BIGINT": pa.int64(), "INTEGER": pa.int32(), "DATE": pa.date32(), "DOUBLE": pa.float64()
}  # fmt: skip
SCHEMA = pa.schema([(c.name, _ARROW[c.type]) for c in SEGMENT_CENTRES.columns])


def inputs(as_of: date) -> tuple[str, str, str]:
    """SQL over a row of `features`: the three inputs of the model, as `Centre.inputs` has them."""
    days = f"date_diff('day', CAST(last_order_at AS DATE), DATE {literal(as_of.isoformat())})"
    return (
        f"ln(1 + greatest({days}, 0))",
        "ln(1 + orders)",
        "ln(1 + greatest(coalesce(revenue_cents, 0), 0) / 100.0)",
    )


def assigned(centres: tuple[Centre, ...], weights: Place, as_of: date) -> str:
    """SQL over the view `features`: person_id and segment, for all who have one.

    Each person who bought belongs to the centre at the least weighted squared distance, or by RFM rules where there are
    no centres. People who never bought but were seen are prospects.
    """
    seen = "(SELECT * FROM features WHERE orders > 0 OR events > 0) AS seen"
    if centres:
        logs = ", ".join(f"{x} AS x{i}" for i, x in enumerate(inputs(as_of)))
        far = ", ".join(f"{_far(c.inputs, weights)} AS d{i}" for i, c in enumerate(centres))
        every = ", ".join(f"d{i}" for i in range(len(centres)))
        nearest = f"least({every})" if len(centres) > 1 else every
        cases = " ".join(f"WHEN d{i} = nearest THEN {literal(c.segment)}" for i, c in enumerate(centres))
        logged = f"SELECT person_id, orders, {logs} FROM {seen}"
        ranged = f"SELECT person_id, orders, {far} FROM ({logged}) AS logged"
        source = f"(SELECT *, {nearest} AS nearest FROM ({ranged}) AS ranged) AS found"
        bought = f"CASE {cases} END"
    else:
        source, bought = seen, names.scored("r_score", "f_score", "m_score")
    return f"""SELECT person_id, CASE WHEN orders > 0 THEN {bought} ELSE {literal(names.PROSPECTS)} END AS segment
        FROM {source}"""


def sizes(centres: tuple[Centre, ...], weights: Place, as_of: date) -> str:
    """SQL over the view `features`: segment, people."""
    return f"SELECT segment, count(*) AS people FROM ({assigned(centres, weights, as_of)}) AS a GROUP BY segment"


def sample(buyers: int, as_of: date) -> str:
    """SQL over the view `features`: about SAMPLE people who bought, spread evenly and always the same; x0, x1, x2."""
    items = ", ".join(f"{x} AS x{i}" for i, x in enumerate(inputs(as_of)))
    spread = "CAST(person_id AS BIGINT) * 2654435761 % 4294967296"
    some = "" if buyers <= SAMPLE else f" AND {spread} < {2**32 * SAMPLE // buyers}"
    return f"SELECT {items} FROM features WHERE orders > 0{some} ORDER BY person_id"


def _far(centre: Place, weights: Place) -> str:
    """SQL: the weighted squared distance to a centre, less what is the same for every centre."""
    terms = list(zip(centre, weights, strict=True))
    linear = "".join(f" - {2 * w * c!r} * x{i}" for i, (c, w) in enumerate(terms))
    return f"{sum(w * c * c for c, w in terms)!r}{linear}"


def _run(run: Run) -> Made:
    buyers = int(value(run.con, over(run.views, "SELECT count(*) FROM features WHERE orders > 0")))
    model = Model(id=RULES, seed=run.config.segments.seed, fitted_at=run.as_of)
    if buyers >= fitting.FEWEST_BUYERS:
        model = _model(run, buyers)
    found = rows(run.con, over(run.views, sizes(model.centres, model.weights, run.as_of)))
    made = pa.Table.from_pylist(_listed(model, dict(found)), schema=SCHEMA)
    return Made(rows=made, facts={"model": msgspec.to_builtins(model)})


def _model(run: Run, buyers: int) -> Model:
    """The frozen model, or a new one."""
    drawn = run.con.execute(over(run.views, sample(buyers, run.as_of))).fetchnumpy()
    points: Points = np.column_stack([drawn["x0"], drawn["x1"], drawn["x2"]])
    known = msgspec.convert(run.before["model"], Model) if "model" in run.before else None
    if known is not None and fitting.fits(known, points, run.as_of):
        return known
    return fitting.fit(points, run.config.segments.k, run.config.segments.seed, run.as_of)


def _listed(model: Model, people: Mapping[str, int]) -> list[dict[str, Any]]:
    """The table's rows: each centre, even if nobody is near it now, and what rules made of the others."""
    centres = {c.segment: c for c in model.centres}
    total = sum(people.values())
    listed = []
    for segment in sorted({*centres, *people}):
        centre, many = centres.get(segment), people.get(segment, 0)
        row: dict[str, Any] = dict.fromkeys(SEGMENT_CENTRES.names)
        row |= {"model": model.id, "segment": segment, "seed": model.seed, "fitted_at": model.fitted_at}
        row |= {"label_en": names.label(segment, "en"), "label_zh": names.label(segment, "zh")}
        if model.centres:
            row |= {"k": model.k, "stability": model.stability}
        if many >= fitting.FEWEST:
            row |= {"people": many, "share": many / total}
        if centre is not None:
            row |= {"recency_days": centre.recency_days, "orders": centre.orders, "revenue_cents": centre.revenue_cents}
            row |= zip(("weight_recency", "weight_orders", "weight_revenue"), model.weights, strict=True)
        listed.append(row)
    return listed


_READ = tuple(("features", c) for c in ("last_order_at", "orders", "revenue_cents"))
_DECIDED = (*_READ, *(("features", c) for c in ("r_score", "f_score", "m_score", "events")))

STEP = Step(
    name="centres",
    reads=("features",),
    writes=SEGMENT_CENTRES,
    purpose="analytics",
    run=_run,
    aged=True,
    aggregates=True,
    lineage={c.name: () if c.name in ("seed", "fitted_at") else _DECIDED for c in SEGMENT_CENTRES.columns},
)
