"""How well churn is foretold, on real data beside the baseline, and how fast scores are explained.

Run: PYTHONPATH=src python bench/insight_churn.py [retail] [credit] [speed]      (default: all)
Data: ../shared/data/insight, or the folder that TESSERA_SHARED names. Every model is run here, in this process, on one thread.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tessera.insight import blend, trees
from tessera.insight.calibration import auc, brier, ece
from tessera.insight.churn import folded, history, snapshots
from tessera.insight.churn.history import BOUGHT, FEATURES, LINES, SEEN
from tessera.insight.trees import SMALL
from tessera.lake.engine import Connection, connect, literal

Numbers = npt.NDArray[np.float64]
SHARED = Path(os.environ.get("TESSERA_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "insight"
RECIPE = replace(SMALL, threads=1, folds=3)
HORIZON = 90
BASE = ("recency_days", "tenure_days", "order_days", "revenue_cents", "basket_cents", "products_per_order", "gap_days",
        "silence", "orders_30", "orders_60", "orders_90")  # fmt: skip
"""The baseline's columns (notes/insight.md, 2.4): recency, frequency, money, gaps and counts."""


def main(parts: list[str]) -> None:
    """Prints a small table for each part."""
    for part, run in (("retail", retail), ("credit", credit), ("speed", speed)):
        if not parts or part in parts:
            run()


def retail() -> None:
    """Online Retail, no purchase in 90 days: learned at midnights whose outcome was in, judged at later ones."""
    con = shop()
    if con is None:
        return
    print("Online Retail, no purchase in 90 days; the model learns only what was known at the judged midnight")
    print("judged at   people  churn  recency  baseline        ours            ours - baseline [95 %]    twin    Brier   ECE")
    # The last midnight is the one that is reported; what was chosen was chosen on the others and on shorter horizons.
    for at in (date(2011, 6, 2), date(2011, 7, 1), date(2011, 8, 1), date(2011, 9, 1)):
        plan = snapshots.plan(date(2010, 12, 1), at, HORIZON)
        if not plan.final:
            continue
        _, x, y = _snapshot(con, at)
        stack = [_snapshot(con, s) for s in plan.final]
        model = blend.fit(
            np.concatenate([s[1] for s in stack]), np.concatenate([s[2] for s in stack]), FEATURES,
            groups=np.concatenate([s[0] for s in stack]), recipe=RECIPE,
        )  # fmt: skip
        ours = model.margin(x)
        few, small = _base(con, plan.final[0])
        base = _baseline(few, small, _base(con, at)[0])
        low, high = paired(ours, base, y)
        recency = auc(x[:, FEATURES.index("recency_days")], y)
        print(
            f"{at - timedelta(days=1)}  {len(y):6,}  {y.mean():.3f}  {recency:.4f}   {auc(base, y):.4f}          {auc(ours, y):.4f}"
            f"          {auc(ours, y) - auc(base, y):+.4f} [{low:+.4f}, {high:+.4f}]   {auc(model.twin.margin(x), y):.4f}"
            f"  {brier(model.score(x), y):.4f}  {ece(model.score(x), y):.4f}"
        )
    _within(con)


def _within(con: Connection) -> None:
    """As the baseline was measured in the notes: five parts of the same snapshot, its own outcome known for the other parts."""
    at = date(2011, 9, 1)
    _, x, y = _snapshot(con, at)
    few = _base(con, at)[0]
    found: dict[str, list[float]] = {"baseline": [], "ours": []}
    differences = []
    for seed in range(5):
        scores = {name: np.zeros(len(y)) for name in found}
        for train, test in trees.folds(y, 5, seed):
            scores["baseline"][test] = _baseline(few[train], y[train], few[test])
            scores["ours"][test] = blend.fit(x[train], y[train], FEATURES, recipe=RECIPE).margin(x[test])
        for name, score in scores.items():
            found[name].append(auc(score, y) or 0)
        differences.append(paired(scores["ours"], scores["baseline"], y))
    print("\nwithin the snapshot of 2011-08-31: five parts of its people, 5 deals (as the baseline was first measured)")
    for name, values in found.items():
        print(f"  {name}: {np.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})")
    low, high = np.mean(differences, axis=0)
    print(f"  ours - baseline, paired bootstrap, mean of the deals: [{low:+.4f}, {high:+.4f}]")


def credit() -> None:
    """Credit default: five parts, five deals, beside the logistic twin; what `tessera try churn` does."""
    path = SHARED / "uci_credit_default" / "UCI_Credit_Card.csv.gz"
    if not path.exists():
        print(f"credit: {path.name} is not here")
        return
    con = connect(threads=1)
    table = con.execute(f"SELECT * FROM read_csv({literal(str(path))})").fetchnumpy()
    names = [c for c in table if c not in ("ID", "Y")]
    x, y = np.column_stack([np.asarray(table[c], dtype=float) for c in names]), np.asarray(table["Y"], dtype=float)
    found = folded.judged(x, y, names, (), recipe=RECIPE)
    print(f"\ncredit default, {len(y):,} rows, {found.folds} parts x {found.seeds} deals")
    for name, one in (("ours", found.model), ("logistic twin", found.twin)):
        print(f"  {name}: AUC {one.auc.mean:.4f} [{one.auc.low:.4f}, {one.auc.high:.4f}]  Brier {one.brier:.4f}  ECE {one.ece:.4f}")
    print(f"  ours - twin: {found.ahead.mean:+.4f} [{found.ahead.low:+.4f}, {found.ahead.high:+.4f}]")


