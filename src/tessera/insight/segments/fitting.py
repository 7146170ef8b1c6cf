"""Some people who bought -> a model of segments: k-means centres with names, frozen until the people have changed.

The three inputs are logarithms (ln(1 + x)) of days since the last order, orders, and revenue, each weighted by its
inverse variance. A model is numbers about groups: no centre stands for fewer than FEWEST people, and with fewer than
FEWEST_BUYERS there is no model at all.

scikit-learn is imported where a model is fitted: it takes a third of a process's start, and few processes fit one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tessera.insight.segments.names import Place, name, still

Points = npt.NDArray[np.float64]

FEWEST_BUYERS = 100
FEWEST = 50
"""People whom a centre stands for, at least: then it remembers nobody."""
CHOICES = (2, 3, 4, 5, 6, 7, 8)
GATE = 0.85
"""The mean adjusted Rand index, over models of resampled people, below which a number of segments is not stable."""
BOOTSTRAPS = 10
NEARLY = 0.05
"""How much less stable than the best of those that pass a model of more segments may be."""
USEFUL = 3
"""Two segments say no more than "buys" and "hardly buys": fewer than this many are taken only if nothing else is stable."""
USEFUL_SHARE = 0.03
FIFTHS = (0.2, 0.4, 0.6, 0.8)
DRIFTED = 0.25
"""The population stability index at which an input counts as changed (the usual mark for "act")."""
OLD_DAYS = 90
"""A frozen model agrees with a new one by 0.86 after three months, by 0.65 after six (adjusted Rand, Online Retail)."""
CHOOSING = 5_000
"""People who decide on k."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A number of segments that was tried. stability, lowest: adjusted Rand index between it and models of resampled people,
    mean and least (Hubert and Arabie, 1985). share: of the smallest segment."""

    k: int
    stability: float
    lowest: float
    share: float

    @property
    def passes(self) -> bool:
        """Whether it is stable, and each of its segments is large enough to be of use."""
        return self.stability >= GATE and self.share >= USEFUL_SHARE


@dataclass(frozen=True, kw_only=True)
class Centre:
    """The middle of a segment, in the units of FEATURES. held: the share of it that models of resampled people find again
    (mean of the best Jaccard index; Hennig, 2007)."""

    segment: str
    recency_days: float
    orders: float
    revenue_cents: float
    held: float | None = None

    @property
    def inputs(self) -> Place:
        """As the three inputs."""
        logs = np.log1p([self.recency_days, self.orders, self.revenue_cents / 100])
        return float(logs[0]), float(logs[1]), float(logs[2])


@dataclass(frozen=True, kw_only=True)
class Model:
    """Frozen centres. weights: of the three inputs. stability: mean adjusted Rand index between it and models of resampled
    people. choices: what was tried for k; empty for a refit, which keeps its k. cuts, shares: for each input, how many of
    the people it was fitted to lay between which values."""

    id: str
    seed: int
    fitted_at: date
    centres: tuple[Centre, ...] = ()
    weights: Place = (1.0, 1.0, 1.0)
    stability: float | None = None
    cuts: tuple[tuple[float, ...], ...] = ()
    shares: tuple[tuple[float, ...], ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def k(self) -> int:
        """How many centres."""
        return len(self.centres)


def fit(points: Points, k: int | None, seed: int, as_of: date) -> Model:
    """A model of a sample: one row per person who bought, columns as in `Centre.inputs`.

    k: how many segments; None chooses among CHOICES. It may become fewer, for want of FEWEST people. The same points in
    the same order and the same seed give the same model. Raises ValueError for fewer than FEWEST_BUYERS.
    """
    z, mean, scale = _standard(points)
    with threadpool_limits(1):
        some = _some(z, seed)
        choices = _choices(some, (k,) if k else CHOICES, seed)
        middles = _middles(z, _chosen(choices) if choices else min(k or USEFUL, len(z) // FEWEST), seed)
        stability, held = _again(some, middles, seed)
    natural = _natural(middles * scale + mean)
    named = name([_place(points, middle) for middle in middles * scale + mean])
    centres = [_centre(n, row, h) for n, row, h in zip(named, natural, held, strict=True)]
    return _model(points, centres, scale, stability, seed, as_of, choices)


def refit(known: Model, points: Points, as_of: date) -> Model | None:
    """The same segments in the people as they are now: it starts from the centres of `known`, and each keeps its name.

    None where that is no good model any more: a segment has fewer than FEWEST people left, it is not stable, or its name
    would be untrue of it (its people are gone, and its centre has wandered among others).
    """
    z, mean, scale = _standard(points)
    from sklearn.cluster import KMeans

    start = (np.array([c.inputs for c in known.centres]) - mean) / scale
    with threadpool_limits(1):
        found = KMeans(len(start), init=start, n_init=1, random_state=known.seed).fit(z)
        if np.bincount(found.labels_, minlength=len(start)).min() < FEWEST:
            return None
        stability, held = _again(_some(z, known.seed), found.cluster_centers_, known.seed)
    if stability is None or stability < GATE:
        return None
    middles = found.cluster_centers_ * scale + mean
    if not all(still(c.segment, _place(points, middle)) for c, middle in zip(known.centres, middles, strict=True)):
        return None
    natural = _natural(found.cluster_centers_ * scale + mean)
    centres = [_centre(c.segment, row, h) for c, row, h in zip(known.centres, natural, held, strict=True)]
    return _model(points, centres, scale, stability, known.seed, as_of, ())


def fits(model: Model, points: Points, as_of: date) -> bool:
    """Whether the frozen model still describes these people: no input has drifted, and it is not old."""
    if not model.centres or (as_of - model.fitted_at).days > OLD_DAYS:
        return False
    return all(
        psi(was, _shares(column, cuts)) <= DRIFTED
        for was, cuts, column in zip(model.shares, model.cuts, _compared(points), strict=True)
    )


def psi(was: tuple[float, ...], now: tuple[float, ...]) -> float:
    """The population stability index of two distributions over the same bins.

    >>> psi((0.5, 0.5), (0.5, 0.5)), round(psi((0.5, 0.5), (0.9, 0.1)), 3)
    (0.0, 0.879)
    """
    p, q = np.maximum(was, 1e-4), np.maximum(now, 1e-4)
    return float(np.sum((q - p) * np.log(q / p)))


def _standard(points: Points) -> tuple[Points, Points, Points]:
    """The inputs with mean 0 and spread 1; what they had. Raises ValueError for fewer than FEWEST_BUYERS."""
    if len(points) < FEWEST_BUYERS:
        raise ValueError(f"a model needs {FEWEST_BUYERS} people, there are {len(points)}")
    import sklearn.cluster  # noqa: F401  before the limit on threads, which holds for what is loaded by then

    spread = np.std(points, axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    mean = points.mean(axis=0)
    return (points - mean) / scale, mean, scale


def _natural(middles: Points) -> list[list[float]]:
    """Centres in the units of FEATURES."""
    found: list[list[float]] = np.round(np.maximum(np.expm1(middles) * (1, 1, 100), 0), 4).tolist()
    return found


def _centre(segment: str, row: list[float], held: float | None) -> Centre:
    days, orders, cents = row
    return Centre(
        segment=segment, recency_days=days, orders=orders, revenue_cents=cents, held=None if held is None else round(held, 4)
    )


def _model(
    points: Points, found: Iterable[Centre], scale: Points, stability: float | None, seed: int, as_of: date,
    choices: tuple[Choice, ...],
) -> Model:  # fmt: skip
    centres = sorted(found, key=lambda c: c.segment)
    weights = np.round(scale**-2.0, 6).tolist()
    columns = _compared(points)
    cuts = tuple(tuple(np.unique(np.quantile(column, FIFTHS).round(2)).tolist()) for column in columns)
    print_of = hashlib.sha256(json.dumps([[c.segment, c.inputs] for c in centres] + weights).encode()).hexdigest()
    return Model(
        id=f"kmeans-{len(centres)}-{print_of[:8]}",
        seed=seed,
        fitted_at=as_of,
        centres=tuple(centres),
        weights=(weights[0], weights[1], weights[2]),
        stability=None if stability is None else round(stability, 4),
        cuts=cuts,
        shares=tuple(_shares(column, c) for column, c in zip(columns, cuts, strict=True)),
        choices=choices,
    )


def _some(z: Points, seed: int) -> Points:
    """People who decide."""
    some: Points = np.random.default_rng(seed).permutation(z)[:CHOOSING]
    return some


def _chosen(choices: tuple[Choice, ...]) -> int:
    """The most segments of those that pass and are nearly as stable as the best of them; else the most stable ones."""
    several = [c for c in choices if c.passes and c.k >= USEFUL] or [c for c in choices if c.passes]
    if not several:
        return max(choices, key=lambda c: c.stability).k
    best = max(c.stability for c in several)
    return max(c.k for c in several if c.stability >= best - NEARLY)


def _choices(some: Points, choices: tuple[int, ...], seed: int) -> tuple[Choice, ...]:
    """Each number of segments that there are enough different people for, tried."""
    from sklearn.cluster import KMeans

    tried = []
    different = len(np.unique(some, axis=0))
    for k in choices:
        if different < 2 * k or len(some) < k * FEWEST:
            continue
        base = KMeans(k, n_init=3, random_state=seed).fit(some)
        agreed = [index for index, _ in _resampled(some, base.labels_, k, seed)]
        if agreed:
            share = float(np.bincount(base.labels_, minlength=k).min() / len(some))
            mean, lowest = round(float(np.mean(agreed)), 4), round(min(agreed), 4)
            tried.append(Choice(k=k, stability=mean, lowest=lowest, share=round(share, 4)))
    return tuple(tried)


def _again(some: Points, middles: Points, seed: int) -> tuple[float | None, list[float | None]]:
    """How stable a model is: its mean adjusted Rand index, and for each centre how much of it is found again."""
    k = len(middles)
    labels = ((some[:, None, :] - middles[None]) ** 2).sum(axis=2).argmin(axis=1)
    found = list(_resampled(some, labels, k, seed)) if k > 1 else []
    if not found:
        return None, [None] * k
    held = np.mean([jaccard for _, jaccard in found], axis=0)
    return float(np.mean([index for index, _ in found])), [float(h) for h in held]


def _resampled(some: Points, labels: npt.NDArray[np.intp], k: int, seed: int) -> Iterator[tuple[float, Points]]:
    """For each model of people drawn again: its adjusted Rand index with `labels`, and the best Jaccard index of each label."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    for draw in range(BOOTSTRAPS):
        drawn = some[np.random.default_rng([seed, k, draw]).integers(0, len(some), len(some))]
        if len(np.unique(drawn, axis=0)) < k:
            continue
        other = KMeans(k, n_init=3, random_state=seed).fit(drawn).predict(some)
        both = np.bincount(labels * k + other, minlength=k * k).reshape(k, k)
        either = both.sum(axis=1)[:, None] + both.sum(axis=0)[None] - both
        yield float(adjusted_rand_score(labels, other)), (both / np.maximum(either, 1)).max(axis=1)


