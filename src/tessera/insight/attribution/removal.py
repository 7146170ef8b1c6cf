"""A Markov chain -> removal effects: what would be lost if a channel were not there, exactly, by linear algebra.

Removing a channel turns every state that holds it into a lost path. What is lost is then the flow that reaches such a state
for the first time, times what would have come of it (Anderl, Becker, von Wangenheim and Schumann, 2016, for order k).
With h = (I - Q)^-1 exits, and the flow f = start (I - Q without the channel)^-1, that is sum over its states of the
flow into them times h. Nothing is subtracted, so a channel of a millionth keeps its digits.

Few states: one dense inverse gives all channels. Many: those that few steps lead to or from are taken out (elimination.py),
and each channel's flow is followed through the others until what may still come is proved to be too little to matter (flow.py).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tessera.insight.attribution.chain import Chain
from tessera.insight.attribution.elimination import Reduced, reduced
from tessera.insight.attribution.flow import Flows, Network
from tessera.insight.attribution.paths import Floats, Ints
from tessera.words import Progress, silent

if TYPE_CHECKING:
    import scipy.sparse as sp

DENSE, DENSE_NEAR = 1_500, 250
"""At most so many states are inverted as they are: to be exact, and where a rough answer will do."""

TOGETHER, PLACES = 50, 1 << 26
"""Channels followed beside each other; fewer where states times channels would be more than so many numbers."""

HOPE = 1e-3
"""What is to come of a state is known to so much more than the tolerance: all that is lost is told by it."""

EXACT = 1e-9
"""The largest error that is proved to be possible, as a share of what each channel loses; the true one is far below."""


def removed(chain: Chain, channels: int, *, tolerance: float = EXACT, progress: Progress = silent) -> Floats:
    """What is lost of each outcome without each channel: (channels, outcomes), for each path that starts.

    tolerance: relative, of many states; few are solved as they are. Two runs give the same numbers, whatever the number of
    threads.
    """
    if len(chain.start) <= (DENSE if tolerance <= EXACT else DENSE_NEAR):
        return _inverted(chain, channels)
    import scipy.sparse as sp

    # The threads are ours; a product of two small blocks is not worth further ones.
    with threadpool_limits(1), ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        fewer = reduced(chain)
        rest = sp.eye_array(len(fewer.kept), format="csr") - fewer.chain.q
        solved = pool.map(lambda column: _solved(rest, column, tolerance), fewer.chain.exits.T)
        hope = np.empty_like(chain.exits)
        hope[fewer.kept] = np.column_stack(list(solved))
        hope[fewer.out] = chain.exits[fewer.out] + fewer.behind @ hope[fewer.kept]
        whole = chain.start @ hope
        share = np.divide(1.0, whole, out=np.zeros_like(whole), where=whole > 0)
        network = _network(chain, fewer, hope * share, chain.exits[fewer.out] * share, channels)
        flows = Flows(network)
        groups = _groups(channels, len(fewer.kept))
        made = []
        # Half of what is allowed is for the flow; the rest for rounding, and for what is to come.
        for group, lost in zip(groups, pool.map(lambda g: flows.lost(g, tolerance / 2), groups), strict=True):
            made.append(lost)
            progress("channels removed", group.stop, channels)
    return np.concatenate(made) * whole


def _groups(channels: int, states: int) -> list[range]:
    """Channels that are followed together; two groups at least, so that two threads have work."""
    most = max(1, min(TOGETHER, PLACES // max(1, states), (channels + 1) // 2))
    cuts = np.linspace(0, channels, -(-channels // most) + 1).round().astype(int).tolist()
    return [range(a, b) for a, b in pairwise(cuts)]


def _network(chain: Chain, fewer: Reduced, hope: Floats, exits: Floats, channels: int) -> Network:
    """The network of the states kept. hope: of all states. exits: of those taken out."""
    import scipy.sparse as sp

    kept, out, members = fewer.kept, fewer.out, chain.members[fewer.kept]
    begun = sp.diags_array(chain.start[out]) @ _held(chain.members[out], channels)
    # A path that comes to a channel in a state taken out is lost in the next one, which holds it too, unless it ends before.
    source, channel = np.repeat(np.arange(len(kept)), np.diff(fewer.ahead.indptr)), chain.members[out, 0][fewer.ahead.indices]
    first = np.logical_and.reduce([column[source] != channel for column in members.T])
    source, channel, at = source[first], channel[first], fewer.ahead.indices[first]
    rows = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=len(kept)))])
    chance = fewer.ahead.data[first] / fewer.leaves[source]
    return Network(
        into=sp.hstack([fewer.chain.q.T, fewer.chain.start[:, None]], format="csr"),
        ends=fewer.chain.ends,
        visits=fewer.chain.visits,
        hope=hope[kept],
        held=_held(members, channels),
        absent=(fewer.behind.T @ begun).tocsr(),
        worth=[sp.csr_array((chance * worth[at], channel, rows), shape=(len(kept), channels)) for worth in exits.T],
        lost=begun.T @ hope[out],
    )


def _held(members: Ints, channels: int) -> sp.csr_array:
    """(states, channels): 1 where a state holds a channel."""
    import scipy.sparse as sp

    new = members >= 0
    for place in range(1, members.shape[1]):
        new[:, place] &= (members[:, :place] != members[:, place : place + 1]).all(axis=1)
    rows = np.concatenate([[0], np.cumsum(new.sum(axis=1))])
    return sp.csr_array((np.ones(rows[-1]), members[new], rows), shape=(len(members), channels))


def _solved(rest: sp.csr_array, column: Floats, tolerance: float) -> Floats:
    """rest x = column, refined until its residual is as small as can be."""
    from scipy.sparse.linalg import bicgstab, gmres

    found, left = np.zeros(len(column)), column
    for solve in (bicgstab, bicgstab, gmres, bicgstab):
        more, _ = solve(rest, left, rtol=min(1e-3, tolerance * 1e-2), atol=0.0, maxiter=300)
        after = column - rest @ (found + more)
        if not np.abs(after).max() < np.abs(left).max():
            continue
        found, left = found + more, after
        if np.abs(left).max() <= HOPE * tolerance * np.abs(column).max():
            break
    return found


def _inverted(chain: Chain, channels: int) -> Floats:
    """For few states: the flow that first reaches a set of states B is (visits of B) times the inverse of N within B."""
    rest = np.eye(len(chain.start)) - chain.q.toarray()
    n = np.linalg.inv(rest)
    visits, hope = chain.start @ n, n @ chain.exits
    made = np.empty((channels, chain.exits.shape[1]))
    for c in range(channels):
        held = np.flatnonzero((chain.members == c).any(axis=1))
        made[c] = visits[held] @ np.linalg.solve(n[np.ix_(held, held)], hope[held])
    return np.maximum(made, 0.0)
