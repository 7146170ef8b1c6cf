"""Signed notes: a text with lines of Ed25519 signatures below it, each by a key that has a name.

Source: C2SP signed-note and tlog-cosignature (c2sp.org), so that witnesses of other makes can sign ours.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from hashlib import sha256
from typing import Final, Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tessera.errors import BadInput

MOST_LINES = 16
"""Most signatures on one note."""

LOG: Final = 1
WITNESS: Final = 4
"""The two kinds of keys by their number in the specification: of a log, and of a witness who co-signs with a time."""

_DASH = "\N{EM DASH} "


class Signature(msgspec.Struct, frozen=True):
    """One line below a note: the key's name, the first four bytes of its hash, and what it signed with."""

    name: str
    key_hash: bytes
    signature: bytes


class Note(msgspec.Struct, frozen=True):
    """A text, each of its lines ended, and the signatures below it."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def __str__(self) -> str:
        """The note as it is written: the text, an empty line, the signatures."""
        lines = [f"{_DASH}{s.name} {b64encode(s.key_hash + s.signature).decode()}\n" for s in self.signatures]
        return self.text + "\n" + "".join(lines)

    def plus(self, *more: Signature) -> Note:
        """The note with further signatures; a later one of the same key takes the place of the earlier."""
        return Note(self.text, tuple({(s.name, s.key_hash): s for s in (*self.signatures, *more)}.values()))


class NamedKey(msgspec.Struct, frozen=True):
    """A public key with its name and kind; written as `name+hash+key`, which the specification calls a vkey."""

    name: str
    kind: Literal[1, 4]
    raw: bytes

    @classmethod
    def of(cls, name: str, kind: Literal[1, 4], key: Ed25519PublicKey | Ed25519PrivateKey) -> NamedKey:
        """The name and kind of a key, or of a private key's public half. Raises BadInput for a name with a blank or +."""
        if not name or "+" in name or any(c.isspace() or not c.isprintable() for c in name):
            raise BadInput("A key's name is one word without + in it.")
        public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
        return cls(name, kind, public.public_bytes_raw())

    @classmethod
    def read(cls, text: str) -> NamedKey:
        """The key of a vkey. Raises BadInput if it is none, or of neither kind."""
        try:
            name, said, coded = text.strip().split("+", 2)
            data = b64decode(coded, validate=True)
        except (ValueError, Error):
            data = b""
        found = cls(name, WITNESS if data[0] == WITNESS else LOG, data[1:]) if len(data) == 33 else None
        if found is None or str(found) != f"{name}+{said}+{coded}":
            raise BadInput("This is no public key of a witness: expected name+hash+key on one line.")
        return found

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{b64encode(bytes([self.kind]) + self.raw).decode()}"

    @property
    def hash(self) -> bytes:
        """The four bytes that a signature line tells its key by."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.raw).digest()[:4]

    def sign(self, key: Ed25519PrivateKey, said: bytes, before: bytes = b"") -> Signature:
        """A signature line over `said`. before: bytes that the line carries in front of the signature."""
        return Signature(self.name, self.hash, before + key.sign(said))

    def holds(self, signature: bytes, said: bytes) -> bool:
        """Whether 64 bytes are this key's signature over `said`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, said)
        except InvalidSignature:
            return False
        return True

    def on(self, note: Note) -> list[bytes]:
        """What the lines of a note carry that call themselves this key's; unverified."""
        return [s.signature for s in note.signatures if (s.name, s.key_hash) == (self.name, self.hash)]


def read_note(text: str) -> Note:
    """The note in a text, its signatures unverified. Raises BadInput if it is none, or not written as `str` writes it."""
    said, gap, below = text.rpartition("\n\n")
    lines = below.splitlines()
    try:
        signatures = tuple(map(_signature, lines))
    except (ValueError, Error):
        signatures = ()
    note = Note(said + "\n", signatures)
    if not gap or not 0 < len(lines) <= MOST_LINES or str(note) != text:
        raise BadInput("This is no signed note, or it was altered.")
    return note


def _signature(line: str) -> Signature:
    name, coded = line.removeprefix(_DASH).split(" ")
    data = b64decode(coded, validate=True)
    return Signature(name, data[:4], data[4:])
