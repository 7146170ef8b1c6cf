"""A recommender and moments -> for each the items most likely in her next basket, and why each is there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.insight.recommend import fitting, ranking
from tessera.insight.recommend.baskets import Baskets, Floats, Ints, Moments, history, spread
from tessera.insight.recommend.fitting import Recommender
from tessera.insight.recommend.ranking import HALVES, Known
from tessera.words import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Lists:
    """Moments x places, the best first. items: -1 where there are no more. chance: to be in the next basket. again: she had it
    before."""

    items: Ints
    chance: Floats
    again: npt.NDArray[np.bool_]

    def first(self, most: int) -> Lists:
        """The first `most` of each list."""
        return Lists(items=self.items[:, :most], chance=self.chance[:, :most], again=self.again[:, :most])


@dataclass(frozen=True, kw_only=True)
class Reasons:
    """Of each listed item, moments x places. times: in how many baskets she had it. every: usual days between (NaN: once or
    never). since: days since the last time. because: another item of hers that speaks most for it; -1: none does."""

    times: Ints
    every: Floats
    since: Floats
    because: Ints


def listed(
    known: Known, recommender: Recommender, moments: Moments, most: int, progress: Progress = silent, found: int = ranking.FOUND
) -> Lists:
    """The `most` items of each moment with the greatest chance. found: new items that are looked at for each."""
    return both(known, recommender, moments, most, progress, found)[0]


def both(
    known: Known, recommender: Recommender, moments: Moments, most: int, progress: Progress = silent, found: int = ranking.FOUND
) -> tuple[Lists, Lists]:
    """The list of each moment, and the list of what she has not had."""
    weights, again = np.array(recommender.weights), recommender.settings.again
    every, new = list[Lists](), list[Lists]()
    for piece in ranking.pieces(moments, known.baskets.items):
        some = moments.some(piece)
        old, fresh = ranking.candidates(known, some, weights, again=again, found=max(found, most))
        chances = fitting.chances(recommender.repurchase, old.features), fitting.chances(recommender.discovery, fresh.features)
        new.append(_best(fresh.moment, fresh.item, chances[1], np.zeros(len(fresh.item), bool), len(some), most))
        every.append(
            _best(
                np.r_[old.moment, fresh.moment], np.r_[old.item, fresh.item], np.concatenate(chances),
                np.repeat([True, False], [len(old.item), len(fresh.item)]), len(some), most,
            )
        )  # fmt: skip
        progress("lists", piece.stop, len(moments))
    return _joined(every, most), _joined(new, most)


def reasons(known: Known, moments: Moments, lists: Lists) -> Reasons:
    """Why each listed item is there."""
    parts = [_reasons(known, moments.some(piece), lists.items[piece]) for piece in ranking.pieces(moments, known.baskets.items)]
    shape = lists.items.shape
    times, every, since, because = (
        np.concatenate([p[n] for p in parts]).reshape(shape) if parts else np.zeros(shape) for n in range(4)
    )
    return Reasons(times=times.astype(np.int64), every=every, since=since, because=because.astype(np.int64))


def now(baskets: Baskets, people: Ints, day: float) -> Moments:
    """A moment for each of these people, with all her baskets over."""
    return Moments(person=people, known=baskets.many[people], day=np.full(len(people), day))


def _best(moment: Ints, item: Ints, chance: Floats, again: npt.NDArray[np.bool_], moments: int, most: int) -> Lists:
    # Which list an item comes from travels in its number's last bit.
    items, chances = ranking.best(moment, item * 2 + again, chance, moments, most)
    return Lists(items=np.where(items < 0, -1, items >> 1), chance=chances, again=(items >= 0) & (items % 2 == 1))


def _joined(parts: list[Lists], most: int) -> Lists:
    none = Lists(items=np.zeros((0, most), np.int64), chance=np.zeros((0, most)), again=np.zeros((0, most), bool))
    parts = [none, *parts]
    return Lists(
        items=np.concatenate([p.items for p in parts]), chance=np.concatenate([p.chance for p in parts]),
        again=np.concatenate([p.again for p in parts]),
    )  # fmt: skip


def _reasons(known: Known, moments: Moments, items: Ints) -> tuple[Floats, Floats, Floats, Ints]:
    """One piece of moments, row by row of `items.ravel()`."""
    past, many = history(known.baskets, moments), known.baskets.items
    moment, item = np.repeat(np.arange(len(moments)), items.shape[1]), items.ravel()
    key, wanted = past.moment * many + past.item, moment * many + np.maximum(item, 0)
    at = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
    had = (item >= 0) & (key[at] == wanted) if len(key) else np.zeros(len(item), bool)
    times = np.where(had, past.count[at], 0) if len(key) else np.zeros(len(item))
    since = np.where(had, past.age[at], np.nan) if len(key) else np.full(len(item), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        span = (past.oldest[at] - past.age[at]) if len(key) else np.zeros(len(item))
        every = np.where(had & (times > 1), span / np.maximum(times - 1, 1), np.nan)
    return (
        times,
        every,
        since,
        _speaking(known, past.moment, past.item, 0.5 ** (past.back / HALVES[1]), moment, item, len(moments)),
    )


def _speaking(known: Known, past: Ints, hers: Ints, weight: Floats, moment: Ints, item: Ints, moments: int) -> Ints:
    """Of each row the item of hers whose weight in its score is the greatest; -1 if none speaks for it."""
    begins = np.searchsorted(past, np.arange(moments + 1))
    row, at = spread(begins[moment], begins[moment + 1])
    there = (item[row] >= 0) & (hers[at] != item[row])
    row, at = row[there], at[there]
    because = np.full(len(item), -1, np.int64)
    if len(row):
        speaks = weight[at] * np.asarray(known.neighbours.likes[hers[at], item[row]]).ravel()
        order = np.lexsort((hers[at], -speaks, row))
        firsts = order[np.r_[True, np.diff(row[order]) != 0]]
        firsts = firsts[speaks[firsts] > 0]
        because[row[firsts]] = hers[at[firsts]]
    return because
