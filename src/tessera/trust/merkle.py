"""Append-only Merkle trees of RFC 9162: roots, proofs that an entry is in, proofs that nothing was rewritten.

Nodes lie in one flat run of 32-byte hashes, each node right behind its last leaf: leaf, leaf, node, leaf, leaf, node,
node, ... So an append only adds at the end, the place of any node is arithmetic, and a tree of a million entries opens
by reading some twenty hashes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

WIDTH = 32
"""Bytes of one hash."""

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves (RFC 9162, 2.1.1)."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, 32 bytes: H(0x00 || entry). Source: RFC 9162, 2.1.1."""
    return sha256(b"\0" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The hashes of many entries, in their order; see `leaf_hash`."""
    return [sha256(b"\0" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees, 32 bytes: H(0x01 || left || right). Source: RFC 9162, 2.1.1."""
    return sha256(b"\1" + left + right).digest()


def nodes_of(size: int) -> int:
    """How many hashes lie in the flat run of a tree with `size` leaves: 2 size - (ones in size's binary form)."""
    return 2 * size - size.bit_count()


class Peaks:
    """The right edge of a tree: enough to go on appending and to tell the root, in memory of log(size)."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Go on from `size` leaves, whose whole subtrees have these roots, the widest first."""
        self.size = size
        self._peaks = list(peaks)

    def push(self, leaf: bytes) -> bytes:
        """Append a leaf hash; returns the hashes that join the flat run: the leaf and each node it completes."""
        made, edge, size = leaf, self._peaks, self.size
        while size & 1:
            leaf = sha256(b"\1" + edge.pop() + leaf).digest()
            made += leaf
            size >>= 1
        edge.append(leaf)
        self.size += 1
        return made

    def root(self) -> bytes:
        """The root of all that was pushed, 32 bytes."""
        if not self._peaks:
            return EMPTY
        *rest, root = self._peaks
        for peak in reversed(rest):
            root = node_hash(peak, root)
        return root


class Tree:
    """A tree in memory: leaf hashes in, roots and proofs of any earlier or present size out."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self._run = bytearray()
        self._edge = Peaks()
        for leaf in leaves:
            self.append(leaf)

    @property
    def size(self) -> int:
        """How many leaves the tree has."""
        return self._edge.size

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash (32 bytes, from `leaf_hash`) at the end."""
        self._run += self._edge.push(leaf)

    def leaf(self, index: int) -> bytes:
        """The leaf hash at `index`, counted from 0. Raises IndexError outside the tree."""
        if not 0 <= index < self.size:
            raise IndexError(f"leaf {index} of a tree of {self.size}")
        return self._node(0, index)

    def root(self, size: int | None = None) -> bytes:
        """The root over the first `size` leaves (default: all), 32 bytes. Raises IndexError beyond the tree."""
        if size is None or size == self.size:
            return self._edge.root()
        return self._span(0, self._known(size))

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The path that proves leaf `index` in the tree of `size` leaves, lowest sibling first.

        Raises IndexError if there is no such leaf or size. Source: RFC 9162, 2.1.3.1.
        """
        low, high = 0, self._known(self.size if size is None else size)
        if not low <= index < high:
            raise IndexError(f"leaf {index} of a tree of {high}")
        path = []
        while high - low > 1:
            middle = low + _split(high - low)
            if index < middle:
                path.append(self._span(middle, high))
                high = middle
            else:
                path.append(self._span(low, middle))
                low = middle
        return path[::-1]

    def consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """The path that proves the tree of `first` leaves a beginning of that of `second`; empty if they are equal.

        Raises IndexError unless 0 <= first <= second <= size. Source: RFC 9162, 2.1.4.1.
        """
        low, high = 0, self._known(self.size if second is None else second)
        if not 0 <= first <= high:
            raise IndexError(f"a tree of {first} leaves is no beginning of one of {high}")
        if first in (0, high):
            return []
        path = []
        while first < high:
            middle = low + _split(high - low)
            if first <= middle:
                path.append(self._span(middle, high))
                high = middle
            else:
                path.append(self._span(low, middle))
                low = middle
        if low:
            path.append(self._span(low, high))
        return path[::-1]

    def _known(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise IndexError(f"a tree of {self.size} leaves was never of size {size}")
        return size

    def _span(self, low: int, high: int) -> bytes:
        """The root over leaves low..high-1, from whole subtrees where they lie in the run."""
        width = high - low
        if width == 0:
            return EMPTY
        if width & (width - 1) == 0 and low % width == 0:
            return self._node(width.bit_length() - 1, low // width)
        middle = low + _split(width)
        return node_hash(self._span(low, middle), self._span(middle, high))

    def _node(self, level: int, index: int) -> bytes:
        at = _place(level, index) * WIDTH
        return bytes(self._run[at : at + WIDTH])


class TreeFile(Tree):
    """A tree whose flat run is a file: opened by its right edge alone; what it holds can be made anew from the log."""

    def __init__(self, path: Path) -> None:
        """Open or create `path`; hashes behind the last whole leaf are cut. Raises OSError if it cannot be opened."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        nodes = os.fstat(self._fd).st_size // WIDTH
        size = (nodes + 1) // 2 + nodes.bit_length()
        while nodes_of(size) > nodes:
            size -= 1
        self.cut(size)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash at the end; not synced, see `sync`. Raises OSError if the disk refuses."""
        self.extend([leaf])

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Add leaf hashes at the end in one write; not synced, see `sync`. Raises OSError if the disk refuses."""
        made = memoryview(b"".join([self._edge.push(leaf) for leaf in leaves]))
        while made:
            made = made[os.write(self._fd, made) :]

    def cut(self, size: int) -> None:
        """Keep the first `size` leaves and forget the rest."""
        os.ftruncate(self._fd, nodes_of(size) * WIDTH)
        levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
        self._edge = Peaks(size, [self._node(level, (size >> level) - 1) for level in levels])

    def sync(self) -> None:
        """Return when all that was appended is safe on disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Let go of the file; the tree still tells its size and root."""
        os.close(self._fd)
        self._fd = -1

    def _node(self, level: int, index: int) -> bytes:
        return os.pread(self._fd, WIDTH, _place(level, index) * WIDTH)


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether `path` proves the leaf hash `leaf` at `index` of the tree of `size` leaves with this root.

    Source: RFC 9162, 2.1.3.2.
    """
    if not 0 <= index < size:
        return False
    place, last, made = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            made = node_hash(sibling, made)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            made = node_hash(made, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and made == root


def sides(index: int, size: int) -> int:
    """Which siblings on the path of leaf `index` stand to its left: bit i for the i-th, lowest first.

    With them a path can be walked without the tree's size, which a root alone does not bind.
    """
    left, at, place, last = 0, 0, index, size - 1
    while last:
        if place & 1 or place == last:
            left |= 1 << at
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        place, last, at = place >> 1, last >> 1, at + 1
    return left


def climb(leaf: bytes, left: int, path: Sequence[bytes]) -> bytes:
    """The root that a leaf hash and its path lead to. left: see `sides`."""
    for at, sibling in enumerate(path):
        leaf = node_hash(sibling, leaf) if left >> at & 1 else node_hash(leaf, sibling)
    return leaf


def verify_consistency(first: int, second: int, path: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Whether `path` proves that the tree of `second` leaves only adds to that of `first`.

    Equal sizes need equal roots and an empty path; every tree goes on from the empty one. Source: RFC 9162, 2.1.4.2.
    """
    if not 0 <= first <= second:
        return False
    if first == second:
        return first_root == second_root and not path
    if first == 0:
        return first_root == EMPTY and not path
    steps = [first_root, *path] if first & (first - 1) == 0 else list(path)
    if not path:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _split(width: int) -> int:
    """The largest power of two below `width` (RFC 9162, 2.1.1)."""
    return 1 << (width - 1).bit_length() - 1


def _place(level: int, index: int) -> int:
    """Where node `index` of `level` lies in the flat run: behind its last leaf and the nodes below it."""
    last = ((index + 1) << level) - 1
    return nodes_of(last) + level
