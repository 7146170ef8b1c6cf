"""Of more than ten thousand changed proofs, heads and logs none is accepted; each unchanged one is."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tessera.errors import BadInput, BrokenTrail
from tessera.trust.checkpoint import Request, check_path, cosign, cosigned_by, read_checkpoint, read_request, signed
from tessera.trust.entries import Use
from tessera.trust.ledger import Ledger
from tessera.trust.merkle import Tree, leaf_hash
from tessera.trust.note import WITNESS, NamedKey
from tessera.trust.proofs import check, prove, read_proof
from tessera.trust.trail import audit

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
PUBLIC = KEY.public_key()
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
MEMBERS = range(0, 9_000, 3)
EACH = 4_000


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A ledger of 41 entries about every third of 9,000 keys."""
    with Ledger(tmp_path_factory.mktemp("law"), KEY, b"s" * 32, lambda: NOON, seal_every=8) as made:
        keys = made.keep(MEMBERS, "key")
        made.append_many(
            Use(actor=f"user{n % 5}", role="analyst", act="read", purpose="analytics", rows=n, keys=keys)
            for n in range(41)
        )
        made.seal_head()
        yield made


def flipped(text: str, chance: random.Random) -> str:
    """One bit of one character is another."""
    at = chance.randrange(len(text))
    return text[:at] + chr(ord(text[at]) ^ 1 << chance.randrange(7)) + text[at + 1 :]


def cut(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) - 1)]


def dropped(text: str, chance: random.Random) -> str:
    at = chance.randrange(len(text.rstrip()))
    return text[:at] + text[at + 1 :]


def moved(text: str, chance: random.Random) -> str:
    """Two lines change places."""
    lines = text.splitlines(keepends=True)
    one, two = chance.sample(range(len(lines)), 2)
    lines[one], lines[two] = lines[two], lines[one]
    return "".join(lines)


CHANGES: list[Callable[[str, random.Random], str]] = [flipped, flipped, cut, dropped, moved]


def accepted(act: Callable[[], object]) -> bool:
    try:
        act()
    except (BadInput, BrokenTrail):
        return False
    return True


def meaning(text: str) -> object:
    """What a document says, however its blanks lie and in whatever order a note is signed."""
    try:
        return json.loads(text)
    except ValueError:
        said, *signatures = text.split("\n— ")
        return said, frozenset(s.rstrip("\n") for s in signatures), text.endswith("\n")


def test_no_changed_proof_of_an_entry_is_accepted(ledger: Ledger) -> None:
    chance = random.Random(1)
    texts = [
        msgspec.json.format(msgspec.json.encode(prove(ledger, n, {"key": [3 * n]} if n % 2 else None))).decode()
        for n in range(41)
    ]
    tried = 0
    while tried < EACH:
        text = chance.choice(texts)
        changed = chance.choice(CHANGES)(text, chance)
        if meaning(changed) == meaning(text):
            continue
        tried += 1
        if accepted(lambda c=changed: check(read_proof(c), PUBLIC)):
            # What is left is no forgery: it names another key of the very chunk that the proof shows.
            was, now = read_proof(text), read_proof(changed)
            assert was.member and now.member and now == msgspec.structs.replace(was, member=now.member)
            assert now.member == msgspec.structs.replace(was.member, id=now.member.id) and now.member.id in MEMBERS
    assert all(accepted(lambda t=t: check(read_proof(t), PUBLIC)) for t in texts)


def test_no_part_of_one_proof_serves_in_another(ledger: Ledger) -> None:
    proofs = [prove(ledger, n, {"key": [3 * n]}) for n in range(41)]
    older = signed(32, bytes.fromhex(ledger.head(4).root), KEY)
    alien = signed(41, bytes.fromhex(ledger.head().root), OTHER)
    tried = 0
    for one in proofs:
        for other in proofs:
            for field in ("entry", "line", "path"):
                if getattr(one, field) != getattr(other, field):
                    tried += 1
                    mixed = msgspec.structs.replace(one, **{field: getattr(other, field)})
                    assert not accepted(lambda m=mixed: check(m, PUBLIC)), field
        for head in (older, alien):
            mixed = msgspec.structs.replace(one, checkpoint=str(head.note))
            assert not accepted(lambda m=mixed: check(m, PUBLIC))
        assert not accepted(lambda p=one: check(p, OTHER.public_key()))
    assert tried > 4_000


def test_no_changed_checkpoint_request_or_co_signature_is_accepted(ledger: Ledger) -> None:
    chance = random.Random(2)
    witness = NamedKey.of("audit.example", WITNESS, OTHER)
    tree = Tree([leaf_hash(line) for line in (ledger.folder / "log.jsonl").read_bytes().splitlines()])
    old = signed(19, tree.root(19), KEY)
    new = signed(41, tree.root(), KEY)
    new = msgspec.structs.replace(new, note=new.note.plus(cosign(new, witness, OTHER, NOON)))
    request = str(Request(19, tuple(tree.consistency(19)), new))

    def serves(text: str) -> None:
        asked = read_request(text, PUBLIC)
        check_path(old, asked.checkpoint, asked.path)
        if asked.old != 19 or not cosigned_by(asked.checkpoint, witness):
            raise BrokenTrail("not the request that was signed")

    serves(request)
    for _ in range(EACH):
        changed = chance.choice(CHANGES)(request, chance)
        assert meaning(changed) == meaning(request) or not accepted(lambda c=changed: serves(c))
    for size in range(42):
        forged = signed(size, tree.root(size), OTHER)
        assert not accepted(lambda f=forged: read_checkpoint(str(f.note), PUBLIC))


def test_every_pair_of_heads_is_consistent_and_no_other_pair(ledger: Ledger) -> None:
    lines = (ledger.folder / "log.jsonl").read_bytes().splitlines()
    tree = Tree([leaf_hash(line) for line in lines])
    fork = Tree([leaf_hash(line) for line in [*lines[:10], lines[11], lines[10], *lines[12:]]])
    for second in range(42):
        for first in range(second + 1):
            path = tree.consistency(first, second)
            old, new = signed(first, tree.root(first), KEY), signed(second, tree.root(second), KEY)
            check_path(old, new, path)
            if second > first:
                assert not accepted(lambda a=new, b=old, p=path: check_path(a, b, p))
            if second > 10:
                other = signed(second, fork.root(second), KEY)
                for way in (path, fork.consistency(first, second)):
                    if first > 10:
                        assert not accepted(lambda a=old, b=other, w=way: check_path(a, b, w))


@pytest.mark.parametrize("seed", range(60))
def test_no_changed_log_is_accepted(ledger: Ledger, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    for name in ("log.jsonl", "heads.jsonl", "tree.bin"):
        (tmp_path / name).write_bytes((ledger.folder / name).read_bytes())
    log = (tmp_path / "log.jsonl").read_text()
    for _ in range(4):
        changed = CHANGES[chance.randrange(len(CHANGES))](log, chance)
        (tmp_path / "log.jsonl").write_text(changed, newline="")
        (tmp_path / "tree.bin").write_bytes(b"")
        assert changed == log or not audit(tmp_path, PUBLIC, None).ok
