"""Pareto/NBD: everybody buys at a rate of her own, and leaves at some time at a rate of her own (both gamma).

The likelihood is that of a customer who is still there, and an integral over the moment at which one left. The usual form has
hypergeometric functions whose derivatives are not at hand; here the integral is a sum over nodes (Gauss-Legendre) on a scale of
time in which it is smooth, so that the gradient is exact as well. Source: Schmittlein, Morrison and Colombo (1987), Management
Science 33(1); Fader and Hardie (2005), "A note on deriving the Pareto/NBD model".
"""

from __future__ import annotations

from functools import cache

import numpy as np

from tessera.insight.value.ahead import Ahead
from tessera.insight.value.history import History, Numbers

NAME = "paretonbd"
PARAMETERS: tuple[str, ...] = ("r", "alpha", "s", "beta")
TIMED: tuple[float, ...] = (0.0, 1.0, 0.0, 1.0)
"""The power of the unit of time that each parameter grows with."""

NODES = 24
CHUNK = 2_000
"""Rows at a time, so that rows x nodes fit the processor's cache and little memory."""


def likelihood(logs: Numbers, h: History) -> tuple[float, Numbers]:
    """The log-likelihood at the logarithms of the parameters, and its gradient in them."""
    from scipy.special import digamma, gammaln

    r, alpha, s, beta = parameters = np.exp(logs)
    total, slope = 0.0, np.zeros(4)
    for at in range(0, len(h), CHUNK):
        some = h.part(np.arange(at, min(at + CHUNK, len(h))))
        x, w = some.frequency, some.weight
        stayed, left, moments, buying, leaving = _parts(parameters, some)
        top = np.maximum(stayed, left.max(axis=1))
        here, gone = np.exp(stayed - top), np.exp(left - top[:, None])
        sums = here + gone.sum(axis=1)
        total += float(w @ (gammaln(r + x) - gammaln(r) + r * np.log(alpha) + top + np.log(sums)))
        # Shares of the likelihood: of having stayed, and of having left at each node.
        p_here, p_gone = here / sums, gone / sums[:, None]
        end_buying, end_leaving = np.log(alpha + some.age), np.log(beta + some.age)
        any_gone = p_gone.sum(axis=1)
        in_r = digamma(r + x) - digamma(r) + np.log(alpha) - p_here * end_buying - (p_gone * buying).sum(axis=1)
        in_alpha = r / alpha - (r + x) * (p_here / (alpha + some.age) + (p_gone / (alpha + moments)).sum(axis=1))
        in_s = np.log(beta) + any_gone / s - p_here * end_leaving - (p_gone * leaving).sum(axis=1)
        in_beta = s / beta - s * p_here / (beta + some.age) - (s + 1) * (p_gone / (beta + moments)).sum(axis=1)
        slope += [w @ in_r * r, w @ in_alpha * alpha, w @ in_s * s, w @ in_beta * beta]
    return total, slope


def alive(parameters: Numbers, h: History) -> Numbers:
    """The chance that each is still a customer at the end of what is known."""
    found = np.empty(len(h))
    for at in range(0, len(h), CHUNK):
        some = np.arange(at, min(at + CHUNK, len(h)))
        stayed, left, *_ = _parts(parameters, h.part(some))
        top = np.maximum(stayed, left.max(axis=1))
        here = np.exp(stayed - top)
        found[some] = here / (here + np.exp(left - top[:, None]).sum(axis=1))
    return found


def ahead(parameters: Numbers, h: History, horizon: float) -> Ahead:
    """The purchases of a time ahead: one column for who stays through it, one for each quantile of who leaves on the way."""
    r, alpha, s, beta = parameters
    points, weights = _legendre()
    since = beta + h.age
    leaves = -np.expm1(-s * np.log1p(horizon / since))
    # The moment by which a share `points` of those have left who leave within the horizon.
    moments = since[:, None] * np.expm1(-np.log1p(-leaves[:, None] * points) / s)
    times = np.column_stack([np.full(len(h), horizon), np.minimum(moments, horizon)])
    one = np.ones(len(h))
    return Ahead(
        alive=alive(parameters, h), shape=r + h.frequency, odds=times / ((alpha + h.age)[:, None] + times),
        weight=np.column_stack([1 - leaves, leaves[:, None] * weights]), stays=one, leaves=one * 0,
    )  # fmt: skip


def _parts(parameters: Numbers, h: History) -> tuple[Numbers, Numbers, Numbers, Numbers, Numbers]:
    """Logarithms: of having stayed (rows), and of having left at each node's moment (rows, nodes); then those moments, and the
    logarithms of alpha and of beta plus them.

    Moments after the last purchase are t_x + c (e^w - 1), evenly in w: c is the time in which the integrand falls by a factor
    of e at first. It falls like powers of two shifted times, which on that scale are smooth, whatever the parameters.
    """
    r, alpha, s, beta = parameters
    points, weights = _legendre()
    x, last, age = h.frequency, h.recency, h.age
    falls = 1 / ((r + x) / (alpha + last) + (s + 1) / (beta + last))
    widest = np.log1p((age - last) / falls)
    places = widest[:, None] * points
    moments = last[:, None] + falls[:, None] * np.expm1(places)
    stayed = -(r + x) * np.log(alpha + age) - s * np.log1p(age / beta)
    buying, leaving = np.log(alpha + moments), np.log(beta + moments)
    # A customer with T = t_x has had no time to leave: her nodes weigh nothing.
    known = np.log(np.maximum(widest * falls, 1e-300)) + np.log(s) + s * np.log(beta)
    left = places + np.log(weights) - (r + x)[:, None] * buying - (s + 1) * leaving + known[:, None]
    return stayed, left, moments, buying, leaving


@cache
def _legendre() -> tuple[Numbers, Numbers]:
    """Nodes and weights of Gauss-Legendre on 0 to 1."""
    points, weights = np.polynomial.legendre.leggauss(NODES)
    return (points + 1) / 2, weights / 2
