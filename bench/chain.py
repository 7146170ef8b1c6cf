"""What the contract costs and holds: gas by function and per ledger entry, speed of the embedded chain, changed proofs
refused on the chain and in Python, the root over all consents.

Run: PYTHONPATH=src python bench/chain.py [CHANGED, default 10000] [PEOPLE, default 200000]. One JSON line for each figure.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from tessera.trust.chain import MOST
from tessera.trust.chain_embedded import FILE, Embedded
from tessera.trust.commitments import ConsentTree, Hidden, committed, leaf
from tessera.trust.merkle import Tree, leaf_hash, verify_inclusion
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault

ENTRIES = 100_000
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def tell(what: str, **figures: float) -> None:
    """Prints a line."""
    print(json.dumps({"what": what, **{k: round(v, 3) for k, v in figures.items()}}), flush=True)


def made(number: int) -> bytes:
    """A hash."""
    return sha256(b"%d" % number).digest()


def gas(chain: Embedded, tree: Tree) -> None:
    """What each function costs, at a log of 100,000 entries an anchor."""
    tell("deploy", gas=chain.deploy().gas)
    first, second = chain.send("anchor", 1, tree.root(1)), chain.send("anchor", ENTRIES + 1, tree.root())
    tell("anchor", first=first.gas, next=second.gas, per_entry=second.gas / ENTRIES)
    roots = [chain.send("consent", ENTRIES, made(n)).gas for n in range(2)]
    tell("root over consents", first=roots[0], next=roots[1])
    end = int(NOON.timestamp()) + 10_000
    one = chain.send("grant", [made(0)], [end]).gas
    many = chain.send("grant", [made(n) for n in range(1, MOST + 1)], [end] * MOST).gas
    tell("grant", single=one, of_batch=many / MOST)
    one = chain.send("revoke", [made(0)]).gas
    many = chain.send("revoke", [made(n) for n in range(1, MOST + 1)]).gas
    tell("revoke", single=one, of_batch=many / MOST)
    tell("burn", gas=chain.send("burn", made(1_000), 5).gas)
    place = ENTRIES // 3
    path = tree.inclusion(place)
    tell("inclusion view", gas=chain.gas("includes", 1, tree.leaf(place), place, path), hashes=len(path))
    tell("usable view", gas=chain.gas("usable", made(0)))


def speed(folder: Path) -> None:
    """How fast the embedded chain is, and how its file grows."""
    start = time.perf_counter()
    chain = Embedded(folder, b"k" * 32, lambda: NOON)
    tell("open, new, with import", seconds=time.perf_counter() - start)
    before, start = (folder / FILE).stat().st_size, time.perf_counter()
    for size in range(1, 301):
        chain.send("anchor", size, made(size))
    took = time.perf_counter() - start
    tell("anchors", per_second=300 / took, bytes_each=((folder / FILE).stat().st_size - before) / 300)
    chain.close()
    start = time.perf_counter()
    chain = Embedded(folder, b"k" * 32, lambda: NOON)
    tell("open again after 300 blocks", seconds=time.perf_counter() - start)
    start = time.perf_counter()
    for _ in range(100):
        chain.ask("head", 3)
    tell("views", per_second=100 / (time.perf_counter() - start))
    chain.close()


def changed(tree: Tree, chance: random.Random) -> Iterator[tuple[bytes, int, list[bytes]]]:
    """Claims of inclusion with one thing changed each: a bit of the leaf or of a hash, the place, the path's hashes."""
    while True:
        place = chance.randrange(tree.size)
        leaf_of, path = tree.leaf(place), tree.inclusion(place)
        at = chance.randrange(len(path))
        other = (place + chance.randrange(1, tree.size)) % tree.size
        match chance.randrange(6):
            case 0:
                leaf_of = bytes([leaf_of[0] ^ 1 << chance.randrange(8), *leaf_of[1:]])
            case 1:
                place = chance.choice((other, place + tree.size, chance.randrange(tree.size, 2**64)))
            case 2:
                path[at] = bytes([*path[at][:31], path[at][31] ^ 1 << chance.randrange(8)])
            case 3:
                path.pop(at)
            case 4:
                path.insert(at, chance.randbytes(32))
            case 5:
                path = tree.inclusion(other)
                if path == tree.inclusion(place):
                    continue
        yield leaf_of, place, path


def forged(chain: Embedded, tree: Tree, many: int) -> None:
    """How many changed claims are accepted: the figure is zero, on the chain and in Python."""
    chance = random.Random(7)
    chain.deploy()
    chain.send("anchor", tree.size, tree.root())
    on_chain = in_python = 0
    start = time.perf_counter()
    for _, (leaf_of, place, path) in zip(range(many), changed(tree, chance), strict=False):
        on_chain += chain.ask("includes", 0, leaf_of, place, path)[0]
        in_python += verify_inclusion(leaf_of, place, tree.size, path, tree.root())
    took = time.perf_counter() - start
    tell("changed proofs", tried=many, accepted_on_chain=on_chain, accepted_in_python=in_python, seconds=took)


def consents(folder: Path, people: int) -> None:
    """The root over all consents, two for each person: with new salts, and the next day."""
    vault = Vault(folder / "vault.db", Secrets(b"m" * 32))
    keys = [int(k) for k in vault.resolve("user_id", [f"u{n}" for n in range(people)])]
    before, terms = (folder / "vault.db").stat().st_size, made(1)
    for day in ("first day", "next day"):
        start = time.perf_counter()

        def leaves() -> Iterator[bytes]:
            for _, salt in vault.salts(keys):
                hidden = Hidden(b"h" * 32, salt)
                for purpose in ("analytics", "marketing"):
                    yield leaf(committed(hidden.salt(purpose, terms, 0), hidden.token, purpose, terms, 0), 0)

        size, _ = ConsentTree(folder / "consents.bin").write(leaves())
        vault.flush()
        tell(f"root over consents, {day}", consents=size, seconds=time.perf_counter() - start)
    disk = (folder / "vault.db").stat().st_size - before
    tell("salts on disk", bytes_each=disk / people, tree_bytes=(folder / "consents.bin").stat().st_size)
    start = time.perf_counter()
    tree = ConsentTree(folder / "consents.bin")
    tree.find((folder / "consents.bin").read_bytes()[32:64])
    tell("path of one consent", seconds=time.perf_counter() - start)
    vault.close()


def main() -> None:
    many, people = (int(a) for a in (*sys.argv[1:], *("10000", "200000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree = Tree([leaf_hash(b"entry %d" % n) for n in range(ENTRIES)])
        speed(folder / "speed")
        chain = Embedded(folder / "gas", b"k" * 32, lambda: NOON)
        gas(chain, tree)
        forged(chain, tree, many)
        chain.close()
        consents(folder, people)


if __name__ == "__main__":
    main()
