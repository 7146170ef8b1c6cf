"""insight.yaml's section churn -> the question who leaves: who stops buying, or whose subscription ends."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from tessera.insight.churn import history
from tessera.insight.churn.history import SUBSCRIBED
from tessera.insight.churn.question import FIRST_ORDER, Question, Source


def question(told: Mapping[str, Any]) -> Question:
    """The question that these settings ask."""
    days, groups = int(told["horizon_days"]), tuple(told["groups"])
    if told["form"] == "subscription":
        spells = history.subscribed(told["began"], told["ended"])
        read = ("events", "membership")
        return Question(
            form="subscription",
            horizon_days=days,
            groups=groups,
            first=Source(views=read, sql=f"SELECT min(began) FROM ({spells}) AS s"),
            tables={SUBSCRIBED: Source(views=read, sql=spells)},
            who=history.subscribers,
            did=partial(history.ended, horizon_days=days),
        )
    active = int(told["active_days"])
    return Question(
        form="purchases",
        horizon_days=days,
        groups=groups,
        first=FIRST_ORDER,
        who=partial(history.customers, active_days=active),
        did=partial(history.stopped_buying, active_days=active, horizon_days=days),
    )
