"""Next basket on Online Retail and next item on a file of one's own, at several snapshots, beside simpler recommenders and
`implicit` where it is installed (PYTHONPATH). Run: python bench/insight_recommend.py [ratings.csv] [--snapshots N]

A snapshot is the data without the last 0, 1, 2, ... baskets of each person: each has another basket to foretell, and all that
was chosen for it was chosen on still earlier ones. Who has fewer than three baskets left is not judged.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from tessera.insight.recommend import judging, measures, neighbours
from tessera.insight.recommend.baskets import Baskets, Ints, Moments
from tessera.insight.recommend.gathering import Gathered, gathered
from tessera.insight.recommend.judging import AT, MEASURES, Verdict
from tessera.lake.engine import connect

SHARED = Path(os.environ.get("TESSERA_SHARED", Path(__file__).parents[2] / "shared"))
RETAIL = SHARED / "data" / "insight" / "online_retail" / "online_retail.parquet"
BOUGHT = """SELECT CustomerID AS person, StockCode AS item, CAST(InvoiceDate AS TIMESTAMP) AS bought_at, 0 AS place FROM file
            WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0 AND InvoiceNo NOT LIKE 'C%'"""
SEEN = """SELECT #1 AS person, #2 AS item, coalesce(TRY_CAST(#3 AS TIMESTAMP), make_timestamp(TRY_CAST(#3 AS BIGINT) * 1000000))
          AS bought_at, row_number() OVER () AS place FROM file"""


def main() -> None:
    """Prints a table for each data set."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("file", nargs="?", help="CSV with a header whose first columns are user, item, time")
    asked.add_argument("--snapshots", type=int, default=5)
    asked.add_argument("--retail", action=argparse.BooleanOptionalAction, default=True)
    told = asked.parse_args()
    if told.retail and RETAIL.is_file():
        report("Online Retail, next basket", read(f"read_parquet('{RETAIL}')", BOUGHT), told.snapshots)
    elif told.retail:
        print(f"no {RETAIL}: set TESSERA_SHARED")
    if told.file:
        report(Path(told.file).name, read(f"read_csv('{told.file}', all_varchar=true)", SEEN), told.snapshots)


def read(source: str, select: str) -> Gathered:
    """A file's rows, gathered."""
    con = connect(threads=2)
    con.execute(f"CREATE TEMP TABLE file AS FROM {source}")
    con.execute(f"CREATE TEMP TABLE bought AS {select}")
    return gathered(con, "bought")


def report(title: str, got: Gathered, snapshots: int) -> None:
    """All snapshots of a data set, one after the other, and their mean."""
    print(f"\n{title}: {len(got.people):,} people, {len(got.items):,} items, {got.repeats:.1%} repeats, a basket by {got.by}")
    means: dict[tuple[str, str], list[float]] = {}
    for back in range(snapshots):
        baskets = got.baskets.until(np.maximum(got.baskets.many - back, 0))
        begun = time.process_time()
        verdict = judging.judge(baskets, single=got.by == "row")
        cpu = time.process_time() - begun
        each = {**verdict.each, **peers(verdict)}
        settings = verdict.recommender.settings
        print(f"\nsnapshot -{back}: {verdict.judged:,} people, {len(np.unique(verdict.baskets.item)):,} items, {cpu:.0f} s of CPU, "
              f"regular {settings.regular:g}, {settings.leaves} leaves x {settings.trees} trees, {verdict.recommender.tried} tried")  # fmt: skip
        for measure in MEASURES:
            for who, values in each.items():
                means.setdefault((measure, who), []).append(float(np.nanmean(values[measure])))
            best = max((w for w in each if w != "model"), key=lambda w: float(np.nanmean(each[w][measure])))
            better = measures.interval(each["model"][measure] - each[best][measure])
            line = "  ".join(f"{who} {_shown(measures.interval(values[measure]))}" for who, values in each.items())
            print(f"  {measure:18} {line}\n  {'':18} better than {best} by {_shown(better)}")
    print(f"\nmean of {snapshots} snapshots, with 1.96 standard errors over them")
    for (measure, who), found in means.items():
        spread = 1.96 * np.std(found, ddof=1) / np.sqrt(len(found)) if len(found) > 1 else float("nan")
        print(f"  {measure:18} {who:18} {np.mean(found):.4f} +- {spread:.4f}")


def peers(verdict: Verdict) -> dict[str, dict[str, np.ndarray]]:
    """ALS and BPR of implicit on the same baskets; nothing where it is not installed."""
    try:
        from implicit.als import AlternatingLeastSquares
        from implicit.bpr import BayesianPersonalizedRanking
    except ImportError:
        print("implicit is not installed: no peer beside it")
        return {}
    earlier = verdict.baskets.until(verdict.baskets.many - 1)
    bought = neighbours.matrix(earlier)
    models = {
        "ALS 64": AlternatingLeastSquares(64, regularization=0.05, iterations=15, random_state=7, num_threads=2),
        "BPR 64": BayesianPersonalizedRanking(64, iterations=100, random_state=7, num_threads=2),
    }
    found = {}
    for name, model in models.items():
        model.fit(bought, show_progress=False)
        lists = _listed(model, bought, earlier, verdict.moments, verdict.recommender.settings.again)
        found[name] = judging.each_of(lists, verdict.wanted, earlier, verdict.moments)
    return found


def _listed(model: object, bought: object, baskets: Baskets, moments: Moments, again: bool) -> tuple[Ints, Ints]:
    ranked = [
        model.recommend(moments.person, bought[moments.person], N=AT, filter_already_liked_items=fresh)[0].astype(np.int64)  # type: ignore
        for fresh in (not again, True)
    ]
    return ranked[0], ranked[1]


def _shown(of: measures.Interval | None) -> str:
    return "-" if of is None else f"{of.value:.4f} ({of.low:.4f} to {of.high:.4f})"


if __name__ == "__main__":
    main()
