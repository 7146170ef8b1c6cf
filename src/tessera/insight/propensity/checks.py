"""ORDERS, ORDER_LINES, EVENTS, PROFILES -> PROPENSITY_CHECKS: the model of each goal, and whether it still holds.

All goals lie in one card. Each is learned anew when its own model is old, has moved or is asked for, and keeps the model that
stands where the new one is surely worse; if all new ones are, their card waits as the challenger. Tells of groups, never of
anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa

from tessera.errors import BadInput
from tessera.insight.churn import standing, telling
from tessera.insight.churn.checks import plain
from tessera.insight.churn.model import Learned
from tessera.insight.churn.past import READS, lineage, opened
from tessera.insight.churn.standing import Stand
from tessera.insight.propensity import goals
from tessera.insight.trees import SMALL
from tessera.lake.arrow import schema
from tessera.lake.models import Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table

MODEL = "propensity"
NOTE = (
    "For whom an offer or a word may be of use, never for a decision with legal effect. It says who is likely to, not whom an "
    "offer would move; it knows orders and visits, not why."
)

PROPENSITY_CHECKS = Table(
    name="propensity_checks",
    whose="nobody",
    columns=(Column(name="goal", type="VARCHAR", note="as insight.yaml names it"), *telling.columns("did it")),
    purposes=("analytics",),
    unique=("goal", "kind", "subject", "label"),
    note="the models of what people are likely to do, their drift and fairness; about groups, never about a person",
)
SCHEMA = schema(PROPENSITY_CHECKS)


def learned(card: Card | None) -> dict[str, Learned]:
    """By goal, the models that a card has; none if it has nothing. Raises BadInput for what is nothing of ours."""
    if card is None or not card.learned:
        return {}
    try:
        return msgspec.json.decode(card.learned, type=dict[str, Learned])
    except msgspec.MsgspecError as error:
        raise BadInput(f"This is no model of ours ({error}). Train it again.") from None


def _run(run: Run) -> Made:
    told = run.config.insight.of(MODEL)
    asked = goals.questions(told)
    plans = {goal: plan for goal, q in asked.items() if (plan := standing.planned(run, q)) is not None}
    tried: dict[str, str] = dict(run.before.get("tried", {}))
    if not plans:
        return Made(rows=SCHEMA.empty_table(), facts={"tried": tried})
    known, stands, rows = learned(run.model), dict[str, Stand](), list[dict[str, Any]]()
    with opened(run, [asked[goal] for goal in plans], min(p.oldest for p in plans.values())) as pasts:
        for (goal, plan), past in zip(plans.items(), pasts, strict=True):
            last = date.fromisoformat(tried[goal]) if goal in tried else None
            found = standing.stand(past, plan, known.get(goal), asked=run.refit, tried=last)
            if found is None:
                continue
            stands[goal] = found
            if found.fit is not None:
                tried[goal] = plan.now.isoformat()
            rows += [{**dict.fromkeys(PROPENSITY_CHECKS.names), **r, "goal": goal} for r in telling.told(found, past)]
    kept = {goal: m for goal, m in known.items() if goal in asked and standing.answers(m, asked[goal])}
    card = _card(run, told, kept, stands)
    made = pa.Table.from_pylist(rows, schema=SCHEMA)
    return Made(rows=made, cards=() if card is None else (card,), facts={"tried": tried})


def _card(
    run: Run, told: Mapping[str, Mapping[str, Any]], known: dict[str, Learned], stands: Mapping[str, Stand]
) -> Card | None:
    """The card of what was learned now, with the models of the other goals as they stand; None if nothing was learned."""
    fits = {goal: s.fit for goal, s in stands.items() if s.fit is not None}
    if not fits:
        return None
    taken = {goal: fit for goal, fit in fits.items() if not fit.worse} or fits
    figures: dict[str, Figure] = {}
    settings: dict[str, Any] = {}
    if run.model is not None:
        others = known.keys() - taken.keys()
        figures = {name: f for name, f in run.model.figures.items() if name.partition(".")[0] in others}
        settings = {goal: s for goal, s in run.model.settings.items() if goal in others}
    for goal, fit in taken.items():
        figures |= {f"{goal}.{name}": figure for name, figure in fit.figures.items()}
        settings[goal] = {**plain(told[goal]), **fit.told, "fitted_at": run.as_of.isoformat(), "people": fit.people}
    models = known | {goal: fit.learned for goal, fit in taken.items()}
    return Card(
        model=MODEL, fitted_at=run.as_of, people=max(fit.people for fit in taken.values()), remembers="some", figures=figures,
        settings=settings, seed=SMALL.seed, note=NOTE, learned=msgspec.json.encode(models).decode(),
        status="challenger" if all(fit.worse for fit in fits.values()) else "champion",
    )  # fmt: skip


STEP = Step(
    name="propensity_checks",
    reads=READS,
    writes=PROPENSITY_CHECKS,
    purpose="analytics",
    run=_run,
    aged=True,
    aggregates=True,
    daily=True,
    optional=True,
    model=MODEL,
    lineage=lineage(PROPENSITY_CHECKS.names, ("goal", "kind", "at")),
)
