"""Baskets -> a recommender; what it foretells, or is judged by, takes no part in choosing its settings.

The last baskets of each person (a seventh of hers, at least one) are held back: neighbours are learned from what came
before, and the models from what was then in those baskets. Settings are chosen by people whom the models have not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tessera.insight.recommend import measures, neighbours, ranking
from tessera.insight.recommend.baskets import Baskets, Floats, Ints, Moments, history, repeated, targets
from tessera.insight.recommend.neighbours import Neighbours
from tessera.insight.recommend.ranking import Candidates, Known, Weights
from tessera.insight.recommend.trends import trends
from tessera.words import Progress, silent

REGULARS = (100.0, 300.0, 1000.0)
REGULAR = 300.0
"""EASE's parameter where there are too many items to try several."""
TRIED_ITEMS = 5_000
HELD = 0.15
HELD_MOST = 10
LEARNED_FROM = 20_000
"""Moments that models are fitted to, at the most."""
CHOOSING = 0.3
"""The share of people who choose among settings."""
FEWEST = 50
"""Outcomes that a model needs, and rows that each leaf of a tree stands for."""
AGAIN = 0.01
"""The share of repeats from which on what she had before is recommended to her."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is chosen. regular: of EASE. leaves, trees: of both models. window: baskets that `follows` looks ahead. again:
    whether people buy the same again."""

    regular: float
    leaves: int
    trees: int
    window: int
    again: bool


@dataclass(frozen=True, kw_only=True)
class Recommender:
    """weights: what finds candidates. repurchase, discovery: LightGBM's models as text, "" where there was too little to
    learn from. tried: how many settings were compared. people: that it was learned from. inner: recall at 10 of the people
    who chose."""

    settings: Settings
    weights: tuple[float, ...]
    repurchase: str
    discovery: str
    tried: int
    people: int
    seed: int
    inner: float | None = None


SHAPES = ((8, 80), (15, 120))


def fit(baskets: Baskets, *, single: bool, least: int = 0, seed: int = 7, progress: Progress = silent) -> Recommender:
    """The recommender of these baskets. single: each basket is one item by nature (a film seen), so that several are looked at
    together. least: people who must stand behind each two neighbours. The same baskets and seed give the same one."""
    again = repeated(baskets) >= AGAIN
    kept, moments = held(baskets, seed)
    window = 5 if single else 1
    earlier = baskets.until(kept)
    chance = np.random.default_rng([seed, 1]).random(baskets.people)
    choosing = chance[moments.person] < CHOOSING
    regulars = REGULARS if neighbours.EASE_ITEMS >= baskets.items <= TRIED_ITEMS else (REGULAR,)
    seen, found = trends(earlier), dict[float, Neighbours]()
    progress("neighbours", 0, len(regulars) + 1)
    told: dict[float, float] = {}
    for number, regular in enumerate(regulars):
        found[regular] = neighbours.fit(earlier, regular, window, least)
        if len(regulars) > 1:
            told[regular] = _liked(Known(baskets=baskets, neighbours=found[regular], trends=seen), moments.some(choosing))
        progress("neighbours", number + 1, len(regulars) + 1)
    regular = max(told, key=lambda r: told[r]) if told else REGULAR
    known = Known(baskets=baskets, neighbours=found[regular], trends=seen)
    progress("models", 0, len(SHAPES) + 1)
    weights = _weights(known, moments.some(~choosing), seed)
    examples = _examples(known, moments, weights, again)
    inner: dict[tuple[int, int], float] = {}
    for number, (leaves, trees) in enumerate(SHAPES):
        settings = Settings(regular=regular, leaves=leaves, trees=trees, window=window, again=again)
        some = _models(examples, ~choosing, settings, seed)
        inner[leaves, trees] = _judged(known, moments, examples, choosing, some)
        progress("models", number + 1, len(SHAPES) + 1)
    leaves, trees = max(inner, key=lambda shape: inner[shape])
    settings = Settings(regular=regular, leaves=leaves, trees=trees, window=window, again=again)
    repurchase, discovery = _models(examples, np.ones(len(moments), bool), settings, seed)
    progress("models", len(SHAPES) + 1, len(SHAPES) + 1)
    return Recommender(
        settings=settings, weights=tuple(weights.tolist()), repurchase=repurchase, discovery=discovery,
        tried=len(regulars) + len(SHAPES), people=int(np.sum(baskets.many > 0)), seed=seed, inner=inner[leaves, trees],
    )  # fmt: skip


