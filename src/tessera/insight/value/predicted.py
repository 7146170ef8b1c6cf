"""What each customer will do in a time ahead, and all together, with intervals; one row per history, joined in the engine.

Two intervals of 95 %, which say different things. Of what is expected: by the delta method over the parameters (how well the
law is known). Of what will happen: quantiles of the predictive distribution at the fitted parameters, exact for purchases; for
money the sum of n gamma amounts (n random, above 0) is taken as gamma with its true mean and variance, which over the
uncertain scale of her amounts leaves a beta prime distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tessera.insight.value import spend as spending
from tessera.insight.value.ahead import LEVELS, Outcome, expected, outcome
from tessera.insight.value.chosen import Fitted
from tessera.insight.value.history import COLUMNS, History, Numbers
from tessera.insight.value.spend import Spend
from tessera.lake.engine import Connection, rows

Z95 = 1.959963984540054

GROUPS = "value_groups"
"""The temp table of what is predicted for each history."""

PURCHASES = (
    "p_alive", "expected_purchases", "expected_purchases_low", "expected_purchases_high", "purchases_low", "purchases_high",
)  # fmt: skip
MONEY = ("expected_amount", "expected_value", "expected_value_low", "expected_value_high", "value_low", "value_high")


@dataclass(frozen=True, kw_only=True)
class Total:
    """A sum over all customers. low, high: 95 % of what will happen, parameters and chance together (normal); None: unknown."""

    expected: float
    low: float | None
    high: float | None


def predict(con: Connection, h: History, fitted: Fitted, horizon: float, spend: Spend | None) -> None:
    """Makes GROUPS on the connection. horizon: how long a time ahead, in the unit of the histories."""
    law, values = fitted.law, fitted.values
    terms = law.ahead(values, h, horizon)
    found = outcome(terms)
    logs = np.log(values)
    step = 1e-4
    slopes = np.zeros((len(h), len(logs)))
    spread = np.full(len(h), np.nan)
    if fitted.used.covariance is not None:
        mean = np.maximum(found.mean, 1e-300)
        for i in range(len(logs)):
            moved = logs.copy()
            moved[i] += step
            slopes[:, i] = (expected(law.ahead(np.exp(moved), h, horizon)) / mean - 1) / step
        spread = np.sqrt(np.maximum(np.einsum("gi,ij,gj->g", slopes, fitted.used.covariance, slopes), 0))
    columns: dict[str, object] = {c: getattr(h, c) for c in (*COLUMNS, "weight")}
    columns |= {"p_alive": terms.alive, "mean": found.mean, "square": found.square, "spread": _nulls(spread)}
    columns |= {"purchases_low": found.low, "purchases_high": found.high}
    columns |= {f"slope_{i}": slopes[:, i] for i in range(4) if i < len(logs)}
    if spend is not None:
        low, high = _money(spend, h, found)
        columns |= {"money_low": low, "money_high": high}
    con.register("value_made", pa.table(columns))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {GROUPS} AS FROM value_made")
    con.unregister("value_made")


def of_customers(relation: str, spend: Spend | None, keep: tuple[str, ...] = ()) -> str:
    """SQL: a relation with frequency, recency, age (and monetary_value) -> PURCHASES (and MONEY) of each row, after `keep`.

    Needs GROUPS of the same histories."""
    kept = "".join(f"c.{k}, " for k in keep)
    purchases = f"""g.p_alive, g.mean AS expected_purchases,
        g.mean * exp(-{Z95} * g.spread) AS expected_purchases_low, g.mean * exp({Z95} * g.spread) AS expected_purchases_high,
        CAST(g.purchases_low AS BIGINT) AS purchases_low, CAST(g.purchases_high AS BIGINT) AS purchases_high"""
    joined = f"{relation} AS c JOIN {GROUPS} AS g ON {' AND '.join(f'g.{x} = c.{x}' for x in COLUMNS)}"
    if spend is None:
        return f"SELECT {kept}{purchases} FROM {joined}"
    spread = f"sqrt(g.spread * g.spread + {_money_variance(spend)})"
    money = f"""g.mean * amount AS expected_value,
        g.mean * amount * exp(-{Z95} * {spread}) AS expected_value_low,
        g.mean * amount * exp({Z95} * {spread}) AS expected_value_high,
        g.money_low * rate AS value_low, g.money_high * rate AS value_high"""
    return f"""SELECT {kept}{purchases}, amount AS expected_amount, {money}
        FROM ({_priced(relation, spend)}) AS c JOIN {GROUPS} AS g ON {" AND ".join(f"g.{x} = c.{x}" for x in COLUMNS)}"""


def totals(con: Connection, relation: str, fitted: Fitted, spend: Spend | None) -> dict[str, Total]:
    """All customers together: "purchases", and "value" where amounts are known."""
    n = len(fitted.values)
    slopes = ", ".join(f"sum(weight * mean * slope_{i})" for i in range(n))
    mean, chance, *sums = rows(con, f"SELECT sum(weight * mean), sum(weight * (square - mean * mean)), {slopes} FROM {GROUPS}")[
        0
    ]
    found = {"purchases": _total(mean, chance, np.array(sums), fitted.used.covariance)}
    if spend is None:
        return found
    p, q = spend.p, spend.q
    shape = f"({q!r} + {p!r} * f)"
    # E[S^2] = E[G^2] E[1 / nu^2] for S = G / nu, G the gamma sum of p N; infinite where the amounts have no variance.
    square = f"({p!r} * g.mean + {p * p!r} * g.square) * rate * rate / nullif(greatest(({shape} - 1) * ({shape} - 2), 0), 0)"
    square = f"CASE WHEN {shape} > 2 THEN {square} END"
    each = ", ".join(f"sum(g.mean * amount * slope_{i})" for i in range(n))
    each += "".join(f", sum(g.mean * amount * {slope})" for slope in spending.slopes(spend))
    value, known, priced_n, chance, *sums = rows(
        con,
        f"""SELECT sum(g.mean * amount), count({square}), count(amount), sum({square} - pow(g.mean * amount, 2)), {each}
            FROM ({_priced(relation, spend)}) AS c JOIN {GROUPS} AS g ON {" AND ".join(f"g.{x} = c.{x}" for x in COLUMNS)}""",
    )[0]
    covariance = None
    if fitted.used.covariance is not None and spend.covariance is not None and known == priced_n:
        covariance = np.zeros((n + 3, n + 3))
        covariance[:n, :n], covariance[n:, n:] = fitted.used.covariance, spend.covariance
    if value is not None:
        found["value"] = _total(value, chance, np.array([s or 0.0 for s in sums]), covariance)
    return found


def _total(mean: float, chance: float | None, slopes: Numbers, covariance: Numbers | None) -> Total:
    if covariance is None or chance is None:
        return Total(expected=float(mean), low=None, high=None)
    half = Z95 * float(np.sqrt(max(chance, 0.0) + slopes @ covariance @ slopes))
    return Total(expected=float(mean), low=max(float(mean) - half, 0.0), high=float(mean) + half)


def _priced(relation: str, spend: Spend) -> str:
    """SQL: the relation with `amount`, what a purchase of hers is expected to be worth, and `rate`, its scale."""
    named = f"SELECT *, frequency AS f, CAST(monetary_value AS DOUBLE) AS m FROM {relation}"
    return f"SELECT *, {spending.expected(spend)} AS amount, {spending.rate(spend)} AS rate FROM ({named}) AS named"


def _money_variance(spend: Spend) -> str:
    """SQL: the variance of the logarithm of the expected amount that comes of the parameters; NULL where it is unknown."""
    if spend.covariance is None:
        return "NULL"
    slopes = spending.slopes(spend)
    terms = [f"{float(spend.covariance[i, j])!r} * {slopes[i]} * {slopes[j]}" for i in range(3) for j in range(3)]
    return f"greatest({' + '.join(terms)}, 0)"


def _money(spend: Spend, h: History, found: Outcome) -> tuple[Numbers, Numbers]:
    """The 2.5 and 97.5 % quantiles of her money ahead, in units of v + x m."""
    from scipy.special import betaincinv

    p, nothing = spend.p, 1 - found.any
    some = np.maximum(found.any, 1e-300)
    # Of those who come at all: mean and variance of the gamma sum of p N.
    mean = p * found.mean / some
    variance = p * found.mean / some + p * p * (found.square / some - (found.mean / some) ** 2)
    shape = mean * mean / np.maximum(variance, 1e-300)
    scale = variance / np.maximum(mean, 1e-300)
    made = []
    for level in LEVELS:
        within = (level - nothing) / some
        there = (within > 0) & (found.mean > 0)
        quantile = np.zeros(len(h))
        x = betaincinv(shape[there], spend.q + p * h.frequency[there], within[there])
        quantile[there] = scale[there] * x / np.maximum(1 - x, 1e-12)
        made.append(quantile)
    return made[0], made[1]


def _nulls(values: Numbers) -> pa.Array:
    return pa.array(values, from_pandas=True)
