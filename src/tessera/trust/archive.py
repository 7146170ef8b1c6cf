"""An archive that nobody reads or changes without its key: chunks of AES-GCM, each in its place, the last one marked.

Form: a line of magic; a header (four bytes of length, then JSON in clear) with the archive's own random key wrapped for
each key that may open it; then chunks of 1 MiB and a tag each. A chunk's nonce is its number and whether it is the last,
so a chunk that is changed, moved, left out, or cut off is found where it happens (the STREAM construction: Hoang,
Reyhanitabar, Rogaway, Vizar 2015). Memory does not grow with the archive.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tessera.errors import BadArchive
from tessera.trust.secrets import KEY_BYTES, Secrets
from tessera.words import listed

MAGIC = b"tessera-backup-1\n"
LABEL = "backup"
CHUNK = 1 << 20
TAG = 16
HEADER_MOST = 1 << 16


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One key that opens the archive: its fingerprint, and the archive's key wrapped by it."""

    key: str
    wrapped: bytes


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What can be read without any key. made: UTC, ISO 8601. workspace: the fingerprint of its master key."""

    made: str
    workspace: str
    slots: tuple[Slot, ...]


class Writer:
    """Takes a stream of bytes into an archive; `close` writes the last chunk, without which it is cut off."""

    def __init__(self, file: BinaryIO, made: str, workspace: str, keys: Sequence[Secrets]) -> None:
        key = os.urandom(KEY_BYTES)
        slots = tuple(Slot(key=k.fingerprint(), wrapped=k.seal(LABEL, key)) for k in keys)
        header = msgspec.json.encode(Header(made=made, workspace=workspace, slots=slots))
        start = MAGIC + len(header).to_bytes(4, "big") + header
        file.write(start)
        self._file, self._cipher, self._bound = file, AESGCM(key), hashlib.sha256(start).digest()
        self._waiting, self._number = bytearray(), 0

    def write(self, data: bytes) -> int:
        """Takes some bytes."""
        self._waiting += data
        while len(self._waiting) > CHUNK:  # not >=: the last chunk is written by `close`
            self._put(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def close(self) -> None:
        """Writes the last chunk."""
        self._put(bytes(self._waiting), last=True)

    def _put(self, chunk: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), chunk, self._bound))
        self._number += 1


class Reader:
    """Gives the bytes of an archive; what it gives is authentic, and it is whole once `read` has answered b""."""

    def __init__(self, path: Path, keys: Sequence[Secrets]) -> None:
        """Raises BadArchive: no archive, or none of the keys opens it."""
        try:
            self._file = path.open("rb")
        except OSError as no:
            raise BadArchive(f"{path} cannot be read: {no.strerror}.") from None
        try:
            self.path, self.header, start = path, *_header(self._file, path)
            self._cipher = AESGCM(_unwrapped(self.header, keys, path))
        except BaseException:
            self._file.close()
            raise
        self._bound, self._number = hashlib.sha256(start).digest(), 0
        self._waiting, self._ahead = b"", self._file.read(CHUNK + TAG)
        self._done = False

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, most: int) -> bytes:
        """At most so many bytes; b"" at the end. Raises BadArchive at a chunk that fails its check."""
        while not self._waiting and not self._done:
            self._waiting = self._next()
        data, self._waiting = self._waiting[:most], self._waiting[most:]
        return data

    def _next(self) -> bytes:
        sealed, self._ahead = self._ahead, self._file.read(CHUNK + TAG)
        last = not self._ahead
        try:
            chunk = self._cipher.decrypt(_nonce(self._number, last), sealed, self._bound)
        except InvalidTag:
            raise BadArchive(self._fault(sealed, last)) from None
        self._number, self._done = self._number + 1, last
        return chunk

    def _fault(self, sealed: bytes, last: bool) -> str:
        where = f"{self.path} fails its check"
        if last:
            try:
                self._cipher.decrypt(_nonce(self._number, False), sealed, self._bound)
            except InvalidTag:
                return f"{where} in its last part (megabyte {self._number + 1}): it was changed there, or is cut off."
            return f"{self.path} is cut off after megabyte {self._number + 1}. Take another copy of it."
        return f"{where} at megabyte {self._number + 1}: it was changed there. Take another copy of it."


def _header(file: BinaryIO, path: Path) -> tuple[Header, bytes]:
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise BadArchive(f"{path} is no backup of Tessera, or of a version that this one does not know.")
    size = file.read(4)
    header = file.read(min(int.from_bytes(size, "big"), HEADER_MOST))
    try:
        return msgspec.json.decode(header, type=Header), magic + size + header
    except msgspec.MsgspecError:
        raise BadArchive(f"{path} has a header that cannot be read: it was changed, or is cut off.") from None


def _unwrapped(header: Header, keys: Sequence[Secrets], path: Path) -> bytes:
    by_name = {k.fingerprint(): k for k in keys}
    for slot in header.slots:
        if slot.key in by_name:
            return by_name[slot.key].open(LABEL, slot.wrapped)
    wanted, have = " or ".join(s.key for s in header.slots), listed(sorted(by_name)) if by_name else "none"
    raise BadArchive(f"{path} opens with key {wanted}; the keys at hand: {have}.")


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
