"""Rows of text "a > b > c" with counts -> Paths: touches as small numbers in one flat array, and what was left out.

Rows come in batches, so that the text of ten million paths never lies in memory at once; a batch's touches are
named by a dictionary, and only its distinct names are ever looked at in Python.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tessera.errors import BadInput

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]

MOST_TOUCHES = 1_000
"""Of a longer path (a robot's, mostly) only the last touches are looked at."""

MOST_CHANNELS = 2_000
"""More names than that are no channels; every one of them costs a solve."""

EMPTY = "touches without a channel"
NO_TOUCH = "paths without a touch"
NO_COUNT = "paths that nobody went (neither a conversion nor a null)"
NEGATIVE = "paths with a negative or unreadable number"
VALUE_ALONE = "paths with a value but no conversion"
LONG = f"paths cut to their last {MOST_TOUCHES:,} touches"


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Paths of touches with what came of them.

    channels: the names, sorted. touches: places in `channels`, path after path, oldest first. starts: where each path begins
    in `touches`, and the end of the last (paths + 1). kinds: what conversions are told apart by, ("all",) or ("first",
    "repeat"). conversions, values: (paths, kinds), how many conversions ended a path and what they were worth. null: how
    often the path ended without one. ages: days from each touch to its path's end, where known. left_out: reason -> how many.
    """

    channels: tuple[str, ...]
    touches: Ints
    starts: Ints
    conversions: Floats
    values: Floats
    null: Floats
    kinds: tuple[str, ...] = ("all",)
    ages: npt.NDArray[np.float32] | None = None
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.null)

    @property
    def lengths(self) -> Ints:
        """Touches of each path."""
        return np.diff(self.starts)

    @property
    def weight(self) -> Floats:
        """How often each path was gone."""
        return np.asarray(self.conversions.sum(axis=1) + self.null)


def encode(batches: Iterable[pa.RecordBatch], *, separator: str = ">") -> Paths:
    """Paths of text and their counts -> Paths, in the order in which they come.

    batches: columns path (text; None counts as empty), conversions, value, unconverted (float64; None: unreadable). Names
    are trimmed and brought to one Unicode form (NFC). Left out and counted: empty touches, paths without a touch, without a
    count, with a negative or unreadable number, with a value but no conversion. Raises BadInput if nothing is left, or for
    more than MOST_CHANNELS names.
    """
    names: dict[str, int] = {}
    left: Counter[str] = Counter()
    parts = []
    for piece in _ahead(batches, separator):
        lookup = np.array([_place(name, names) for name in piece.names], dtype=np.int32)
        parts.append(_kept(piece, lookup, left))
    if not parts or not names or not sum(len(p[1]) for p in parts):
        told = "; ".join(f"{n:,} {reason}" for reason, n in left.items()) or "there is no row"
        raise BadInput(f"There is no path to attribute ({told}).")
    touches, lengths, numbers = (np.concatenate([p[i] for p in parts]) for i in range(3))
    del parts
    used = np.bincount(touches, minlength=len(names)) > 0
    order = sorted((n for n, i in names.items() if used[i]))
    new = np.zeros(len(names), dtype=np.uint8 if len(order) <= 256 else np.uint16)
    new[[names[n] for n in order]] = np.arange(len(order))
    return Paths(
        channels=tuple(order),
        touches=new[touches],
        starts=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        conversions=numbers[:, :1],
        values=numbers[:, 1:2],
        null=numbers[:, 2],
        left_out=dict(left),
    )


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """One batch, split: codes into names, touches of each row, the three numbers."""

    names: list[str]
    codes: Ints
    lengths: Ints
    numbers: Floats


def _ahead(batches: Iterable[pa.RecordBatch], separator: str) -> Iterator[_Piece]:
    """Batches split by several threads, in their order, a few ahead."""
    threads = max(1, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_Piece]] = deque()
        for batch in batches:
            waiting.append(pool.submit(_split, batch, separator))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _split(batch: pa.RecordBatch, separator: str) -> _Piece:
    text = pc.fill_null(batch.column("path"), "")
    lists = pc.split_pattern(text, separator)
    coded = pc.dictionary_encode(lists.flatten())
    numbers = [batch.column(c).to_numpy(zero_copy_only=False) for c in ("conversions", "value", "unconverted")]
    return _Piece(
        names=coded.dictionary.to_pylist(),
        codes=coded.indices.to_numpy(),
        lengths=pc.list_value_length(lists).to_numpy().astype(np.int64),
        numbers=np.column_stack(numbers).astype(np.float64),
    )


def _place(name: str, names: dict[str, int]) -> int:
    """The number of a channel; -1 for an empty name."""
    plain = unicodedata.normalize("NFC", name.strip())
    if not plain:
        return -1
    if plain not in names and len(names) >= MOST_CHANNELS:
        raise BadInput(
            f"The paths name more than {MOST_CHANNELS:,} channels. Name groups of campaigns rather than each of them, or check "
            "the separator."
        )
    return names.setdefault(plain, len(names))


def _kept(piece: _Piece, lookup: Ints, left: Counter[str]) -> tuple[Ints, Ints, Floats]:
    """The touches, lengths and numbers of the rows that can be used."""
    codes = lookup[piece.codes] if len(lookup) else piece.codes
    lengths, numbers = piece.lengths, piece.numbers
    conversions, value, null = numbers.T
    row = np.repeat(np.arange(len(lengths)), lengths)
    full = codes >= 0
    bad = ~((conversions >= 0) & (value >= 0) & (null >= 0) & np.isfinite(numbers.sum(axis=1)))
    unmade = ~bad & (conversions == 0) & (value > 0)
    unused = ~bad & ~unmade & (conversions + null == 0)
    touched = np.bincount(row[full], minlength=len(lengths))
    untouched = ~bad & ~unmade & ~unused & (touched == 0)
    long = touched > MOST_TOUCHES
    drop = bad | unmade | unused | untouched
    counts = {NEGATIVE: bad, VALUE_ALONE: unmade, NO_COUNT: unused, NO_TOUCH: untouched, LONG: long & ~drop}
    # A path that is empty as a whole is one path without a touch, and no empty touch besides.
    counts[EMPTY] = ~full & ~drop[row]
    for reason, which in counts.items():
        if some := int(which.sum()):
            left[reason] += some
    if not (drop.any() or long.any() or not full.all()):
        return codes.astype(np.int16), lengths.astype(np.int32), numbers
    if long.any():
        nth = np.cumsum(full) - full - np.repeat(np.cumsum(touched) - touched, lengths)
        full &= nth >= (touched - MOST_TOUCHES)[row]
    full &= ~drop[row]
    kept = np.bincount(row[full], minlength=len(lengths))[~drop]
    return codes[full].astype(np.int16), kept.astype(np.int32), numbers[~drop]
