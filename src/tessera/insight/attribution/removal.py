"""A Markov chain -> removal effects: what would be lost if a channel were not there, exactly, by linear algebra.

Removing a channel turns every state that holds it into a lost path. What is lost is then the flow that reaches such a state
for the first time, times what would have come of it (Anderl, Becker, von Wangenheim and Schumann, 2016, for order k).
With h = (I - Q)^-1 exits, and the flow f = start (I - Q without the channel)^-1, that is sum over its states of the
flow into them times h. Nothing is subtracted, so a channel of a millionth keeps its digits.

Few states: one dense inverse gives all channels. Many: each channel's flow is followed in rounds over all states, many
channels beside each other, until what may still come is proved to be too little to matter; now and then a flow is taken
ahead to where its last changes lead (Lyusternik's acceleration), which spares two rounds in three.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import _sparsetools  # csr_matvecs: the public product allocates its result, most of a step's cost
from scipy.sparse.linalg import bicgstab, gmres
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from tessera.errors import LakeError
from tessera.insight.attribution.chain import Chain
from tessera.insight.attribution.paths import Floats, Ints
from tessera.words import Progress, silent

DENSE, DENSE_NEAR = 1_500, 250
"""At most so many states are inverted as they are: to be exact, and where a rough answer will do."""

TOGETHER = 25
"""Channels followed beside each other."""

ROUNDS = 100_000
"""More than any chain of paths has needed; see the tests of long loops."""

LEAP = 6
"""After so many rounds each flow is taken ahead, as its last two changes promise."""

EXACT = 1e-9
"""The largest error that is proved to be possible, as a share of what each channel loses; the true one is far below."""


def removed(chain: Chain, channels: int, *, tolerance: float = EXACT, progress: Progress = silent) -> Floats:
    """What is lost of each outcome without each channel: (channels, outcomes), for each path that starts.

    tolerance: relative, of many states; few are solved as they are. Two runs give the same numbers, whatever the number of
    threads.
    """
    if len(chain.start) <= (DENSE if tolerance <= EXACT else DENSE_NEAR):
        return _inverted(chain, channels)
    groups = [range(c, min(c + TOGETHER, channels)) for c in range(0, channels, TOGETHER)]
    # The threads are ours; a product of two small blocks is not worth further ones.
    with threadpool_limits(1), ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        rest = sp.eye_array(len(chain.start), format="csr") - chain.q
        hope = np.column_stack(list(pool.map(lambda column: _solved(rest, column, tolerance), chain.exits.T)))
        flow = _Flow.of(chain, hope, channels, tolerance)
        made = []
        for group, lost in zip(groups, pool.map(flow.lost, groups), strict=True):
            made.append(lost)
            progress("channels removed", group.stop, channels)
    return np.concatenate(made)


def _solved(rest: sp.csr_array, column: Floats, tolerance: float) -> Floats:
    """rest x = column, refined until its residual is as small as can be."""
    found, left = np.zeros(len(column)), column
    for solve in (bicgstab, bicgstab, gmres, bicgstab):
        more, _ = solve(rest, left, rtol=min(1e-3, tolerance * 1e-2), atol=0.0, maxiter=300)
        after = column - rest @ (found + more)
        if not np.abs(after).max() < np.abs(left).max():
            continue
        found, left = found + more, after
        if np.abs(left).max() <= tolerance * np.abs(column).max():
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


@dataclass(frozen=True, kw_only=True)
class _Flow:
    """What all channels share: q transposed, the start, h, and the states that hold each channel, one channel after another."""

    into: sp.csr_array
    start: Floats
    hope: Floats
    held: Ints
    bounds: Ints
    tolerance: float

    @property
    def most(self) -> Floats:
        """What comes of a path that starts: (outcomes,)."""
        return np.asarray(self.start @ self.hope)

    @classmethod
    def of(cls, chain: Chain, hope: Floats, channels: int, tolerance: float) -> _Flow:
        members = chain.members
        pairs = [
            (members[:, i], np.flatnonzero((members[:, i] >= 0) & (members[:, :i] != members[:, i : i + 1]).all(axis=1)))
            for i in range(members.shape[1])
        ]
        channel = np.concatenate([column[states] for column, states in pairs])
        state = np.concatenate([states for _, states in pairs])
        order = np.lexsort((state, channel))
        bounds = np.concatenate([[0], np.cumsum(np.bincount(channel, minlength=channels))])
        into = chain.q.T.tocsr()
        into.indices, into.indptr = into.indices.astype(np.int32), into.indptr.astype(np.int32)
        return cls(into=into, start=chain.start, hope=hope, held=state[order], bounds=bounds, tolerance=tolerance)

    def lost(self, group: range) -> Floats:
        """What is lost of each outcome without each channel of a group.

        The flow is followed block by block (Gauss-Seidel): a block takes what the blocks before it have in this very round,
        which halves the rounds, and what it takes is still in the processor's cache when the channel's states are emptied.
        """
        width, many, into = len(group), len(self.start), self.into
        blocks = [self._block(group, first) for first in range(0, many, self._rows)]
        outcomes = self.hope.shape[1]
        flow = np.zeros((many, width))
        room, spare = np.empty((self._rows, width)), np.empty((self._rows, width))
        gone, trusted, since = np.zeros((2, width)), np.ones(width, dtype=bool), np.full(width, np.inf)
        for turn in range(1, ROUNDS):
            leap = turn % LEAP == 0
            before = flow.copy() if leap else None
            total, moved, signed = np.zeros((width, outcomes)), np.zeros((width, outcomes)), np.zeros(width)
            for first, places, worth, columns, cuts in blocks:
                last = min(first + self._rows, many)
                taken = room[: last - first]
                taken[:] = self.start[first:last, None]
                _sparsetools.csr_matvecs(
                    last - first,
                    many,
                    width,
                    into.indptr[first : last + 1],
                    into.indices,
                    into.data,
                    flow.reshape(-1),
                    taken.reshape(-1),
                )
                arrived = taken.reshape(-1)[places]
                for outcome, w in enumerate(worth):
                    total[columns, outcome] += np.add.reduceat(arrived * w, cuts)
                taken.reshape(-1)[places] = 0.0
                change = np.subtract(taken, flow[first:last], out=flow[first:last])
                signed += self.hope[first:last, 0] @ change
                moved += np.abs(change, out=spare[: last - first]).T @ self.hope[first:last]
                flow[first:last] = taken
            # Whatever still has to flow has come to this round's changes, and can lose no more than what h says of it.
            if np.all(2 * moved <= self.tolerance * np.maximum(total, self.tolerance * self.most)):
                return total
            gone = np.stack([gone[1], signed])
            if before is not None:
                # A leap that did not bring its channel nearer was the last one: by small steps every flow settles.
                trusted &= moved[:, 0] < since
                since = moved[:, 0]
                flow += (flow - before) * np.where(trusted, _ahead(gone), 0.0)
        raise LakeError(f"attribution: the flow of {width} channels did not settle in {ROUNDS} rounds.")

    @property
    def _rows(self) -> int:
        """States of a block."""
        return max(64, min(8192, len(self.start) // 8))

    def _block(self, group: range, first: int) -> tuple[int, Ints, Floats, Ints, Ints]:
        """Of a block: its first state; the places of states that hold a channel of the group, channel by channel; what h is
        there; which channels there are, and where each begins."""
        places, columns, cuts, held, length = [], [], [], [], 0
        for column, c in enumerate(group):
            states = self.held[self.bounds[c] : self.bounds[c + 1]]
            some = states[slice(*np.searchsorted(states, [first, first + self._rows]))]
            if len(some):
                places.append((some - first) * len(group) + column)
                held.append(some)
                columns.append(column)
                cuts.append(length)
                length += len(some)
        if not length:
            return first, np.empty(0, np.int64), np.empty((0, 0)), np.empty(0, np.int64), np.empty(0, np.int64)
        worth = np.ascontiguousarray(self.hope[np.concatenate(held)].T)
        return first, np.concatenate(places), worth, np.array(columns), np.array(cuts)


def _ahead(gone: Floats) -> Floats:
    """How many times its last change a flow has still to grow by, if all further changes keep the ratio of the last two.

    gone: (2, columns). 0 where they tell of no such ratio.
    """
    ratio = np.divide(gone[1], gone[0], out=np.zeros(gone.shape[1]), where=gone[0] != 0)
    ratio[(ratio <= 0) | (ratio >= 0.9999)] = 0.0
    return np.asarray(ratio / (1 - ratio))
