"""Sets of keys or persons, each kept once outside the ledger under its salted digest, and proofs of membership.

A set is cut into chunks of 1,024 consecutive ids, one bit an id; empty chunks are left out. The digest is the root of
the Merkle tree (RFC 9162) over the chunks. Each chunk is hashed with a nonce of its own, made from the salt and the
chunk: a proof shows the one nonce it needs, so whoever holds it can guess neither another chunk nor, as the salt never
leaves the house, whether some set was ever used. How sets lie on disk: see setfiles.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from tessera.errors import BadInput, BrokenTrail
from tessera.trust.merkle import WIDTH, Tree, climb, leaf_hash, sides
from tessera.trust.setfiles import SetFiles

Unit = Literal["key", "person"]
"""What the ids of a set are: KeyId or PersonId."""

Ids = BitMap | npt.NDArray[np.integer] | Iterable[int]
"""Ids, each in 0..2**32-1, in any order; a BitMap is taken as it is and is quickest."""

CHUNK = 1024
"""Ids in one chunk."""

_BYTES = CHUNK // 8
_NONCE = 16
_AT_ONCE = 512


class KeySet(msgspec.Struct, frozen=True):
    """A set that is kept: the hexadecimal digest it is found by, how many ids it has, and what they are."""

    digest: str
    size: int
    unit: Unit


class Membership(msgspec.Struct, frozen=True, array_like=True):
    """That one id is in a set: its chunk (128 bytes), the chunk's number and nonce, and its path in the set's tree.

    left: which hashes of the path stand to the left (merkle.sides). Every bit of it all is bound by the digest.
    """

    number: int
    nonce: bytes
    chunk: bytes
    left: int
    path: tuple[bytes, ...]


class KeySets:
    """A folder of sets, for one process and any number of its threads."""

    def __init__(self, folder: Path, salt: bytes) -> None:
        """Keep sets in `folder` (made if it is not there). salt: 16 to 64 secret bytes, else BadInput."""
        if not 16 <= len(salt) <= 64:
            raise BadInput(f"The salt of the ledger has {len(salt)} bytes; it needs 16 to 64.")
        self.folder, self._files = folder, SetFiles(folder)
        self._salt = salt
        # The steps of a turn mostly name the same few sets: telling two apart is much less work than their leaves.
        self._recent: deque[tuple[BitMap, KeySet]] = deque(maxlen=4)
        self._tree = lru_cache(maxsize=4)(self._grow)

    def keep(self, ids: Ids, unit: Unit) -> KeySet:
        """Keep a set, safe on disk when this returns; one that is already kept writes nothing.

        ids: see `Ids`; duplicates count once. Raises BadInput if an id is out of range, OSError if the disk refuses.
        """
        if isinstance(ids, BitMap):
            for known, found in tuple(self._recent):
                if found.unit == unit and known == ids and found.digest in self:
                    return found
        numbers = _sorted(ids)
        kept = KeySet(Tree(leaves(numbers, self._salt)).root().hex(), len(numbers), unit)
        self._files.write(kept.digest, ids if isinstance(ids, BitMap) else BitMap(numbers))
        if isinstance(ids, BitMap):
            self._recent.append((ids.copy(), kept))
        return kept

    def digest(self, ids: Ids) -> str:
        """The digest that a set is found by, kept or not."""
        return Tree(leaves(_sorted(ids), self._salt)).root().hex()

    def __contains__(self, digest: str) -> bool:
        """Whether a set with this digest is kept."""
        return digest in self._files

    def load(self, digest: str) -> BitMap:
        """The ids of a kept set. Raises BrokenTrail if its file is missing or its bytes were changed."""
        return self._files.read(digest)

    def holds_any(self, digest: str, ids: BitMap) -> bool:
        """Whether a kept set holds any of these ids. Raises BrokenTrail as `load` does."""
        (held,) = self.holding([digest], ids)
        return held

    def holding(self, digests: Iterable[str], ids: BitMap) -> Iterator[bool]:
        """For each of these sets, whether it holds any of the ids: quicker than one by one. Raises as `load`."""
        return self._files.holding(digests, ids)

    def prove(self, digest: str, member: int) -> Membership | None:
        """The proof that `member` is in the set, about 0.6 kB for 5 M ids; None if it is not in it.

        Raises BrokenTrail as `check` does.
        """
        if not self.holds_any(digest, BitMap([member])):
            return None
        ids, tree, numbers = self._tree(digest)
        first = member // CHUNK * CHUNK
        inside = _sorted(ids & BitMap(range(first, min(first + CHUNK, 2**32))))
        (number, chunk), *_ = chunks(inside)
        index = bisect_left(numbers, number)
        path = tuple(tree.inclusion(index))
        return Membership(number, _nonce(self._salt, number, chunk), chunk, sides(index, tree.size), path)

    def check(self, digest: str, size: int) -> None:
        """Return if the kept set still has this digest and size; else raise BrokenTrail with what is wrong."""
        ids = self.load(digest)
        if len(ids) != size or Tree(leaves(_sorted(ids), self._salt)).root().hex() != digest:
            raise BrokenTrail(f"set {digest[:12]} does not hold the {size} ids it was kept with")

    def _grow(self, digest: str) -> tuple[BitMap, Tree, list[int]]:
        """A set, its tree, and the numbers of its chunks."""
        ids = self.load(digest)
        held = list(chunks(_sorted(ids)))
        return ids, Tree([_leaf(_nonce(self._salt, *one), *one) for one in held]), [number for number, _ in held]


def verify_member(digest: str, member: int, proof: Membership) -> bool:
    """Whether `proof` shows that `member` is in the set with this digest; needs neither the salt nor the set."""
    number, bit = divmod(member, CHUNK)
    widths = len(proof.nonce), len(proof.chunk), *map(len, proof.path)
    if number != proof.number or widths != (_NONCE, _BYTES, *(WIDTH for _ in proof.path)) or proof.left >> len(proof.path):
        return False
    leaf = _leaf(proof.nonce, proof.number, proof.chunk)
    return proof.chunk[bit >> 3] >> (bit & 7) & 1 == 1 and climb(leaf, proof.left, proof.path).hex() == digest


def leaves(ids: npt.NDArray[np.uint32], salt: bytes) -> list[bytes]:
    """The leaf hashes of a set, one for each chunk that is not empty. ids: ascending, each once."""
    return [_leaf(_nonce(salt, number, chunk), number, chunk) for number, chunk in chunks(ids)]


def chunks(ids: npt.NDArray[np.uint32]) -> Iterator[tuple[int, bytes]]:
    """The chunks of a set that are not empty, ascending: their number (id // 1024) and 128 bytes, lowest bit first.

    ids: ascending, each once. Holds 512 chunks in memory at a time.
    """
    begin = 0
    while begin < len(ids):
        first = int(ids[begin]) // CHUNK
        last = np.uint32(min((first + _AT_ONCE) * CHUNK, 2**32) - 1)
        end = int(np.searchsorted(ids, last, side="right"))
        part = ids[begin:end]
        span = int(part[-1]) // CHUNK - first + 1
        bits = np.zeros(span * CHUNK, dtype=np.bool_)
        bits[part - np.uint32(first * CHUNK)] = True
        packed = np.packbits(bits, bitorder="little")
        held = np.flatnonzero(packed.reshape(span, _BYTES).view(np.uint64).any(axis=1)).tolist()
        run = packed.tobytes()
        for row in held:
            yield first + row, run[row * _BYTES : (row + 1) * _BYTES]
        begin = end


def _leaf(nonce: bytes, number: int, chunk: bytes) -> bytes:
    return leaf_hash(nonce + number.to_bytes(8) + chunk)


def _nonce(salt: bytes, number: int, chunk: bytes) -> bytes:
    return blake2b(number.to_bytes(8) + chunk, digest_size=_NONCE, key=salt).digest()


def _sorted(ids: Ids) -> npt.NDArray[np.uint32]:
    if isinstance(ids, BitMap):
        return np.frombuffer(ids.to_array(), dtype=np.uint32)
    numbers = ids if isinstance(ids, np.ndarray) else np.fromiter(ids, dtype=np.int64)
    if not (numbers[1:] > numbers[:-1]).all():
        numbers = np.unique(numbers)
    if len(numbers) and not (numbers[0] >= 0 and numbers[-1] < 2**32):
        raise BadInput("An id of a set must lie in 0..4294967295.")
    return numbers.astype(np.uint32)
