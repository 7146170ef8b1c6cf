"""How well remaining life and failures are foretold, on real data beside plain baselines of the same run, over five seeds.

Run: PYTHONPATH=src python bench/insight_upkeep.py [fd001] [ai4i]      (default: both; two to three minutes of one core)
Data: ../shared/data/insight, or the folder that TESSERA_SHARED names. One thread.

Seeds say how much a figure owes to chance in growing trees and dealing folds; units or rows drawn anew say how much to chance in
what was judged, and both are told. "Ours - baseline" is paired: both are judged on the same drawn units or rows, seed by seed.
"""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

from tessera.insight.trees import folds
from tessera.insight.upkeep import failing, remaining, tabular
from tessera.insight.upkeep.telemetry import Telemetry
from tessera.lake.engine import connect, literal

Numbers = npt.NDArray[np.float64]
SHARED = Path(os.environ.get("TESSERA_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "insight"
SEEDS = (1, 2, 3, 4, 5)
CAP = 125.0
DRAWS = 1000
CAUSES = ("TWF", "HDF", "PWF", "OSF", "RNF")
"""AI4I's columns of what failed: known only with the failure itself."""


def main(parts: list[str]) -> None:
    """Prints a small table for each part."""
    for part, run in (("fd001", fd001), ("ai4i", ai4i)):
        if not parts or part in parts:
            run()


def fd001() -> None:
    """NASA's engines: 100 that ran until they failed, 100 others cut short; the goal is an RMSE of at most 12.9."""
    folder = SHARED / "cmapss_fd001"
    if not folder.is_dir():
        print(f"fd001: {folder.name} is not here")
        return
    past, running = (_engines(folder / f"{name}_FD001.txt.gz") for name in ("train", "test"))
    truth = _numbers(folder / "RUL_FD001.txt.gz")
    said: dict[str, list[Numbers]] = {"ours": [], "HistGB": [], "LightGBM": []}
    inner = []
    for seed in SEEDS:
        model, judged = remaining.fit(past, cap=CAP, seed=seed)
        inner.append(remaining.rmse(np.minimum(judged.truth, CAP), judged.unseen))
        said["ours"].append(model.score(model.reader.read(running)[running.last]))
        for name, found in _plain_lives(past, running, seed).items():
            said[name].append(found)
    print("FD001, 100 test engines, cap 125, true life uncapped")
    _table("RMSE", said, truth, remaining.rmse)
    print(
        f"  NASA's score: {', '.join(f'{n} {_mean([remaining.nasa(truth, s) for s in found])}' for n, found in said.items())}"
    )
    print(f"  ours on engines held out, capped: RMSE {_mean(inner)}")


def ai4i() -> None:
    """Rows of a milling machine, 339 of 10,000 failed: average precision out of five folds; the goal is at least .885."""
    path = SHARED / "ai4i2020" / "ai4i2020.csv.gz"
    if not path.exists():
        print(f"ai4i: {path.name} is not here")
        return
    con = connect(threads=1)
    con.execute(f"CREATE TABLE machines AS SELECT row_number() OVER () AS line, * FROM read_csv({literal(str(path))})")
    columns = {r[0]: str(r[1]) for r in con.execute("DESCRIBE machines").fetchall() if r[0] != "line"}
    data = tabular.flagged(con, "machines", columns, "Machine_failure", line="line")
    print(f"\nAI4I, {len(data.y):,} rows, five folds; left out: {', '.join(data.left_out)}")
    physics = _physics({n: data.x[:, i] for i, n in enumerate(data.names)})
    without = [i for i, n in enumerate(data.names) if n not in CAUSES]
    plain = np.column_stack([data.x[:, without], physics])
    said: dict[str, list[Numbers]] = {"ours": [], "LightGBM default": [], "LightGBM small": []}
    for seed in SEEDS:
        _, judged = failing.fit(data.x, data.y, data.names, data.numeric, seed=seed)
        said["ours"].append(judged.unseen)
        dealt = folds(data.y, 5, seed)
        said["LightGBM default"].append(_plain_rows(plain, data.y, dealt, {}, 100, seed))
        small = {"num_leaves": 8, "learning_rate": 0.04, "min_data_in_leaf": 20}
        said["LightGBM small"].append(_plain_rows(plain, data.y, dealt, small, 300, seed))
    _table("average precision", said, data.y, failing.precision)


def _table(what: str, said: dict[str, list[Numbers]], truth: Numbers, of: Callable[[Numbers, Numbers], float]) -> None:
    """Each model over the seeds; then ours less each baseline, by the same units or rows drawn anew."""
    print(f"  {what} over {len(SEEDS)} seeds: mean [95 % over seeds], (lowest to highest), [95 % over what was judged]")
    drawn = np.random.default_rng(0).integers(0, len(truth), (DRAWS, len(truth)))
    again = {name: np.array([[of(truth[rows], s[rows]) for s in found] for rows in drawn]) for name, found in said.items()}
    for name, found in said.items():
        whole = [of(truth, s) for s in found]
        low, high = np.quantile(again[name].mean(axis=1), (0.025, 0.975))
        print(f"    {name:18} {_mean(whole)} ({min(whole):.4g} to {max(whole):.4g}) [{low:.4g}, {high:.4g}]")
    for name in list(said)[1:]:
        whole = [of(truth, a) - of(truth, b) for a, b in zip(said["ours"], said[name], strict=True)]
        low, high = np.quantile((again["ours"] - again[name]).mean(axis=1), (0.025, 0.975))
        print(f"    ours - {name}: {np.mean(whole):+.4f} [{low:+.4f}, {high:+.4f}]")


def _mean(found: list[float]) -> str:
    """Mean and Student's 95 % interval over seeds."""
    half = t.ppf(0.975, len(found) - 1) * np.std(found, ddof=1) / np.sqrt(len(found))
    return f"{np.mean(found):.4g} [{np.mean(found) - half:.4g}, {np.mean(found) + half:.4g}]"


def _engines(path: Path) -> Telemetry:
    read = _numbers(path)
    names = tuple(f"s{i}" for i in range(read.shape[1] - 2))
    return Telemetry(unit=read[:, 0].astype(np.int64) - 1, cycle=read[:, 1], values=read[:, 2:], sensors=names)


def _numbers(path: Path) -> Numbers:
    with gzip.open(path, "rt") as file:
        return np.asarray(np.loadtxt(file), dtype=np.float64)


def _plain_lives(past: Telemetry, running: Telemetry, seed: int) -> dict[str, Numbers]:
    """The notes' baselines: rolling means of 5, 15 and 30 rows, a deviation of 15, a weighted mean, drift from the first 20
    rows, of every sensor; gradient boosting as its libraries set it."""
    import lightgbm
    from sklearn.ensemble import HistGradientBoostingRegressor

    x, y = _plain_columns(past), np.minimum(past.remaining, CAP)
    new = _plain_columns(running)[running.last]
    hist = HistGradientBoostingRegressor(random_state=seed).fit(x, y)
    light = lightgbm.LGBMRegressor(random_state=seed, subsample=0.8, subsample_freq=1, n_jobs=1, verbosity=-1).fit(x, y)
    return {
        "HistGB": np.clip(hist.predict(new), 0, CAP), "LightGBM": np.clip(np.asarray(light.predict(new)), 0, CAP)
    }  # fmt: skip


def _plain_columns(telemetry: Telemetry) -> Numbers:
    values = pd.DataFrame(telemetry.values)
    by = values.groupby(telemetry.unit)
    found = [by.rolling(n, min_periods=1).mean().droplevel(0) for n in (5, 15, 30)]
    found += [by.rolling(15, min_periods=1).std().droplevel(0), by.ewm(span=10).mean().droplevel(0)]
    begun = by.transform(lambda sensor: sensor.iloc[:20].mean())
    return np.column_stack([telemetry.cycle, *found, found[0] - begun])


def _physics(columns: dict[str, Numbers]) -> Numbers:
    """What an engineer would add to AI4I's columns: power, difference of temperatures, strain."""
    air, process, speed, torque, wear = (
        next(v for n, v in columns.items() if n.startswith(word)) for word in ("Air", "Process", "Rotational", "Torque", "Tool")
    )
    return np.column_stack([torque * speed, process - air, torque * wear])


def _plain_rows(
    x: Numbers, y: Numbers, dealt: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]], told: dict[str, float], rounds: int,
    seed: int,
) -> Numbers:  # fmt: skip
    """LightGBM, each fold by trees that had not seen it."""
    import lightgbm

    params = {"objective": "binary", "num_threads": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1,
              "seed": seed, **told}  # fmt: skip
    unseen = np.zeros(len(y))
    for train, test in dealt:
        unseen[test] = lightgbm.train(params, lightgbm.Dataset(x[train], y[train]), rounds).predict(x[test])
    return unseen


if __name__ == "__main__":
    main(sys.argv[1:])
