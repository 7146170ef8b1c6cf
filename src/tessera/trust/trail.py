"""The trail's form on disk: its signed heads, and the check that reads all of it again.

log.jsonl     one entry a line, canonical JSON (keys sorted); a line's bytes are its leaf in the Merkle tree
tree.bin      the tree's hashes (merkle.TreeFile), made from the log
heads.jsonl   signed tree heads, one a line; the first signs the empty log
newest.head   the newest of them again, written in one piece before: a head that is cut off is missed
sets/         the sets of keys that entries name by digest (keysets.KeySets)
public.pem    the key that the heads are signed with
checkpoints/  heads that witnesses co-signed (cosigned.CosignedCheckpoints)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from tessera.errors import BrokenTrail
from tessera.trust.cosigned import CosignedCheckpoints
from tessera.trust.entries import Keys, entry_in
from tessera.trust.keysets import KeySets
from tessera.trust.merkle import WIDTH, Peaks, leaf_hash, verify_inclusion

LOG, TREE, HEADS, SETS, PUBLIC = "log.jsonl", "tree.bin", "heads.jsonl", "sets", "public.pem"
NEWEST = "newest.head"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A signed tree head: the log's first `size` entries take `length` bytes and have this Merkle root (hexadecimal).

    number: counts the heads from 0, so that none can be left out between two others. at: UTC, ISO 8601.
    signature: Ed25519 over the other fields, hexadecimal. Source: RFC 9162, 4.10, in a form of our own.
    """

    number: int
    size: int
    length: int
    root: str
    at: str
    signature: str = ""

    def signed(self, key: Ed25519PrivateKey) -> Head:
        """This head with its signature."""
        return msgspec.structs.replace(self, signature=key.sign(self._said()).hex())

    def holds(self, key: Ed25519PublicKey) -> bool:
        """Whether the signature is of this head and by this key."""
        try:
            signature = bytes.fromhex(self.signature)
            key.verify(signature, self._said())
        except (InvalidSignature, ValueError):
            return False
        return signature.hex() == self.signature

    def _said(self) -> bytes:
        return f"tessera tree head {self.number}\n{self.size}\n{self.length}\n{self.root}\n{self.at}\n".encode()


