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

ALL = ("all",)
"""Conversions that are not told apart."""

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
    often the path ended without one. left_out: reason -> how many.
    """

    channels: tuple[str, ...]
    touches: Ints
    starts: Ints
    conversions: Floats
    values: Floats
    null: Floats
    kinds: tuple[str, ...] = ALL
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


def encode(batches: Iterable[pa.RecordBatch], *, separator: str = ">", kinds: tuple[str, ...] = ALL) -> Paths:
    """Paths of text and their counts -> Paths, in the order in which they come.

    batches: columns path (text; None counts as empty), conversions, value, unconverted (float64; None: unreadable); with
    kinds, such as ("first", "repeat"), first_conversions, repeat_conversions, first_value, ... in place of those two. Names
    are trimmed and brought to one Unicode form (NFC). Left out and counted: empty touches, paths without a touch, without a
    count, with a negative or unreadable number, with a value but no conversion. Raises BadInput if nothing is left, or for
    more than MOST_CHANNELS names.
    """
    names: dict[str, int] = {}
    left: Counter[str] = Counter()
    measures = [f"{'' if kinds == ALL else f'{kind}_'}{m}" for m in ("conversions", "value") for kind in kinds]
    parts = list(_kept_ahead(batches, separator, [*measures, "unconverted"], names))
    for part in parts:
        left.update(part.left)
    if not sum(len(part.lengths) for part in parts):
        told = "; ".join(f"{n:,} {reason}" for reason, n in left.items()) or "there is no row"
        raise BadInput(f"There is no path to attribute ({told}).")
    used = np.sum([np.pad(part.met, (0, len(names) - len(part.met))) for part in parts], axis=0) > 0
    order = sorted((n for n, i in names.items() if used[i]))
    new = np.zeros(len(names), dtype=np.uint8 if len(order) <= 256 else np.uint16)
    new[[names[n] for n in order]] = np.arange(len(order))
    lengths = np.concatenate([part.lengths for part in parts])
    numbers = np.concatenate([part.numbers for part in parts], axis=1).T
    return Paths(
        channels=tuple(order),
        touches=np.concatenate([new[part.codes] for part in parts]),
        starts=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]),
        conversions=numbers[:, : len(kinds)],
        values=numbers[:, len(kinds) : -1],
        null=numbers[:, -1],
        kinds=kinds,
        left_out=dict(left),
    )


@dataclass(frozen=True, kw_only=True)
class _Piece:
    """One batch, split: codes into names, touches of each row; numbers, (measures, rows): conversions, values by kind, null."""

    names: list[str]
    codes: Ints
    lengths: Ints
    numbers: Floats


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What can be used of a piece: its codes are places in all names. met: how often each was met. left: what is left out."""

    codes: Ints
    lengths: Ints
    numbers: Floats
    met: Ints
    left: Counter[str]


def _kept_ahead(
    batches: Iterable[pa.RecordBatch], separator: str, measures: list[str], names: dict[str, int]
) -> Iterator[_Part]:
    """Batches split and sifted by several threads, in their order, a few ahead; between both their names find their places."""
    threads = max(1, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads) as pool:
        split: deque[Future[_Piece]] = deque()
        sifted: deque[Future[_Part]] = deque()

        def named() -> None:
            piece = split.popleft().result()
            lookup = np.array([_place(name, names) for name in piece.names], dtype=np.int16)
            sifted.append(pool.submit(_kept, piece, lookup))

        for batch in batches:
            split.append(pool.submit(_split, batch, separator, measures))
            if len(split) > threads:
                named()
            if len(sifted) > threads:
                yield sifted.popleft().result()
        while split:
            named()
        while sifted:
            yield sifted.popleft().result()


def _split(batch: pa.RecordBatch, separator: str, measures: list[str]) -> _Piece:
    text = pc.fill_null(batch.column("path"), "")
    lists = pc.split_pattern(text, separator)
    coded = pc.dictionary_encode(lists.flatten())
    return _Piece(
        names=coded.dictionary.to_pylist(),
        codes=coded.indices.to_numpy(),
        lengths=pc.list_value_length(lists).to_numpy(),
        numbers=np.stack([batch.column(c).to_numpy(zero_copy_only=False).astype(np.float64) for c in measures]),
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


def _kept(piece: _Piece, lookup: Ints) -> _Part:
    """The rows that can be used. lookup: name of the piece -> its place in all names, -1 of an empty one."""
    codes = lookup[piece.codes] if len(lookup) else piece.codes.astype(np.int16)
    lengths, numbers = piece.lengths, piece.numbers
    kinds = len(numbers) // 2
    bad = ~(np.logical_and.reduce(numbers >= 0) & np.isfinite(numbers.sum(axis=0)))
    unmade = ~bad & np.logical_or.reduce((numbers[:kinds] == 0) & (numbers[kinds:-1] > 0))
    unused = ~bad & ~unmade & (numbers[:kinds].sum(axis=0) + numbers[-1] == 0)
    drop = bad | unmade | unused
    counts = {NEGATIVE: bad.sum(), VALUE_ALONE: unmade.sum(), NO_COUNT: unused.sum()}
    if drop.any() or (lookup < 0).any() or lengths.max(initial=0) > MOST_TOUCHES:
        row = np.repeat(np.arange(len(lengths)), lengths)
        full = codes >= 0
        touched = np.bincount(row[full], minlength=len(lengths))
        untouched = ~drop & (touched == 0)
        drop |= untouched
        long = (touched > MOST_TOUCHES) & ~drop
        # A path that is empty as a whole is one path without a touch, and no empty touch besides.
        counts |= {NO_TOUCH: untouched.sum(), LONG: long.sum(), EMPTY: (~full & ~drop[row]).sum()}
        if long.any():
            nth = np.cumsum(full) - full - np.repeat(np.cumsum(touched) - touched, lengths)
            full &= nth >= (touched - MOST_TOUCHES)[row]
        full &= ~drop[row]
        codes, lengths, numbers = codes[full], np.bincount(row[full], minlength=len(lengths))[~drop], numbers[:, ~drop]
    return _Part(
        codes=codes,
        lengths=lengths.astype(np.int32),
        numbers=numbers,
        met=np.bincount(codes),
        left=Counter({reason: int(many) for reason, many in counts.items() if many}),
    )
