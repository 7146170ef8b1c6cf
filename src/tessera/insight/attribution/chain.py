"""Paths -> a Markov chain of order k: its states, how they follow one another, and what comes of a path that ends in each.

A state is the last k touches of a path. A path starts in the state of its first k touches, or of all if it has fewer; a
touch of the same channel again is a step like any other. A state's code is its touches as digits, so states and steps
are found by tables instead of sorts. What the paths weigh comes last: to weigh them anew (a resample) is a few sums.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tessera.insight.attribution.paths import Floats, Ints, Paths

if TYPE_CHECKING:
    import scipy.sparse as sp

CHUNK = 1 << 20
"""About so many touches are looked at together, so that what is worked out of them is written to memory that is at hand."""

TABLE = 8
"""A table of at most so many places for each number is quicker than a sort."""


@dataclass(frozen=True, kw_only=True)
class Walks:
    """The states and steps of order k that paths take, whatever they weigh.

    members: (states, k), the channels each state holds, -1 where it has fewer touches. begins, ends: of each path its first and
    last state. source, target: of each distinct step, sorted by source. steps: which distinct step each step of each
    path is, path after path. taken: how many steps each path takes.
    """

    members: Ints
    begins: Ints
    ends: Ints
    source: Ints
    target: Ints
    steps: Ints
    taken: Ints

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A Markov chain, told by its moves: how long a path stays in a state does not matter to where it goes.

    q: (states, states), the chance of each next other state. start: (states,), sums to 1. exits: (states, outcomes), what is
    expected to come of a path by ending there rather than moving on. ends: (states,), the chance that it ends there. visits:
    (states,), how often a path comes there. members: as in Walks.
    """

    q: sp.csr_array
    start: Floats
    exits: Floats
    ends: Floats
    visits: Floats
    members: Ints


def walks(paths: Paths, order: int) -> Walks:
    """The states and steps of the paths. order: 1 or more."""
    base, channels = len(paths.channels) + 1, len(paths.channels)
    with ThreadPoolExecutor(max(1, os.cpu_count() or 1)) as pool:
        coded = list(pool.map(lambda some: _coded(paths, some, order, base), _stretches(paths)))
    codes, (begins, ends, sources) = _numbered([[c[i] for c in coded] for i in range(3)], base**order)
    keys: Ints = sources.astype(np.int32 if len(codes) * channels < 2**31 else np.int64, copy=False)
    np.multiply(keys, channels, out=keys)
    np.add(keys, np.concatenate([c[3] for c in coded]), out=keys)
    del coded, sources
    distinct, (steps,) = _numbered([[keys]], len(codes) * channels)
    source, to = np.divmod(distinct, channels)
    target = np.searchsorted(codes, codes[source] % base ** (order - 1) * base + to + 1)
    places = base ** np.arange(order, dtype=np.int64)
    return Walks(
        members=codes[:, None] // places % base - 1,
        begins=begins,
        ends=ends,
        source=source,
        target=target.astype(np.int32),
        steps=steps,
        taken=np.maximum(paths.lengths - order, 0),
    )


def weighed(walks: Walks, weight: Floats, outcomes: Floats) -> Chain:
    """The chain that these weights give.

    weight: (paths,), how often each path is gone. outcomes: (paths, m), what comes of a path all in all. A state that only
    paths of no weight visit has no way out and is never reached.
    """
    # Imported here, as in removal.py: it takes a fifth of a process's start, and few processes solve a chain.
    import scipy.sparse as sp

    many = len(walks)
    stepped = _stepped(walks, weight)
    # A state that follows itself is left in the end for good: the chances of leaving, told by counts, lose no digit.
    stepped[walks.source == walks.target] = 0
    ended = _summed(walks.ends, weight, many)
    left = np.bincount(walks.source, stepped, minlength=many) + ended
    each = np.divide(1.0, left, out=np.zeros(many), where=left > 0)
    gone = stepped > 0
    source = walks.source[gone]
    rows = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=many))]).astype(np.int32)
    q = sp.csr_array((stepped[gone] * each[source], walks.target[gone], rows), shape=(many, many))
    came = [_summed(walks.ends, column, many) for column in outcomes.T]
    return Chain(
        q=q,
        start=_summed(walks.begins, weight, many) / weight.sum(),
        exits=np.column_stack(came) * each[:, None],
        ends=ended * each,
        visits=left / weight.sum(),
        members=walks.members,
    )


