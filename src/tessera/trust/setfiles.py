"""Where sets of ids lie on disk: whole, or as the few ids in which they differ from one that is kept whole.

<digest>.bin     one set: the SHA-256 of its bytes, then a roaring bitmap
<digest>.near    sets near to that one, one behind the other: digest, SHA-256, length, the ids in which they differ

What a day changes in a million people is kilobytes, and a question that asks thousands of sets opens some dozens of files.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from re import fullmatch
from struct import Struct
from threading import Lock

from pyroaring import BitMap

from tessera.errors import BrokenTrail

_NEAR_FROM = 4096
"""Bytes from which on a set is worth to be compared with others."""
_NEAR_RATIO = 16
"""How many times smaller than the set its difference must be; a base is left once the sets have moved away from it."""
_BASES = 4
_HEAD = 32
_RECORD = Struct("<32s32sI")


class SetFiles:
    """A folder of sets by their digest (64 hexadecimal digits), for one process and any number of its threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._writing = Lock()
        self._torn: set[str] = set()
        self._near = lru_cache(maxsize=1)(self._found_near)
        self._bases = lru_cache(maxsize=1)(self._found_bases)
        self._base = lru_cache(maxsize=_BASES)(self._whole)

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).exists() or digest in self._near()

    def write(self, digest: str, ids: BitMap) -> None:
        """Keep a set, safe on disk when this returns, unless it is kept already. Raises OSError if the disk refuses."""
        with self._writing:
            if digest in self:
                return
            body = BitMap(ids)
            body.run_optimize()
            whole: bytes = body.serialize()
            for base in tuple(self._bases()) if len(whole) >= _NEAR_FROM else ():
                # A base that is broken is for `read` to tell of; this set does without it.
                with suppress(BrokenTrail):
                    near: bytes = (body ^ self._base(base)).serialize()
                    if len(near) * _NEAR_RATIO < len(whole):
                        self._append(base, digest, near)
                        return
            write_once(self._path(digest), sha256(whole).digest() + whole)
            if len(whole) >= _NEAR_FROM:
                self._bases().appendleft(digest)

    def read(self, digest: str) -> BitMap:
        """A set. Raises BrokenTrail if it is missing or its bytes were changed."""
        if self._path(digest).exists() or digest not in self._near():
            return self._whole(digest)
        base, at = self._near()[digest]
        with self._near_path(base).open("rb") as file:
            file.seek(at)
            record = file.read(_RECORD.size)
            return _difference(record + file.read(_length(record)), 0, digest) ^ self._base(base)

    def holding(self, digests: Iterable[str], ids: BitMap) -> Iterator[bool]:
        """For each of these sets, whether it holds any of the ids. Raises BrokenTrail as `read` does."""
        near, files = self._near(), dict[str, tuple[BitMap, bytes]]()
        for digest in digests:
            if digest not in near:
                yield not self._whole(digest).isdisjoint(ids)
                continue
            base, at = near[digest]
            if base not in files:
                files[base] = self._whole(base) & ids, self._near_path(base).read_bytes()
            held, data = files[base]
            yield bool((_difference(data, at, digest) & ids) ^ held)

    def _append(self, base: str, digest: str, near: bytes) -> None:
        path = self._near_path(base)
        new = not path.exists()
        try:
            with path.open("ab") as file:
                at = file.tell()
                file.write(_RECORD.pack(bytes.fromhex(digest), sha256(near).digest(), len(near)) + near)
                file.flush()
                os.fsync(file.fileno())
            if new:
                _sync(self.folder)
        except OSError:
            # Its last record may be unfinished: nothing is added behind that.
            self._bases().remove(base)
            raise
        self._near()[digest] = base, at

    def _found_near(self) -> dict[str, tuple[str, int]]:
        """Where each set lies that is kept as a difference: its base, and its place in the base's file."""
        found = {}
        for path in self.folder.glob("*.near"):
            data, at = path.read_bytes(), 0
            while at + _RECORD.size <= len(data) and (end := at + _RECORD.size + _length(data, at)) <= len(data):
                found[data[at : at + 32].hex()] = path.stem, at
                at = end
            if at < len(data):
                self._torn.add(path.stem)
        return found

    def _found_bases(self) -> deque[str]:
        """The newest large sets on disk, for an earlier process compared with them; none whose file of near sets is torn."""
        self._near()
        large = [f for f in os.scandir(self.folder) if f.name.endswith(".bin") and f.stat().st_size >= _NEAR_FROM]
        large.sort(key=lambda f: f.stat().st_mtime_ns, reverse=True)
        return deque([f.name[:-4] for f in large if f.name[:-4] not in self._torn][:_BASES], maxlen=_BASES)

    def _whole(self, digest: str) -> BitMap:
        try:
            data = self._path(digest).read_bytes()
        except FileNotFoundError:
            raise BrokenTrail(f"set {digest[:12]} is missing") from None
        return _ids(data[_HEAD:], data[:_HEAD], digest)

    def _near_path(self, base: str) -> Path:
        return self.folder / f"{base}.near"

    def _path(self, digest: str) -> Path:
        if not fullmatch("[0-9a-f]{64}", digest):
            raise BrokenTrail(f"{digest[:12]!r} is no digest of a set")
        return self.folder / f"{digest}.bin"


def _length(data: bytes, at: int = 0) -> int:
    length: int = _RECORD.unpack_from(data, at)[2] if len(data) >= at + _RECORD.size else 0
    return length


def _difference(data: bytes, at: int, digest: str) -> BitMap:
    """The ids of the record at a place."""
    said, hashed, length = _RECORD.unpack_from(data, at) if len(data) >= at + _RECORD.size else (b"", b"", 0)
    body = data[at + _RECORD.size : at + _RECORD.size + length]
    return _ids(body, hashed if said.hex() == digest else b"", digest)


def _ids(body: bytes, hashed: bytes, digest: str) -> BitMap:
    if sha256(body).digest() != hashed:
        raise BrokenTrail(f"the file of set {digest[:12]} was altered")
    try:
        return BitMap.deserialize(body)
    except ValueError:
        raise BrokenTrail(f"the file of set {digest[:12]} holds no set") from None


def write_once(path: Path, data: bytes) -> None:
    """Write a file so that it is either whole and safe on disk, with its folder, or not there. Raises OSError."""
    draft = path.with_suffix(".tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
