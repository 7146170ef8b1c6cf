"""ORDERS, ORDER_LINES, EVENTS, PROPENSITY_CHECKS -> PROPENSITY: how likely each person is to reach each goal, and why.

The reasons are kept as numbers and become words when somebody asks, as those of churn.
"""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa

from tessera.data.profiles import PROFILES
from tessera.insight.churn import scores, standing
from tessera.insight.churn.past import READS, lineage, opened
from tessera.insight.propensity import checks, goals
from tessera.lake.arrow import schema
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table

PROPENSITY = Table(
    name="propensity",
    whose="person:person_id",
    columns=(
        PROFILES.column("person_id"),
        Column(name="goal", type="VARCHAR", note="as insight.yaml names it"),
        *scores.columns("that she does it"),
    ),
    purposes=("analytics", "personalise", "marketing"),
    on_erase=Delete(),
    unique=("person_id", "goal"),
    whole=True,
    note="how likely each person is to reach a goal of the company's: typical + all points + rest = probability",
)
SCHEMA = schema(PROPENSITY)


def _run(run: Run) -> Made:
    asked = goals.questions(run.config.insight.of(checks.MODEL))
    found = checks.learned(run.model).items()
    known = {goal: model for goal, model in found if goal in asked and standing.answers(model, asked[goal])}
    if not known or run.model is None:
        return Made(rows=SCHEMA.empty_table())
    now = run.as_of + timedelta(days=1)
    with opened(run, [asked[goal] for goal in known], now) as pasts:
        made = [
            scores.everybody(past, model, now, run.model.id, SCHEMA, {"goal": goal})
            for past, (goal, model) in zip(pasts, known.items(), strict=True)
        ]
    return Made(rows=pa.concat_tables(made))


STEP = Step(
    name="propensity",
    reads=(*READS[:-1], "propensity_checks"),
    writes=PROPENSITY,
    purpose="analytics",
    run=_run,
    aged=True,
    daily=True,
    optional=True,
    model=checks.MODEL,
    lineage=lineage(PROPENSITY.names, ("goal", "horizon_days", "as_of", "model"))
    | {"person_id": (("membership", "person_id"),)},
)
