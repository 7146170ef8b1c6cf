"""Shares of a total that sum to it exactly, in whatever order they are added.

A sum of floating-point numbers is exact as long as all of them are multiples of one unit and no partial sum has more than
53 bits. So each share is a whole number of the total's last place, by the method of largest remainders (Hamilton).
"""

from __future__ import annotations

import numpy as np

from tessera.insight.attribution.paths import Floats


def settled(parts: Floats, total: float) -> Floats:
    """The total, shared out in proportion to parts >= 0; a part of nothing gets nothing, and so do all of a total of 0.

    >>> shares = settled(np.array([1.0, 1.0, 1.0]), 10.0)
    >>> sum(shares.tolist()) == 10.0, sum(shares[::-1].tolist()) == 10.0
    (True, True)
    """
    whole = parts.sum()
    if total == 0 or whole == 0:
        return np.zeros(len(parts))
    unit = np.spacing(total)
    wanted = parts / whole * (total / unit)
    units = np.floor(wanted).astype(np.int64)
    # Rounding left this many units over, or took a few too many.
    rest = int(total / unit) - int(units.sum())
    order = np.flatnonzero(parts > 0)
    order = order[np.argsort(units[order] - wanted[order] if rest >= 0 else -units[order], kind="stable")]
    each, some = divmod(abs(rest), len(order))
    units[order] += np.sign(rest) * each
    units[order[:some]] += np.sign(rest)
    return np.asarray(units * unit)
