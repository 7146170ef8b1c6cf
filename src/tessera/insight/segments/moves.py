"""SQL over the history of segments: how large each was on which day, who came and went since, and what became of them."""

from __future__ import annotations

from datetime import date
from typing import Literal

from tessera.data.profiles import SOLD
from tessera.lake.engine import literal

Histories = Literal["segments", "rule_segments"]


def changes(table: Histories) -> str:
    """SQL over a history: segment, day, people: by how many it grew (or, below 0, shrank) on that day. Summed up to a day they
    are its size then."""
    return f"""SELECT segment, valid_from AS day, count(*) AS people FROM {table} GROUP BY segment, valid_from
        UNION ALL
        SELECT segment, valid_to AS day, -count(*) AS people FROM {table} WHERE valid_to IS NOT NULL
        GROUP BY segment, valid_to"""


def standing(table: Histories) -> str:
    """SQL over a history: segment, people: how many are in each now."""
    return f"SELECT segment, count(*) AS people FROM {table} WHERE valid_to IS NULL GROUP BY segment"


def between(table: Histories, segment: str, since: date, today: date, currency: str) -> str:
    """SQL over a history, features, orders and rates: who came into a segment and who left it after a day, in groups.

    Returns was, now (segments; of a rule segment 'in' and NULL), people, ordered (how many of them bought after the day), and
    means over those who ever bought: days since the last order, orders and revenue_cents, each before (as of the day) and now.
    Refunds after the day count as if they had been before it.
    """
    day, own = f"DATE {literal(since.isoformat())}", literal(currency)
    name = "segment" if table == "segments" else "'in'"
    mine = "" if table == "segments" else f" AND segment = {literal(segment)}"
    at = literal(segment) if table == "segments" else "'in'"
    return f"""WITH was AS (
            SELECT person_id, {name} AS segment FROM {table}
            WHERE valid_from <= {day} AND (valid_to IS NULL OR valid_to > {day}){mine}
        ), now AS (SELECT person_id, {name} AS segment FROM {table} WHERE valid_to IS NULL{mine}
        ), moved AS (
            SELECT coalesce(n.person_id, w.person_id) AS person_id, w.segment AS was, n.segment AS now
            FROM was w FULL JOIN now n ON n.person_id = w.person_id
            WHERE coalesce(w.segment = {at}, FALSE) <> coalesce(n.segment = {at}, FALSE)
        ), rated AS (
            SELECT currency, valid_from, rate, lead(valid_from) OVER (PARTITION BY currency ORDER BY valid_from) AS valid_to
            FROM rates
        ), bought AS (
            SELECT o.person_id, o.occurred_at, o.occurred_at >= {day} + INTERVAL 1 DAY AS after,
                   CASE WHEN coalesce(o.currency, {own}) = {own} THEN o.amount_cents ELSE o.amount_cents * r.rate END AS cents
            FROM orders o JOIN moved m ON m.person_id = o.person_id LEFT JOIN rated r
                 ON r.currency = o.currency AND o.currency <> {own} AND CAST(o.occurred_at AS DATE) >= r.valid_from
                    AND (r.valid_to IS NULL OR CAST(o.occurred_at AS DATE) < r.valid_to)
            WHERE o.amount_cents > 0 AND {SOLD.replace('status', 'o.status')}
        ), since AS (
            SELECT person_id, count(*) FILTER (WHERE after) AS orders, sum(cents) FILTER (WHERE after) AS cents,
                   max(occurred_at) FILTER (WHERE NOT after) AS last_at
            FROM bought GROUP BY person_id
        )
        SELECT m.was, m.now, count(*) AS people, count(*) FILTER (WHERE s.orders > 0) AS ordered,
               avg(date_diff('day', CAST(s.last_at AS DATE), {day})) AS days_before,
               avg(date_diff('day', CAST(f.last_order_at AS DATE), DATE {literal(today.isoformat())})) AS days_now,
               avg(f.orders - coalesce(s.orders, 0)) FILTER (WHERE f.orders > 0) AS orders_before,
               avg(f.orders) FILTER (WHERE f.orders > 0) AS orders_now,
               avg(f.revenue_cents - coalesce(s.cents, 0)) FILTER (WHERE f.orders > 0) AS revenue_before,
               avg(f.revenue_cents) FILTER (WHERE f.orders > 0) AS revenue_now
        FROM moved m LEFT JOIN features f ON f.person_id = m.person_id LEFT JOIN since s ON s.person_id = m.person_id
        GROUP BY m.was, m.now ORDER BY people DESC, was NULLS LAST, now NULLS LAST"""
