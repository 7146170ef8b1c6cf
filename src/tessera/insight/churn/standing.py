"""One question's past -> the model that scores today: the one that stands, or a new one, if that is not surely worse.

A model is learned anew each month, when somebody asks, when its scores have moved, and when a sweep has taken it. Unless
somebody asked, old and new are then compared on the people of the newest snapshot whose outcome is in: the old one as it is,
and for the new one its recipe, learned a horizon earlier, as the card's figures are. Only a sure loss keeps the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from tessera.insight.churn import model, snapshots
from tessera.insight.churn.model import OVER_STANDING, SCORE, Learned, Numbers, Stack
from tessera.insight.churn.past import SAMPLE, Past, stacked
from tessera.insight.churn.question import Question
from tessera.insight.churn.snapshots import Plan
from tessera.insight.trees import SMALL
from tessera.lake.models import Figure
from tessera.lake.step import Run

REFIT_DAYS = 30
DRIFTED = 0.25
"""The stability index of the scores at which the model is learned anew (the usual mark for "act")."""
HEAD_START = 0.02
"""AUC that an old model may be ahead for nothing: if it is younger than a horizon it has learned of months, and from these very
people's outcomes, that its rival cannot know. On a year of real trade that was worth .002 to .020 (docs/models.md)."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model that was learned now. told: what its card says of how. worse: it surely foretold worse than the one that stands,
    which goes on."""

    learned: Learned
    figures: dict[str, Figure]
    people: int
    told: dict[str, Any]
    worse: bool


@dataclass(frozen=True, kw_only=True)
class Stand:
    """learned: the model that scores from now on. fit: one that was learned now, if any. today: features of about SAMPLE people
    of today. at: the newest snapshot whose outcome is in. since: that snapshot, if the model learned nothing of its time."""

    learned: Learned
    fit: Fit | None
    today: Numbers
    at: date
    since: Stack | None


def planned(run: Run, question: Question) -> Plan | None:
    """The snapshots of a question as of the run's day; None if its history is too short for any."""
    first, now = Past(run, question).first(), run.as_of + timedelta(days=1)
    plan = snapshots.plan(first, now, question.horizon_days) if first else None
    return plan if plan is not None and plan.final else None


def stand(past: Past, plan: Plan, known: Learned | None, *, asked: bool, tried: date | None) -> Stand | None:
    """The model of a question as of `plan.now`; None where there are too few people to learn from.

    known: the one that stands. asked: a new one is wanted, whatever comes of a comparison. tried: the day of the last fit that
    was not taken.
    """
    today = past.rows(plan.now, sample=SAMPLE)[1]
    known = known if known is not None and answers(known, past.question) else None
    if known is not None and not asked and holds(known, plan.now, today, tried):
        later = known.newest <= plan.final[0] - timedelta(days=past.question.horizon_days)
        since = past.snapshot(plan.final[0]) if later else None
        return Stand(learned=known, fit=None, today=today, at=plan.final[0], since=since)
    newest = past.snapshot(plan.final[0])
    if not model.enough(newest):
        return None
    found = fit(past, plan, newest, None if asked else known)
    learned = known if found.worse and known is not None else found.learned
    return Stand(learned=learned, fit=found, today=today, at=plan.final[0], since=None)


def answers(known: Learned, question: Question) -> bool:
    """Whether a model was learned for this very question."""
    return (known.blend.names, known.form, known.horizon_days) == (question.names, question.form, question.horizon_days)


def holds(known: Learned, now: date, today: Numbers, tried: date | None) -> bool:
    """Whether a model goes on without a new fit: it, or the last one not taken, is young, and its scores have not moved."""
    lost = tried is not None and tried > known.fitted_at
    if (now - (tried if tried is not None and lost else known.fitted_at)).days >= REFIT_DAYS:
        return False
    return lost or (bool(len(today)) and model.drifted(known.spreads[SCORE], known.blend.score(today)) < DRIFTED)


def fit(past: Past, plan: Plan, newest: Stack, known: Learned | None) -> Fit:
    """A new model, judged at the newest snapshot. known: the one that stands, to be compared with."""
    final = stacked([newest, *(past.snapshot(at) for at in plan.final[1:])])
    before = stacked(past.snapshot(at) for at in plan.learn) if plan.judge else None
    if before is not None and not model.enough(before):
        before = None
    learned, figures = model.learned(
        past.question.names, final, before, newest, past.groups(newest.people), form=past.question.form,
        horizon_days=past.question.horizon_days, fitted_at=plan.now, newest=plan.final[0],
        standing=known.blend if known is not None else None,
    )  # fmt: skip
    told = {
        "recipe": {"rounds": SMALL.rounds, "leaves": SMALL.leaves, "depth": SMALL.depth, "rate": SMALL.rate},
        "snapshots": [at.isoformat() for at in plan.final], "judged_at": plan.final[0].isoformat(),
        "judged_on": learned.judged_on, "weights": [learned.blend.weights.trees, learned.blend.weights.twin],
    }  # fmt: skip
    ahead = figures.get(OVER_STANDING)
    knows = known is not None and known.newest > plan.final[0] - timedelta(days=past.question.horizon_days)
    worse = ahead is not None and ahead.high is not None and ahead.high < (-HEAD_START if knows else 0)
    return Fit(learned=learned, figures=figures, people=len(np.unique(final.people)), told=told, worse=worse)
