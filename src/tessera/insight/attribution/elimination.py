"""A Markov chain -> the same with fewer states: those that few steps lead to or from are taken out, exactly.

What flows into a state that is taken out goes at once to those behind it (Gaussian elimination). Most states of a high
order are seen once or twice: of 487,000 states and 1,200,000 steps of a million paths there stay 227,000 and 973,000. The
rounds in which a flow is followed get smaller by it, and fewer.

Without a channel c nothing may flow past it. A step s -> t by way of a state that is taken out needs no mark for that: no
two neighbours are taken out, so s and t together hold all its touches, and one of both holds c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tessera.insight.attribution.chain import Chain
from tessera.insight.attribution.paths import Floats, Ints

if TYPE_CHECKING:
    import scipy.sparse as sp

Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Reduced:
    """A chain and what was taken out of it.

    chain: of the states kept. kept, out: their places among all states, and those of the others. ahead: (kept, out) and
    behind: (out, kept), the chances of steps between them. leaves: (kept,), the chance that a path in a state kept does not
    come back to it at once by way of one taken out; the chain tells of it what follows as it leaves.
    """

    chain: Chain
    kept: Ints
    out: Ints
    ahead: sp.csr_array
    behind: sp.csr_array
    leaves: Floats


def reduced(chain: Chain) -> Reduced:
    """The chain without states that few steps lead to or from; of order 1 all stay, as two states do not hold a third."""
    import scipy.sparse as sp

    gone = _spare(chain.q) if chain.members.shape[1] > 1 else np.zeros(len(chain.start), dtype=bool)
    kept, out = np.flatnonzero(~gone), np.flatnonzero(gone)
    stay, behind = chain.q[kept], chain.q[out][:, kept]
    ahead = stay[:, out]
    q = (stay[:, kept] + ahead @ behind).tocsr()
    ends = chain.ends[kept] + ahead @ chain.ends[out]
    again = q.diagonal()
    q.setdiag(0.0)
    q.eliminate_zeros()
    # Not 1 - again: where nothing is subtracted, a state that is hardly ever left keeps its digits (Grassmann, Taksar and
    # Heyman, 1985).
    leaves = np.where(again > 0, q.sum(axis=1) + ends, 1.0)
    return Reduced(
        chain=Chain(
            q=(sp.diags_array(1 / leaves) @ q).tocsr(),
            start=chain.start[kept] + chain.start[out] @ behind,
            exits=(chain.exits[kept] + ahead @ chain.exits[out]) / leaves[:, None],
            ends=ends / leaves,
            visits=chain.visits[kept] * leaves,
            members=chain.members[kept],
        ),
        kept=kept,
        out=out,
        ahead=ahead,
        behind=behind,
        leaves=leaves,
    )


def _spare(q: sp.csr_array) -> Marks:
    """States to take out: no two neighbours, and each leaves no more steps behind than it takes along.

    Among neighbours that may go the one with the fewest such neighbours goes first, or the lot decides: in a few rounds for
    all at once (Luby, 1986).
    """
    many = q.shape[0]
    source, target = np.repeat(np.arange(many), np.diff(q.indptr)), q.indices
    came, left = np.bincount(target, minlength=many), np.diff(q.indptr)
    free = came * left <= came + left
    # Where no path is longer than a state, no step keeps any: one stays, so that there is a chain.
    free[0] = False
    both = free[source] & free[target]
    source, target = source[both], target[both]
    rivals = np.bincount(source, minlength=many) + np.bincount(target, minlength=many)
    rank = np.empty(many, dtype=np.int64)
    rank[np.lexsort((np.random.default_rng(0).permutation(many), rivals))] = np.arange(many)
    gone = np.zeros(many, dtype=bool)
    while free.any():
        first = rank[source] < rank[target]
        taken = free.copy()
        taken[np.where(first, target, source)] = False
        gone |= taken
        free &= ~taken
        free[source[taken[target]]] = False
        free[target[taken[source]]] = False
        both = free[source] & free[target]
        source, target = source[both], target[both]
    return gone
