"""ORDERS -> how many of those who first ordered in a month ordered again in each month after it."""

from __future__ import annotations

from datetime import date

from tessera.data.profiles import SOLD

FEWEST = 20
"""People in a cohort, at least, of which anything is told."""


def sql(first: date) -> str:
    """SQL over the view `orders`: cohort (a month: year * 12 + its number), later (months after it), people.

    first: the month of the first cohort to tell of; who ordered before it is in none. later 0 is the size of the cohort.
    Months are those of UTC; what was cancelled or refunded is no order.
    """
    # Whole numbers for months: the engine groups by them in half the time that it takes for moments.
    begin = first.year * 12 + first.month
    return f"""WITH bought AS (
            SELECT DISTINCT person_id, extract(YEAR FROM occurred_at) * 12 + extract(MONTH FROM occurred_at) AS month
            FROM orders WHERE amount_cents > 0 AND {SOLD} AND person_id IS NOT NULL AND occurred_at IS NOT NULL
        ), began AS (SELECT person_id, min(month) AS cohort FROM bought GROUP BY person_id)
        SELECT cohort, month - cohort AS later, count(*) AS people
        FROM bought JOIN began ON began.person_id = bought.person_id WHERE cohort >= {begin}
        GROUP BY cohort, later ORDER BY cohort, later"""


def month(cohort: int) -> date:
    """The first day of a cohort's month.

    >>> month(2026 * 12 + 12)
    datetime.date(2026, 12, 1)
    """
    return date((cohort - 1) // 12, (cohort - 1) % 12 + 1, 1)
