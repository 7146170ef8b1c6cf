"""Checkpoints: a signed tree head as people outside read it, and what witnesses sign below it.

Source: C2SP tlog-checkpoint, tlog-cosignature and tlog-witness (c2sp.org). The log's name is made from its public key, so
whoever has the key needs to be told nothing else.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tessera.errors import BadInput, BrokenTrail
from tessera.trust.merkle import WIDTH, verify_consistency
from tessera.trust.note import LOG, WITNESS, NamedKey, Note, Signature, read_note

MOST_PATH = 63
"""Most hashes in a path of consistency, as the specification has it."""


class Checkpoint(msgspec.Struct, frozen=True):
    """How many entries a log has, and the root over them; `note` is the text that says so, with its signatures."""

    size: int
    root: bytes
    note: Note


class Request(msgspec.Struct, frozen=True):
    """What a witness is asked to co-sign: a checkpoint, and the path from the one that it signed last, of size `old`."""

    old: int
    path: tuple[bytes, ...]
    checkpoint: Checkpoint

    def __str__(self) -> str:
        return "".join([f"old {self.old}\n", *(_coded(h) + "\n" for h in self.path), "\n", str(self.checkpoint.note)])


class Cosigned(msgspec.Struct, frozen=True):
    """That a witness co-signed a checkpoint of this size, and when."""

    witness: str
    size: int
    at: datetime


def fingerprint(key: Ed25519PublicKey) -> str:
    """The hexadecimal digits that a public key is told by: SHA-256 of its 32 bytes."""
    return sha256(key.public_bytes_raw()).hexdigest()


def log_key(key: Ed25519PublicKey) -> NamedKey:
    """The log's key under the log's name."""
    return NamedKey.of(f"tessera-ledger-{fingerprint(key)[:16]}", LOG, key)


def signed(size: int, root: bytes, key: Ed25519PrivateKey) -> Checkpoint:
    """The checkpoint of a log of `size` entries with this root, signed by the log."""
    own = log_key(key.public_key())
    text = f"{own.name}\n{size}\n{_coded(root)}\n"
    return Checkpoint(size, root, Note(text, (own.sign(key, text.encode()),)))


def read_checkpoint(text: str, key: Ed25519PublicKey) -> Checkpoint:
    """A checkpoint whose signature by this log holds. Raises BadInput if it is none, BrokenTrail if it is not the log's."""
    note, own = read_note(text), log_key(key)
    lines = note.text.split("\n")
    root = _decoded(lines[2]) if len(lines) == 4 else b""
    if len(root) != WIDTH or not _number(lines[1]):
        raise BadInput("This is no checkpoint of a ledger.")
    if lines[0] != own.name:
        raise BrokenTrail("the checkpoint is of another ledger, or its name was altered")
    if not any(own.holds(signature, note.text.encode()) for signature in own.on(note)):
        raise BrokenTrail("the checkpoint does not carry the ledger's signature")
    return Checkpoint(int(lines[1]), root, note)


def read_request(text: str, key: Ed25519PublicKey) -> Request:
    """The request in a text, its path unverified. Raises as `read_checkpoint`."""
    front, gap, rest = text.partition("\n\n")
    old, *hashes = front.split("\n")
    path = tuple(map(_decoded, hashes))
    size = old.removeprefix("old ")
    if not gap or old == size or not _number(size) or len(path) > MOST_PATH or any(len(h) != WIDTH for h in path):
        raise BadInput("This is no request to a witness. Make one: tessera ledger head -o FILE")
    return Request(int(size), path, read_checkpoint(rest, key))


def read_head(text: str, key: Ed25519PublicKey) -> Request:
    """A request, or a checkpoint alone as one without a path. Raises as `read_checkpoint`."""
    return read_request(text, key) if text.startswith("old ") else Request(0, (), read_checkpoint(text, key))


def check_path(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> None:
    """Return if `path` shows `new` to go on from `old`; else raise BrokenTrail that names a rollback or a fork."""
    if new.size < old.size:
        raise BrokenTrail(f"a rollback: {new.size} entries, where {old.size} were signed before")
    if not verify_consistency(old.size, new.size, path, old.root, new.root):
        raise BrokenTrail(f"a fork: the log of {new.size} entries does not go on from that of {old.size}")


def cosign(checkpoint: Checkpoint, witness: NamedKey, key: Ed25519PrivateKey, at: datetime) -> Signature:
    """A witness's line below a checkpoint. at: an aware time, kept to the second."""
    time = int(at.timestamp())
    return witness.sign(key, _cosigned(checkpoint, time), time.to_bytes(8))


def cosigned_by(checkpoint: Checkpoint, witness: NamedKey) -> Cosigned | None:
    """When a witness co-signed a checkpoint, the newest if it did so often; None if it did not."""
    times = [int.from_bytes(s[:8]) for s in witness.on(checkpoint.note) if _by(checkpoint, witness, s)]
    return Cosigned(witness.name, checkpoint.size, datetime.fromtimestamp(max(times), UTC)) if times else None


def _by(checkpoint: Checkpoint, witness: NamedKey, carried: bytes) -> bool:
    time = int.from_bytes(carried[:8])
    return witness.kind == WITNESS and time < 2**40 and witness.holds(carried[8:], _cosigned(checkpoint, time))


def _cosigned(checkpoint: Checkpoint, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{checkpoint.note.text}".encode()


def _number(text: str) -> bool:
    """Whether a text is a number as the specification writes it: digits alone, no zero in front."""
    return text.isascii() and text.isdecimal() and str(int(text)) == text and len(text) < 19


def _coded(data: bytes) -> str:
    return b64encode(data).decode()


def _decoded(text: str) -> bytes:
    """The bytes of base64 in its one spelling; none if it is another."""
    try:
        data = b64decode(text, validate=True)
    except (ValueError, Error):
        return b""
    return data if _coded(data) == text else b""