def _middles(z: Points, k: int, seed: int) -> Points:
    """The centres of k clusters; the smallest goes, and the rest settles again, until each has FEWEST people."""
    from sklearn.cluster import KMeans

    k = min(k, len(np.unique(z, axis=0)), len(z) // FEWEST)
    model = KMeans(k, n_init=3, random_state=seed).fit(z)
    while True:
        sizes = np.bincount(model.labels_, minlength=model.n_clusters)
        middles: Points = model.cluster_centers_
        if sizes.min() >= FEWEST:
            return middles
        rest = np.delete(middles, sizes.argmin(), axis=0)
        model = KMeans(len(rest), init=rest, n_init=1, random_state=seed).fit(z)


def _place(points: Points, centre: Points) -> Place:
    """Where a centre lies among the people: recent, often, much; equal people count by half."""
    shares = []
    for column, x in zip(np.round(points, 6).T, np.round(centre, 6), strict=True):
        shares.append(float(np.mean(column < x) + np.mean(column == x) / 2))
    return 1 - shares[0], shares[1], shares[2]


def _compared(points: Points) -> Points:
    """The inputs, one per row, as drift compares them: days count from the most recent twentieth of the people, so that
    a shop whose data comes once a week does not seem to change every day."""
    days = np.expm1(points[:, 0])
    since = np.log1p(np.maximum(days - np.quantile(days, 0.05), 0))
    return np.round([since, points[:, 1], points[:, 2]], 6)


def _shares(column: Points, cuts: tuple[float, ...]) -> tuple[float, ...]:
    counts = np.bincount(np.searchsorted(cuts, column, side="right"), minlength=len(cuts) + 1)
    return tuple((counts / len(column)).round(6).tolist())
