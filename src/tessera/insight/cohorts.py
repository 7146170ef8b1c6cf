"""ORDERS -> how many of those who first ordered in a month ordered again in each month after it."""

from __future__ import annotations

from datetime import date

from tessera.data.profiles import SOLD
from tessera.lake.engine import literal

FEWEST = 20
"""People in a cohort, at least, of which anything is told."""


def sql(first: date) -> str:
    """SQL over the view `orders`: cohort (a month's first day), later (months after it), people.

    first: the month of the first cohort to tell of; who ordered before it is in none. later 0 is the size of the cohort.
    Months are those of UTC; what was cancelled or refunded is no order.
    """
    month = "extract(YEAR FROM {0}) * 12 + extract(MONTH FROM {0})"
    return f"""WITH bought AS (
            SELECT DISTINCT person_id, date_trunc('month', occurred_at) AS month FROM orders
            WHERE amount_cents > 0 AND {SOLD} AND person_id IS NOT NULL AND occurred_at IS NOT NULL
        ), first AS (
            SELECT person_id, month, min(month) OVER (PARTITION BY person_id) AS cohort FROM bought
        )
        SELECT CAST(cohort AS DATE) AS cohort, {month.format('month')} - ({month.format('cohort')}) AS later, count(*) AS people
        FROM first WHERE cohort >= DATE {literal(first.replace(day=1).isoformat())}
        GROUP BY cohort, later ORDER BY cohort, later"""
