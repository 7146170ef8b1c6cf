"""Commitments to consents: a hash that anybody may see and nobody can read, and its opening, which the person is given.

A commitment is SHA-256 over a salt, a token, the purpose, the terms and the expiry. Salt and token come from the salt of
one of her keys in the vault and from the master key; with either gone, the commitment leads to nobody. The leaf of the
tree of all consents is RFC 9162's over the commitment and its expiry.
"""

from __future__ import annotations

import hmac
import json
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from tessera.config import Purpose
from tessera.errors import BadChain, BadInput
from tessera.trust.chain import Chain, Kind
from tessera.trust.merkle import WIDTH, Tree, leaf_hash
from tessera.trust.setfiles import write_once

FORMAT: Final = "tessera commitment 1"
TOKEN_BYTES = 16

_Digits = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Path = Annotated[tuple[_Digits, ...], msgspec.Meta(max_length=64)]
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]


class Terms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What she agreed to, in words: the purpose as purposes.yaml has it."""

    purpose: str
    version: str
    data_use: str
    sentence: dict[str, str]

    @classmethod
    def of(cls, purpose: Purpose) -> Terms:
        """The terms of a purpose as they stand today."""
        return cls(purpose=purpose.name, version=purpose.version, data_use=purpose.data_use, sentence=purpose.sentence)

    def digest(self) -> bytes:
        """SHA-256 of the terms as JSON with sorted keys and no spaces, in UTF-8."""
        told = json.dumps(msgspec.to_builtins(self), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return sha256(told.encode()).digest()


class Under(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the commitment lies in the tree of all consents that hold: the root's number on the chain, and the path."""

    number: _Count
    index: _Count
    size: _Count
    path: _Path


class Opening(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document that opens a commitment: whoever has it can compute the hash anew and ask the chain whether it holds.

    expiry: seconds since 1970 (UTC), 0 for no end. under: None for a commitment of its own on the chain.
    """

    format: Literal["tessera commitment 1"] = FORMAT
    commitment: _Digits
    salt: _Digits
    token: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    terms: Terms
    expiry: _Count
    kind: Kind
    chain: _Count
    contract: str
    under: Under | None = None


_opening = msgspec.json.Decoder(Opening)


def committed(salt: bytes, token: bytes, purpose: str, terms: bytes, expiry: int) -> bytes:
    """The commitment, 32 bytes. salt: 32 bytes; token: 16; terms: a digest; expiry: seconds since 1970, 0 for no end."""
    return sha256(b"\2" + salt + token + sha256(purpose.encode()).digest() + terms + expiry.to_bytes(8)).digest()


def leaf(commitment: bytes, expiry: int) -> bytes:
    """The hash under which a commitment with its expiry stands in the tree of all consents."""
    return leaf_hash(commitment + expiry.to_bytes(WIDTH))


class Hidden:
    """One person's secrets for commitments, from the salt of a key of hers."""

    def __init__(self, master: bytes, salt: bytes) -> None:
        """master: 32 bytes that come from the master key. salt: the key's, from the vault."""
        self._secret = hmac.digest(master, salt, "sha256")
        self.token = hmac.digest(self._secret, b"token", "sha256")[:TOKEN_BYTES]

    def salt(self, purpose: str, terms: bytes, expiry: int, serial: int = 0) -> bytes:
        """The salt of one commitment: of another purpose, other terms, another expiry or serial it is another one.

        serial: 0 for the tree of all; a number of its own for each commitment that she asked for.
        """
        of = sha256(purpose.encode()).digest() + terms + expiry.to_bytes(8) + serial.to_bytes(8)
        return hmac.digest(self._secret, of, "sha256")


def opened(opening: Opening) -> bytes:
    """The commitment that an opening opens, computed anew. Raises BadInput if it is another one than it names."""
    made = committed(
        bytes.fromhex(opening.salt), bytes.fromhex(opening.token), opening.terms.purpose, opening.terms.digest(), opening.expiry
    )
    if made.hex() != opening.commitment:
        raise BadInput("This does not open the commitment that it names: something in it was changed.")
    return made


def holds(opening: Opening, chain: Chain) -> tuple[bool, str]:
    """Whether the contract says that an opened commitment holds now, and if not, why. Raises BadInput, BadChain."""
    made, under = opened(opening), opening.under
    if (opening.chain, opening.contract.lower()) != (chain.number, chain.contract.lower()):
        return False, "it was made for another contract"
    if under is not None:
        path = [bytes.fromhex(h) for h in under.path]
        yes = chain.ask("consented", made, opening.expiry, under.index, path) == (True,)
        return yes, "" if yes else "it is not under the newest root over all consents, or its end has come"
    if chain.ask("usable", made) == (True,):
        return True, ""
    state, expiry = chain.ask("held", made)
    if state == 0:
        return False, "it is not on the contract, or not yet"
    if state > 1:
        return False, "it was revoked"
    return False, "it was burned" if chain.ask("burned", made)[0] else f"its end has come ({expiry} seconds since 1970)"


def read_opening(text: str) -> Opening:
    """The opening in a document. Raises BadInput if it is none."""
    try:
        return _opening.decode(text)
    except ValueError:
        raise BadInput("This is no opening of a commitment. Make one: tessera consent commit ID --of PURPOSE -o FILE") from None


class Found(NamedTuple):
    """A leaf in the tree of consents."""

    place: int
    size: int
    path: list[bytes]
    root: bytes


class ConsentTree:
    """The tree over all consents that hold, with its leaves in their order, in one file: the newest that was anchored.

    Leaves are sorted, so their order tells nothing; each is a hash that leads to nobody without a salt.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, leaves: Iterable[bytes]) -> tuple[int, bytes]:
        """Keep these leaves; returns how many, and the root over them."""
        ordered = sorted(leaves)
        write_once(self.path, b"".join(ordered))
        return len(ordered), Tree(ordered).root()

    def find(self, wanted: bytes) -> Found | None:
        """Where a leaf lies; None if it is not there. Raises BadChain if the file was cut."""
        data = self.path.read_bytes() if self.path.exists() else b""
        if len(data) % WIDTH:
            raise BadChain(f"{self.path.name} was cut. The next anchor writes it anew: tessera anchor now")
        leaves = [data[at : at + WIDTH] for at in range(0, len(data), WIDTH)]
        at = bisect_left(leaves, wanted)
        if at == len(leaves) or leaves[at] != wanted:
            return None
        tree = Tree(leaves)
        return Found(at, len(leaves), tree.inclusion(at), tree.root())
