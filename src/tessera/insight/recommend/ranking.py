"""Candidates of a moment, and the chance of each to be in the next basket: what she had before, and what she had not.

Two models, one for repurchase (her own rhythm with the item) and one for discovery (what goes with her items), each foretelling
the same: the chance that the item is in her next basket. So the two lists blend by themselves. Candidates for discovery are
found by a linear score over all items and judged by small trees over few features (two stages, as Covington et al. 2016).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tessera.insight.recommend.baskets import Baskets, Floats, Ints, Moments, Pairs, history
from tessera.insight.recommend.neighbours import Neighbours
from tessera.insight.recommend.trends import WINDOWS, Trends

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix as Csr
else:
    Csr = Any

FOUND = 100
"""Candidates for discovery of each moment."""
HALVES = (1e9, 5.0, 1.0)
"""Half-lives in baskets by which her past is weighted: all alike, lately, the last ones."""
CELLS = 8_000_000
"""Moments x items at once."""

ITEM = ("likes", "likes_lately", "likes_last", "follows", "trend_14", "trend_45", "popular")
PERSON = ("baskets", "basket_size", "days_since")
REPURCHASE = (
    "count", "share", "fresh", "lately", "back", "age", "oldest", "gap", "due", *ITEM, *PERSON,
)  # fmt: skip
DISCOVERY = (*ITEM, *PERSON)


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Rows of moment and item, each with its features, sorted by moment."""

    moment: Ints
    item: Ints
    features: npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of all: baskets, and what was learned of them."""

    baskets: Baskets
    neighbours: Neighbours
    trends: Trends


Weights = npt.NDArray[np.float64]
"""Of ITEM's scores in the linear score that finds candidates."""


def pieces(moments: Moments, items: int) -> Iterator[slice]:
    """Moments in pieces whose scores over all items fit into memory."""
    step = max(1, CELLS // max(items, 1))
    for at in range(0, len(moments), step):
        yield slice(at, min(len(moments), at + step))


class Scores:
    """The scores of ITEM of some moments over all items, each made when it is asked for."""

    def __init__(self, known: Known, moments: Moments, past: Pairs) -> None:
        self._known, self._moments, self._past = known, moments, past

    def __getitem__(self, name: str) -> npt.NDArray[np.float32]:
        neighbours, trends = self._known.neighbours, self._known.trends
        match name:
            case "likes":
                return dense(self.past(HALVES[0]) @ neighbours.likes)
            case "likes_lately":
                return dense(self.past(HALVES[1]) @ neighbours.likes)
            case "likes_last":
                return dense(self.past(HALVES[2]) @ neighbours.likes)
            case "follows":
                return _log(dense(self.past(HALVES[2]) @ neighbours.follows))
            case "trend_14":
                return self._fashion(WINDOWS[0])
            case "trend_45":
                return self._fashion(WINDOWS[1])
            case _:
                row = np.log1p(trends.all).astype(np.float32)
                return np.broadcast_to(row, (len(self._moments), len(row)))

    def _fashion(self, window: float) -> npt.NDArray[np.float32]:
        """Trends before each moment's day; each day is counted once, and lists for today have one day alone."""
        days, which = np.unique(self._moments.day, return_inverse=True)
        found: npt.NDArray[np.float32] = np.log1p(self._known.trends.before(days, window))
        return np.broadcast_to(found[0], (len(which), found.shape[1])) if len(days) == 1 else found[which]

    def past(self, half: float) -> Csr:
        """Moments x items: what she had, weighted by how many baskets ago the last time was."""
        from scipy.sparse import csr_matrix

        weights = (0.5 ** (self._past.back / half)).astype(np.float32)
        shape = (len(self._moments), self._known.baskets.items)
        made: Csr = csr_matrix((weights, (self._past.moment, self._past.item)), shape=shape)
        return made


def candidates(
    known: Known, moments: Moments, weights: Weights, *, again: bool, also: tuple[Ints, Ints] | None = None, found: int = FOUND
) -> tuple[Candidates, Candidates]:
    """For repurchase what each person had before (none unless `again`), for discovery the `found` best by `weights` of what
    she had not. One piece of moments. also: further moments and items to judge for discovery."""
    past = history(known.baskets, moments)
    scores = Scores(known, moments, past)
    made = {name: scores[name] for name in ITEM}
    total = np.zeros((len(moments), known.baskets.items), np.float32)
    for name, weight in zip(ITEM, weights, strict=True):
        if weight:
            total += np.float32(weight) * made[name]
    total[past.moment, past.item] = -np.inf
    most = min(found, known.baskets.items)
    best = np.argpartition(-total, most - 1, axis=1)[:, :most]
    moment = np.repeat(np.arange(len(moments)), most)
    item = best.ravel()
    left = np.isfinite(total[moment, item])
    moment, item = moment[left], item[left]
    if also is not None:
        key = np.unique(np.r_[moment * known.baskets.items + item, also[0] * known.baskets.items + also[1]])
        moment, item = key // known.baskets.items, key % known.baskets.items
    person = _person(known.baskets, moments)
    new = Candidates(moment=moment, item=item, features=np.column_stack(_shared(made, person, moment, item)).astype(np.float32))
    if not again:
        nothing = np.zeros(0, np.int64)
        return Candidates(moment=nothing, item=nothing, features=np.zeros((0, len(REPURCHASE)), np.float32)), new
    own = [*_rhythm(past, moments), *_shared(made, person, past.moment, past.item)]
    return Candidates(moment=past.moment, item=past.item, features=np.column_stack(own).astype(np.float32)), new


def _rhythm(past: Pairs, moments: Moments) -> list[Floats]:
    """Her own features of an item: the first nine of REPURCHASE."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.where(past.count > 1, (past.oldest - past.age) / (past.count - 1), np.nan)
        due = np.minimum(past.age / np.maximum(gap, 1.0), 10.0)
    share = past.count / moments.known[past.moment]
    return [past.count, share, past.fresh, past.lately, past.back, past.age, past.oldest, gap, due]


def _person(baskets: Baskets, moments: Moments) -> list[Floats]:
    """The features of PERSON, by moment."""
    first = baskets.first[moments.person]
    rows = baskets.row[first + moments.known] - baskets.row[first]
    since = moments.day - baskets.day[first + moments.known - 1]
    return [moments.known.astype(np.float64), rows / moments.known, np.maximum(since, 0.0)]


def _shared(made: dict[str, npt.NDArray[np.float32]], person: list[Floats], moment: Ints, item: Ints) -> list[npt.NDArray[Any]]:
    return [*(made[name][moment, item] for name in ITEM), *(column[moment] for column in person)]


def _log(score: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = np.log(np.maximum(score, 0.0) + np.float32(1e-4))
    return found


def dense(found: Any) -> npt.NDArray[np.float32]:
    """A sparse matrix as rows of numbers."""
    return np.asarray(found.toarray(), np.float32)


def best(moment: Ints, item: Ints, chance: Floats, moments: int, most: int) -> tuple[Ints, Floats]:
    """The `most` items of each moment with the greatest chance, the best first; -1 where there are no more. Of equal ones the
    one with the smaller number."""
    order = np.lexsort((item, -chance, moment))
    moment, item, chance = moment[order], item[order], chance[order]
    begins = np.searchsorted(moment, np.arange(moments))
    place = np.arange(len(moment)) - begins[moment]
    kept = place < most
    items = np.full((moments, most), -1, np.int64)
    chances = np.zeros((moments, most))
    items[moment[kept], place[kept]] = item[kept]
    chances[moment[kept], place[kept]] = chance[kept]
    return items, chances
