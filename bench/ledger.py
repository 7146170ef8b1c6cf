"""How fast and how large the ledger is: durable entries, proofs at a million, "which uses held me?", sets on disk.

Run: PYTHONPATH=src python bench/ledger.py [FOLDER, default a temporary one]. One JSON line for each figure.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyroaring import BitMap

from tessera.trust.entries import Use
from tessera.trust.keysets import KeySets
from tessera.trust.ledger import Ledger
from tessera.trust.proofs import Proof, check, prove

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
SALT = b"s" * 32
PEOPLE = 1_000_000
USE = Use(
    actor="user:ana", role="analyst", act="read", purpose="analytics", tables=(("events", 31), ("membership", 12)),
    categories=("user.behavior", "user.account"), rows=12, reason="analytics: consent of each person",
)  # fmt: skip


def opened(folder: Path) -> Ledger:
    """The ledger of a folder, as a workspace opens it."""
    folder.mkdir(parents=True, exist_ok=True)
    return Ledger(folder, KEY, SALT, lambda: datetime.now(UTC))


def seconds(act: Callable[[], object]) -> float:
    """How long it took."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def tell(what: str, **figures: float) -> None:
    """Prints a line."""
    print(json.dumps({"what": what, **{k: round(v, 3) for k, v in figures.items()}}), flush=True)


def durable(folder: Path, batch: int, entries: int) -> None:
    """Entries a second that are on disk when `append_many` returns."""
    with opened(folder / f"batch{batch}") as ledger:
        keys = ledger.keep(BitMap(range(PEOPLE)), "key", "at most")
        uses = [msgspec.structs.replace(USE, keys=keys)] * batch
        times = [seconds(lambda: ledger.append_many(uses)) for _ in range(entries // batch)]
        cpu = time.process_time()
        ledger.append_many(uses)
        cpu = time.process_time() - cpu
        tell(
            f"durable entries in batches of {batch:,}", entries_s=entries / sum(times),
            entries_s_quietest_tenth=batch / float(np.quantile(times, 0.1)), cpu_us_each=cpu / batch * 1e6,
        )  # fmt: skip


def proofs(folder: Path) -> None:
    """What one proof costs in a log of a million entries."""
    with opened(folder / "million") as ledger:
        some = np.flatnonzero(np.random.default_rng(1).random(PEOPLE * 10 // 7) < 0.7)
        use = msgspec.structs.replace(USE, keys=ledger.keep(some, "key", "at most"))
        while len(ledger) < 1_000_000:
            ledger.append_many([use] * 10_000)
        ledger.seal_head()
        picked = np.random.default_rng(2).integers(0, len(ledger), 1_000).tolist()
        hers = {"key": [int(some[len(some) // 2])]}
        made: list[Proof] = [prove(ledger, 0, hers)]
        entry = [seconds(lambda n=n: ledger.proof(n)) for n in picked]
        ledger.sets = KeySets(ledger.folder / "sets", SALT)
        first = seconds(lambda: prove(ledger, 1, hers))
        tell("1 M entries: first proof from a set of 1 M, whose tree is grown", ms=first * 1e3)
        member = [seconds(lambda: ledger.sets.prove(use.keys.digest, hers["key"][0])) for _ in range(100)]  # type: ignore[union-attr]
        whole = [seconds(lambda n=n: made.append(prove(ledger, n, hers))) for n in picked]
        checked = [seconds(lambda p=p: check(p, KEY.public_key())) for p in made]
        for name, took in {"entry": entry, "member": member, "document with member": whole, "check": checked}.items():
            tell(f"1 M entries: {name}", ms_median=statistics.median(took) * 1e3, ms_p99=float(np.quantile(took, 0.99)) * 1e3)
        found = ledger.proof(picked[0])
        shown = ledger.sets.prove(use.keys.digest, hers["key"][0])  # type: ignore[union-attr]
        line, path = len(found.line), 32 * len(found.path)
        tell(
            "1 M entries: bytes", line=line, path=path, member=len(msgspec.msgpack.encode(shown)),
            line_path=line + path, line_member=line + len(msgspec.msgpack.encode(shown)),
            all=line + path + len(msgspec.msgpack.encode(shown)), document=len(msgspec.json.encode(made[0])),
        )  # fmt: skip
        tell("1 M entries: open", s=seconds(lambda: opened(folder / "million").close()))


def held(folder: Path, name: str, drift: int, sets: int = 5_000, uses: int = 100_000) -> None:
    """ "Which uses held me?" where each set differs from the one before by `drift` people; 0: each is drawn anew."""
    random = np.random.default_rng(3)
    ids = BitMap(np.flatnonzero(random.random(PEOPLE * 10 // 7) < 0.7).astype(np.uint32))
    with opened(folder / name) as ledger:
        before, kept = time.perf_counter(), []
        for _ in range(sets):
            ids = ids ^ BitMap(random.integers(0, PEOPLE * 10 // 7, drift).astype(np.uint32)) if drift else _drawn(random)
            kept.append(ledger.keep(ids, "key", "at most"))
        keep_ms = (time.perf_counter() - before) / sets * 1e3
        files = [f.stat() for f in (ledger.folder / "sets").iterdir()]
        tell(
            f"{name}: {sets:,} sets of 1 M", keep_ms=keep_ms, mb=sum(f.st_size for f in files) / 1e6,
            mb_blocks=sum(f.st_blocks for f in files) * 512 / 1e6,
        )  # fmt: skip
        made = [msgspec.structs.replace(USE, keys=kept[n]) for n in random.integers(0, sets, uses)]
        for at in range(0, uses, 1_000):
            ledger.append_many(made[at : at + 1_000])
    for times in range(3):
        with opened(folder / name) as ledger:
            for which in ("first", "second"):
                her = int(random.integers(0, PEOPLE))
                numbers: list[int] = []
                took = seconds(lambda h=her, n=numbers: n.extend(ledger.numbers_of([h], "key")))
                tell(f"{name}: which uses held me, {which} question, run {times}", ms=took * 1e3, found=len(numbers))
            tell(f"{name}: all of her entries read", ms=seconds(lambda h=her: list(ledger.of([h], "key"))) * 1e3)


def _drawn(random: np.random.Generator) -> BitMap:
    return BitMap(np.flatnonzero(random.random(PEOPLE * 10 // 7) < 0.7).astype(np.uint32))


def main(folder: Path) -> None:
    """The whole bench, in order."""
    for batch, entries in ((1, 2_000), (100, 50_000), (1_000, 200_000), (10_000, 500_000)):
        durable(folder, batch, entries)
    proofs(folder)
    held(folder, "near sets", 200)
    held(folder, "sets drawn anew", 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as made:
            main(Path(made))
