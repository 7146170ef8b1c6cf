"""Segments: what k and how stable on a real shop, how often names and people stay, and ten million people assigned.

Run: PYTHONPATH=src python bench/insight_segments.py [people, default 10000000]; data: ../shared or TESSERA_SHARED.
The peer of the assignment is scikit-learn's predict on the same rows in memory.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from tessera.insight.segments import bare, centres, fitting
from tessera.lake.engine import Connection, connect, rows

SHARED = Path(os.environ.get("TESSERA_SHARED") or Path(__file__).parents[2] / "shared") / "data" / "insight"
DAYS = (date(2011, 6, 1), date(2011, 9, 1), date(2011, 12, 10))
SEEDS = (1, 2, 3, 4, 5)


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Runs it and says how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = act()
    print(f"  {what:44s} {time.perf_counter() - wall:6.2f} s  cpu {time.process_time() - cpu:6.2f}", flush=True)
    return found


def retail(con: Connection) -> None:
    """Online Retail at several days: k, stability over seeds; old labels of people who did not buy, when refitted."""
    file = SHARED / "online_retail" / "online_retail.parquet"
    if not file.is_file():
        print("Online Retail is not there")
        return
    con.execute(
        f"""CREATE TABLE retail AS SELECT CAST(CustomerID AS VARCHAR) AS customer, InvoiceDate AS time,
            Quantity * UnitPrice AS amount FROM read_parquet('{file}')
            WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0"""
    )
    for day in DAYS:
        found = timed(f"Online Retail until {day}", lambda day=day: bare.segmented(con, "retail", as_of=day))
        print("   ", found.en)
        print("    k:", ", ".join(f"{c.k} {c.stability:.3f} ({c.lowest:.3f})" for c in found.model.choices))
        for row in found.rows:
            centre = {n: round(v, 1) for n, v in row["centre"].items()}
            print(
                f"    {row['label_en']:22s} {row['people']:5d} {row['revenue_share']:6.1%} of revenue  {centre}  {row['stability']}"
            )
        stable = [bare.segmented(con, "retail", k=found.model.k, seed=s, as_of=day).model.stability for s in SEEDS]
        half = 1.96 * float(np.std(stable, ddof=1)) / len(stable) ** 0.5
        print(f"    stability at k = {found.model.k}, {len(SEEDS)} seeds: {np.mean(stable):.3f} ± {half:.3f}")
    refits(con)


def refits(con: Connection) -> None:
    """People who did not buy between two days: relabelled by their own ageing, by a refit with versions, by a plain refit."""
    first, later = DAYS[0], DAYS[1]
    bare.segmented(con, "retail", as_of=first, k=4)
    con.execute("CREATE TABLE then_bought AS SELECT customer, orders FROM bought")
    model = bare.segmented(con, "retail", as_of=first, k=4).model
    found = bare.segmented(con, "retail", as_of=later, k=4)
    points = con.execute(centres.sample(10**4, later)).fetchnumpy()
    now = np.column_stack([points["x0"], points["x1"], points["x2"]])
    new = fitting.refit(model, now, later)
    labels = {
        "frozen": [model], "versions": [model, new or found.model], "a refit for all": [new or found.model],
        "a fresh fit for all": [found.model],
    }  # fmt: skip
    quiet = "SELECT b.person_id FROM bought b JOIN then_bought t ON t.customer = b.customer AND t.orders = b.orders"
    for what, versions in labels.items():
        con.execute(f"CREATE OR REPLACE TEMP TABLE l AS {centres.assigned(versions, later)}")
        con.execute(f"CREATE OR REPLACE TEMP TABLE f AS {centres.assigned([model], later)}")
        n, moved = rows(
            con,
            f"SELECT count(*), sum((l.segment <> f.segment)::INT) FROM l JOIN f USING (person_id) JOIN ({quiet}) USING (person_id)",
        )[0]
        print(f"  {n:,} did not buy from {first} to {later}; relabelled, {what}: {moved}")


def many(people: int) -> None:
    """Assigning made-up people in the engine."""
    con = connect(memory="6GB")
    con.execute("SELECT setseed(0.4)")
    con.execute(
        f"""CREATE TABLE features AS SELECT CAST(i AS INTEGER) AS person_id, 1 + CAST(floor(-3 * ln(1 - random())) AS BIGINT) AS orders,
            CAST(exp(8 + 2 * random()) AS BIGINT) AS revenue_cents, CAST(3 AS BIGINT) AS events,
            TIMESTAMPTZ '2024-02-28' - to_seconds(6e7 * random()) AS last_order_at FROM range({people}) t(i)"""
    )
    day = date(2024, 3, 1)
    drawn = con.execute(centres.sample(people, day)).fetchnumpy()
    points = np.column_stack([drawn["x0"], drawn["x1"], drawn["x2"]])
    model = timed(f"fit on {len(points):,} of {people:,}", lambda: fitting.fit(points, 5, 7, day))
    now = centres.assigned([model], day)
    timed("assign, counted by segment", lambda: con.execute(f"SELECT segment, count(*) FROM ({now}) GROUP BY 1").fetchall())
    timed("assign, into a table", lambda: con.execute(f"CREATE TABLE made AS {now}"))
    from sklearn.cluster import KMeans

    scale = np.array(model.weights) ** -0.5
    peer = KMeans(model.k, init=np.array([c.inputs for c in model.centres]) / scale, n_init=1, max_iter=1).fit(points / scale)
    items = con.execute(
        f"SELECT {', '.join(f'{x} AS x{i}' for i, x in enumerate(centres.inputs(day)))} FROM features"
    ).fetchnumpy()
    all_points = np.column_stack([items["x0"], items["x1"], items["x2"]]) / scale
    timed("scikit-learn predict, rows in memory", lambda: peer.predict(all_points))


if __name__ == "__main__":
    retail(connect())
    many(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000)
