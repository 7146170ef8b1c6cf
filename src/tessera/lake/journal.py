"""The journal: what a door has accepted, sealed and safe on disk before the answer goes out, until it lies in the lake.

Lines go into numbered segments in blocks, one for each group of requests that came together: a length, a count, and the
lines sealed as one. A segment is appended to, closed, landed, and removed; its number is never used again, so that landing can
note it in the transaction that commits its rows. A kill leaves at most an unfinished block, which nobody was told of: opening
cuts it. A block in the midst that fails its check is no crash, and is told by name. The door that writes and the process that
lands may be two: closed segments have names of their own.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

from tessera.errors import BrokenJournal, BrokenVault, Conflict

ROLL_BYTES = 64 << 20
"""A segment that has grown so far is closed, and the next one begun."""

CLOSED, OPEN = ".journal", ".open"
"""How the files of segments end: those that wait for landing, and the one that a door appends to."""

_HEAD = struct.Struct("<II")


class Seal(Protocol):
    """How blocks are sealed: `open` gives what `seal` was given under the same aad, or raises BrokenVault."""

    def seal(self, plain: bytes, aad: bytes) -> bytes: ...
    def open(self, sealed: bytes, aad: bytes) -> bytes: ...


def size_of(folder: Path) -> int:
    """How many bytes of a journal lie in a folder, closed or not; a segment that is landed meanwhile counts nothing."""
    size = 0
    for suffix in (CLOSED, OPEN):
        for path in folder.glob(f"*{suffix}"):
            with suppress(FileNotFoundError):
                size += path.stat().st_size
    return size


class Segments:
    """What waits in the journal of one source, for whoever lands it: any process that owns the workspace."""

    def __init__(self, folder: Path, seal: Seal) -> None:
        self.folder, self._seal = folder, seal

    def waiting(self) -> list[int]:
        """The closed segments that are not removed yet, oldest first."""
        return sorted(int(path.name.removesuffix(CLOSED)) for path in self.folder.glob(f"*{CLOSED}"))

    def bytes_held(self) -> int:
        """How much lies on the disk, closed or not."""
        return size_of(self.folder)

    def read(self, number: int) -> Iterator[list[bytes]]:
        """The lines of a closed segment, block by block. Raises BrokenJournal at a block that fails its check."""
        for _, lines in self._read(self._path(number), number):
            yield lines

    def drop(self, upto: int) -> None:
        """Removes segments that lie in the lake: this one and all before it."""
        for number in self.waiting():
            if number <= upto:
                self._path(number).unlink()

    def sieve(self, keep: Callable[[list[bytes]], Sequence[bool]]) -> int:
        """Takes lines out of all closed segments; returns how many. keep: for the lines of a block, which of them stay.

        For erasures. Whoever lands a segment meanwhile has the old one open, and looks at who is erased by herself.
        """
        return sum(self._sieved(number, keep) for number in self.waiting())

    def mend(self) -> None:
        """Closes what a door that was killed has left under way, without the block that it did not finish; nothing, while a
        door is at work."""
        with suppress(Conflict), _alone(self.folder):
            self._mend()

    # parts

    def _mend(self) -> None:
        for part in self.folder.glob("*.part"):
            part.unlink()
        for path in sorted(self.folder.glob(f"*{OPEN}")):
            self._cut(path, int(path.name.removesuffix(OPEN)))

    def _cut(self, path: Path, number: int) -> None:
        good = 0
        try:
            for end, _ in self._read(path, number):
                good = end
        except BrokenJournal:
            with path.open("rb+") as file:
                head = os.pread(file.fileno(), _HEAD.size, good)
                size = path.stat().st_size
                # More behind it: it was not the last that was written. That is damage, and stays as it is.
                if len(head) < _HEAD.size or good + _HEAD.size + _HEAD.unpack(head)[0] >= size:
                    file.truncate(good)
                    os.fsync(file.fileno())
        if path.stat().st_size:
            os.replace(path, self._path(number))
        else:
            path.unlink()
        _sync_folder(self.folder)

    def _read(self, path: Path, number: int) -> Iterator[tuple[int, list[bytes]]]:
        """Each block's end in the file, and its lines."""
        at, block = 0, 0
        with path.open("rb") as file:
            while head := file.read(_HEAD.size):
                length, count = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
                sealed = file.read(length) if length else b""
                if not length or len(sealed) < length:
                    raise BrokenJournal(self.folder.name, number, block)
                lines = self._opened(sealed, number, block)
                if len(lines) != count:
                    raise BrokenJournal(self.folder.name, number, block)
                at, block = at + _HEAD.size + length, block + 1
                yield at, lines

    def _opened(self, sealed: bytes, number: int, block: int) -> list[bytes]:
        try:
            plain = self._seal.open(sealed, _place(number, block))
        except BrokenVault:
            raise BrokenJournal(self.folder.name, number, block) from None
        return plain.split(b"\n") if plain else []

    def _block(self, number: int, block: int, lines: Sequence[bytes]) -> bytes:
        sealed = self._seal.seal(b"\n".join(lines), _place(number, block))
        return _HEAD.pack(len(sealed), len(lines)) + sealed

    def _sieved(self, number: int, keep: Callable[[list[bytes]], Sequence[bool]]) -> int:
        path, gone, made = self._path(number), 0, list[bytes]()
        for block, lines in enumerate(self.read(number)):
            stay = [line for line, kept in zip(lines, keep(lines), strict=True) if kept]
            gone += len(lines) - len(stay)
            made.append(self._block(number, block, stay))
        if gone:
            part = path.with_name(path.name + ".part")
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(b"".join(made))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
            _sync_folder(self.folder)
        return gone

    def _path(self, number: int, suffix: str = CLOSED) -> Path:
        return self.folder / f"{number:012}{suffix}"


