"""Value: parameters and time beside lifetimes, a million customers, how often intervals hold, and the past of real shops.

Run: PYTHONPATH=src python bench/insight_value.py [customers, default 1000000]
The peer: pip install --no-deps --target DIR lifetimes==0.11.3 autograd dill, and DIR on PYTHONPATH; without it its columns are empty.
Data: ../shared or TESSERA_SHARED.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tessera.insight.value import chosen, predicted, valued
from tessera.insight.value import spend as spending
from tessera.insight.value.history import grouped
from tessera.lake.engine import Connection, connect

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "insight"))
from made_buyers import bought

SHARED = Path(os.environ.get("TESSERA_SHARED") or Path(__file__).parents[2] / "shared") / "data" / "insight"
SEEDS = range(1, 7)


def timed(what: str, act: Callable[[], Any]) -> Any:
    """Runs it and says how long it took."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = act()
    print(f"  {what:32s} {time.perf_counter() - wall:6.2f} s  cpu {time.process_time() - cpu:6.2f}", flush=True)
    return found


def made(n: int, seed: int, later: float) -> dict[str, Any]:
    """Customers of BG/NBD with CDNOW's parameters; as columns, no amount is NULL."""
    found = bought(n, seed, later=later, truth={"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}, weeks=(27, 39))
    return found | {"monetary_value": pa.array(found["monetary_value"], from_pandas=True)}


def related(columns: dict[str, Any]) -> Connection:
    """A connection with the table `buyers`."""
    con = connect()
    con.register("made", pa.table(columns))
    con.execute("CREATE TABLE buyers AS FROM made")
    return con


def scale(customers: int) -> None:
    """A million customers, each part apart; then the command, file and all."""
    print(f"{customers:,} customers, made up")
    con = related(made(customers, 0, 0.0))
    h = timed("group", lambda: grouped(con, "buyers"))
    fitted = timed(f"fit BG/NBD ({len(h):,} histories)", lambda: chosen.fit(h, "bgnbd"))
    print("   ", {k: round(v, 4) for k, v in fitted.used.parameters.items()}, "truth .243 4.414 .793 2.426")
    spend = timed("fit Gamma-Gamma", lambda: spending.fit(con, "buyers"))
    print("   ", {k: round(v, 3) for k, v in spend.parameters.items()}, "truth 6.25 3.74 15.45")
    timed("predict, with intervals", lambda: predicted.predict(con, h, fitted, 39.0, spend))
    timed("each customer, into a table", lambda: con.execute(f"CREATE TABLE e AS {predicted.of_customers('buyers', spend)}"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "buyers.csv"
        con.execute(f"COPY (SELECT frequency, recency, age AS \"T\", monetary_value FROM buyers) TO '{file}' (HEADER)")
        from tessera.doors.cli import main

        timed("tessera try value FILE.csv", lambda: main(["try", "value", str(file), "-q"]))
    try:
        from lifetimes import BetaGeoFitter
    except ImportError:
        print("  lifetimes is not installed")
        return
    some = con.execute("SELECT frequency, recency, age FROM buyers").fetchnumpy()
    timed("lifetimes BG/NBD", lambda: BetaGeoFitter().fit(some["frequency"], some["recency"], some["age"]))


def published() -> None:
    """CDNOW's sample of 2,357, whose figures are in the papers; it comes with lifetimes."""
    try:
        import lifetimes
        from lifetimes import BetaGeoFitter
    except ImportError:
        print("CDNOW's sample: lifetimes is not installed")
        return
    file = Path(lifetimes.__file__).parent / "datasets" / "cdnow_customers_summary_with_transactions.csv"
    _, x, recency, age, mean = np.loadtxt(file, delimiter=",", skiprows=1).T
    con = related({"frequency": x, "recency": recency, "age": age, "monetary_value": mean})
    print("CDNOW's sample (published: .243 4.414 .793 2.426, -9582.43; 6.25 3.74 15.45)")
    found = timed("ours", lambda: chosen.fit(grouped(con, "buyers"), "bgnbd"))
    print("   ", {k: round(v, 5) for k, v in found.used.parameters.items()}, round(found.used.log_likelihood, 3))
    peer = BetaGeoFitter()
    timed("lifetimes", lambda: peer.fit(x, recency, age))
    print("   ", {k: round(v, 5) for k, v in peer.params_.to_dict().items()})
    print("   ", {k: round(v, 4) for k, v in spending.fit(con, "buyers").parameters.items()})


def coverage() -> None:
    """How often the intervals of 95 % hold, over several made-up shops."""
    print(f"made-up shops of 5,000, 26 weeks ahead, {len(SEEDS)} seeds: in the interval (mean, 95 %)")
    held = [valued.checked(related(made(5000, s, 26.0)), "buyers", 26.0, money=True) for s in SEEDS]
    for what, each in (
        ("a customer's purchases", [h.covered for h in held]),
        ("a customer's money", [h.value["covered"] for h in held if h.value]),
        ("all purchases (share of seeds)", [float(h.inside or False) for h in held]),
        ("error / going on as before", [h.error / h.rate_error for h in held]),
    ):
        half = 1.96 * float(np.std(each, ddof=1)) / np.sqrt(len(each))
        print(f"  {what:32s} {np.mean(each):.3f} ± {half:.3f}")


def pasts() -> None:
    """Real shops at several days: what was expected of the time after, and what came."""
    cdnow, retail = SHARED / "cdnow" / "CDNOW_master.txt.gz", SHARED / "online_retail" / "online_retail.parquet"
    con = connect()
    shops: list[tuple[str, str, list[str], int]] = []
    if cdnow.is_file():
        con.execute(
            f"""CREATE TABLE cdnow AS
                SELECT f[1] AS customer, strptime(f[2], '%Y%m%d') AS time, CAST(f[4] AS DOUBLE) AS amount
                FROM (SELECT string_split_regex(trim(line), '\\s+') AS f FROM read_csv('{cdnow}', columns={{'line': 'VARCHAR'}},
                      delim='\x01', quote='', header=false, skip=1))"""
        )
        shops.append(("cdnow", "CDNOW, 26 weeks", [f"1997-{m:02d}-30" for m in range(6, 13, 1)], 182))
    if retail.is_file():
        con.execute(
            f"""CREATE TABLE retail AS SELECT CAST(CustomerID AS VARCHAR) AS customer, InvoiceDate AS time,
                Quantity * UnitPrice AS amount FROM read_parquet('{retail}')
                WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0"""
        )
        shops.append(("retail", "Online Retail, 13 weeks", [f"2011-{m:02d}-08" for m in range(5, 10)], 91))
    for table, title, days, ahead in shops:
        print(f"{title}: until, law, expected (95 %), came, error, of going on as before, AUC, covered")
        for day in days:
            end = f"(DATE '{day}' + {ahead})"
            con.execute(f"CREATE OR REPLACE TABLE known AS {valued.split(table, end, ahead)}")
            found = chosen.fit(grouped(con, "known"))
            h = valued.checked(con, "known", ahead / 7, money=True)
            print(
                f"  {day}  {found.used.model:9s} {found.verdict:8s} {h.expected:8,.0f} ({h.low or 0:,.0f} to {h.high or 0:,.0f}) "
                f"{h.actual:8,.0f}  {h.error:.3f}  {h.rate_error:.3f}  {h.auc:.3f}  {h.covered:.3f}"
            )


if __name__ == "__main__":
    published()
    scale(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    coverage()
    pasts()
