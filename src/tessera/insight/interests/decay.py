"""Acts of a person for topics, with their times -> how much she is interested in each now: what is old counts less.

An act counts half after each half-life. Strength is 1 - exp(-count), so that it lies between 0 and 1, one fresh act gives 0.63,
and a hundred acts of a year ago do not outweigh the last week.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def counts(weight: Numbers, age_days: Numbers, half_life_days: float) -> Numbers:
    """What each act still counts."""
    faded: Numbers = weight * np.exp2(-np.maximum(age_days, 0) / half_life_days)
    return faded


def strength(count: Numbers) -> Numbers:
    """Counts as a strength between 0 and 1.

    >>> strength(np.array([0.0, 1.0])).round(2).tolist()
    [0.0, 0.63]
    """
    grown: Numbers = -np.expm1(-count)
    return grown
