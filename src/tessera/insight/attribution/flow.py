"""The flow through a chain where a channel lets nothing through: followed in rounds, many channels beside each other.

It starts as the flow of the whole chain. A round goes through the states block by block (Gauss-Seidel): a block takes what
the blocks before it have in this very round, which halves the rounds. After a round the flow is scaled as a whole, so that as
much leaves as starts: that takes out its slowest error at once (aggregation of all states to one: Koury, McAllister and
Stewart, 1984). Where others are slow too, it is now and then taken ahead to where its last changes lead (Lyusternik).

The first rounds, which only come near, are of half the digits: memory is what they wait for.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tessera.errors import LakeError
from tessera.insight.attribution.paths import Floats, Ints

if TYPE_CHECKING:
    import scipy.sparse as sp

ROUNDS = 100_000
"""More than any chain of paths has needed; see the tests of long loops."""

TOLD = 2
"""After so many rounds it is reckoned how near a flow has come."""

LEAP = 6
"""After so many rounds it is looked at how fast it comes near."""

SLOW = 0.05
"""If what may still come is more than this share of what it was a leap ago, flows are taken ahead from now on."""

STUCK = 0.9
"""If as much of it may still come as this share of what it was a leap ago, a flow is scaled no more."""

NEAR, ROUGH = 3e-5, 2 * LEAP
"""Numbers have all their digits once what may still come is this share of what there is in all, or after so many rounds."""

SOON = 100.0
"""If what may still come is at most so many times what it is to be, it is reckoned after every round."""

LEAST = 1e-5
"""Of what there is in all; what a channel loses below that is known to so many digits of the whole."""

NOTHING = 1e-12
"""A share of the start below which none is left."""

FURTHEST = 1e6
"""No flow is scaled by more: half the digits would not hold it. Plain rounds do the rest."""

BLOCK, WIDENED = 4096, 1 << 16
"""States of a block, at most, and numbers widened together: still in the processor's cache when they are needed again."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """What the flows of all channels share, of a chain of m states; outcomes are told as shares of what there is in all.

    into: (m, m + 1), the chance of a step to a state from each other, and last that a path starts there. ends: (m,), the chance
    that a path ends in a state. visits: (m,), the flow of the whole chain. hope: (m, outcomes), what is to come of a path in a
    state. held: (m, channels), 1 where a state holds a channel. absent: (m, channels), what of the start does not come without
    the channel. worth: of each outcome (m, channels), what a step from a state loses elsewhere than in these states. lost:
    (channels, outcomes), what the start loses elsewhere.
    """

    into: sp.csr_array
    ends: Floats
    visits: Floats
    hope: Floats
    held: sp.csr_array
    absent: sp.csr_array
    worth: list[sp.csr_array]
    lost: Floats


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Some states of a network, at some precision: the places of the first and behind the last; the rest as in Network."""

    first: int
    last: int
    into: sp.csr_array
    ends: npt.NDArray[Any]
    hope: npt.NDArray[Any]


