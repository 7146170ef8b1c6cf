"""Landing events against delta-rs writing the same rows bare, in one run.

`python bench/landing.py DIR` after `python bench/world.py DIR --people N`. Ours reads the source's Parquet, checks the
contract, tells doubles apart, takes identifiers out into the vault, and writes; delta-rs is handed the very rows that we
landed, as an Arrow stream, and writes them: as one table, and laid out in the same 64 buckets.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import deltalake

import world
from tessera.app import App
from tessera.lake.engine import connect
from tessera.lake.store import BUCKETS, NOBODY


def timed(what: str, rows: int, work: Callable[[], object]) -> float:
    """Rows per wall second of a piece of work, printed as a JSON line."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    took, used = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"what": what, "s": round(took, 2), "cpu": round(used, 2), "rows_s": round(rows / took)}), flush=True)
    return rows / took


def bare(relation: str, folder: Path, buckets: bool) -> None:
    """Writes rows with delta-rs alone."""
    con = connect(memory="2500MB", threads=2)
    bucket = f", coalesce(key_id % {BUCKETS}, {NOBODY})::INTEGER AS bucket" if buckets else ""
    reader = con.sql(f"SELECT *{bucket} FROM {relation}").to_arrow_reader(122_880)
    shutil.rmtree(folder, ignore_errors=True)
    deltalake.write_deltalake(str(folder), reader, partition_by=["bucket"] if buckets else None)


def main() -> None:
    """Both, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", type=Path)
    asked = parser.parse_args()
    rows = _rows(asked.dir)
    with App(world.workspace(asked.dir), doing="bench") as app:
        ours = timed("landing", rows, lambda: app.sync(["events"]))
        relation = app.lake.relation("events")
        for buckets in (False, True):
            folder = asked.dir / "bare"
            what = f"delta-rs{', 64 buckets' if buckets else ''}"
            theirs = timed(what, rows, partial(bare, relation, folder, buckets))
            print(json.dumps({"ratio": round(ours / theirs, 2), "buckets": buckets}), flush=True)
            shutil.rmtree(folder)


def _rows(root: Path) -> int:
    counted = connect().sql(f"SELECT count(*) AS n FROM '{root}/raw/events/*.parquet'").to_arrow_table()
    return int(counted.column(0)[0].as_py())


if __name__ == "__main__":
    main()
