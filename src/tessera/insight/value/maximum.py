"""The parameters at which a likelihood is greatest, how sure they are, and whether they ran to an edge.

Parameters are positive and looked for as logarithms, in units in which they are of the order of 1, within a wide box. Where
they end at the box, or where the likelihood is flat, the data do not determine them: that is told, never hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tessera.insight.value.history import Numbers

EDGE = 9.0
"""Logarithms beyond +-EDGE (a factor of 8,100 from what is usual) count as infinite or zero."""
FLAT = 3.0
"""A standard error of a logarithm beyond this (a factor of 20 each way) says that the data do not determine it."""

Likelihood = Callable[[Numbers], tuple[float, Numbers]]


@dataclass(frozen=True, kw_only=True)
class Maximum:
    """logs: of the parameters. value: the log-likelihood. covariance: of the logs, None where it is flat. edges: index of each
    parameter that ran to the box or is not determined -> "zero", "infinite" or "undetermined"."""

    logs: Numbers
    value: float
    covariance: Numbers | None
    edges: dict[int, str]


def maximum(whole: Likelihood, weight: float, size: int, sample: Likelihood | None = None) -> Maximum:
    """The greatest value. weight: how many customers, by which slopes are judged. size: how many parameters.

    sample: an unbiased estimate of the function from few rows; the search then happens there, and the whole is finished with
    Newton's steps, as their curvatures are alike. Raises ArithmeticError if no start leads anywhere.
    """
    first = sample or whole
    # These likelihoods have one top, or a ridge; the second start is for where the first is not finite.
    starts = (np.zeros(size), np.array([-1.0, -1.0, -0.5, 0.5])[:size])
    best = next((found for start in starts if (found := _searched(first, start)) is not None), None)
    if best is None:
        raise ArithmeticError("the likelihood is nowhere finite")
    curvature = _curvature(first, best)
    logs, value = _finished(whole, best, curvature, weight)
    edges = {i: "infinite" if v > 0 else "zero" for i, v in enumerate(logs) if abs(v) >= EDGE - 0.05}
    covariance = _inverse(curvature)
    if covariance is None or np.sqrt(np.diag(covariance).max()) > FLAT:
        edges = {**dict.fromkeys(_unsure(curvature), "undetermined"), **edges}
        covariance = None
    return Maximum(logs=logs, value=value, covariance=covariance, edges=edges)


def _searched(f: Likelihood, start: Numbers) -> Numbers | None:
    from scipy.optimize import minimize

    unit = max(abs(f(start)[0]), 1.0)

    def less(at: Numbers) -> tuple[float, Numbers]:
        value, slope = f(at)
        if not np.isfinite(value) or not np.isfinite(slope).all():
            return 1e12, np.zeros_like(at)
        return -value / unit, -slope / unit

    box = [(-EDGE, EDGE)] * len(start)
    options = {"maxiter": 500, "ftol": 1e-13, "gtol": 1e-9}
    end = minimize(less, start, jac=True, method="L-BFGS-B", bounds=box, options=options)
    return np.asarray(end.x) if end.fun < 1e11 else None


def _curvature(f: Likelihood, at: Numbers) -> Numbers:
    """The matrix of second derivatives of minus the likelihood: differences of its exact gradient."""
    h = 1e-4
    size = len(at)
    found = np.empty((size, size))
    for i in range(size):
        step = np.zeros(size)
        step[i] = h
        found[i] = -(f(at + step)[1] - f(at - step)[1]) / (2 * h)
    return (found + found.T) / 2


def _finished(f: Likelihood, logs: Numbers, curvature: Numbers, weight: float) -> tuple[Numbers, float]:
    """Newton's steps with a curvature that stays: a few evaluations, as the start is near. The place and the value there."""
    value, slope = f(logs)
    inverse = _inverse(curvature)
    if inverse is None or (np.abs(logs) >= EDGE - 0.05).any():
        return logs, value
    for _ in range(12):
        step = inverse @ slope
        if np.abs(step).max() <= 1e-6 or np.abs(slope).max() <= 1e-9 * weight:
            break
        further = np.clip(logs + step * min(1.0, 0.5 / np.abs(step).max()), -EDGE, EDGE)
        its_value, its_slope = f(further)
        if its_value < value - 1e-9 * abs(value):
            break
        logs, value, slope = further, its_value, its_slope
    return logs, value


def _unsure(curvature: Numbers) -> list[int]:
    """Which parameters take part in the direction in which the likelihood is flattest."""
    if not np.isfinite(curvature).all():
        return list(range(len(curvature)))
    flattest = np.linalg.eigh(curvature)[1][:, 0]
    return [int(i) for i in np.flatnonzero(np.abs(flattest) > 0.3)]


def _inverse(curvature: Numbers) -> Numbers | None:
    """The inverse of a matrix that is positive definite; None for another."""
    if not np.isfinite(curvature).all():
        return None
    values, vectors = np.linalg.eigh(curvature)
    if values.min() <= 1e-9 * max(values.max(), 1.0):
        return None
    found: Numbers = (vectors / values) @ vectors.T
    return found