class Flows:
    """The flows through a network without each channel."""

    def __init__(self, network: Network) -> None:
        many = len(network.visits)
        self._network = network
        self._size = max(64, min(BLOCK, many // 32))
        self._blocks = {
            kind: [
                _Block(
                    first=first,
                    last=min(first + self._size, many),
                    into=network.into[first : first + self._size].astype(kind),
                    ends=network.ends[first : first + self._size].astype(kind),
                    hope=network.hope[first : first + self._size].T.astype(kind),
                )
                for first in range(0, many, self._size)
            ]
            for kind in (np.float32, np.float64)
        }

    def lost(self, group: range, tolerance: float) -> Floats:
        """What is lost of each outcome without each channel of a group: (channels, outcomes), to a relative tolerance."""
        flow = _Flow(self._network, group, self._size)
        blocks = self._blocks[np.float32]
        since, gone = np.full(len(group), np.inf), np.zeros((2, len(group)))
        exact, soon, slow = False, False, False
        trusted, scaled = np.ones((2, len(group)), dtype=bool)
        for turn in range(1, ROUNDS):
            told, leap = soon or slow or turn % TOLD == 0, turn % LEAP == 0
            before = flow.now.copy() if slow and leap else None
            scale = flow.round(blocks, told)
            # Whatever still has to flow has come to this round's changes, and can lose no more than what h says of it.
            if told:
                far = np.max(flow.moved / np.maximum(flow.lost, LEAST)) / tolerance
                if exact and far <= 1:
                    return flow.lost
                soon = bool(far <= SOON)
                gone = np.stack([gone[1], flow.signed])
            if leap:
                # What did not bring its channel nearer was done for the last time: by plain rounds every flow settles.
                trusted &= flow.moved[:, 0] < since
                # A scale may go to and fro for good, a little nearer each time.
                scaled &= (flow.moved[:, 0] < STUCK * since) | (not exact)
                slow |= bool(np.any(flow.moved[:, 0] > SLOW * since))
                since = flow.moved[:, 0]
            if before is not None:
                flow.now += (flow.now - before) * np.where(trusted, _ahead(gone), 0.0).astype(flow.now.dtype)
            flow.grow(np.where(trusted & scaled, scale, flow.grown))
            if not exact and (turn == ROUGH or (told and flow.moved.max() <= NEAR)):
                exact, blocks = True, self._blocks[np.float64]
                flow.widen()
        raise LakeError(f"attribution: the flow of {len(group)} channels did not settle in {ROUNDS} rounds.")


class _Flow:
    """The flows of a group of channels.

    now: (m + 1, channels), to be multiplied by grown, (channels,); its last row is what starts. Of the last round that was
    told: lost, what is lost of each outcome, and moved, how much h-weighted flow has changed: (channels, outcomes); signed,
    the change of the first with its sign: (channels,).
    """

    def __init__(self, network: Network, group: range, size: int) -> None:
        many, width, some = len(network.visits), len(group), slice(group.start, group.stop)
        held, absent = network.held[:, some], network.absent[:, some]
        start = network.into[:, [many]].toarray()[:, 0]
        self._held, self._absent = _parted(held, size), _parted(absent, size)
        self._worth = [_entries(table[:, some]) for table in network.worth]
        self._besides = network.lost[some]
        self._barred = held.T @ start - held.multiply(absent).sum(axis=0)
        starts = start.sum() - absent.sum(axis=0) - self._barred
        # Where all starts with the channel, what rounding leaves of the difference is nothing to scale by.
        self._starts = np.where(starts > NOTHING * start.sum(), starts, 0.0)
        self._room = np.empty((many + 1) * width)
        self.now: npt.NDArray[Any] = self._room.view(np.float32)[: len(self._room)].reshape(many + 1, width)
        self.now[:-1] = network.visits[:, None]
        self.now.reshape(-1)[_entries(held)[0]] = 0.0
        self.grow(np.ones(width))
        self.lost, self.moved, self.signed = np.zeros_like(self._besides), np.zeros_like(self._besides), np.zeros(width)

    def grow(self, grown: Floats) -> None:
        """Multiplies the flows."""
        self.grown = grown
        self.now[-1] = 1 / grown

    def widen(self) -> None:
        """Gives numbers all their digits where they are, from the last to the first: new memory costs as much as a round."""
        narrow = self.now.reshape(-1)
        for first in reversed(range(0, len(narrow), WIDENED)):
            some = slice(first, first + WIDENED)
            self._room[some] = narrow[some].copy()
        self.now = self._room.reshape(self.now.shape)
        self.grow(self.grown)  # what starts had half its digits, and no round makes it anew

    def round(self, blocks: list[_Block], told: bool) -> Floats:
        """Moves the flows on by one round. Returns what they should be multiplied by for as much to leave as starts."""
        now, width = self.now, self.now.shape[1]
        left, signed = np.zeros(width), np.zeros(width)
        lost, moved = np.zeros((2, len(blocks[0].hope), width))
        for block, (places, columns, _), (fewer, of, by) in zip(blocks, self._held, self._absent, strict=True):
            taken = block.into @ now
            flat = taken.reshape(-1)
            # Rounding here is small beside what the channel loses: what does not start without it is lost with it.
            flat[fewer] -= by * now[-1][of]
            arrived = flat[places]
            flat[places] = 0.0
            left += np.bincount(columns, arrived, minlength=width)
            left += block.ends @ taken
            here = now[block.first : block.last]
            if told:
                for outcome, hope in enumerate(block.hope):
                    lost[outcome] += np.bincount(columns, arrived * hope[places // width], minlength=width)
                np.subtract(taken, here, out=here)
                signed += block.hope[0] @ here
                moved += block.hope @ np.abs(here, out=here)
            here[:] = taken
        if told:
            flat = now.reshape(-1)
            for outcome, (places, columns, worth) in enumerate(self._worth):
                lost[outcome] += np.bincount(columns, flat[places] * worth, minlength=width)
            self.lost = self._besides + (lost * self.grown).T
            self.moved, self.signed = (moved * self.grown).T, signed * self.grown
        left -= self._barred * now[-1]
        scale = np.divide(self._starts, left, out=np.ones(width), where=(left > 0) & (self._starts > 0))
        return np.clip(scale, 1 / FURTHEST, FURTHEST)


def _entries(table: sp.csr_array) -> tuple[Ints, Ints, Floats]:
    """A table's entries: their places in a flat array of its shape, their columns, their values."""
    rows = np.repeat(np.arange(table.shape[0]), np.diff(table.indptr))
    return rows * table.shape[1] + table.indices, table.indices.astype(np.int64), table.data


def _parted(table: sp.csr_array, size: int) -> list[tuple[Ints, Ints, Floats]]:
    """The entries of each `size` rows, as if these were a table of their own."""
    places, columns, values = _entries(table)
    places %= size * table.shape[1]
    cuts = table.indptr[[*range(0, table.shape[0], size), table.shape[0]]]
    return [(places[a:b], columns[a:b], values[a:b]) for a, b in pairwise(cuts.tolist())]


def _ahead(gone: Floats) -> Floats:
    """How many times its last change a flow has still to grow by, if all further changes keep the ratio of the last two.

    gone: (2, columns). 0 where they tell of no such ratio.
    """
    ratio = np.divide(gone[1], gone[0], out=np.zeros(gone.shape[1]), where=gone[0] != 0)
    ratio[(ratio <= 0) | (ratio >= 0.9999)] = 0.0
    return np.asarray(ratio / (1 - ratio))
