"""Cases of service by week and region -> how many the next weeks will bring, with an interval that counts what we do not know.

A Poisson regression with a level for each region (drawn toward the level of all), one trend and, from two years on, one season;
its counts scatter more than Poisson's, so the interval is a negative binomial's (Cameron & Trivedi 2013). Its spread has two
parts: how weeks scatter about the mean, and how little a short history says of the mean. The last third of the weeks is
foretold from what came before each, to see how many fell inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput

Numbers = npt.NDArray[np.float64]

FEWEST_WEEKS = 8
YEAR = 365.25 / 7
SIDE = 0.05
TOWARD = 1.0
"""The prior variance of a region's level (in logarithms) about the level of all is 1 / TOWARD."""
TREND = 25.0
"""The prior on the trend, in logarithms over the history: a deviation of a fifth; so few weeks promise no boom."""
MOST = 700.0


@dataclass(frozen=True, kw_only=True)
class Demand:
    """mean, low, high: weeks ahead x regions; the interval is of 90 %. covered: the share of held-out weeks that fell inside;
    None if there were too few to try. tried: how many region-weeks that was. scatter: 1 / k of the negative binomial, 0 where
    counts are Poisson's."""

    mean: Numbers
    low: Numbers
    high: Numbers
    covered: float | None
    tried: int
    scatter: float


@dataclass(frozen=True, kw_only=True)
class _Fit:
    beta: Numbers
    covariance: Numbers
    scatter: float


def foretold(counts: Numbers, ahead: int = 4) -> Demand:
    """counts: weeks x regions, every week from first to last. Raises BadInput for fewer than FEWEST_WEEKS."""
    weeks, regions = counts.shape
    if weeks < FEWEST_WEEKS or not regions:
        raise BadInput(f"There are {weeks} weeks of {regions} regions; at least {FEWEST_WEEKS} weeks are needed.")
    inside, tried = 0, 0
    for end in range(max(FEWEST_WEEKS, weeks - weeks // 3), weeks):
        _, low, high = _ahead(counts[:end], min(ahead, weeks - end))
        true = counts[end : end + len(low)]
        inside += int(((true >= low) & (true <= high)).sum())
        tried += true.size
    mean, low, high = _ahead(counts, ahead)
    return Demand(
        mean=mean, low=low, high=high, covered=inside / tried if tried else None, tried=tried, scatter=_fitted(counts).scatter
    )


def _ahead(counts: Numbers, ahead: int) -> tuple[Numbers, Numbers, Numbers]:
    from scipy.stats import nbinom

    weeks, regions = counts.shape
    fit = _fitted(counts)
    x = _design(np.repeat(np.arange(weeks, weeks + ahead), regions), np.tile(np.arange(regions), ahead), regions, weeks)
    mean = np.exp(np.clip(x @ fit.beta, -MOST, MOST))
    # A log-normal uncertainty of the mean adds its variance to 1 / k, to first order.
    unsure = np.einsum("ij,jk,ik->i", x, fit.covariance, x)
    k = 1 / np.maximum(fit.scatter + np.expm1(np.minimum(unsure, 5.0)), 1e-9)
    low, high = (nbinom.ppf(q, k, k / (k + mean)) for q in (SIDE, 1 - SIDE))
    shape = (ahead, regions)
    return mean.reshape(shape), low.reshape(shape), high.reshape(shape)


def _design(week: npt.NDArray[np.int64], region: npt.NDArray[np.int64], regions: int, weeks: int) -> Numbers:
    """Columns: all, each region, trend, and the season where two years are known. The trend stops where the history does: what
    lies ahead goes on at the last level."""
    trend = np.minimum(week, weeks - 1) / max(weeks - 1, 1) - 0.5
    columns = [np.ones(len(week)), *(region == r for r in range(regions)), trend]
    if weeks >= 2 * YEAR:
        columns += [np.sin(2 * np.pi * week / YEAR), np.cos(2 * np.pi * week / YEAR)]
    return np.column_stack(columns).astype(np.float64)


def _fitted(counts: Numbers) -> _Fit:
    """The most likely coefficients under their priors, by Newton's steps; and how counts scatter, by Pearson's statistic."""
    weeks, regions = counts.shape
    x = _design(np.repeat(np.arange(weeks), regions), np.tile(np.arange(regions), weeks), regions, weeks)
    y = counts.ravel()
    prior = np.zeros(x.shape[1])
    prior[0], prior[1 : regions + 1], prior[regions + 1 :] = 1e-6, TOWARD, TREND
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(max(y.mean(), 0.5 / len(y)))
    scatter = 0.0
    hessian = np.eye(x.shape[1])
    for _ in range(40):
        mean = np.exp(np.clip(x @ beta, -MOST, MOST))
        # Weeks of a large mean that scatter are trusted less, as their variance is mean + scatter * mean squared.
        trust = 1 / (1 + scatter * mean)
        hessian = (x * (mean * trust)[:, None]).T @ x + np.diag(prior)
        step = np.linalg.solve(hessian, x.T @ ((y - mean) * trust) - prior * beta)
        beta = beta + np.clip(step, -2, 2)
        scatter = _scatter(y, np.exp(np.clip(x @ beta, -MOST, MOST)), x.shape[1])
        if np.abs(step).max() < 1e-8:
            break
    return _Fit(beta=beta, covariance=np.asarray(np.linalg.inv(hessian), dtype=np.float64), scatter=scatter)


def _scatter(y: Numbers, mean: Numbers, columns: int) -> float:
    """The 1 / k at which Pearson's statistic is its degrees of freedom; 0 where counts scatter no more than Poisson's."""
    wanted = max(len(y) - columns, 1)

    def excess(scatter: float) -> float:
        return float(np.sum((y - mean) ** 2 / (mean + scatter * mean**2))) - wanted

    if excess(0.0) <= 0:
        return 0.0
    low, high = 0.0, 1.0
    while excess(high) > 0 and high < 1e3:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return (low + high) / 2
