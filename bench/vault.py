"""How fast the vault is: bulk minting and sealing, what a door waits meanwhile, and what erasing costs.

Run: PYTHONPATH=src python bench/vault.py [values, default 2000000]
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault


@contextmanager
def timed(what: str, count: int = 0) -> Iterator[None]:
    """Prints wall and CPU seconds, and millions per second."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    rate = f"  {count / wall / 1e6:.3f} M/s" if count else ""
    print(f"{what:58s} {wall:8.3f} s  cpu {cpu:7.3f}{rate}", flush=True)


def waits(act: Callable[[int], object], during: Callable[[], object]) -> list[float]:
    """Seconds that each act took, one every 3 ms, while `during` ran in another thread."""
    thread = threading.Thread(target=during)
    took: list[float] = []
    thread.start()
    while thread.is_alive():
        start = time.perf_counter()
        act(len(took))
        took.append(time.perf_counter() - start)
        time.sleep(0.003)
    thread.join()
    return took


def shown(what: str, took: list[float]) -> None:
    """Prints the percentiles in ms."""
    p50, p99, top = np.percentile(np.array(took) * 1e3, [50, 99, 100])
    print(f"{what:58s} p50 {p50:.1f}  p99 {p99:.1f}  max {top:.1f} ms of {len(took)}", flush=True)


def main(count: int, folder: Path) -> None:
    """The whole bench, in order."""
    vault = Vault(folder / "vault.db", Secrets(bytes(32)))
    values = [f"user{n}@example{n % 977}.org" for n in range(count)]
    half = count // 2
    with timed(f"resolve {half:,} new values into an empty vault", half):
        vault.resolve("email", values[:half])
    with timed(f"resolve {half:,} new values into {half:,}", half):
        vault.resolve("email", values[half:])
    with timed("flush"):
        vault.flush()
    with timed(f"resolve {half:,} known values", half):
        keys = vault.resolve("email", values[:half])
    blobs = [b"%0200d" % n for n in range(count // 10)]
    with timed(f"seal {len(blobs):,} records of 200 bytes", len(blobs)):
        records = vault.seal(blobs, 1)
    with timed("flush"):
        vault.flush()
    some = np.random.default_rng(1).choice(records, 10_000, replace=False)
    with timed("unseal 10,000 of them, scattered", 10_000):
        vault.unseal(some)

    shown("door, one new value, alone", [_took(lambda n=n: vault.resolve("phone", [f"a{n}"])) for n in range(300)])
    more = [f"device{n}" for n in range(count // 4)]
    for interval in (0.005, 0.0005):
        sys.setswitchinterval(interval)
        beside = f"beside bulk (Python's switch {interval * 1e3:g} ms)"
        for mark in ("new", "known"):
            bulk = [f"{value}{mark}{interval}" for value in more]
            acts = waits(
                lambda n, i=interval, m=mark: vault.resolve("phone", [f"{i}{n}" if m == "new" else "a1"]),
                lambda b=bulk: vault.resolve("device_id", b),
            )
            shown(f"door, one {mark} value, {beside}", acts)
        acts = waits(lambda n, i=interval: vault.resolve("phone", [f"s{i}{n}"]), lambda: vault.seal(blobs, 2))
        shown(f"door, one new value, {beside}: seal", acts)
    sys.setswitchinterval(0.005)

    vault.flush()
    shuffled = np.random.default_rng(2).permutation(keys)
    lost = np.random.default_rng(3).permutation(records)
    took = [_took(lambda n=n: vault.erase(shuffled[n * 3 : n * 3 + 3], lost[n : n + 1])) for n in range(100)]
    shown(f"erase one person (3 keys, 1 record) of {vault.max_key():,}", took)
    with timed("erase 1,000 people (3,200 keys, 1,000 records)"):
        vault.erase(shuffled[1_000:4_200], lost[1_000:2_000])
    with timed(f"resolve {half // 4:,} new values with suppressions", half // 4):
        vault.resolve("user_id", values[: half // 4])
    with timed("scrub"):
        vault.scrub()
    with timed("close"):
        vault.close()
    with timed("open"):
        vault = Vault(folder / "vault.db", Secrets(bytes(32)))
    print(vault.counts(), f"{(folder / 'vault.db').stat().st_size / 1e6:.0f} MB")
    vault.close()


def _took(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000, Path(made))
