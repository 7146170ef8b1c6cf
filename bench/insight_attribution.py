"""Attribution: how exact, how quick (from arrays, from a file), how near to the truth of made-up shops; beside ChannelAttribution.

    python bench/insight_attribution.py                 exactness and speed at 1 M paths, order 3 over seeds
    python bench/insight_attribution.py --large         10 M paths of 20 channels, order 3
    python bench/insight_attribution.py --shops 5       credits against what channels truly caused, over seeds

The peer is imported if it is installed (GPL: never a dependency, and none of its code is read), else the table says so.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import spearmanr

from tessera.demo.causes import touches_and_orders
from tessera.demo.people import BLOCK, crowd
from tessera.demo.shop import CHANNELS, NOW, START
from tessera.demo.truth import Causes
from tessera.insight.attribution.chain import walks, weighed
from tessera.insight.attribution.credits import MODELS, attributed
from tessera.insight.attribution.journeys import Journeys
from tessera.insight.attribution.paths import Floats, Paths, encode
from tessera.insight.attribution.removal import removed

SEEDS = range(1, 6)

WATCHED = """import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)"""
"""Runs a command from a small process: a child's peak of memory counts that of the process that it is started from."""


def made(paths: int, channels: int, seed: int = 0) -> Paths:
    """Paths of 1 to 30 touches (geometric, 4 on average), channels by Zipf's law with exponent 0.7, one in five touches as the
    one before; 10 % convert, worth a lognormal amount."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.geometric(0.25, paths), 30)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    weights = 1 / np.arange(1, channels + 1) ** 0.7
    touches = rng.choice(channels, starts[-1], p=weights / weights.sum())
    again = rng.random(starts[-1]) < 0.2
    again[starts[:-1]] = False
    touches = touches[np.maximum.accumulate(np.where(again, 0, np.arange(starts[-1])))]
    converted = (rng.random(paths) < 0.1).astype(float)
    values = np.where(converted > 0, np.round(rng.lognormal(4, 1, paths), 2), 0.0)
    return Paths(
        channels=tuple(f"channel {i:03d}" for i in range(channels)),
        touches=touches.astype(np.uint8),
        starts=starts,
        conversions=converted[:, None],
        values=values[:, None],
        null=1 - converted,
        left_out={},
    )


def written(paths: Paths, file: Path) -> Path:
    """The same as a file of text."""
    names = pa.array(paths.channels).take(pa.array(paths.touches))
    lists = pa.LargeListArray.from_arrays(pa.array(paths.starts), names)
    table = pa.table({
        "path": pc.binary_join(lists, " > "), "total_conversions": paths.conversions[:, 0].astype(int),
        "total_conversion_value": paths.values[:, 0], "total_null": paths.null.astype(int),
    })  # fmt: skip
    with duckdb.connect() as con:
        con.register("made", table)
        con.execute(f"COPY made TO '{file}'")
    return file


def by_definition(paths: Paths, order: int) -> Floats:
    """Removal effects by dense matrices over named states, as the definition reads."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "insight"))
    from removed_by_definition import removed_by_definition

    cuts = paths.starts.tolist()
    walked = [paths.touches[a:b].tolist() for a, b in pairwise(cuts)]
    return removed_by_definition(walked, paths.weight, np.column_stack([paths.conversions, paths.values]), order)


def exactness() -> None:
    """How far each number is from the definition's."""
    print("against dense solves by definition: largest relative difference of what a channel loses")
    for paths, channels, order in ((3000, 20, 1), (3000, 20, 2), (1500, 8, 3), (800, 6, 4)):
        for_all = []
        for seed in SEEDS:
            known = made(paths, channels, seed)
            chain = weighed(walks(known, order), known.weight, np.column_stack([known.conversions, known.values]))
            lost = removed(chain, channels)
            for_all.append(np.abs(lost / by_definition(known, order) - 1).max())
        print(
            f"  order {order}, {channels} channels, {len(chain.start):,} states: {max(for_all):.1e} (worst of {len(SEEDS)} seeds)"
        )