class Journal(Segments):
    """The journal of one source, for the door that writes it: one process, any of its threads."""

    def __init__(self, folder: Path, seal: Seal, after: int = 0, *, roll_bytes: int = ROLL_BYTES) -> None:
        """Opens the journal and mends what a kill left. after: the last segment that is known to lie in the lake; what is left
        of it and of older ones is removed. Raises Conflict if another door writes it."""
        super().__init__(folder, seal)
        self._roll_bytes, self._lock = roll_bytes, Lock()
        self._fd: int | None = None
        self._blocks = self._length = 0
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._held = ExitStack()
        self._held.enter_context(_alone(folder))
        self._mend()
        self._current = max([after, *self.waiting()]) + 1
        self.drop(after)

    def append(self, lines: Sequence[bytes]) -> int:
        """Adds lines (without line ends) as one block; returns the number of its segment. All of them are safe on disk then.

        Raises OSError if the disk refuses: none of them is kept, and the next call tries again.
        """
        with self._lock:
            if self._fd is None:
                self._begin()
            assert self._fd is not None
            block = self._block(self._current, self._blocks, lines)
            try:
                _write(self._fd, block)
                os.fsync(self._fd)
            except OSError:
                self._undo()
                raise
            self._blocks, self._length = self._blocks + 1, self._length + len(block)
            number = self._current
            if self._length >= self._roll_bytes:
                self._closed()
            return number

    def roll(self) -> None:
        """Closes the segment under way, if it holds anything: from now on it waits, and what comes goes into the next."""
        with self._lock:
            self._closed()

    def close(self) -> None:
        """Closes the segment under way, and lets another door have the journal."""
        self.roll()
        self._held.close()

    def _begin(self) -> None:
        path = self._path(self._current, OPEN)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._blocks = self._length = 0
        _sync_folder(self.folder)

    def _closed(self) -> None:
        if self._fd is None:
            return
        os.close(self._fd)
        self._fd = None
        path = self._path(self._current, OPEN)
        if self._length:
            os.replace(path, self._path(self._current))
        else:
            path.unlink()
        _sync_folder(self.folder)
        self._current += 1

    def _undo(self) -> None:
        """What was written of a block that the disk refused is cut; where that fails too, the segment ends before it."""
        assert self._fd is not None
        try:
            os.ftruncate(self._fd, self._length)
        except OSError:
            os.close(self._fd)
            self._fd, self._current = None, self._current + 1


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes this journal, for the time of a `with`. Raises Conflict if somebody does."""
    if not folder.is_dir():
        raise Conflict(f"There is no journal in {folder.name}.")
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"Another process writes the journal of {folder.name}.") from None
        yield
    finally:
        os.close(lock)


def _place(number: int, block: int) -> bytes:
    """What a block is sealed with, so that none can be moved, doubled or left out unseen."""
    return struct.pack("<QQ", number, block)


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def _sync_folder(folder: Path) -> None:
    entry = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