def held(baskets: Baskets, seed: int) -> tuple[Ints, Moments]:
    """How many baskets of each person are learned from, and the moments before each of the others (LEARNED_FROM at most)."""
    back = np.clip(np.round(HELD * baskets.many), 1, HELD_MOST).astype(np.int64)
    kept = np.maximum(baskets.many - back, np.minimum(baskets.many, 1))
    person = np.repeat(np.arange(baskets.people), baskets.many - kept)
    nth = np.arange(len(person)) - np.repeat(np.cumsum(baskets.many - kept) - (baskets.many - kept), baskets.many - kept)
    known = kept[person] + nth
    if len(person) > LEARNED_FROM:
        some = np.sort(np.random.default_rng(seed).permutation(len(person))[:LEARNED_FROM])
        person, known = person[some], known[some]
    return kept, Moments(person=person, known=known, day=baskets.day[baskets.first[person] + known])


def known(baskets: Baskets, recommender: Recommender, least: int = 0) -> Known:
    """What a recommender asks for, learned of all these baskets."""
    settings = recommender.settings
    near = neighbours.fit(baskets, settings.regular, settings.window, least)
    return Known(baskets=baskets, neighbours=near, trends=trends(baskets))


Models = tuple[str, str]
Examples = tuple[Candidates, Candidates, Ints, Ints]
"""Candidates for repurchase and discovery of the inner moments, and whether each was bought."""


def _liked(known: Known, moments: Moments) -> float:
    """Recall at 10 of what is new by EASE alone, to choose its parameter by."""
    weights = np.array([float(name == "likes_lately") for name in ranking.ITEM])
    total, many = 0.0, 0
    for piece in ranking.pieces(moments, known.baskets.items):
        some = moments.some(piece)
        _, new = ranking.candidates(known, some, weights, again=False, found=10)
        score = new.features[:, ranking.DISCOVERY.index("likes_lately")].astype(np.float64)
        listed, _ = ranking.best(new.moment, new.item, score, len(some), 10)
        got = measures.recall(listed, targets(known.baskets, some), known.baskets.items, 10, fresh=(known.baskets, some))
        total, many = total + float(np.nansum(got)), many + int(np.sum(~np.isnan(got)))
    return total / many if many else 0.0