def speed() -> None:
    """Explanations of 100,000 rows of 23 columns, beside LightGBM's own, and of one row with its sentences."""
    from tessera.insight.explain.contributions import explained
    from tessera.insight.explain.sentences import sentences, why

    rng = np.random.default_rng(0)
    x = rng.normal(size=(20_000, 23))
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-x[:, 0] - x[:, 1] * x[:, 2]))).astype(float)
    model = trees.fit(x, y, [f"c{i}" for i in range(23)], recipe=replace(SMALL, threads=1, folds=0))
    many = np.tile(x, (5, 1))
    started = time.process_time()
    ours = explained(model, many)
    own = time.process_time() - started
    started = time.process_time()
    theirs = model._booster.predict(many, pred_contrib=True, num_threads=1)
    other = time.process_time() - started
    print("\nexplanations: 300 trees, 23 columns, processor seconds")
    print(f"  100,000 rows: ours {own:.2f}, LightGBM {other:.2f} ({other / own:.0f} x); largest difference "
          f"{np.abs(ours.parts - theirs[:, :-1]).max():.1e}; sums off by {np.abs(ours.score - model.score(many)).max():.1e}")  # fmt: skip
    model.contributions(x[:1])
    started = time.process_time()
    for row in range(50):
        found = explained(model, x[row : row + 1])
        told = why(found, 0, x[row].tolist())
        sentences(told, "en")
        sentences(told, "zh")
    print(f"  one row with its sentences in two languages: {(time.process_time() - started) / 50 * 1000:.2f} ms")


def shop() -> Connection | None:
    """Online Retail as the history's temp tables; None where it is not here."""
    path = SHARED / "online_retail" / "online_retail.parquet"
    if not path.exists():
        print(f"retail: {path.name} is not here")
        return None
    con = connect(threads=1)
    known = f"(SELECT * FROM read_parquet({literal(str(path))}) WHERE CustomerID IS NOT NULL AND UnitPrice > 0)"
    con.execute(
        f"""CREATE TEMP TABLE {BOUGHT} AS SELECT CAST(CustomerID AS BIGINT) AS person_id, CAST(InvoiceDate AS DATE) AS day,
            hour(min(InvoiceDate)) + minute(min(InvoiceDate)) / 60.0 AS hour,
            CAST(round(100 * abs(sum(Quantity * UnitPrice))) AS BIGINT) AS cents, Quantity < 0 AS back
            FROM {known} GROUP BY InvoiceNo, CustomerID, CAST(InvoiceDate AS DATE), Quantity < 0"""
    )
    con.execute(
        f"""CREATE TEMP TABLE {LINES} AS SELECT CAST(CustomerID AS BIGINT) AS person_id, CAST(InvoiceDate AS DATE) AS day,
            hash(StockCode) AS product, Quantity AS units, 100 * UnitPrice AS price FROM {known} WHERE Quantity > 0"""
    )
    con.execute(f"CREATE TEMP TABLE {SEEN} (person_id BIGINT, day DATE, n BIGINT)")
    return con


def _snapshot(con: Connection, at: date) -> tuple[npt.NDArray[np.int64], Numbers, Numbers]:
    found = con.execute(history.features(at, history.customers(at, 3650))).fetchnumpy()
    x = np.column_stack([np.ma.filled(np.ma.asarray(found[f]).astype(float), np.nan) for f in FEATURES])
    people = np.asarray(found["person_id"], dtype=np.int64)
    back = con.execute(history.bought_within(at, HORIZON)).fetchnumpy()["person_id"]
    return people, x, (~np.isin(people, back)).astype(float)


def _base(con: Connection, at: date) -> tuple[Numbers, Numbers]:
    """The baseline's columns and the outcome."""
    people, x, y = _snapshot(con, at)
    con.execute(f"""CREATE OR REPLACE TEMP TABLE days AS SELECT DISTINCT person_id, day FROM {BOUGHT} WHERE NOT back
                    AND day < DATE '{at}' AND day >= DATE '{at}' - INTERVAL 60 DAY""")
    counted = dict(con.execute("SELECT person_id, count(*) FROM days GROUP BY person_id").fetchall())
    sixty = np.array([counted.get(int(p), 0) for p in people], dtype=float)
    return np.column_stack([sixty if c == "orders_60" else x[:, FEATURES.index(c)] for c in BASE]), y


def _baseline(x: Numbers, y: Numbers, new: Numbers) -> Numbers:
    """The notes' model: LightGBM, 8 leaves, 150 rounds of .03, leaves of 40."""
    import lightgbm

    params = {"objective": "binary", "num_leaves": 8, "learning_rate": 0.03, "min_data_in_leaf": 40, "num_threads": 1,
              "deterministic": True, "force_row_wise": True, "verbosity": -1}  # fmt: skip
    return np.asarray(lightgbm.train(params, lightgbm.Dataset(x, y), 150).predict(new, raw_score=True))


def paired(ours: Numbers, base: Numbers, y: Numbers, draws: int = 1000) -> tuple[float, float]:
    """95 % of the difference of both AUCs over people drawn again."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        rows = rng.integers(0, len(y), len(y))
        found.append((auc(ours[rows], y[rows]) or 0) - (auc(base[rows], y[rows]) or 0))
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)


if __name__ == "__main__":
    main(sys.argv[1:])
