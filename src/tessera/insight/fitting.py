"""Some people who bought -> a model of segments: k-means centres with names, frozen until the people have changed.

The three inputs are logarithms (ln(1 + x)) of days since the last order, orders, and revenue, each weighted by its
inverse variance. A model is numbers about groups: no centre stands for fewer than FEWEST people, and with fewer than
FEWEST_BUYERS there is no model at all.

scikit-learn is imported where a model is fitted: it takes a third of a process's start, and few processes fit one.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tessera.insight.names import Place, name

Points = npt.NDArray[np.float64]

FEWEST_BUYERS = 50
FEWEST = 10
CHOICES = (6, 5, 4, 3)
NEARLY = 0.05
"""How much less stable (adjusted Rand index between models of different people) a model of more segments may be."""
USEFUL_SHARE = 0.03
FIFTHS = (0.2, 0.4, 0.6, 0.8)
DRIFTED = 0.25
"""The population stability index at which an input counts as changed (the usual mark for "act")."""
OLD_DAYS = 90
"""A frozen model agrees with a new one by 0.86 after three months, by 0.65 after six (adjusted Rand, Online Retail)."""
CHOOSING = 10_000
"""People who decide on k."""


@dataclass(frozen=True, kw_only=True)
class Centre:
    """The middle of a segment, in the units of FEATURES."""

    segment: str
    recency_days: float
    orders: float
    revenue_cents: float

    @property
    def inputs(self) -> Place:
        """As the three inputs."""
        logs = np.log1p([self.recency_days, self.orders, self.revenue_cents / 100])
        return float(logs[0]), float(logs[1]), float(logs[2])


@dataclass(frozen=True, kw_only=True)
class Model:
    """Frozen centres. weights: of the three inputs. stability: adjusted Rand index between models of two halves of the
    people. cuts, shares: for each input, how many of the people it was fitted to lay between which values."""

    id: str
    seed: int
    fitted_at: date
    centres: tuple[Centre, ...] = ()
    weights: Place = (1.0, 1.0, 1.0)
    stability: float | None = None
    cuts: tuple[tuple[float, ...], ...] = ()
    shares: tuple[tuple[float, ...], ...] = ()

    @property
    def k(self) -> int:
        """How many centres."""
        return len(self.centres)


def fit(points: Points, k: int | None, seed: int, as_of: date) -> Model:
    """A model of a sample: one row per person who bought, columns as in `Centre.inputs`.

    k: how many segments; None chooses among CHOICES. It may become fewer, for want of FEWEST people. The same points in
    the same order and the same seed give the same model. Raises ValueError for fewer than FEWEST_BUYERS.
    """
    if len(points) < FEWEST_BUYERS:
        raise ValueError(f"a model needs {FEWEST_BUYERS} people, there are {len(points)}")
    import sklearn.cluster  # noqa: F401  before the limit on threads, which holds for what is loaded by then

    spread = np.std(points, axis=0)
    scale = np.where(spread > 1e-9, spread, 1.0)
    z = (points - points.mean(axis=0)) / scale
    with threadpool_limits(1):
        chosen, stability = _chosen(z, (k,) if k else CHOICES, seed)
        middles = _middles(z, chosen, seed) * scale + points.mean(axis=0)
    natural = np.round(np.maximum(np.expm1(middles) * (1, 1, 100), 0), 4).tolist()
    named = name([_place(points, middle) for middle in middles])
    centres = [
        Centre(segment=n, recency_days=days, orders=orders, revenue_cents=cents)
        for n, (days, orders, cents) in sorted(zip(named, natural, strict=True))
    ]
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
    )


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


def _chosen(z: Points, choices: tuple[int, ...], seed: int) -> tuple[int, float | None]:
    """The first choice that is useful and nearly as stable as the best, else the most stable one; and its stability."""
    some = np.random.default_rng(seed).permutation(z)[:CHOOSING]
    found = {k: tried for k in choices if (tried := _stability(some, k, seed)) is not None}
    if not found:
        return min(choices), None
    best = max(found, key=lambda k: found[k][0])
    for k, (agreed, share) in found.items():
        if agreed >= found[best][0] - NEARLY and share >= USEFUL_SHARE:
            return k, agreed
    return best, found[best][0]


def _stability(some: Points, k: int, seed: int) -> tuple[float, float] | None:
    """How well models of two halves agree (mean adjusted Rand index of three splits), and their least share of people;
    None where a half has too few different people."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    agreed, least = [], 1.0
    for split in range(3):
        mixed = np.random.default_rng([seed, split]).permutation(some)
        halves = mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :]
        if any(len(np.unique(half, axis=0)) < k for half in halves):
            return None
        a, b = (KMeans(k, n_init=3, random_state=seed).fit(half).predict(some) for half in halves)
        agreed.append(adjusted_rand_score(a, b))
        least = min([least, *(np.bincount(labels, minlength=k).min() / len(some) for labels in (a, b))])
    return float(np.mean(agreed)), float(least)


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
