"""TOUCHES, ORDERS -> CHANNEL_CREDITS: what each channel is credited with, first purchase and repurchase apart, by every model.

Only touches and orders of people who allow the purpose are in it; how much that leaves out is told by the log's count of
rows, without reading one. What is said of a channel that fewer than 10 people met is null.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tessera.errors import BadInput
from tessera.insight.attribution import credits
from tessera.insight.attribution.credits import MARKOV, MODELS, attributed
from tessera.insight.attribution.journeys import FEWEST, READS, SEPARATOR, Journeys
from tessera.insight.attribution.paths import Paths, encode
from tessera.lake.arrow import schema
from tessera.lake.engine import rows
from tessera.lake.models import Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table
from tessera.lake.view import over

MODEL = "attribution"
PURPOSE = "analytics"
KINDS = ("first", "repeat")
BATCH = 200_000
SEED = 7

CHANNEL_CREDITS = Table(
    name="channel_credits",
    whose="nobody",
    columns=(
        Column(name="channel", type="VARCHAR"),
        Column(name="model", type="VARCHAR", note="markov, first, last, linear, position, time_decay, shapley"),
        Column(name="kind", type="VARCHAR", note="of orders: first, repeat, all"),
        Column(name="conversions", type="DOUBLE", note="orders credited; each column sums to the same total"),
        Column(name="conversions_low", type="DOUBLE", note="95 % interval; markov's alone"),
        Column(name="conversions_high", type="DOUBLE"),
        Column(name="value_cents", type="DOUBLE"),
        Column(name="value_cents_low", type="DOUBLE"),
        Column(name="value_cents_high", type="DOUBLE"),
        Column(name="removal_effect", type="DOUBLE", note="the share of orders lost without it; markov's alone"),
        Column(name="people", type="BIGINT", note="who met the channel; null below 10, as are its credits"),
        Column(name="touches", type="BIGINT"),
        Column(name="markov_order", type="INTEGER", note="touches in a state"),
        Column(name="window_days", type="INTEGER"),
        Column(name="as_of", type="DATE"),
    ),
    purposes=(PURPOSE,),
    unique=("channel", "model", "kind"),
    note="which channel brought what; about channels, never about a person",
)

SCHEMA = schema(CHANNEL_CREDITS)


def journeys(run: Run) -> Journeys:
    """As insight.yaml says."""
    told = run.config.insight.of(MODEL)
    return Journeys(currency=run.config.currency, window_days=told["window_days"], direct=told["direct"], as_of=run.as_of)


def _run(run: Run) -> Made:
    made_by, told = journeys(run), run.config.insight.of(MODEL)
    tally = rows(run.con, over(run.views, made_by.tallied()))[0]
    read = run.con.sql(over(run.views, made_by.grouped())).to_arrow_reader(BATCH)
    try:
        paths = encode(read, separator=SEPARATOR, kinds=KINDS)
    except BadInput:
        # No journey at all is an ordinary thing: a shop without touches.
        return Made(rows=SCHEMA.empty_table(), cards=(_card(run, told, tally, 0, {}),))
    listed, figures = _credited(run, made_by, told["order"], paths)
    return Made(rows=pa.Table.from_pylist(listed, SCHEMA), cards=(_card(run, told, tally, len(paths), figures),))


def _credited(run: Run, made_by: Journeys, order: int, paths: Paths) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The table's rows, and figures for the card."""
    met = {c: numbers for c, *numbers in rows(run.con, over(run.views, made_by.met()))}
    decayed = np.array([met[c][2:] for c in paths.channels], dtype=float)
    found = attributed(paths, order, seed=SEED, decayed=decayed)
    listed = []
    for model in MODELS:
        for kind in (*KINDS, "all"):
            parts = KINDS if kind == "all" else (kind,)
            columns = {m: [credits.Column(model=model, kind=p, measure=m) for p in parts] for m in ("conversions", "value")}
            for i, channel in enumerate(paths.channels):
                people, touches = met[channel][:2]
                row = dict.fromkeys(CHANNEL_CREDITS.names) | {"channel": channel, "model": model, "kind": kind}
                row |= {"markov_order": order, "window_days": made_by.window_days, "as_of": run.as_of}
                if people >= FEWEST:
                    row |= {"people": people, "touches": touches}
                    for measure, name in (("conversions", "conversions"), ("value", "value_cents")):
                        row[name] = float(sum(found.credits[c][i] for c in columns[measure]))
                        bounded = credits.Column(model=model, kind=kind, measure=measure)
                        if bounded in found.low:
                            row[f"{name}_low"] = float(found.low[bounded][i])
                            row[f"{name}_high"] = float(found.high[bounded][i])
                    if model == MARKOV and kind != "all":
                        row["removal_effect"] = float(found.removal[columns["conversions"][0]][i])
                listed.append(row)
    return listed, {"states": found.states, "resamples": found.resamples}


def _card(run: Run, told: Any, tally: tuple[int, ...], paths: int, figures: dict[str, float]) -> Card:
    touches, nobodys, nameless, orders, unled, still_open, people = tally
    counted = {
        "touches": touches,
        "touches_not_allowed": run.rows["touches"] - touches,
        "touches_of_nobody": nobodys,
        "touches_without_channel": nameless,
        "orders": orders,
        "orders_not_allowed": run.rows["orders"] - orders,
        "orders_without_a_touch": unled,
        "open_journeys": still_open,
        "distinct_paths": paths,
        **figures,
    }
    return Card(
        model=MODEL,
        fitted_at=run.as_of,
        people=people,
        remembers="nobody",
        figures={name: Figure(value=float(n)) for name, n in counted.items()},
        settings=dict(told),
        seed=SEED,
        note="Credits share out what was sold; only an experiment shows what a channel caused. Touches and orders of people"
        " who do not allow the purpose are not in it (*_not_allowed).",
    )


READ_COLUMNS = (
    *(("touches", c) for c in ("key_id", "occurred_at", "channel", "source", "touch_id")),
    *(("orders", c) for c in ("key_id", "occurred_at", "amount_cents", "currency", "status", "source", "order_id")),
    *(("rates", c) for c in ("currency", "valid_from", "rate")),
    *(("membership", c) for c in ("key_id", "person_id")),
)

SET = ("model", "kind", "markov_order", "window_days", "as_of")
"""Columns that come of settings and the day alone."""

STEP = Step(
    name="attribution",
    reads=READS,
    writes=CHANNEL_CREDITS,
    purpose=PURPOSE,
    run=_run,
    aged=True,
    aggregates=True,
    daily=True,
    model=MODEL,
    lineage={c.name: () if c.name in SET else READ_COLUMNS for c in CHANNEL_CREDITS.columns},
)
