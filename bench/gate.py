"""What the gate costs: the same question through it, ledger entry included, and on the bare engine over the same files.

`python bench/gate.py DIR` after `python bench/turn.py DIR`. Prints the best of several runs and the ratio.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from tessera.app import App
from tessera.lake.engine import connect

QUESTIONS = {
    "profiles, aggregate by country": (
        "profiles",
        "SELECT city, count(*) AS n, sum(revenue_cents) AS revenue, avg(events) AS events FROM {t} GROUP BY city",
    ),
    "events, count-distinct by kind": (
        "events",
        "SELECT event, count(DISTINCT product_id) AS products, count(DISTINCT url) AS urls FROM {t} GROUP BY event",
    ),
    "events, plain sum by kind": ("events", "SELECT event, count(*) AS n, sum(amount_cents) AS cents FROM {t} GROUP BY event"),
}


def best(act: Callable[[], object], times: int) -> float:
    """The quickest of several runs, in seconds."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> None:
    """Compares each question."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    with App(asked.dir / "acme", doing="bench") as app:
        bare = connect(memory=app.config.memory, threads=app.config.threads)
        for name, (table, sql) in QUESTIONS.items():
            files, through = app.lake.relation(table), {}
            for purpose in ("operate", "analytics"):
                gated = best(lambda s=sql, t=table, p=purpose: app.sql(s.format(t=t), purpose=p), asked.times)
                plain = best(lambda s=sql, f=files: bare.sql(s.format(t=f)).to_arrow_table(), asked.times)
                through[purpose] = gated
                cost = {"ms_bare": round(plain * 1e3, 1), "ms_gate": round(gated * 1e3, 1), "ratio": round(gated / plain, 2)}
                print(json.dumps({"question": name, "purpose": purpose, **cost}), flush=True)
            overhead = round(through["analytics"] / through["operate"], 2)
            print(json.dumps({"question": name, "with consent / without": overhead}), flush=True)
        one = app.sql("SELECT min(person_id) FROM profiles", purpose="analytics").rows()[0][0]
        read = {p: best(lambda p=p: app.people.portrait(one, purpose=p), asked.times) for p in ("operate", "analytics")}
        shown = {p: round(s * 1e3, 1) for p, s in read.items()}
        print(json.dumps({"one person's page, ms": shown, "ratio": round(read["analytics"] / read["operate"], 2)}), flush=True)


if __name__ == "__main__":
    main()