def _stretches(paths: Paths) -> Iterator[tuple[int, int]]:
    """Paths in stretches of about CHUNK touches: first, behind the last."""
    marks = np.arange(0, paths.starts[-1], CHUNK)
    cuts = np.unique([*np.searchsorted(paths.starts, marks), len(paths)]).tolist()
    yield from pairwise(cuts)


def _coded(paths: Paths, some: tuple[int, int], order: int, base: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Codes of each path's first and last state; of each step the code of its state, and the channel it goes to."""
    starts = paths.starts[some[0] : some[1] + 1]
    kind = np.int32 if base**order < 2**31 else np.int64
    digit: npt.NDArray[Any] = paths.touches[starts[0] : starts[-1]].astype(kind)
    digit += 1
    code = digit.copy()
    for back in range(1, order):
        code[back:] += digit[:-back] * kind(base**back)
    begin, length = starts[:-1] - starts[0], np.diff(starts)
    ends = code[begin + length - 1]
    short = length < order
    ends[short] %= np.power(base, length[short])
    begins = np.where(short, ends, code[np.minimum(begin + order - 1, len(code) - 1)])
    stepped = np.ones(len(digit), dtype=bool)
    for place in range(order):
        stepped[begin[length > place] + place] = False
    to = np.flatnonzero(stepped)
    return begins, ends, code[to - 1], paths.touches[starts[0] : starts[-1]][to]


def _numbered(several: list[list[Ints]], most: int) -> tuple[Ints, list[Ints]]:
    """The distinct codes, sorted, and of each list of codes, put together, their places among these.

    most: what all codes lie below.
    """
    if most > TABLE * sum(len(codes) for each in several for codes in each):
        each = [np.concatenate(each) for each in several]
        distinct, places = np.unique(np.concatenate(each), return_inverse=True)
        return distinct.astype(np.int64), np.split(places.astype(np.int32), np.cumsum([len(codes) for codes in each[:-1]]))
    seen = np.zeros(most, dtype=bool)
    for codes in (codes for each in several for codes in each):
        seen[codes] = True
    distinct = np.flatnonzero(seen)
    table = np.zeros(most, dtype=np.int32)
    table[distinct] = np.arange(len(distinct), dtype=np.int32)
    return distinct, [_looked_up(table, each) for each in several]


def _looked_up(table: Ints, several: list[Ints]) -> Ints:
    """What a table has at each of several codes, put together."""
    found = np.empty(sum(len(codes) for codes in several), dtype=table.dtype)
    first = 0
    for codes in several:
        np.take(table, codes, out=found[first : first + len(codes)], mode="clip")
        first += len(codes)
    return found


def _stepped(walks: Walks, weight: Floats) -> Floats:
    """How often each distinct step is taken."""
    behind = np.concatenate([[0], np.cumsum(walks.taken)])
    found = np.zeros(len(walks.source))
    marks = np.arange(0, behind[-1], max(CHUNK, len(found)))
    for a, b in pairwise(np.unique([*np.searchsorted(behind, marks), len(weight)]).tolist()):
        found += np.bincount(walks.steps[behind[a] : behind[b]], np.repeat(weight[a:b], walks.taken[a:b]), minlength=len(found))
    return found


def _summed(places: Ints, weight: Floats, many: int) -> Floats:
    """The weights at each place, summed."""
    found = np.zeros(many)
    for first in range(0, len(places), max(CHUNK, many)):
        some = slice(first, first + max(CHUNK, many))
        found += np.bincount(places[some], weight[some], minlength=many)
    return found
