"""How well a recommender foretells the last basket of each person, beside simpler ones on the same people.

Protocol: who has at least three baskets is judged by her last one; all that is learned and chosen comes from the baskets before
the last of these same people. Two lists of ten each: of all items, and of those alone that she had not bought before, judged by
what was new in the basket. Only what happened before a person's last basket counts as known of her and as in fashion; what
others bought is learned from all their baskets but the last, as in the usual leave-last-out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tessera.errors import BadInput
from tessera.insight.recommend import fitting, lists, measures, neighbours, ranking
from tessera.insight.recommend.baskets import Baskets, Floats, Ints, Moments, history, targets
from tessera.insight.recommend.fitting import Recommender
from tessera.insight.recommend.lists import Lists
from tessera.insight.recommend.margins import POOL
from tessera.insight.recommend.measures import Interval, Targets
from tessera.insight.recommend.ranking import Known
from tessera.words import Progress, silent

LEAST_BASKETS = 3
LEAST_PEOPLE = 30
JUDGED = 20_000
"""People who are judged, at the most."""
AT = 10
EASE_SHARE = 0.5

MEASURES = ("recall_at_10", "new_recall_at_10", "ndcg_at_10", "hit_rate_at_10")
BASELINES = ("popularity", "personal_and_ease", "ease")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measure of the recommender, of each baseline, and by how much it is better than that (of the same people)."""

    value: Interval | None
    baselines: Mapping[str, Interval | None]
    better: Mapping[str, Interval | None]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """figures: by name of MEASURES. coverage: the share of items that stand in anybody's list. each: the values of each
    judged person, by recommender ("model" and the baselines) and measure. baskets: of those who could be judged, whole;
    moments: before the last of each. lists, fresh: POOL of all items, and of what she had not. wanted: what she bought then."""

    recommender: Recommender
    figures: Mapping[str, Figure]
    coverage: float
    judged: int
    baskets: Baskets
    moments: Moments
    lists: Lists
    fresh: Lists
    wanted: Targets
    each: Mapping[str, Mapping[str, Floats]]


def judge(baskets: Baskets, *, single: bool, least: int = 0, seed: int = 7, progress: Progress = silent) -> Verdict:
    """Judges all who have enough baskets. least: as in `fitting.fit`. Raises BadInput if they are fewer than LEAST_PEOPLE."""
    eligible = np.flatnonzero(baskets.many >= LEAST_BASKETS)
    if len(eligible) < LEAST_PEOPLE:
        raise BadInput(
            f"Only {len(eligible)} people have {LEAST_BASKETS} baskets or more; to judge recommendations it takes "
            f"{LEAST_PEOPLE}. Use a longer time, or another column for the basket."
        )
    mine = baskets.of(eligible)
    earlier = mine.until(mine.many - 1)
    recommender = fitting.fit(earlier, single=single, least=least, seed=seed, progress=progress)
    known = fitting.known(earlier, recommender, least)
    person = np.arange(mine.people)
    if len(person) > JUDGED:
        person = np.sort(np.random.default_rng([seed, 3]).permutation(len(person))[:JUDGED])
    moments = Moments(person=person, known=mine.many[person] - 1, day=mine.day[mine.first[person + 1] - 1])
    wanted = targets(mine, moments)
    every, fresh = lists.both(known, recommender, moments, POOL, progress)
    each = {"model": each_of((every.items, fresh.items), wanted, earlier, moments)}
    for name, pair in baselines(known, moments, recommender.settings.again).items():
        each[name] = each_of(pair, wanted, earlier, moments)
    figures = {m: _figure(m, each, seed) for m in MEASURES}
    shown = every.items[:, :AT]
    coverage = len(np.unique(shown[shown >= 0])) / max(1, len(np.unique(mine.item)))
    return Verdict(
        recommender=recommender, figures=figures, coverage=coverage, judged=len(moments), baskets=mine, moments=moments,
        lists=every, fresh=fresh, wanted=wanted, each=each,
    )  # fmt: skip


def worse(verdict: Verdict, before: Recommender, least: int, seed: int = 7) -> bool:
    """Whether the judged recommender foretells the same baskets worse than another one, by more than chance."""
    earlier = verdict.baskets.until(verdict.baskets.many - 1)
    made = lists.listed(fitting.known(earlier, before, least), before, verdict.moments, AT)
    other = measures.recall(made.items, verdict.wanted, earlier.items, AT)
    found = measures.interval(verdict.each["model"]["recall_at_10"] - other, seed)
    return found is not None and found.high < 0


def baselines(known: Known, moments: Moments, again: bool) -> dict[str, tuple[Ints, Ints]]:
    """The lists (all, new) of simpler recommenders. popularity: what most people bought. personal_and_ease: how often she
    bought it, plus half of EASE's score. ease: of what she bought, the last baskets weighing more (half-life of five)."""
    made: dict[str, list[tuple[Ints, Ints]]] = {name: [] for name in BASELINES}
    items = known.baskets.items
    popular = np.asarray(neighbours.matrix(known.baskets).sum(axis=0)).ravel()
    for piece in ranking.pieces(moments, items):
        some = moments.some(piece)
        past = history(known.baskets, some)
        scores = ranking.Scores(known, some, past)
        own = np.zeros((len(some), items))
        own[past.moment, past.item] = past.count
        totals = {
            "popularity": np.broadcast_to(popular, own.shape),
            "personal_and_ease": own + EASE_SHARE * scores["likes"] + 1e-6 * popular,
            "ease": scores["likes_lately"] + 1e-9 * popular,
        }
        for name, total in totals.items():
            fresh = np.array(total, np.float64)
            fresh[past.moment, past.item] = -np.inf
            made[name].append((_top(total if again else fresh), _top(fresh)))
    none = np.zeros((0, AT), np.int64)
    return {
        name: (np.concatenate([none, *(a for a, _ in parts)]), np.concatenate([none, *(b for _, b in parts)]))
        for name, parts in made.items()
    }


def _top(total: Floats) -> Ints:
    """The AT greatest of each row, the greatest first; -1 for what is out of the question."""
    most = min(AT, total.shape[1])
    best = np.sort(np.argpartition(-total, most - 1, axis=1)[:, :most], axis=1)
    value = np.take_along_axis(total, best, axis=1)
    order = np.argsort(-value, axis=1, kind="stable")
    found = np.where(np.isfinite(np.take_along_axis(value, order, axis=1)), np.take_along_axis(best, order, axis=1), -1)
    return np.pad(found, ((0, 0), (0, AT - most)), constant_values=-1)


def each_of(pair: tuple[Ints, Ints], wanted: Targets, baskets: Baskets, moments: Moments) -> dict[str, Floats]:
    """MEASURES of each moment, of two lists: of all items, and of those that she had not had."""
    every, new = pair
    recall = measures.recall(every, wanted, baskets.items, AT)
    return {
        "recall_at_10": recall,
        "new_recall_at_10": measures.recall(new, wanted, baskets.items, AT, fresh=(baskets, moments)),
        "ndcg_at_10": measures.ndcg(every, wanted, baskets.items, AT),
        "hit_rate_at_10": np.where(np.isnan(recall), np.nan, (recall > 0).astype(np.float64)),
    }


def _figure(measure: str, each: Mapping[str, Mapping[str, Floats]], seed: int) -> Figure:
    mine = each["model"][measure]
    return Figure(
        value=measures.interval(mine, seed),
        baselines={name: measures.interval(each[name][measure], seed) for name in BASELINES},
        better={name: measures.interval(mine - each[name][measure], seed) for name in BASELINES},
    )
