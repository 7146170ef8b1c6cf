"""FEATURES -> SEGMENT_CENTRES: the model of segments: fitted once, then frozen until the people have changed.

Refitting each night would move people who did nothing. A model is fitted anew only when `fitting.fits` says so, and then it
starts from the old centres, which keep their names. The older one stays in force for everybody who has not bought since:
each person is judged by the newest version that was there when she last bought, so a new version relabels nobody who did
not change. When segments.yaml changes, all begins anew. With few buyers the RFM scores decide by fixed rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from tessera.insight.segments import fitting, names
from tessera.insight.segments.fitting import Model, Points
from tessera.insight.segments.names import Place
from tessera.lake.arrow import schema
from tessera.lake.engine import literal, rows, value
from tessera.lake.models import Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table
from tessera.lake.view import over

MODEL = "segments"
FEWEST_TOLD = 10
"""People in a group of which a number is told, at least."""

RULES = "rules-1"
"""The id of the model that has no centres."""

EPOCH = date(1970, 1, 1)

SAMPLE = 50_000
"""About how many people a model is fitted to."""

SEGMENT_CENTRES = Table(
    name="segment_centres",
    whose="nobody",
    columns=(
        Column(name="model", type="VARCHAR"),
        Column(name="version", type="INTEGER", note="1: the oldest in force; of whom it decides, see fitted_at"),
        Column(name="segment", type="VARCHAR"),
        Column(name="label_en", type="VARCHAR"),
        Column(name="label_zh", type="VARCHAR"),
        Column(name="people", type="BIGINT", note="in the segment now, in its newest row; null below 10"),
        Column(name="share", type="DOUBLE", note="of all who have a segment"),
        Column(name="recency_days", type="DOUBLE", note="the centre: days since the last order"),
        Column(name="orders", type="DOUBLE"),
        Column(name="revenue_cents", type="DOUBLE"),
        Column(name="weight_recency", type="DOUBLE", note="of squared distances between logarithms; null: by rule"),
        Column(name="weight_orders", type="DOUBLE"),
        Column(name="weight_revenue", type="DOUBLE"),
        Column(name="k", type="INTEGER", note="how many centres; null: by rule"),
        Column(name="seed", type="BIGINT"),
        Column(name="stability", type="DOUBLE", note="mean adjusted Rand index between it and models of resampled people"),
        Column(name="held", type="DOUBLE", note="the share of the segment that those models find again (Jaccard)"),
        Column(name="fitted_at", type="DATE", note="it decides of who bought after this day and before the next version's"),
    ),
    purposes=("analytics",),
    unique=("version", "segment"),
    note="one row per segment of each version in force; about groups, never about a person",
)

SCHEMA = schema(SEGMENT_CENTRES)


def inputs(as_of: date) -> tuple[str, str, str]:
    """SQL over a row of `features`: the three inputs of the model, as `Centre.inputs` has them."""
    # Not a date's difference: to make a date of a moment takes the engine as long as all the rest.
    days = f"{(as_of - EPOCH).days} - floor(epoch(last_order_at) / 86400)"
    return (
        f"ln(1 + greatest({days}, 0))",
        "ln(1 + orders)",
        "ln(1 + greatest(coalesce(revenue_cents, 0), 0) / 100.0)",
    )


def assigned(versions: Sequence[Model], as_of: date) -> str:
    """SQL over the view `features`: person_id, segment, version (from 1), for all who have a segment.

    Each person who bought belongs to the centre at the least weighted squared distance in the version that was in force when
    she last bought, or by RFM rules where there is no version. People who never bought but were seen are prospects.
    """
    prospects = f"""SELECT person_id, {literal(names.PROSPECTS)} AS segment, {max(len(versions), 1)} AS version FROM features
        WHERE events > 0 AND NOT coalesce(orders > 0, false)"""
    if not versions:
        rule = names.scored("r_score", "f_score", "m_score")
        return f"SELECT person_id, {rule} AS segment, 1 AS version FROM features WHERE orders > 0 UNION ALL {prospects}"
    parts = []
    for place, model in enumerate(versions):
        near = _nearest(model, as_of, _since(versions, place))
        parts.append(f"SELECT person_id, segment, {place + 1} AS version FROM ({near}) AS near_{place}")
    return " UNION ALL ".join([*parts, prospects])


def sizes(versions: Sequence[Model], as_of: date) -> str:
    """SQL over the view `features`: version, segment, people."""
    return f"SELECT version, segment, count(*) AS people FROM ({assigned(versions, as_of)}) AS a GROUP BY version, segment"


def _since(versions: Sequence[Model], place: int) -> str:
    """SQL: of whom a version decides."""
    day = "CAST(last_order_at AS DATE)"
    after = f" AND {day} > DATE {literal(versions[place].fitted_at.isoformat())}" if place else ""
    rest = versions[place + 1 :]
    return f"orders > 0{after}" + (f" AND {day} <= DATE {literal(rest[0].fitted_at.isoformat())}" if rest else "")


def _nearest(model: Model, as_of: date, where: str) -> str:
    """SQL over the view `features`: person_id and the segment of the nearest centre."""
    logs = ", ".join(f"{x} AS x{i}" for i, x in enumerate(inputs(as_of)))
    far = ", ".join(f"{_far(c.inputs, model.weights)} AS d{i}" for i, c in enumerate(model.centres))
    every = ", ".join(f"d{i}" for i in range(model.k))
    nearest = f"least({every})" if model.k > 1 else every
    cases = " ".join(f"WHEN d{i} = nearest THEN {literal(c.segment)}" for i, c in enumerate(model.centres))
    logged = f"SELECT person_id, {logs} FROM features WHERE {where}"
    ranged = f"SELECT person_id, {far} FROM ({logged}) AS logged"
    found = f"SELECT *, {nearest} AS nearest FROM ({ranged}) AS ranged"
    return f"SELECT person_id, CASE {cases} END AS segment FROM ({found}) AS found"


def sample(buyers: int, as_of: date) -> str:
    """SQL over the view `features`: about SAMPLE people who bought, spread evenly and always the same; x0, x1, x2. In the order
    of what they did: their numbers, which another workspace gives otherwise, decide of no draw."""
    items = ", ".join(f"{x} AS x{i}" for i, x in enumerate(inputs(as_of)))
    spread = "CAST(person_id AS BIGINT) * 2654435761 % 4294967296"
    some = "" if buyers <= SAMPLE else f" AND {spread} < {2**32 * SAMPLE // buyers}"
    return f"SELECT {items} FROM features WHERE orders > 0{some} ORDER BY x0, x1, x2"


def _far(centre: Place, weights: Place) -> str:
    """SQL: the weighted squared distance to a centre, less what is the same for every centre."""
    terms = list(zip(centre, weights, strict=True))
    linear = "".join(f" - {2 * w * c!r} * x{i}" for i, (c, w) in enumerate(terms))
    return f"{sum(w * c * c for c, w in terms)!r}{linear}"


def _run(run: Run) -> Made:
    buyers = int(value(run.con, over(run.views, "SELECT count(*) FROM features WHERE orders > 0")))
    versions: tuple[Model, ...] = ()
    cards: tuple[Card, ...] = ()
    if buyers >= fitting.FEWEST_BUYERS:
        versions, cards = _versions(run, buyers)
    found = rows(run.con, over(run.views, sizes(versions, run.as_of)))
    made = pa.Table.from_pylist(_listed(versions, found, run), schema=SCHEMA)
    return Made(rows=made, cards=cards)


def _versions(run: Run, buyers: int) -> tuple[tuple[Model, ...], tuple[Card, ...]]:
    """The versions in force, oldest first, and the card of a new one."""
    drawn = run.con.execute(over(run.views, sample(buyers, run.as_of))).fetchnumpy()
    points: Points = np.column_stack([drawn["x0"], drawn["x1"], drawn["x2"]])
    told = {"k": run.config.segments.k, "seed": run.config.segments.seed}
    known: tuple[Model, ...] = ()
    if run.model is not None and {n: run.model.settings.get(n) for n in told} == told:
        known = msgspec.json.decode(run.model.learned, type=tuple[Model, ...])
    if known and not run.refit and fitting.fits(known[-1], points, run.as_of):
        return known, ()
    # Who a version decides of does not change when it is followed by another; one that decides of nobody can go.
    used = {v for v, _, _ in rows(run.con, over(run.views, sizes(known, run.as_of)))} if known else set()
    kept = tuple(m for place, m in enumerate(known) if place + 1 in used)
    new = fitting.refit(known[-1], points, run.as_of) if known else None
    new = new or fitting.fit(points, told["k"], run.config.segments.seed, run.as_of)
    if known and new.id == known[-1].id:
        return known, ()
    versions = (*kept, new)
    return versions, (_card(versions, buyers, told, run.as_of),)


def _card(versions: tuple[Model, ...], buyers: int, told: dict[str, int | None], as_of: date) -> Card:
    new = versions[-1]
    figures = {"k": Figure(new.k), "versions": Figure(len(versions))}
    if new.stability is not None:
        figures["stability"] = Figure(new.stability)
    figures |= {f"stability_at_{c.k}": Figure(c.stability) for c in new.choices}
    figures |= {f"held_{c.segment}": Figure(c.held) for c in new.centres if c.held is not None}
    stable = new.stability is not None and new.stability >= fitting.GATE
    return Card(
        model=MODEL, fitted_at=as_of, people=buyers, remembers="nobody", seed=new.seed, figures=figures, settings=dict(told),
        learned=msgspec.json.encode(versions).decode(),
        note="" if stable else f"Not stable: models of resampled people agree by less than {fitting.GATE}.",
    )  # fmt: skip


def _listed(versions: Sequence[Model], people: list[tuple[int, str, int]], run: Run) -> list[dict[str, Any]]:
    """The table's rows: each centre of each version, even if nobody is near it now, and what rules made of the others."""
    sums: dict[str, int] = {}
    for _, segment, many in people:
        sums[segment] = sums.get(segment, 0) + many
    total = sum(sums.values())
    newest = max(len(versions), 1)
    centres = {(place + 1, c.segment): (m, c) for place, m in enumerate(versions) for c in m.centres}
    others = {(newest, s) for s in sums if all(s != c for _, c in centres)}
    last = {s: max(v for v, one in (*centres, *others) if one == s) for _, s in (*centres, *others)}
    listed = []
    for version, segment in sorted({*centres, *others}):
        model, centre = centres.get((version, segment), (versions[-1] if versions else None, None))
        row: dict[str, Any] = dict.fromkeys(SEGMENT_CENTRES.names)
        row |= {"model": model.id if model else RULES, "version": version, "segment": segment}
        row |= {"label_en": names.label(segment, "en"), "label_zh": names.label(segment, "zh")}
        row |= {"seed": run.config.segments.seed, "fitted_at": model.fitted_at if model else run.as_of}
        if model:
            row |= {"k": model.k, "stability": model.stability}
        if version == last[segment] and sums.get(segment, 0) >= FEWEST_TOLD:
            row |= {"people": sums[segment], "share": sums[segment] / total}
        if model and centre:
            row |= {"recency_days": centre.recency_days, "orders": centre.orders, "revenue_cents": centre.revenue_cents}
            row |= zip(("weight_recency", "weight_orders", "weight_revenue"), model.weights, strict=True)
            row["held"] = centre.held
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
    model=MODEL,
    lineage={c.name: () if c.name in ("seed", "fitted_at", "version") else _DECIDED for c in SEGMENT_CENTRES.columns},
)
