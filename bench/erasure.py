"""How long an erasure takes: its instant part (block, vault, stores), and the sweep.

Run: PYTHONPATH=src python bench/erasure.py [events, default 4000000] [people, default events / 40]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tessera.app import tables
from tessera.config import Config
from tessera.lake.engine import connect
from tessera.lake.state import State
from tessera.lake.store import Lake
from tessera.trust.permits import Permits
from tessera.trust.rights import Rights
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault

KEYS = 3
"""Keys of one person."""

BATCHES = 4


def main(events: int, people: int) -> None:
    root = Path(tempfile.mkdtemp(prefix="erasure-"))
    secrets = Secrets(bytes(32))
    lake = Lake(root / "lake", tables(), State(root / "state.db"), lambda: datetime.now(UTC))
    vault = Vault(root / "vault.db", secrets)
    con = connect(spill=root)
    started = time.perf_counter()
    made = [vault.resolve(kind, [f"{kind}{i}" for i in range(people)]) for kind in ("user_id", "email", "anonymous_id")]
    keys = people * KEYS
    first = vault.seal([b'{"name": "Somebody %d"}' % i for i in range(people)], 1)
    vault.flush()
    low = int(made[0].min())
    rows = {
        # Person p has the keys p, p + people, p + 2 * people.
        # A person's keys lie together, as the step writes them.
        "membership": f"SELECT ({low} + i // {KEYS} + {people} * (i % {KEYS}))::INTEGER AS key_id, (i // {KEYS} + 1)::INTEGER AS person_id FROM range({keys}) t(i)",
        "mask": f"SELECT (i + {low})::INTEGER AS key_id, (i % {people} + 1)::INTEGER AS person_id, 7 AS mask FROM range({keys}) t(i)",
        "records": f"SELECT (i + {low})::INTEGER AS key_id, i + {first[0]} AS record_id, i + {first[0]} AS name FROM range({people}) t(i)",
        "links": f"SELECT (i % {people} + {low})::INTEGER AS key_a, (i + {people + low})::INTEGER AS key_b FROM range({2 * people}) t(i)",
        "orders": f"SELECT (i % {people} + {low})::INTEGER AS key_id, 'O' || i AS order_id, 100 AS amount_cents FROM range({events // 10}) t(i)",
        "profiles": f"SELECT (i + 1)::INTEGER AS person_id FROM range({people}) t(i)",
    }
    one = events // BATCHES
    event = (
        f"SELECT (hash(i) % {keys} + {low})::INTEGER AS key_id, 'm' || i AS message_id, 'track' AS type, "
        f"to_timestamp(1.7e9 + i)::TIMESTAMPTZ AS occurred_at, 'https://shop.example/p/' || (i % 977) AS url FROM range({{}}, {{}}) t(i)"
    )
    for table, select in rows.items():
        put(lake, con, table, select)
    for batch in range(BATCHES):
        put(lake, con, "events", event.format(batch * one, batch * one + one))
    print(f"{events:,} events of {people:,} people with {keys:,} keys made in {time.perf_counter() - started:.1f} s")
    permits = Permits(lake, vault, con.cursor())
    rights = Rights(Config(root=root, name="bench"), lake, vault, permits, con, lambda: datetime.now(UTC), "salt")
    rng = np.random.default_rng(3)
    took, cpu = [], []
    parts: dict[str, list[float]] = {"whom": [], "block": [], "records": [], "vault": []}
    chosen = [int(p) for p in rng.choice(people, 41, replace=False) + 1]
    spy(rights, "_whom", parts["whom"])
    spy(permits, "block", parts["block"])
    spy(rights, "_near", parts["records"])
    spy(vault, "erase", parts["vault"])
    for person in chosen:
        start, busy = time.perf_counter(), time.process_time()
        plan, _ = rights.erase([person])
        took.append(time.perf_counter() - start)
        cpu.append(time.process_time() - busy)
    # What comes after the vault is for the receipt.
    gone = [sum(t) for t in zip(*parts.values(), strict=True)]
    late = statistics.quantiles(gone, n=20)[-1]
    print(f"she is gone, median   {statistics.median(gone) * 1e3:7.1f} ms, p95 {late * 1e3:.1f} ms, best {min(gone) * 1e3:.1f} ms")
    print(f"with receipt, first   {took[0] * 1e3:7.1f} ms ({plan.rows})")
    took, parts = took[1:], {k: v[1:] for k, v in parts.items()}
    print(f"with receipt, median  {statistics.median(took) * 1e3:7.1f} ms, worst {max(took) * 1e3:.1f} ms of {len(took)}, cpu {statistics.median(cpu) * 1e3:.1f} ms")
    for part, times in parts.items():
        print(f"  {part:20s}{statistics.median(times) * 1e3:7.1f} ms")
    start = time.perf_counter()
    rights.plan([next(p for p in range(1, people) if p not in chosen)])
    print(f"plan (dry run)        {(time.perf_counter() - start) * 1e3:7.1f} ms")
    scrub: list[float] = []
    spy(vault, "scrub", scrub)
    others = [int(p) for p in rng.permutation(people) + 1 if int(p) not in set(chosen)]
    for more in ([], others[:1], others[1:2], others[2:1002]):
        if more:
            rights.erase(more)
        start, busy = time.perf_counter(), time.process_time()
        swept = rights.sweep()
        wall, cpu_s = time.perf_counter() - start, time.process_time() - busy
        print(f"sweep of {swept.people:5d} people  {wall:7.2f} s, cpu {cpu_s:.2f} s (scrub {scrub[-1]:.2f} s): {swept.rows}", flush=True)


def put(lake: Lake, con: object, table: str, select: str) -> None:
    """Rows with the columns named; the others are NULL."""
    names = ", ".join(
        c.name if f" AS {c.name}" in select else f"NULL::{c.lake_type} AS {c.name}" for c in lake.table(table).columns
    )
    staged = lake.stage(con, table, f"SELECT {names} FROM ({select})", rows_hint=1_000_000)  # type: ignore[arg-type]
    lake.commit(table, staged, what="bench")


def spy(owner: object, method: str, times: list[float]) -> None:
    """Notes how long each call of a method takes."""
    real = getattr(owner, method)

    def timed(*args: object) -> object:
        start = time.perf_counter()
        try:
            return real(*args)
        finally:
            times.append(time.perf_counter() - start)

    setattr(owner, method, timed)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 4_000_000
    main(wanted, int(sys.argv[2]) if len(sys.argv) > 2 else wanted // 40)
