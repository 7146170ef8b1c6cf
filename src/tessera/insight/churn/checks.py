"""ORDERS, ORDER_LINES, EVENTS, PROFILES -> CHURN_CHECKS: the model of churn, and whether it still holds.

`standing.py` says when it is learned anew, and which of two models scores. Each turn tells how the people of today differ from
those that it learned from, and, once a horizon is over, what came of what it said. The table tells of groups, never of anybody.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from tessera.insight.churn import leaving, standing, telling
from tessera.insight.churn.model import Learned
from tessera.insight.churn.past import READS, lineage, opened
from tessera.insight.trees import SMALL
from tessera.lake.arrow import schema
from tessera.lake.models import Card
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Table

NOTE = (
    "For whom to keep in touch with, never for a decision with legal effect. It knows orders and visits, not why; an order "
    "that was refunded later counts as returned at every snapshot."
)

CHURN_CHECKS = Table(
    name="churn_checks",
    whose="nobody",
    columns=telling.columns("left"),
    purposes=("analytics",),
    unique=("kind", "subject", "label"),
    note="the model of churn as a whole, its drift and its fairness; about groups, never about a person",
)
SCHEMA = schema(CHURN_CHECKS)


def _run(run: Run) -> Made:
    asked = leaving.question(run.config.insight.of("churn"))
    plan, facts = standing.planned(run, asked), dict(run.before)
    if plan is None:
        return Made(rows=SCHEMA.empty_table(), facts=facts)
    with opened(run, [asked], plan.oldest) as (past,):
        known = Learned.read(run.model.learned) if run.model is not None and run.model.learned else None
        tried = date.fromisoformat(facts["tried"]) if "tried" in facts else None
        found = standing.stand(past, plan, known, asked=run.refit, tried=tried)
        if found is None:
            return Made(rows=SCHEMA.empty_table(), facts=facts)
        cards: tuple[Card, ...] = ()
        if found.fit is not None:
            cards, facts = (_card(run, found.fit),), {"tried": plan.now.isoformat()}
        rows = [{**dict.fromkeys(CHURN_CHECKS.names), **r} for r in telling.told(found, past)]
        return Made(rows=pa.Table.from_pylist(rows, schema=SCHEMA), cards=cards, facts=facts)


def _card(run: Run, fit: standing.Fit) -> Card:
    return Card(
        model="churn", fitted_at=run.as_of, people=fit.people, remembers="some", figures=fit.figures,
        settings={**plain(run.config.insight.of("churn")), **fit.told}, seed=SMALL.seed, note=NOTE,
        learned=fit.learned.written(), status="challenger" if fit.worse else "champion",
    )  # fmt: skip


def plain(told: Any) -> dict[str, Any]:
    """What insight.yaml says, as a card keeps it."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in told.items()}


STEP = Step(
    name="churn_checks",
    reads=READS,
    writes=CHURN_CHECKS,
    purpose="analytics",
    run=_run,
    aged=True,
    aggregates=True,
    daily=True,
    model="churn",
    lineage=lineage(CHURN_CHECKS.names, ("kind", "at")),
)
