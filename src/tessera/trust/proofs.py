"""The proof of one entry as a document of its own: it is checked with the ledger's public key and nothing else.

It holds the entry's line, its path to the root of a signed checkpoint (with the witnesses' signatures, if there are any),
where on a chain a head that holds it is anchored, if one is, and, for one person, the proof that a key of hers is in the
entry's set. Whoever reads the latter also sees which of the 1,024 key numbers around hers are in the set; numbers, which
lead to nobody outside of the vault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tessera.errors import BadInput, BrokenTrail, NotFound
from tessera.trust.anchored import AnchoredHead, head_on
from tessera.trust.chain import Chain, Kind
from tessera.trust.checkpoint import Checkpoint, fingerprint, read_checkpoint
from tessera.trust.entries import Entry, entry_in
from tessera.trust.keysets import CHUNK, Membership, Unit, verify_member
from tessera.trust.ledger import Ledger
from tessera.trust.merkle import WIDTH, leaf_hash, verify_inclusion

FORMAT: Final = "tessera ledger proof 1"

_Hex = Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$", max_length=1024)]
_Path = Annotated[tuple[_Hex, ...], msgspec.Meta(max_length=64)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That one key or person is in the set of the entry (keysets.Membership), in hexadecimal digits."""

    unit: Unit
    id: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
    nonce: _Hex
    chunk: _Hex
    left: _Count
    path: _Path


class Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The oldest anchored head that holds the entry. number: which on the contract. path: the entry's under that head; none
    where it is the checkpoint's own. The chain alone can say that it is there (see `check_on`)."""

    kind: Kind
    chain: _Count
    contract: Annotated[str, msgspec.Meta(pattern="^0x[0-9a-fA-F]{40}$")]
    number: _Count
    size: _Count
    root: _Hex
    path: _Path


class Proof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document. path: hashes from the lowest. key: the fingerprint of the public key that it is checked with."""

    format: Literal["tessera ledger proof 1"] = FORMAT
    entry: _Count
    line: str
    path: _Path
    checkpoint: str
    key: str
    anchor: Anchor | None = None
    member: Member | None = None


class Proved(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof shows: the entry, the checkpoint that it lies under, and whose key was in its set.

    anchor: where it says to be anchored; only a chain shows that it is.
    """

    entry: Entry
    checkpoint: Checkpoint
    anchor: Anchor | None = None
    unit: Unit | None = None
    id: int | None = None


_proof = msgspec.json.Decoder(Proof)


def prove(
    ledger: Ledger, seq: int, hers: Mapping[Unit, Iterable[int]] | None = None, anchored: AnchoredHead | None = None
) -> Proof:
    """The proof of an entry, under the oldest co-signed checkpoint that holds it, else under the anchored head, else under
    the newest.

    anchored: the oldest anchored head that holds the entry. hers: a person's ids by unit; the proof then also shows that one
    of them is in the entry's set. Raises NotFound if there is no such entry, or if its set holds none of hers.
    """
    checkpoint = ledger.cosigned.over(seq) or ledger.checkpoint(anchored.size if anchored else None)
    found = ledger.proof(seq, checkpoint.size)
    member = None
    if hers is not None:
        keys = entry_in(found.line + b"\n", seq).keys
        member = _member(ledger, keys.digest, keys.unit, hers.get(keys.unit, ())) if keys else None
        if member is None:
            raise NotFound("Entry", f"{seq} that held this person")
    return Proof(
        entry=seq,
        line=found.line.decode(),
        path=tuple(h.hex() for h in found.path),
        checkpoint=str(checkpoint.note),
        key=fingerprint(ledger.public_key),
        anchor=_anchor(ledger, seq, anchored, checkpoint.size) if anchored else None,
        member=member,
    )


def read_proof(text: str) -> Proof:
    """The proof in a document, unverified. Raises BadInput if it is none."""
    try:
        return _proof.decode(text)
    except ValueError:
        raise BadInput("This is no proof of an entry. Make one: tessera ledger proof ENTRY -o FILE") from None