class EntryProof(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log, the path that proves it in a signed head, and that head; to be handed out on a receipt."""

    line: bytes
    seq: int
    path: tuple[bytes, ...]
    head: Head


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the trail found: how many entries it read, their root, and what failed first, with the reason.

    signed: how many entries lie under a signed head. first_bad: the number of the entry that fails, None if all hold
    or what fails is no single entry.
    """

    entries: int
    signed: int
    root: str
    ok: bool
    first_bad: int | None = None
    reason: str = ""

    def demand(self) -> None:
        """Return if the trail holds; else raise BrokenTrail with the reason and the entry's number."""
        if not self.ok:
            raise BrokenTrail(self.reason, self.first_bad)


_encoder = msgspec.json.Encoder(order="sorted")
_head = msgspec.json.Decoder(Head)


def line_of(head: Head) -> bytes:
    """The canonical line of a head, without its line end."""
    return _encoder.encode(head)


def public_key(folder: Path) -> Ed25519PublicKey:
    """The key in the folder's public.pem. Raises BrokenTrail if it is missing or no Ed25519 key."""
    try:
        return read_pem((folder / PUBLIC).read_bytes(), PUBLIC)
    except OSError:
        raise BrokenTrail(f"{PUBLIC} is missing or cannot be read") from None


def read_pem(data: bytes, name: str) -> Ed25519PublicKey:
    """The key in the text of a PEM file of this name. Raises BrokenTrail if it is no Ed25519 key."""
    try:
        key = load_pem_public_key(data)
    except ValueError:
        raise BrokenTrail(f"{name} is missing or cannot be read") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BrokenTrail(f"{name} holds no Ed25519 key")
    return key


def pem_of(key: Ed25519PublicKey) -> bytes:
    """The text of public.pem."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def verify_entry(proof: EntryProof, key: Ed25519PublicKey) -> bool:
    """Whether the proof shows its line to be an entry under a head that this key signed; needs nothing else."""
    try:
        entry_in(proof.line + b"\n", proof.seq)
        root = bytes.fromhex(proof.head.root)
    except (BrokenTrail, ValueError):
        return False
    leaf = leaf_hash(proof.line)
    return verify_inclusion(leaf, proof.seq, proof.head.size, proof.path, root) and proof.head.holds(key)


def read_heads(data: bytes) -> Iterator[Head]:
    """The heads in the bytes of heads.jsonl, unverified. Raises BrokenTrail at a line that is not a canonical head."""
    for number, line in enumerate(data.splitlines(keepends=True)):
        try:
            head = _head.decode(line)
        except ValueError:
            raise BrokenTrail(f"signed head {number} cannot be read") from None
        if line != line_of(head) + b"\n":
            raise BrokenTrail(f"signed head {number} was altered or is unfinished")
        yield head


def sort_tail(data: bytes, first: int, hashed: Sequence[bytes]) -> tuple[list[bytes], int, str]:
    """What holds of a log's tail after a crash: its leaf hashes, how many bytes they take, and the latest time in it.

    data: the log behind the newest signed head. first: the number of its first entry. hashed: leaf hashes that tree.bin
    has for it; zeros are pages that never reached the disk. What follows the last whole entry was never acknowledged.
    Raises BrokenTrail at an entry that is not the one that was hashed: that is no crash.
    """
    leaves: list[bytes] = []
    kept, latest = 0, ""
    for number, line in enumerate(BytesIO(data), first):
        leaf = leaf_hash(line.removesuffix(b"\n"))
        known = hashed[number - first] if number - first < len(hashed) else bytes(WIDTH)
        if line.endswith(b"\n") and known not in (leaf, bytes(WIDTH)):
            raise BrokenTrail(f"entry {number} is not the one whose hash was kept", number)
        try:
            latest = max(latest, entry_in(line, number).at)
        except BrokenTrail:
            if known == leaf:
                raise
            break
        kept += len(line)
        leaves.append(leaf)
    return leaves, kept, latest


def audit(folder: Path, key: Ed25519PublicKey, sets: KeySets | None, end: Head | None = None) -> Report:
    """Read the whole trail again and say whether it holds.

    Found are entries changed, dropped, added, reordered or forged, a log cut short, forged heads, hashes that differ
    from the log, and key sets that are missing or altered. A cut of log, hashes and heads together, back to an older
    head, is found only by a witness who keeps a newer one. sets: None leaves the sets alone (an auditor without salt).
    end: what must be there, as an unsigned head; what comes later is not looked at. Default: all that the folder holds.
    """
    seen = Peaks()
    signed = 0
    try:
        for under_head in _walk(folder, key, sets, end, seen):
            signed = under_head
        _check_cosigned(folder, key, end)
    except BrokenTrail as broken:
        reason, bad = broken.reason, broken.entry
        return Report(entries=seen.size, signed=signed, root=seen.root().hex(), ok=False, first_bad=bad, reason=reason)
    return Report(entries=seen.size, signed=signed, root=seen.root().hex(), ok=True)


def _walk(folder: Path, key: Ed25519PublicKey, sets: KeySets | None, end: Head | None, seen: Peaks) -> Iterator[int]:
    """Check entry after entry; yields how many are signed for at each signed head that holds."""
    with _open(folder / HEADS) as file:
        heads = deque(_checked_heads(file.read(), key, end))
    checked: set[tuple[str, int]] = set()
    position, at, since = 0, "", 0
    with _open(folder / LOG) as log, _open(folder / TREE) as tree:
        while True:
            if heads and heads[0].size == seen.size:
                head = heads.popleft()
                if (head.root, head.length) != (seen.root().hex(), position):
                    raise BrokenTrail(f"entries {since} to {seen.size - 1} are not those signed at {head.at}", since)
                since = seen.size
                yield since
            if (end and position >= end.length) or not (line := log.readline()):
                break
            entry = entry_in(line, seen.size, at)
            position, at = position + len(line), entry.at
            _check_hashes(tree, leaf_hash(line[:-1]), seen)
            if sets and (keys := entry.keys) and (keys.digest, keys.size) not in checked:
                _check_set(sets, keys, entry.seq)
                checked.add((keys.digest, keys.size))
        if heads:
            reason = f"the log ends after {seen.size} entries, the head signed at {heads[0].at} holds {heads[0].size}"
            raise BrokenTrail(reason, seen.size)
        if end and (end.size, end.length, end.root) != (seen.size, position, seen.root().hex()):
            raise BrokenTrail(f"the log ends after {seen.size} entries, {end.size} were acknowledged", seen.size)
        if not end and tree.read(1):
            raise BrokenTrail(f"the log ends after {seen.size} entries, its hashes go on", seen.size)


def _checked_heads(data: bytes, key: Ed25519PublicKey, end: Head | None) -> list[Head]:
    heads: list[Head] = []
    for head in read_heads(data):
        number = len(heads)
        if end and number == end.number:
            break
        if head.number != number:
            raise BrokenTrail(f"signed head {number} is missing or out of order")
        if not head.holds(key):
            raise BrokenTrail(f"signed head {number} does not carry our signature")
        if heads and not (head.size > heads[-1].size and head.at >= heads[-1].at):
            raise BrokenTrail(f"signed head {number} does not go on from the one before it")
        heads.append(head)
    if len(heads) < (end.number if end else 1):
        raise BrokenTrail(f"only {len(heads)} signed heads are left")
    return heads


def _check_hashes(tree: BinaryIO, leaf: bytes, seen: Peaks) -> None:
    """Compare an entry's hashes with tree.bin; a tree.bin that is alone to blame may be deleted, and is made anew."""
    number, made = seen.size, seen.push(leaf)
    kept = tree.read(len(made))
    if len(kept) < len(made):
        raise BrokenTrail(f"{TREE} ends before entry {number}; opening the ledger makes it anew", number)
    if kept != made:
        raise BrokenTrail(f"entry {number} and its hashes in {TREE} differ: one of them was changed", number)


def roots_in(folder: Path) -> dict[int, str]:
    """The roots of the signed heads in a folder by size, unverified. Raises BrokenTrail for heads that cannot be read."""
    with _open(folder / HEADS) as file:
        return {head.size: head.root for head in read_heads(file.read())}


def _check_cosigned(folder: Path, key: Ed25519PublicKey, end: Head | None) -> None:
    """Compare what witnesses co-signed with the heads, which hold by now."""
    roots = roots_in(folder)
    for checkpoint in CosignedCheckpoints(folder, key):
        if (end is None or checkpoint.size <= end.size) and roots.get(checkpoint.size) != checkpoint.root.hex():
            raise BrokenTrail(f"the log is not the one that was co-signed at {checkpoint.size} entries")


def _check_set(sets: KeySets, keys: Keys, number: int) -> None:
    try:
        sets.check(keys.digest, keys.size)
    except BrokenTrail as broken:
        raise BrokenTrail(f"entry {number}: {broken.reason}", number) from None


def _open(path: Path) -> BinaryIO:
    """The file to read; one that is missing reads as empty."""
    return path.open("rb") if path.exists() else BytesIO()