def from_arrays(paths: Paths, order: int) -> None:
    """One timing, without intervals."""
    wall, cpu = time.perf_counter(), time.process_time()
    credits = attributed(paths, order, resamples=0)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    exact = all(sum(v.tolist()) == credits.totals[c.kind, c.measure] for c, v in credits.credits.items())
    print(
        f"  {len(paths):,} x {len(paths.channels)}, order {order}, from arrays: {wall:.2f} s (CPU {cpu:.2f}), "
        f"{credits.states:,} states, columns sum {'exactly' if exact else 'NOT EXACTLY'}"
    )


def from_file(file: Path, order: int) -> None:
    """The whole command, from its start to its JSON."""
    words = [sys.executable, "-m", "tessera", "try", "attribution", str(file), "--order", str(order), "--json", "-q"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = time.perf_counter()
    found = subprocess.run([sys.executable, "-c", WATCHED, *words], capture_output=True, check=True)
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    paths = json.loads(found.stdout)["paths"]
    print(
        f"  {paths:,} paths, order {order}, tessera try, {file.suffix}: {wall:.2f} s (CPU {cpu:.2f}), "
        f"at most {int(found.stderr.split()[-1]) / 1e6:.2f} GB"
    )


def peer(paths: Paths, order: int) -> None:
    """ChannelAttribution at its defaults on the same paths."""
    try:
        import ChannelAttribution  # type: ignore[import-not-found]
        import pandas as pd  # type: ignore[import-untyped]
    except ImportError as e:
        print(f"  ChannelAttribution is not installed here ({e.name})")
        return
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
        data = pd.DataFrame(con.execute(f"FROM '{written(paths, Path(folder) / 'p.parquet')}'").fetchnumpy())
    wall, cpu = time.perf_counter(), time.process_time()
    found = ChannelAttribution.markov_model(
        data, "path", "total_conversions", var_value="total_conversion_value", var_null="total_null", order=order,
        ncore=2,
    )  # fmt: skip
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    ours = attributed(paths, order, resamples=0)
    markov = next(v for c, v in ours.credits.items() if c.model == "markov" and c.measure == "conversions")
    theirs = dict(zip(found["channel_name"], found["total_conversions"], strict=True))
    off = [abs(theirs.get(c, 0.0) / n - 1) for c, n in zip(ours.channels, markov, strict=True)]
    print(
        f"  ChannelAttribution (simulated), order {order}: {wall:.2f} s (CPU {cpu:.2f}), "
        f"{100 * float(np.median(off)):.1f} % from the exact credit in the median"
    )


def shop(people: int, seed: int) -> tuple[dict[str, Floats], Floats]:
    """One made-up shop in which everybody agrees: the share of each channel by each model, and of what it truly caused."""
    con, causes = duckdb.connect(), Causes()
    con.execute("CREATE TABLE rates (currency VARCHAR, valid_from DATE, rate DOUBLE)")
    touched, ordered = [], []
    for block in range((people + BLOCK - 1) // BLOCK):
        who = crowd(seed, block, min(BLOCK, people - block * BLOCK))
        touches, orders = touches_and_orders(who)
        causes.add(orders, touches)
        touched.append({"person": who.first + touches.person, "second": touches.at, "channel": touches.channel})
        ordered.append({"person": who.first + orders.person, "second": orders.at})
    for name, parts in (("t", touched), ("o", ordered)):
        con.register(name, pa.table({c: np.concatenate([p[c] for p in parts]) for c in parts[0]}))
    moment = f"TIMESTAMPTZ '{START.isoformat()}' + to_seconds(second)"
    names = "[" + ", ".join(f"'{c}'" for c in CHANNELS) + "]"
    con.execute(f"""CREATE TABLE touches AS SELECT person AS key_id, {moment} AS occurred_at, {names}[channel + 1] AS channel, 's' AS source,
        row_number() OVER ()::VARCHAR AS touch_id FROM t""")
    con.execute(f"""CREATE TABLE orders AS SELECT person AS key_id, {moment} AS occurred_at, 100::BIGINT AS amount_cents,
        NULL::VARCHAR AS currency, 'completed' AS status, 's' AS source, row_number() OVER ()::VARCHAR AS order_id FROM o""")
    con.execute(
        "CREATE TABLE membership AS SELECT DISTINCT key_id, key_id AS person_id FROM (FROM touches UNION ALL BY NAME FROM orders)"
    )
    made_by = Journeys(currency="EUR", window_days=30, direct="ignore", as_of=NOW.date())
    read = con.sql(f"WITH nothing AS (SELECT 1) {made_by.grouped()}").to_arrow_reader(200_000)
    paths = encode(read, kinds=("first", "repeat"))
    met = {row[0]: row[3:] for row in con.execute(f"WITH nothing AS (SELECT 1) {made_by.met()}").fetchall()}
    credits = attributed(paths, 2, resamples=0, decayed=np.array([met[c] for c in paths.channels]))
    shares = {}
    for model in MODELS:
        whole = sum(v for c, v in credits.credits.items() if c.model == model and c.measure == "conversions")
        by = dict(zip(credits.channels, np.asarray(whole), strict=True))
        share = np.array([by.get(c, 0.0) for c in CHANNELS])
        shares[model] = share / share.sum()
    return shares, np.array([causes.facts()["channels"][c]["share"] for c in CHANNELS])


def shops(many: int, people: int) -> None:
    """Credits against the truth of made-up shops: mean and 95 % interval over seeds."""
    scores: dict[str, list[tuple[float, float, float]]] = {model: [] for model in MODELS}
    paid = np.array([c != "direct" for c in CHANNELS])
    for seed in range(1, many + 1):
        shares, true = shop(people, seed)
        for model, share in shares.items():
            rest = share[paid] / share[paid].sum()
            off, off_rest = (
                100 * float(np.abs(a - b).mean()) for a, b in ((share, true), (rest, true[paid] / true[paid].sum()))
            )
            scores[model].append((float(spearmanr(share, true).statistic), off, off_rest))
    print(f"shares of credit against true causes, {many} shops of {people:,} people: mean (95 % interval of the mean)")
    for model, found in scores.items():
        told = []
        for values in zip(*found, strict=True):
            half = 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            told.append(f"{np.mean(values):.2f} ({np.mean(values) - half:.2f} to {np.mean(values) + half:.2f})")
        print(f"  {model:<11} rank correlation {told[0]}, mean error {told[1]} points, without direct {told[2]}")


def main() -> None:
    """As the words say."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--large", action="store_true")
    words.add_argument("--shops", type=int, default=0, metavar="N")
    words.add_argument("--people", type=int, default=20_000)
    words.add_argument("--paths", type=int, default=1_000_000)
    words.add_argument("--peer", action="store_true", help="run ChannelAttribution too (a minute)")
    asked = words.parse_args()
    if asked.shops:
        return shops(asked.shops, asked.people)
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        if asked.large:
            paths = made(10_000_000, 20)
            from_arrays(paths, 3)
            file = written(paths, Path(folder) / "paths.parquet")
            del paths
            return from_file(file, 3)
        exactness()
        for order in (1, 2, 3):
            for seed in SEEDS if order == 3 else SEEDS[:1]:
                from_arrays(made(asked.paths, 100, seed), order)
        paths = made(asked.paths, 100)
        files = [written(paths, Path(folder) / f"paths.{ending}") for ending in ("parquet", "csv")]
        for order in (2, 3):
            for file in files:
                from_file(file, order)
        if asked.peer:
            peer(made(asked.paths, 20), 2)
            peer(paths, 2)
    return None


if __name__ == "__main__":
    main()
