"""How fast segments are: features, centres and segments of a million made-up people, each written to a Delta lake.

Run: PYTHONPATH=src python bench/segments.py [people, default 1000000]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tessera.config import Config
from tessera.data.profiles import PROFILES
from tessera.insight import features
from tessera.insight.segments import centres, history
from tessera.lake.engine import Connection, connect, name, rows
from tessera.lake.state import State
from tessera.lake.step import Run
from tessera.lake.store import Lake
from tessera.lake.view import View

STEPS = (features.STEP, centres.STEP, history.STEP)
NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)

MADE_UP = {
    "person_id": "i",
    "orders": "n",
    "revenue_cents": "n * CAST(exp(8 + 2 * u) AS BIGINT)",
    "first_order_at": "CASE WHEN n > 0 THEN TIMESTAMPTZ '2022-01-01' + to_days(CAST(300 * u AS INTEGER)) END",
    "last_order_at": "CASE WHEN n > 0 THEN TIMESTAMPTZ '2024-02-28' - to_seconds(6e7 * v / (1 + n * u)) END",
    "events": "CAST(50 * v AS BIGINT)",
    "page_views": "CAST(30 * v AS BIGINT)",
    "products_viewed": "CAST(20 * v AS BIGINT)",
    "cart_additions": "CAST(5 * v AS BIGINT)",
    "first_seen_at": "TIMESTAMPTZ '2022-01-01' + to_seconds(1e7 * u)",
    "last_seen_at": "TIMESTAMPTZ '2024-02-28' - to_seconds(1e7 * u)",
    "touches": "CAST(3 * u AS BIGINT)",
}


def profiles(con: Connection, people: int) -> str:
    """SQL of made-up PROFILES: 60 % bought, with long tails."""
    con.execute("SELECT setseed(0.5)")
    con.execute(
        f"""CREATE TEMP TABLE drawn AS SELECT i, u, v,
            CASE WHEN w < 0.4 THEN 0 ELSE 1 + CAST(floor(-3 * ln(x)) AS BIGINT) END AS n
            FROM (SELECT i, random() u, random() v, random() w, 1 - random() x FROM range({people}) t(i))"""
    )
    columns = ", ".join(f"{MADE_UP.get(c.name, 'NULL')} AS {name(c.name)}" for c in PROFILES.columns)
    return f"SELECT {columns} FROM drawn"


def main(people: int, folder: Path) -> None:
    """Two turns, ten days apart: everything, then what changed."""
    con = connect(spill=folder)
    state = State(folder / "state.db")
    lake = Lake(folder / "lake", [PROFILES, *(s.writes for s in STEPS)], state, lambda: NOON)
    lake.commit("profiles", lake.stage(con, "profiles", profiles(con, people), rows_hint=people), what="made up")
    config = Config(root=folder, name="bench")
    facts: dict[str, Any] = {}
    for as_of in (date(2024, 3, 1), date(2024, 3, 11)):
        total = work = 0.0
        for step in STEPS:
            started, cpu = time.perf_counter(), time.process_time()
            views = {
                t: View(table=t, version=0, purpose="analytics", sql=lake.relation(t), columns=lake.table(t).columns)
                for t in step.reads
            }
            run = Run(
                con=con, views=views, config=config, state=state, own=lake.relation(step.writes.name),
                before=facts.get(step.name, {}), as_of=as_of, batch=1,
            )  # fmt: skip
            made = step.run(run)
            facts[step.name] = dict(made.facts)
            if made.rows is not None:
                con.register("made_rows", made.rows)
            select = made.select or "SELECT * FROM made_rows"
            decided = time.perf_counter() - started
            lake.commit(
                step.writes.name,
                lake.stage(con, step.writes.name, select, rows_hint=people),
                what="bench",
                mode="overwrite",
            )
            took = time.perf_counter() - started
            busy = time.process_time() - cpu
            total, work = total + took, work + busy
            print(f"{as_of} {step.name:10s} {took:6.2f} s  cpu {busy:5.2f}  (before writing {decided:.2f})", flush=True)
        print(f"{as_of} {'in all':10s} {total:6.2f} s  cpu {work:5.2f}")
        for row in rows(
            con,
            f"SELECT segment, people, round(share, 3), round(recency_days), round(orders, 1), "
            f"round(revenue_cents), model, stability FROM {lake.relation('segment_centres')} ORDER BY 2",
        ):
            print("  ", *row)
    open_rows = f"SELECT count(*), count(*) FILTER (WHERE valid_to IS NOT NULL) FROM {lake.relation('segments')}"
    print("rows of segments, of these closed:", *rows(con, open_rows)[0])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, Path(made))