def check(proof: Proof, key: Ed25519PublicKey) -> Proved:
    """What the proof shows to whoever trusts this public key. Raises BrokenTrail with the reason if it shows nothing."""
    if proof.key != fingerprint(key):
        raise BrokenTrail("the proof names another public key")
    entry = entry_in(proof.line.encode() + b"\n", proof.entry)
    try:
        checkpoint = read_checkpoint(proof.checkpoint, key)
    except BadInput:
        raise BrokenTrail("the proof's checkpoint was altered", proof.entry) from None
    path = [bytes.fromhex(h) for h in proof.path]
    if not verify_inclusion(leaf_hash(proof.line.encode()), proof.entry, checkpoint.size, path, checkpoint.root):
        raise BrokenTrail(f"entry {proof.entry} is not in the log of {checkpoint.size} entries that was signed", proof.entry)
    if proof.anchor is not None:
        _check_anchor(proof, proof.anchor, checkpoint)
    if proof.member is None:
        return Proved(entry=entry, checkpoint=checkpoint, anchor=proof.anchor)
    if entry.keys is None or entry.keys.unit != proof.member.unit or not _holds(entry.keys.digest, proof.member):
        raise BrokenTrail(f"the {proof.member.unit} is not in the set of entry {proof.entry}", proof.entry)
    member = proof.member
    return Proved(entry=entry, checkpoint=checkpoint, anchor=proof.anchor, unit=member.unit, id=member.id)


def check_on(chain: Chain, proof: Proof, checkpoint: Checkpoint) -> AnchoredHead:
    """The head on the chain under which the entry of a proof is; the contract itself walks the path.

    chain: whom the reader trusts, with its contract; not taken from the proof. checkpoint: as `check` gave it. Raises
    BrokenTrail if the proof names no anchor, another contract, or an anchor that does not hold the entry; BadChain if the
    chain is not reached.
    """
    anchor = proof.anchor
    if anchor is None:
        raise BrokenTrail("the proof names no anchor", proof.entry)
    if (anchor.chain, anchor.contract.lower()) != (chain.number, chain.contract.lower()):
        raise BrokenTrail("the proof is anchored on another contract", proof.entry)
    (count,) = chain.ask("count")
    if anchor.number >= count:
        raise BrokenTrail(f"the contract has {count} anchors, and none of number {anchor.number}", proof.entry)
    head = head_on(chain, anchor.number)
    leaf, path = leaf_hash(proof.line.encode()), _climbed(proof, anchor, checkpoint)
    held = all(len(h) == WIDTH for h in path) and chain.ask("includes", anchor.number, leaf, proof.entry, path) == (True,)
    if (head.size, head.root) != (anchor.size, anchor.root) or not held:
        raise BrokenTrail(f"entry {proof.entry} is not under anchor {anchor.number} of the contract", proof.entry)
    return head


def _anchor(ledger: Ledger, seq: int, head: AnchoredHead, size: int) -> Anchor:
    path = ledger.proof(seq, head.size).path if head.size != size else ()
    return Anchor(
        kind=head.kind, chain=head.chain, contract=head.contract, number=head.number, size=head.size, root=head.root,
        path=tuple(h.hex() for h in path),
    )


def _check_anchor(proof: Proof, anchor: Anchor, checkpoint: Checkpoint) -> None:
    """Raises BrokenTrail if what the proof says of its anchor cannot be: the rest is for the chain."""
    leaf, root = leaf_hash(proof.line.encode()), bytes.fromhex(anchor.root)
    other = anchor.size == checkpoint.size and (root != checkpoint.root or anchor.path)
    if other or not verify_inclusion(leaf, proof.entry, anchor.size, _climbed(proof, anchor, checkpoint), root):
        raise BrokenTrail(f"entry {proof.entry} is not under the anchored head that the proof names", proof.entry)


def _climbed(proof: Proof, anchor: Anchor, checkpoint: Checkpoint) -> list[bytes]:
    """The entry's path under the anchored head: that of the checkpoint, if both are of one size."""
    return [bytes.fromhex(h) for h in (proof.path if anchor.size == checkpoint.size else anchor.path)]


def _member(ledger: Ledger, digest: str, unit: Unit, ids: Iterable[int]) -> Member | None:
    for one in ids:
        if found := ledger.sets.prove(digest, one):
            return Member(
                unit=unit,
                id=one,
                nonce=found.nonce.hex(),
                chunk=found.chunk.hex(),
                left=found.left,
                path=tuple(h.hex() for h in found.path),
            )
    return None


def _holds(digest: str, member: Member) -> bool:
    path = tuple(bytes.fromhex(h) for h in member.path)
    nonce, chunk = bytes.fromhex(member.nonce), bytes.fromhex(member.chunk)
    return verify_member(digest, member.id, Membership(member.id // CHUNK, nonce, chunk, member.left, path))