def _weights(known: Known, moments: Moments, seed: int) -> Weights:
    """What finds candidates: a logistic model over ITEM's scores of what was new and bought, and of items drawn at random."""
    from sklearn.linear_model import LogisticRegression

    columns, bought = [], []
    random = np.random.default_rng([seed, 2])
    items = known.baskets.items
    for piece in ranking.pieces(moments, items):
        some = moments.some(piece)
        moment, item = targets(known.baskets, some)
        drawn = random.integers(0, items, (len(some), 100))
        key = np.r_[moment * items + item, (np.arange(len(some))[:, None] * items + drawn).ravel()]
        key, at = np.unique(key, return_index=True)
        past = history(known.baskets, some)
        fresh = ~np.isin(key, past.moment * items + past.item)
        key, at = key[fresh], at[fresh]
        scores = ranking.Scores(known, some, past)
        columns.append(np.column_stack([scores[n][key // items, key % items] for n in ranking.ITEM]))
        bought.append(at < len(moment))
    x, y = (np.concatenate(parts) if parts else np.zeros(0) for parts in (columns, bought))
    if len(y) == 0 or not FEWEST <= y.sum() < len(y):
        return np.array([float(name in ("likes", "trend_45")) for name in ranking.ITEM])
    spread = np.maximum(x.std(axis=0), 1e-6)
    found = LogisticRegression(C=1.0, max_iter=300).fit((x - x.mean(axis=0)) / spread, y)
    return np.asarray(np.round(found.coef_[0] / spread, 6), np.float64)


def _examples(known: Known, moments: Moments, weights: Weights, again: bool) -> Examples:
    old, new, items = list[Candidates](), list[Candidates](), known.baskets.items
    for piece in ranking.pieces(moments, items):
        pair = ranking.candidates(known, moments.some(piece), weights, again=again)
        for kept, one in zip((old, new), pair, strict=True):
            kept.append(Candidates(moment=one.moment + piece.start, item=one.item, features=one.features))
    joined = [_joined(parts, len(names)) for parts, names in ((old, ranking.REPURCHASE), (new, ranking.DISCOVERY))]
    moment, item = targets(known.baskets, moments)
    wanted = moment * items + item
    repeats, fresh = (np.isin(c.moment * items + c.item, wanted).astype(np.int64) for c in joined)
    return joined[0], joined[1], repeats, fresh


def _joined(parts: Sequence[Candidates], columns: int) -> Candidates:
    none = np.zeros(0, np.int64)
    return Candidates(
        moment=np.concatenate([none, *(p.moment for p in parts)]), item=np.concatenate([none, *(p.item for p in parts)]),
        features=np.concatenate([np.zeros((0, columns), np.float32), *(p.features for p in parts)]),
    )  # fmt: skip


def _models(examples: Examples, of: Any, settings: Settings, seed: int) -> Models:
    """Both models, learned from the moments `of` alone."""
    old, new, again, fresh = examples
    made = []
    for some, bought in ((old, again), (new, fresh)):
        mine = of[some.moment]
        made.append(_trees(some.features[mine], bought[mine], settings, seed))
    return made[0], made[1]


def _trees(features: Any, bought: Ints, settings: Settings, seed: int) -> str:
    import lightgbm

    if not FEWEST <= bought.sum() < len(bought):
        return ""
    parameters = {
        "objective": "binary", "num_leaves": settings.leaves, "learning_rate": 0.08, "min_data_in_leaf": 4 * FEWEST,
        "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.6, "lambda_l2": 5.0, "seed": seed, "verbose": -1,
        "deterministic": True, "force_row_wise": True, "num_threads": 2, "max_bin": 127,
    }  # fmt: skip
    booster = lightgbm.train(parameters, lightgbm.Dataset(features, bought), num_boost_round=settings.trees)
    text: str = booster.model_to_string()
    return text


def _judged(known: Known, moments: Moments, examples: Examples, choosing: Any, models: Models) -> float:
    """Recall at 10 of those who choose."""
    if not choosing.any():
        return 0.0
    renumbered = np.cumsum(choosing) - 1
    parts = [
        (renumbered[c.moment[m]], c.item[m], chances(text, c.features[m]))
        for c, text in zip(examples[:2], models, strict=True)
        for m in (choosing[c.moment],)
    ]
    moment, item, chance = (np.concatenate([p[n] for p in parts]) for n in range(3))
    some = moments.some(choosing)
    listed, _ = ranking.best(moment, item, chance, len(some), 10)
    found: Floats = measures.recall(listed, targets(known.baskets, some), known.baskets.items, 10)
    return float(np.nanmean(found))


def chances(text: str, features: Any) -> Floats:
    """The chance of each row by a model as text; without a model by EASE's score, far below any chance of a model."""
    import lightgbm

    if not len(features):
        return np.zeros(0)
    if not text:
        place = len(ranking.PERSON) + len(ranking.ITEM) - ranking.ITEM.index("likes_lately")
        score = features[:, -place].astype(np.float64)
        return np.asarray(1e-4 * (0.5 + np.arctan(score) / np.pi), np.float64)
    return np.asarray(lightgbm.Booster(model_str=text).predict(features, num_threads=2), np.float64)
