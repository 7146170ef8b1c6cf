"""High value first: lists reordered by expected margin, and what that costs in recall.

A list by chance times (margin / mean margin) ** weight: weight 0 is the chance alone, 1 the expected margin. Between them lies
the trade-off, which `trade` measures on baskets that were held back: what share of what was bought the lists foresaw, and the
margin of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tessera.insight.recommend import measures
from tessera.insight.recommend.baskets import Floats
from tessera.insight.recommend.lists import Lists
from tessera.insight.recommend.measures import Interval, Targets

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
POOL = 50
"""Items of each list that margin may reorder."""
LEAST = 0.01
"""A margin is taken as at least so much of the mean one: an item without any is still a last resort."""


@dataclass(frozen=True, kw_only=True)
class Trade:
    """Of one weight: recall and NDCG, the margin that a list of ten promises, and the margin of what was bought of it."""

    weight: float
    recall: Interval | None
    ndcg: Interval | None
    promised: float
    bought: Interval | None


def filled(margin: Floats) -> Floats:
    """Margins of items; the mean of them all where one is not known (NaN)."""
    known = ~np.isnan(margin)
    return np.where(known, margin, margin[known].mean() if known.any() else 1.0)


def shares(items: Sequence[Any], known: Mapping[str, float]) -> Floats:
    """What share of its price is margin, of each item: by the longest beginning of its number that is known, else 1."""
    longest = sorted(known, key=len, reverse=True)
    return np.array([next((known[start] for start in longest if str(item).startswith(start)), 1.0) for item in items])


def reordered(lists: Lists, worth: Floats, weight: float) -> Lists:
    """The same items, those of a high expected margin further to the front the greater the weight (0 to 1)."""
    if weight == 0:
        return lists
    there = lists.items >= 0
    mean = float(worth.mean()) or 1.0
    factor = np.maximum(worth / mean, LEAST)[np.maximum(lists.items, 0)] ** weight
    score = np.where(there, lists.chance * factor, -1.0)
    order = np.argsort(-score, axis=1, kind="stable")
    return Lists(
        items=np.take_along_axis(lists.items, order, axis=1), chance=np.take_along_axis(lists.chance, order, axis=1),
        again=np.take_along_axis(lists.again, order, axis=1),
    )  # fmt: skip


def trade(
    lists: Lists, worth: Floats, wanted: Targets, most: int, seed: int = 7, weights: Sequence[float] = WEIGHTS
) -> list[Trade]:
    """What each weight gives. lists: longer ones than `most`, of which as many are shown."""
    told, items = [], len(worth)
    for weight in weights:
        made = reordered(lists, worth, weight)
        shown = made.items[:, :most]
        value = np.where(shown >= 0, worth[np.maximum(shown, 0)], 0.0)
        got = (measures.hits(shown, wanted, items) * value).sum(axis=1)
        told.append(
            Trade(
                weight=weight, recall=measures.interval(measures.recall(shown, wanted, items, most), seed),
                ndcg=measures.interval(measures.ndcg(shown, wanted, items, most), seed),
                promised=float((made.chance[:, :most] * value).sum(axis=1).mean()) if len(shown) else 0.0,
                bought=measures.interval(got, seed),
            )
        )  # fmt: skip
    return told
