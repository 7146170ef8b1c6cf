"""Markov removal effects as the definition reads: states by name, dense matrices, one solve for each channel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from tessera.insight.attribution.paths import Floats, Paths


def given(walked: Sequence[Sequence[int]], conversions: Floats, values: Floats, null: Floats) -> Paths:
    """Paths of channel numbers, as `encode` would give them."""
    lengths = np.array([len(p) for p in walked])
    many = max(max(p) for p in walked) + 1
    return Paths(
        channels=tuple(f"c{i:02d}" for i in range(many)),
        touches=np.concatenate([np.array(p, dtype=np.uint8) for p in walked]),
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        conversions=np.asarray(conversions, dtype=float).reshape(len(walked), -1),
        values=np.asarray(values, dtype=float).reshape(len(walked), -1),
        null=np.asarray(null, dtype=float),
        kinds=("all",) if np.ndim(conversions) == 1 else ("first", "repeat"),
        left_out={},
    )


def removed_by_definition(walked: Sequence[Sequence[int]], weight: Floats, outcomes: Floats, order: int) -> Floats:
    """What is lost of each outcome for each path that starts, without each channel: (channels, outcomes)."""
    ways = [[tuple(p[max(0, i - order) : i]) for i in range(min(order, len(p)), len(p) + 1)] for p in walked]
    names = sorted({state for way in ways for state in way})
    place = {state: i for i, state in enumerate(names)}
    q, start = np.zeros((len(names), len(names))), np.zeros(len(names))
    exits, visits = np.zeros((len(names), outcomes.shape[1])), np.zeros(len(names))
    for way, w, came in zip(ways, weight, outcomes, strict=True):
        start[place[way[0]]] += w
        for here, there in pairwise(way):
            q[place[here], place[there]] += w
        for state in way:
            visits[place[state]] += w
        exits[place[way[-1]]] += came
    q, exits, start = q / visits[:, None], exits / visits[:, None], start / start.sum()

    def brought(kept: Floats) -> Floats:
        some = np.flatnonzero(kept)
        rest = np.eye(len(some)) - q[np.ix_(some, some)]
        return start[some] @ np.linalg.solve(rest, exits[some]) if len(some) else np.zeros(outcomes.shape[1])

    everything = brought(np.ones(len(names), dtype=bool))
    channels = range(max(max(p) for p in walked) + 1)
    return np.array([everything - brought(np.array([c not in state for state in names])) for c in channels])
