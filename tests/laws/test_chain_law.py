"""No changed proof is accepted by the contract, nor a changed document that names an anchor; what is true, always is."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tessera.errors import BadChain, BadInput, BrokenTrail
from tessera.trust.anchored import head_on
from tessera.trust.chain_embedded import Embedded
from tessera.trust.ledger import Ledger, Use
from tessera.trust.merkle import Tree, leaf_hash, verify_inclusion
from tessera.trust.proofs import Proof, check, check_on, prove, read_proof

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIZES = (1, 2, 7, 64, 100, 1000)
TREE = Tree([leaf_hash(b"entry %d" % n) for n in range(SIZES[-1])])

Claim = tuple[int, bytes, int, list[bytes]]
"""What `includes` is asked: the anchor's number, a leaf, its place, its path."""


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    made = Embedded(tmp_path_factory.mktemp("chain"), b"k" * 32, lambda: NOON)
    for size in SIZES:
        made.send("anchor", size, TREE.root(size))
    yield made
    made.close()


def claim(chance: random.Random) -> Claim:
    """A true one."""
    number = chance.randrange(len(SIZES))
    place = chance.randrange(SIZES[number])
    return number, TREE.leaf(place), place, TREE.inclusion(place, SIZES[number])


def flipped(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) * 8)
    return (int.from_bytes(data) ^ 1 << at).to_bytes(len(data))


def changed(true: Claim, chance: random.Random) -> Claim:
    """The claim with one thing changed: a bit, a place, a hash dropped, added, doubled or moved, another's path or leaf."""
    number, leaf, place, path = true
    path = list(path)
    other = claim(chance)
    at = chance.randrange(len(path)) if path else 0
    match chance.randrange(9):
        case 0:
            leaf = flipped(leaf, chance)
        case 1:
            place = chance.choice((place + 1, place ^ 1, place + SIZES[number], chance.randrange(2**64), 2**64 - 1, 0))
        case 2:
            number = chance.choice((number + 1, chance.randrange(2**256), other[0]))
        case 3 if path:
            path[at] = flipped(path[at], chance)
        case 4 if path:
            path.pop(at)
        case 5:
            path.insert(at, chance.choice((leaf, bytes(32), chance.randbytes(32))))
        case 6 if len(path) > 1:
            path[at], path[at - 1] = path[at - 1], path[at]
        case 7:
            path = other[3]
        case _:
            leaf = other[1]
    return number, leaf, place, path


def true_in_python(asked: Claim) -> bool:
    number, leaf, place, path = asked
    return number < len(SIZES) and verify_inclusion(leaf, place, SIZES[number], path, TREE.root(SIZES[number]))


def walked(chain: Embedded, many: int, seed: int) -> int:
    """How many changed claims the contract refused; it and Python agree on every one."""
    chance, tried = random.Random(seed), 0
    while tried < many:
        true = claim(chance)
        asked = changed(true, chance)
        if asked == true:
            continue
        said = chain.ask("includes", *asked)
        assert said == (true_in_python(asked),), asked
        # What is left is no forgery: another anchor under which the same leaf has the same path, or another true claim.
        assert said == (False,) or asked[1] == TREE.leaf(asked[2]), asked
        tried += said == (False,)
    return tried


def test_every_true_claim_is_accepted(chain: Embedded) -> None:
    for number, size in enumerate(SIZES[:-1]):
        for place in range(size):
            assert chain.ask("includes", number, TREE.leaf(place), place, TREE.inclusion(place, size)) == (True,)


def test_no_changed_claim_is_accepted_on_the_chain(chain: Embedded) -> None:
    assert walked(chain, 400, 1) == 400


@pytest.mark.heavy
def test_none_of_ten_thousand_changed_claims_is_accepted_on_the_chain(chain: Embedded) -> None:
    assert walked(chain, 10_000, 2) == 10_000


def test_a_path_longer_than_any_tree_s_is_refused(chain: Embedded) -> None:
    with pytest.raises(BadChain):
        chain.ask("includes", 0, TREE.leaf(0), 0, [bytes(32)] * 65)


@pytest.fixture
def proofs_of(tmp_path: Path, chain: Embedded) -> tuple[Ledger, list[Proof]]:
    """A ledger of 100 entries whose heads of 40 and 100 are anchored on a contract of its own."""
    ledger = Ledger(tmp_path, KEY, b"s" * 32, lambda: NOON)
    before = chain.contract
    chain.deploy()
    heads = []
    for many in (40, 60):
        ledger.append_many(Use(actor="ana", role="analyst", act="read", purpose="analytics", rows=n) for n in range(many))
        head = ledger.seal_head()
        chain.send("anchor", head.size, bytes.fromhex(head.root))
        heads.append(head_on(chain, len(heads)))
    made = [prove(ledger, n, anchored=heads[n >= 40]) for n in range(100)]
    yield ledger, made
    ledger.close()
    chain.contract = before


def test_a_document_holds_on_the_chain_and_no_changed_anchor_in_it_does(
    chain: Embedded, proofs_of: tuple[Ledger, list[Proof]]
) -> None:
    ledger, made = proofs_of

    def accepted(proof: Proof) -> bool:
        try:
            again = read_proof(msgspec.json.encode(proof).decode())
            check_on(chain, again, check(again, ledger.public_key).checkpoint)
        except (BadInput, BrokenTrail):
            return False
        return True

    assert all(accepted(p) for p in made[::7])
    chance, tried = random.Random(3), 0
    while tried < 300:
        one, other = chance.choice(made), chance.choice(made)
        assert one.anchor and other.anchor
        anchor = one.anchor
        field, value = chance.choice(
            [
                ("number", chance.choice((1 - anchor.number, 2, 2**61))),
                ("size", chance.choice((anchor.size - 1, anchor.size + 1, 140 - anchor.size))),
                ("root", flipped(bytes.fromhex(anchor.root), chance).hex()),
                ("chain", anchor.chain + 1),
                ("contract", "0x" + flipped(bytes.fromhex(anchor.contract[2:]), chance).hex()),
                ("path", chance.choice((made[3].path, one.path, one.path[1:]))),
            ]
        )
        tried += 1
        assert not accepted(msgspec.structs.replace(one, anchor=msgspec.structs.replace(anchor, **{field: value}))), field
        if one.anchor != other.anchor:
            assert not accepted(msgspec.structs.replace(one, anchor=other.anchor))
