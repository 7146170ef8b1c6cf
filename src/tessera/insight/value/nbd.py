"""NBD: everybody buys at a rate of her own, and nobody ever leaves. What remains where data show no leaving.

Source: Ehrenberg (1959), "The pattern of consumer purchases"; the likelihood of BG/NBD without its second half.
"""

from __future__ import annotations

import numpy as np

from tessera.insight.value.ahead import Ahead
from tessera.insight.value.history import History, Numbers

NAME = "nbd"
PARAMETERS: tuple[str, ...] = ("r", "alpha")
TIMED: tuple[float, ...] = (0.0, 1.0)
"""The power of the unit of time that each parameter grows with."""


def likelihood(logs: Numbers, h: History) -> tuple[float, Numbers]:
    """The log-likelihood at the logarithms of the parameters, and its gradient in them."""
    from scipy.special import digamma, gammaln

    r, alpha = np.exp(logs)
    x, end = h.frequency, np.log(alpha + h.age)
    each, _, many = h.counted
    total = many @ (gammaln(r + each) - gammaln(r) + r * np.log(alpha)) - h.weight @ ((r + x) * end)
    in_r = many @ (digamma(r + each) - digamma(r) + np.log(alpha)) - h.weight @ end
    in_alpha = h.weight @ (r / alpha - (r + x) / (alpha + h.age))
    return float(total), np.array([in_r * r, in_alpha * alpha])


def alive(parameters: Numbers, h: History) -> Numbers:
    """1 for everybody: that is the law."""
    return np.ones(len(h))


def ahead(parameters: Numbers, h: History, horizon: float) -> Ahead:
    """The purchases of a time ahead."""
    r, alpha = parameters
    one = np.ones(len(h))
    odds = horizon / (alpha + h.age + horizon)
    return Ahead(alive=one, shape=r + h.frequency, odds=odds[:, None], weight=one[:, None], stays=one, leaves=one * 0)
