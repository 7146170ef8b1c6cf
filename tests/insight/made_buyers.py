"""Customers made up by a law whose parameters are known, and the relations that the steps of value read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from tessera.insight.value.history import History
from tessera.lake.engine import Connection, connect

SHARED = Path(os.environ.get("TESSERA_SHARED") or Path(__file__).parents[3] / "shared").absolute()
CDNOW = SHARED / "data" / "insight" / "cdnow" / "CDNOW_master.txt.gz"
RETAIL = SHARED / "data" / "insight" / "online_retail" / "online_retail.parquet"

TRUTH = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 2.5}
MONEY = {"p": 6.25, "q": 3.74, "v": 15.45}


def bought(
    n: int, seed: int, *, leaving: float = 1.0, later: float = 0.0, truth: Mapping[str, float] = TRUTH,
    weeks: tuple[float, float] = (25, 40),
) -> dict[str, np.ndarray]:  # fmt: skip
    """n customers of BG/NBD, watched for so many weeks, day by day; `later`: purchases in the `later` weeks after that.
    leaving 0: nobody ever leaves."""
    rng = np.random.default_rng(seed)
    rate = rng.gamma(truth["r"], 1 / truth["alpha"], n)
    chance = leaving * rng.beta(truth["a"], truth["b"], n)
    age = np.round(rng.uniform(*weeks, n) * 7) / 7
    x, last, after, now, there = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.ones(n, bool)
    while there.any():
        i = np.flatnonzero(there)
        now[i] += rng.exponential(1 / rate[i])
        known, ahead = now[i] <= age[i], (now[i] > age[i]) & (now[i] <= age[i] + later)
        x[i[known]] += 1
        last[i[known]] = now[i[known]]
        after[i[ahead]] += 1
        there[i] = (known | ahead) & (rng.random(len(i)) >= chance[i])
    nu = rng.gamma(MONEY["q"], 1 / MONEY["v"], n)
    many = np.maximum(x, 1)
    mean = np.where(x > 0, rng.gamma(MONEY["p"] * many) / nu / many, np.nan)
    spent = np.where(after > 0, rng.gamma(MONEY["p"] * np.maximum(after, 1)) / nu, 0.0)
    recency = np.where(x > 0, np.minimum(np.ceil(last * 7) / 7, age), 0.0)
    return {"frequency": x, "recency": recency, "age": age, "monetary_value": mean, "later": after, "later_value": spent}


def related(columns: dict[str, np.ndarray]) -> Connection:
    """A connection with the table `buyers`; no amount is NULL."""
    con = connect(threads=1)
    made = {c: pa.array(v, from_pandas=True) for c, v in columns.items()}
    con.register("made", pa.table({"customer": [f"c{i}" for i in range(len(columns["age"]))], **made}))
    con.execute("CREATE TABLE buyers AS FROM made")
    return con


def history(columns: dict[str, np.ndarray]) -> History:
    """The same, not grouped."""
    weight = np.ones(len(columns["age"]))
    return History(frequency=columns["frequency"], recency=columns["recency"], age=columns["age"], weight=weight)


def cdnow() -> Connection:
    """A connection with CDNOW's purchases as the table `purchases`: customer, time, amount."""
    con = connect(threads=1)
    con.execute(
        f"""CREATE TABLE purchases AS
            SELECT f[1] AS customer, strptime(f[2], '%Y%m%d') AS time, CAST(f[4] AS DOUBLE) AS amount
            FROM (SELECT string_split_regex(trim(line), '\\s+') AS f FROM read_csv('{CDNOW}', columns={{'line': 'VARCHAR'}},
                  delim='\x01', quote='', header=false, skip=1))"""
    )
    return con
