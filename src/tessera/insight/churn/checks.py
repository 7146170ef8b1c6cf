"""ORDERS, ORDER_LINES, EVENTS, PROFILES -> CHURN_CHECKS: the model of churn, and whether it still holds.

It is learned anew each month, when somebody asks, when its scores have moved, and when a sweep has taken it. Each turn tells
how the people of today differ from those that it learned from, and, once a horizon is over, what came of what it said. The
table tells of groups, never of anybody.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tessera.insight.calibration import auc, brier, ece
from tessera.insight.churn import model, snapshots
from tessera.insight.churn.history import FEATURES
from tessera.insight.churn.model import FEWEST, SCORE, Group, Learned, Stack
from tessera.insight.churn.past import READS, SAMPLE, Past, lineage, opened, settings, stacked
from tessera.insight.churn.snapshots import Plan
from tessera.insight.trees import SMALL
from tessera.lake.arrow import schema
from tessera.lake.models import Card
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table

REFIT_DAYS = 30
DRIFTED = 0.25
"""The stability index of the scores at which the model is learned anew (the usual mark for "act")."""
NOTE = (
    "For whom to keep in touch with, never for a decision with legal effect. It knows orders and visits, not why; an order "
    "that was refunded later counts as returned at every snapshot."
)

CHURN_CHECKS = Table(
    name="churn_checks",
    whose="nobody",
    columns=(
        Column(name="kind", type="VARCHAR", note="importance, dependence, calibration, realised, drift, fairness"),
        Column(name="subject", type="VARCHAR", note="the feature, or the field by which groups are told"),
        Column(name="label", type="VARCHAR", note="the bin, or the group"),
        Column(name="people", type="BIGINT", note="no row is told of fewer than 10"),
        Column(name="said", type="DOUBLE", note="the mean probability that the model gave"),
        Column(name="came", type="DOUBLE", note="the share who left"),
        Column(name="value", type="DOUBLE", note="mean contribution (points), stability index, or AUC"),
        Column(name="ece", type="DOUBLE"),
        Column(name="at", type="DATE", note="the snapshot that it is told of"),
    ),
    purposes=("analytics",),
    unique=("kind", "subject", "label"),
    note="the model of churn as a whole, its drift and its fairness; about groups, never about a person",
)
SCHEMA = schema(CHURN_CHECKS)


def _run(run: Run) -> Made:
    past, now = Past(run), run.as_of + timedelta(days=1)
    first = past.first()
    plan = snapshots.plan(first, now, past.horizon) if first else None
    if plan is None or not plan.final:
        return Made(rows=SCHEMA.empty_table())
    oldest = min((*plan.final, *plan.learn))
    with opened(run, oldest) as past:
        known = Learned.read(run.model.learned) if run.model is not None and run.model.learned else None
        today = past.rows(now, sample=SAMPLE)[1]
        if known is not None and not run.refit and _holds(known, now, today):
            realised = past.snapshot(plan.final[0]) if known.newest <= plan.final[0] - timedelta(days=past.horizon) else None
            return Made(rows=_told(known, today, _realised(known, past, realised, run), plan.final[0]))
        newest = past.snapshot(plan.final[0])
        if not model.enough(newest):
            return Made(rows=SCHEMA.empty_table())
        card, fitted = _fitted(run, past, plan, newest)
        return Made(rows=_told(fitted, today, [], plan.final[0]), cards=(card,))


def _holds(known: Learned, now: date, today: Any) -> bool:
    if (now - known.fitted_at).days >= REFIT_DAYS or set(known.spreads) != {*FEATURES, SCORE}:
        return False
    return bool(len(today)) and model.drifted(known.spreads[SCORE], known.blend.score(today)) < DRIFTED


def _fitted(run: Run, past: Past, plan: Plan, newest: Stack) -> tuple[Card, Learned]:
    final = stacked([newest, *(past.snapshot(at) for at in plan.final[1:])])
    before = stacked(past.snapshot(at) for at in plan.learn) if plan.judge else None
    if before is not None and not model.enough(before):
        before = None
    fitted, figures = model.learned(
        FEATURES, final, before, newest, past.groups(newest.people, run.config.insight.of("churn")["groups"]),
        form=past.form, horizon_days=past.horizon, fitted_at=plan.now, newest=plan.final[0],
    )  # fmt: skip
    told = {
        **settings(run), "recipe": {"rounds": SMALL.rounds, "leaves": SMALL.leaves, "depth": SMALL.depth, "rate": SMALL.rate},
        "snapshots": [at.isoformat() for at in plan.final], "judged_at": plan.final[0].isoformat(),
        "judged_on": fitted.judged_on, "weights": [fitted.blend.weights.trees, fitted.blend.weights.twin],
    }  # fmt: skip
    card = Card(
        model="churn", fitted_at=run.as_of, people=len(np.unique(final.people)), remembers="some", figures=figures,
        settings=told, seed=SMALL.seed, note=NOTE, learned=fitted.written(),
    )  # fmt: skip
    return card, fitted


def _realised(known: Learned, past: Past, snapshot: Stack | None, run: Run) -> list[dict[str, Any]]:
    """What came of the scores at a snapshot that the model had not learned from: in all, and by group."""
    if snapshot is None or len(snapshot.y) < FEWEST:
        return []
    said = known.blend.score(snapshot.x)
    groups = past.groups(snapshot.people, run.config.insight.of("churn")["groups"])
    whole: dict[str, Any] = {
        "kind": "realised", "subject": "all", "label": "", "people": len(said), "said": float(said.mean()),
        "came": float(snapshot.y.mean()), "value": auc(said, snapshot.y), "ece": ece(said, snapshot.y),
    }  # fmt: skip
    brier_row = {**whole, "subject": "brier", "value": brier(said, snapshot.y), "ece": None}
    return [whole, brier_row, *(_group(g) for g in model.fair(said, snapshot.y, groups))]


def _told(known: Learned, today: Any, realised: list[dict[str, Any]], at: date) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {"kind": "importance", "subject": i.column, "label": "", "value": i.points * 100} for i in known.importance
    ]
    for column, bins in known.dependence.items():
        for b in bins:
            label = "missing" if b.low is None else f"{b.low:g} to {b.high:g}"
            rows.append({"kind": "dependence", "subject": column, "label": label, "people": b.rows, "said": b.score})
    rows += [
        {"kind": "calibration", "subject": "all", "label": f"{b.said:.3f}", "people": b.rows, "said": b.said, "came": b.came}
        for b in known.bins
    ]
    if len(today) >= FEWEST:
        columns = {c: today[:, i] for i, c in enumerate(FEATURES)} | {SCORE: known.blend.score(today)}
        rows += [
            {"kind": "drift", "subject": c, "label": "", "people": len(today), "value": model.drifted(known.spreads[c], v)}
            for c, v in columns.items()
        ]
    # By group as it came true where that is known, else as the model was judged by when it was learned.
    rows += realised or [_group(g) for g in known.groups]
    whole = [{**dict.fromkeys(CHURN_CHECKS.names), **r, "at": at} for r in rows]
    return pa.Table.from_pylist(whole, schema=SCHEMA)


def _group(g: Group) -> dict[str, Any]:
    return {
        "kind": "fairness", "subject": g.by, "label": g.group, "people": g.people, "said": g.said, "came": g.came,
        "value": g.auc, "ece": g.ece,
    }  # fmt: skip


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
