"""Customers' histories -> their value, whole: a law chosen, money learned, everybody predicted; and the check in the past.

A relation has the columns frequency, recency and age (see `history`), and monetary_value where amounts are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tessera.errors import BadInput
from tessera.insight.value import chosen, predicted
from tessera.insight.value import spend as spending
from tessera.insight.value.checked import Held, held
from tessera.insight.value.chosen import Fitted
from tessera.insight.value.history import grouped, of_purchases
from tessera.insight.value.predicted import Total, of_customers
from tessera.insight.value.spend import Spend
from tessera.lake.engine import Connection, rows, value
from tessera.words import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Valued:
    """What was found. spend: None without amounts; why it is so in `no_money`. horizon: the time ahead, in the histories' unit.
    totals: purchases, and value with amounts. unpriced: came again without an amount above 0, so that they have no value."""

    fitted: Fitted
    spend: Spend | None
    no_money: str
    horizon: float
    totals: dict[str, Total]
    unpriced: int


def valued(
    con: Connection, relation: str, horizon: float, *, money: bool, model: str | None = None, seed: int = 7,
    progress: Progress = silent,
) -> Valued:  # fmt: skip
    """Fits and predicts; afterwards `each` gives the customers. Raises BadInput with too few customers for any law."""
    progress("grouping", 0, 4)
    history = grouped(con, relation)
    progress("fitting the law", 1, 4)
    fitted = chosen.fit(history, model, seed)
    spend, no_money = None, "" if money else "There are no amounts."
    if money:
        progress("learning amounts", 2, 4)
        try:
            spend = spending.fit(con, relation, seed)
        except BadInput as few:
            no_money = str(few)
    progress("predicting", 3, 4)
    predicted.predict(con, history, fitted, horizon, spend)
    totals = predicted.totals(con, relation, fitted, spend)
    progress("predicting", 4, 4)
    return Valued(
        fitted=fitted, spend=spend, no_money=no_money, horizon=horizon, totals=totals,
        unpriced=spending.unpriced(con, relation) if spend else 0,
    )  # fmt: skip


def each(relation: str, found: Valued, keep: tuple[str, ...] = ()) -> str:
    """SQL: one row per customer with what is expected of her, after the columns `keep`."""
    return of_customers(relation, found.spend, keep)


def summed(con: Connection, relation: str, found: Valued) -> dict[str, Any]:
    """All customers, of a relation as `each` gives it: how many are likely still there, and the share that
    the best tenth has of what is expected."""
    best = "expected_value" if found.spend else "expected_purchases"
    alive, likely, mean, top = rows(
        con,
        f"""SELECT sum(p_alive), count(*) FILTER (WHERE p_alive >= 0.5), avg(p_alive),
                   sum({best}) FILTER (WHERE place <= 0.1 * many) / nullif(sum({best}), 0)
            FROM (SELECT p_alive, {best}, row_number() OVER (ORDER BY {best} DESC NULLS LAST) AS place, count(*) OVER () AS many
                  FROM {relation} AS each_one) AS placed""",
    )[0]
    return {
        "customers": found.fitted.customers, "repeaters": found.fitted.repeaters, "alive": alive, "likely_alive": likely,
        "mean_p_alive": mean, "best_tenth_share": top,
    }  # fmt: skip


def split(purchases: str, end: str, days: int) -> str:
    """SQL: purchases (customer, time, amount) -> histories until `days` before `end` (SQL of a day), and what came after:
    frequency, recency, age, monetary_value, later (days with a purchase), later_value. Times in weeks."""
    cut = f"CAST({end} - to_days({days}) AS DATE)"
    return f"""SELECT h.*, CAST(coalesce(l.later, 0) AS DOUBLE) AS later, coalesce(l.later_value, 0.0) AS later_value
        FROM ({of_purchases(purchases, cut)}) AS h LEFT JOIN (
            SELECT customer, count(DISTINCT CAST(time AS DATE)) AS later, sum(amount) AS later_value FROM {purchases}
            WHERE CAST(time AS DATE) > {cut} AND CAST(time AS DATE) <= {end} GROUP BY customer
        ) AS l ON l.customer = h.customer"""


def checked(con: Connection, relation: str, length: float, *, money: bool, model: str | None = None, seed: int = 7) -> Held:
    """The check in the past: fits the histories of `relation` and compares with its `later` (and `later_value`), which came in
    `length` after them. Raises BadInput if nothing came later, or there is too little to fit."""
    if not value(con, f"SELECT sum(later) FROM {relation}"):
        raise BadInput("Nobody bought in the time that was held out: there is nothing to compare with. Hold out more.")
    found = valued(con, relation, length, money=money, model=model, seed=seed)
    return held(con, relation, found.fitted, found.spend, length)
