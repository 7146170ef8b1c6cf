"""BG/NBD: everybody buys at a rate of her own (gamma), and leaves after a purchase with a chance of her own (beta).

Source: Fader, Hardie and Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2), equation 6; the
gradient is its derivative. A customer without a second purchase cannot have left, by that law.
"""

from __future__ import annotations

import numpy as np

from tessera.insight.value.ahead import Ahead
from tessera.insight.value.history import History, Numbers

NAME = "bgnbd"
PARAMETERS: tuple[str, ...] = ("r", "alpha", "a", "b")
TIMED: tuple[float, ...] = (0.0, 1.0, 0.0, 0.0)
"""The power of the unit of time that each parameter grows with."""


def likelihood(logs: Numbers, h: History) -> tuple[float, Numbers]:
    """The log-likelihood at the logarithms of the parameters, and its gradient in them."""
    from scipy.special import digamma, gammaln

    r, alpha, a, b = np.exp(logs)
    # What depends on the number of purchases alone is reckoned once for each number.
    each, place, many = h.counted
    again = each > 0
    counted = (
        gammaln(r + each) - gammaln(r) + r * np.log(alpha)
        + gammaln(a + b) + gammaln(b + each) - gammaln(b) - gammaln(a + b + each)
    )  # fmt: skip
    left = np.where(again, np.log(a) - np.log(np.where(again, b + each - 1, 1.0)), -np.inf)
    x, weight = h.frequency, h.weight
    end, last = np.log(alpha + h.age), np.log(alpha + h.recency)
    # Still a customer, against: left after the last purchase; `gone` is the chance of the latter.
    odds = left[place] + (r + x) * (end - last)
    gone = _logistic(odds)
    total = many @ counted + weight @ (np.logaddexp(0.0, odds) - (r + x) * end)
    weighted = weight * gone
    many_gone = np.bincount(place, weights=weighted, minlength=len(each))
    of_r, of_all, of_b = digamma(r + each) - digamma(r), digamma(a + b) - digamma(a + b + each), digamma(b + each)
    in_r = many @ (of_r + np.log(alpha)) - weight @ end + weighted @ (end - last)
    in_alpha = many.sum() * r / alpha - (weight - weighted) @ ((r + x) / (alpha + h.age))
    in_alpha -= weighted @ ((r + x) / (alpha + h.recency))
    in_a = many @ of_all + many_gone.sum() / a
    in_b = many @ (of_b - digamma(b) + of_all) - many_gone @ np.where(again, 1 / np.where(again, b + each - 1, 1.0), 0.0)
    return float(total), np.array([in_r * r, in_alpha * alpha, in_a * a, in_b * b])


def alive(parameters: Numbers, h: History) -> Numbers:
    """The chance that each is still a customer at the end of what is known (equation 7 of the note on P(alive), 2008)."""
    r, alpha, a, b = parameters
    x = h.frequency
    again = x > 0
    odds = np.log(a) - np.log(np.where(again, b + x - 1, 1.0)) + (r + x) * np.log((alpha + h.age) / (alpha + h.recency))
    return np.where(again, _logistic(-odds), 1.0)


def ahead(parameters: Numbers, h: History, horizon: float) -> Ahead:
    """The purchases of a time ahead."""
    r, alpha, a, b = parameters
    odds = horizon / (alpha + h.age + horizon)
    return Ahead(
        alive=alive(parameters, h), shape=r + h.frequency, odds=odds[:, None], weight=np.ones((len(h), 1)),
        stays=b + h.frequency, leaves=np.full(len(h), a),
    )  # fmt: skip


def _logistic(odds: Numbers) -> Numbers:
    from scipy.special import expit

    found: Numbers = expit(odds)
    return found
