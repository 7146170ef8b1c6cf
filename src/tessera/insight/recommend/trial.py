"""A bare relation of purchases -> a recommender, how good it is, and everybody's list."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tessera.insight.recommend import cold, fitting, lists, margins
from tessera.insight.recommend.baskets import Floats, Ints
from tessera.insight.recommend.fitting import Recommender
from tessera.insight.recommend.gathering import By, Gathered, by_item, categories, gathered
from tessera.insight.recommend.judging import LEAST_BASKETS, LEAST_PEOPLE, Verdict, judge
from tessera.insight.recommend.lists import Lists, Reasons
from tessera.insight.recommend.margins import POOL, Trade
from tessera.insight.recommend.ranking import Known
from tessera.lake.engine import Connection
from tessera.words import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Trial:
    """verdict: None where too few people came often enough to judge. trades: what each weight of margin gives; empty without a
    margin. known: of all baskets. worth: margin of each item, None without one. day: now, the day of the last basket."""

    gathered: Gathered
    verdict: Verdict | None
    recommender: Recommender
    known: Known
    worth: Floats | None
    trades: list[Trade]
    day: float


def tried(
    con: Connection, rows: str, by: By | None, value: str | None, kind: str | None, seed: int = 7, progress: Progress = silent
) -> Trial:
    """Everything that is learned of a relation as `gathered` reads it. value: its column with the margin, or the amount. kind:
    its column with an item's category, by which items that hardly anybody bought find neighbours."""
    got = gathered(con, rows, by)
    single = got.by == "row"
    enough = int(np.sum(got.baskets.many >= LEAST_BASKETS)) >= LEAST_PEOPLE
    verdict = judge(got.baskets, single=single, seed=seed, progress=progress) if enough else None
    recommender = verdict.recommender if verdict else fitting.fit(got.baskets, single=single, seed=seed, progress=progress)
    worth = None if value is None else margins.filled(by_item(con, rows, got.items, f"avg({value})"))
    trades = margins.trade(verdict.lists, worth, verdict.wanted, 10, seed) if verdict and worth is not None else []
    known, day = fitting.known(got.baskets, recommender), float(got.baskets.day.max())
    if kind is not None:
        known = cold.akin(known, categories(con, rows, got.items, kind), day)
    return Trial(
        gathered=got, verdict=verdict, recommender=recommender, known=known, worth=worth, trades=trades, day=day
    )  # fmt: skip


def made(trial: Trial, people: Ints, top: int, weight: float = 0.0, progress: Progress = silent) -> tuple[Lists, Reasons]:
    """The lists of these people now, and why. weight: of margin."""
    moments = lists.now(trial.known.baskets, people, trial.day)
    found = lists.listed(trial.known, trial.recommender, moments, max(POOL, top) if weight else top, progress)
    if weight and trial.worth is not None:
        found = margins.reordered(found, trial.worth, weight)
    found = found.first(top)
    return found, lists.reasons(trial.known, moments, found)
