"""Paths -> the credits of plain rules: first, last, linear, position and time decay, and the Shapley value.

Each shares out what a converting path brought among its own touches. The Shapley value is that of the game in which a set
of channels earns what the paths brought that touch no other channel: such a game is a sum of unanimity games, so its Shapley
value is exactly an equal split of each path among the channels that it touches (Shapley, 1953; for attribution: Zhao,
Mahboobi and Bagheri, 2018). No other coalition has to be looked at.
"""

from __future__ import annotations

import numpy as np

from tessera.insight.attribution.paths import Floats, Ints, Paths

RULES = ("first", "last", "linear", "position", "time_decay", "shapley")

ENDS = 0.4
"""Of a path of three touches or more, the first and the last get so much each, the others share the rest."""

MARKS = 1 << 24
"""Places in a table of paths and channels."""


def ruled(paths: Paths, outcomes: Floats, decayed: Floats | None = None) -> dict[str, Floats]:
    """What each rule credits: rule -> (channels, outcomes), not yet settled.

    outcomes: (paths, m), what comes of each path, >= 0. Paths of which nothing comes are passed over. decayed: time decay,
    where the moments of touches are known; else each earlier touch counts half of the next.
    """
    came = np.flatnonzero(np.logical_or.reduce([column != 0 for column in outcomes.T]))
    lengths, brought = paths.lengths[came], outcomes[came]
    last = np.cumsum(lengths) - 1
    first = last - lengths + 1
    touches = paths.touches[np.repeat(paths.starts[came] - first, lengths) + np.arange(lengths.sum())]
    weights = {
        "linear": np.repeat(1 / lengths, lengths),
        "position": _position(first, last, lengths),
        "time_decay": _decay(last, lengths),
    }
    many = len(paths.channels)
    made = {"first": _summed(touches[first], brought, many), "last": _summed(touches[last], brought, many)}
    row = np.repeat(np.arange(len(lengths)), lengths)
    for rule, weight in weights.items():
        made[rule] = np.column_stack([np.bincount(touches, column[row] * weight, many) for column in brought.T])
    if decayed is not None:
        made["time_decay"] = decayed
    made["shapley"] = _shapley(touches, row, brought, many)
    return made


def _summed(channel: Ints, brought: Floats, many: int) -> Floats:
    return np.column_stack([np.bincount(channel, column, many) for column in brought.T])


def _position(first: Ints, last: Ints, lengths: Ints) -> Floats:
    weight = np.repeat((1 - 2 * ENDS) / np.maximum(lengths - 2, 1), lengths)
    ends = np.select([lengths == 1, lengths == 2], [1.0, 0.5], ENDS)
    weight[first] = ends
    weight[last] = ends
    return np.asarray(weight)


def _decay(last: Ints, lengths: Ints) -> Floats:
    """2^-(touches that came after it), to a sum of 1 in each path."""
    weight = np.exp2(np.arange(lengths.sum()) - np.repeat(last, lengths).astype(np.float64))
    sums = np.add.reduceat(weight, last - lengths + 1) if len(lengths) else weight
    return np.asarray(weight / np.repeat(sums, lengths))


def _shapley(touches: Ints, row: Ints, brought: Floats, many: int) -> Floats:
    """Each path's outcome, split equally among its channels; a stretch of paths at a time."""
    made = np.zeros((many, brought.shape[1]))
    size = max(1, MARKS // many)
    for first in range(0, len(brought), size):
        some = slice(*np.searchsorted(row, [first, first + size]))
        count = min(size, len(brought) - first)
        touched = np.zeros(count * many, dtype=bool)
        touched[(row[some] - first) * many + touches[some]] = True
        path, channel = np.divmod(np.flatnonzero(touched), many)
        each = brought[first : first + count] / np.bincount(path, minlength=count)[:, None]
        for outcome, column in enumerate(each.T):
            made[:, outcome] += np.bincount(channel, column[path], many)
    return made
