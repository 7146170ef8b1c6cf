"""Cold start: what to show whoever bought nothing yet, and what goes with an item that hardly anybody bought.

A person without a past is shown what is popular now in her group (segment, region, whatever is known of her), an item without
one goes with what is popular in its own category.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tessera.insight.recommend.baskets import Baskets, Floats, Ints
from tessera.insight.recommend.neighbours import matrix
from tessera.insight.recommend.ranking import Known
from tessera.insight.recommend.trends import WINDOWS, Trends

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix as Csr
else:
    Csr = Any

FEWEST_PEOPLE = 10
"""A group of fewer has no list of its own, and an item that fewer bought has no neighbours of its own."""
KIN = 20
KIN_WEIGHT = 0.1
"""What the most popular item of the same category weighs; a good neighbour of EASE weighs about as much."""


def popular(baskets: Baskets, day: float, most: int, group: Ints | None = None, groups: int = 0) -> tuple[Ints, Ints]:
    """By group and, last, for all: the items that most people bought in the last weeks, and by how many people; -1 where
    there are no more. group: of each person, -1 for none. An item that fewer than FEWEST_PEOPLE of a group bought makes way
    for what is popular with all."""
    basket = baskets.basket
    lately = (baskets.day[basket] > day - WINDOWS[1]) & (baskets.day[basket] <= day)
    person, item = baskets.person[basket][lately], baskets.item[lately]
    key = np.unique(person * baskets.items + item)
    person, item = key // baskets.items, key % baskets.items
    listed = np.full((groups + 1, most), -1, np.int64)
    people = np.zeros((groups + 1, most), np.int64)
    mine = np.full(len(person), -1) if group is None else group[person]
    for number in range(groups, -1, -1):
        which = np.ones(len(item), bool) if number == groups else mine == number
        count = np.bincount(item[which], minlength=baskets.items)
        order = np.lexsort((np.arange(baskets.items), -count))
        best = order[: most * 2]
        best = best[count[best] >= (FEWEST_PEOPLE if number < groups else 1)][:most]
        rest = listed[groups][~np.isin(listed[groups], best)] if number < groups else best[:0]
        full = np.r_[best, rest[rest >= 0]][:most]
        listed[number, : len(full)] = full
        people[number, : len(best)] = count[best]
    return listed, people


def akin(known: Known, category: Ints, day: float) -> Known:
    """The same with neighbours for items that hardly anybody bought (see `kin`)."""
    bought_by = np.asarray(matrix(known.baskets).sum(axis=0)).ravel()
    near = replace(known.neighbours, likes=kin(known.neighbours.likes, bought_by, category, known.trends, day))
    return replace(known, neighbours=near)


def kin(likes: Csr, bought_by: Floats, category: Ints, trends: Trends, day: float) -> Csr:
    """Neighbours for items that fewer than FEWEST_PEOPLE bought: what is popular lately in their category. category: of each
    item, -1 for none. bought_by: people of each item."""
    from scipy.sparse import csr_matrix

    now = trends.before(np.array([day]), WINDOWS[1])[0]
    rows, columns, weights = list[Ints](), list[Ints](), list[Floats]()
    young = np.flatnonzero((bought_by < FEWEST_PEOPLE) & (category >= 0))
    for of in np.unique(category[young]):
        there = np.flatnonzero(category == of)
        best = there[np.lexsort((there, -now[there]))][:KIN]
        best = best[now[best] > 0]
        mine = young[category[young] == of]
        if len(best):
            rows.append(np.repeat(mine, len(best)))
            columns.append(np.tile(best, len(mine)))
            weights.append(np.tile(KIN_WEIGHT * now[best] / now[best[0]], len(mine)))
    if not rows:
        return likes
    row, column, weight = np.concatenate(rows), np.concatenate(columns), np.concatenate(weights)
    other = row != column
    added = csr_matrix((weight[other].astype(np.float32), (row[other], column[other])), shape=likes.shape)
    kept = likes.copy()
    kept.data[np.isin(np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr)), young)] = 0.0
    made: Csr = (kept + added).tocsr()
    made.eliminate_zeros()
    return made
