"""How many purchases a customer makes in a time ahead, exactly: mean, spread and quantiles of the predictive distribution.

Given that she is still a customer, her rate is gamma distributed, so the purchases of a time are negative binomial; she may
leave on the way. P(at least n) is a sum of positive terms for each law here, each from the one before:

    P(N >= n) = stay(n - 1) * sum over k of weight[k] * P(NegativeBinomial(shape, odds[k]) >= n)

BG/NBD leaves after purchases: stay(n) = E[(1 - p)^n], p ~ Beta(leaves, stays). Pareto/NBD leaves in time: k are quantiles
of the moment at which she leaves. No hypergeometric function is needed, and nothing is singular where leaves = 1.
Source: derived from Fader, Hardie and Lee (2005) and Schmittlein, Morrison and Colombo (1987); tests compare with simulation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from tessera.insight.value.history import Numbers

TAIL = 1e-9
"""Sums stop when what is missing is less than this share of the mean."""
MOST = 200_000
CHUNK = 4096
"""Rows at a time: their terms fit the processor's cache, and like histories lie together and end together."""
LEVELS = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """The terms above for each customer (row). shape: of her rate. odds, weight: (rows, k). leaves 0: by time alone."""

    alive: Numbers
    shape: Numbers
    odds: Numbers
    weight: Numbers
    stays: Numbers
    leaves: Numbers

    def part(self, some: npt.NDArray[Any]) -> Ahead:
        """Some of the rows."""
        return Ahead(**{f.name: getattr(self, f.name)[some] for f in fields(self)})


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """For each customer: mean and mean square of the purchases, P(at least one), and the 2.5 and 97.5 % quantiles."""

    mean: Numbers
    square: Numbers
    any: Numbers
    low: npt.NDArray[np.int64]
    high: npt.NDArray[np.int64]


def outcome(ahead: Ahead) -> Outcome:
    """The predictive distribution's figures. Cost: rows x about (mean + 20) terms."""
    mean, square, any_, low, high = _summed(ahead, whole=True)
    return Outcome(mean=mean, square=square, any=any_, low=low.astype(np.int64), high=high.astype(np.int64))


def expected(ahead: Ahead) -> Numbers:
    """The mean alone, in about half the time."""
    mean: Numbers = _summed(ahead, whole=False)[0]
    return mean


def _summed(ahead: Ahead, whole: bool) -> Numbers:
    """The five figures as rows of one array; of the mean alone the others stay 0."""
    made = np.zeros((5, len(ahead.alive)))
    # Of who buys thousands of times, the chance of none is less than a double can say: those are summed by logarithms.
    small = (ahead.shape[:, None] * np.log1p(-ahead.odds)).min(axis=1, initial=0.0) < -600
    for some, by_logs in ((~small, False), (small, True)):
        places = np.flatnonzero(some)
        for at in range(0, len(places), CHUNK):
            where = places[at : at + CHUNK]
            _terms(made, where, ahead.part(where), by_logs, whole)
    return made


def _terms(made: Numbers, where: npt.NDArray[np.intp], now: Ahead, by_logs: bool, whole: bool) -> None:
    """Fills the columns `where` of `made`, term by term."""
    # P(exactly j), P(at least j + 1) of the negative binomials; `kept`: still a customer now and on the way, times weights.
    logs = now.shape[:, None] * np.log1p(-now.odds)
    exactly = np.exp(logs)
    least = 1 - exactly
    kept = now.alive
    sums = np.zeros((5, len(where)))
    for n in range(1, MOST):
        term = kept * (least[:, 0] * now.weight[:, 0] if least.shape[1] == 1 else np.einsum("ik,ik->i", now.weight, least))
        sums[0] += term
        if whole:
            sums[1] += (2 * n - 1) * term
            if n == 1:
                sums[2] = term
            sums[3] += term > 1 - LEVELS[0]
            sums[4] += term > 1 - LEVELS[1]
        if n % 4 == 0:
            # Beyond the mode each term is smaller than the one before by `falls` at least, which bounds what is missing.
            falls = np.max(now.odds, axis=1) * (now.shape + n) / (n + 1)
            rest = (2 * n + 1) * term / np.maximum(1 - falls, 1e-3)
            going = ((falls >= 1) | (rest > TAIL * sums[0])) & (term > 1e-300)
            left = len(going) - int(going.sum())
            # Rows that are done are taken out once they are many: until then they cost less than the taking out.
            if left == len(going) or 4 * left > len(going):
                made[:, where[~going]] = sums[:, ~going]
                if left == len(going):
                    return
                where, now, kept, sums = where[going], now.part(going), kept[going], sums[:, going]
                logs, exactly, least = logs[going], exactly[going], least[going]
        step = now.odds * ((now.shape + n - 1) / n)[:, None]
        if by_logs:
            logs = logs + np.log(step)
            exactly = np.exp(logs)
        else:
            exactly = exactly * step
        least = np.maximum(least - exactly, 0.0)
        kept = kept * ((now.stays + n - 1) / (now.stays + now.leaves + n - 1))
    made[:, where] = sums
