"""insight.yaml's section propensity -> the questions who will do it: an event of a name, or a purchase of certain products.

Who could is whoever bought or was seen of late. A person's own past of the goal is among her features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from tessera.data.profiles import SOLD
from tessera.insight.churn import history
from tessera.insight.churn.history import BOUGHT, SEEN, SEEN_DAYS, midnight
from tessera.insight.churn.question import FIRST_ORDER, Question, Source
from tessera.insight.explain.words import Word
from tessera.insight_file import ANY
from tessera.lake.engine import literal

WORDS: Mapping[str, Word] = {
    "done_days": Word(en="the number of days on which it was done before", zh="此前做过的天数",
                      her_en="how often you did this before", her_zh="您此前做过的次数", unit="times"),
    "done_recency_days": Word(en="the time since it was last done", zh="距上次做过的时间",
                              her_en="the time since you last did this", her_zh="距您上次做过的时间", unit="days"),
}  # fmt: skip
"""Features of a goal, beside those of churn's history."""
ALL_WORDS: Mapping[str, Word] = {**history.WORDS, **WORDS}


def questions(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Question]:
    """By goal, the question that its settings ask."""
    return {goal: question(f"propensity_done_{i}", its) for i, (goal, its) in enumerate(told.items())}


def question(table: str, told: Mapping[str, Any]) -> Question:
    """One goal's question. table: the name of its temp table: person_id and the days on which it was done."""
    days, active = int(told["horizon_days"]), int(told["active_days"])
    done = _event(told["event"]) if told["event"] else _products(told["products"])
    # Before it was done for the first time nobody could: a new event tells nothing of the months without it.
    first = Source(views=done.views, sql=f"SELECT min(day) FROM ({done.sql}) AS d") if done.views else FIRST_ORDER

    def who(at: date) -> str:
        lately = f"day < {midnight(at)} AND day >= {midnight(at)} - INTERVAL {active} DAY"
        return f"""SELECT person_id, CAST(NULL AS DATE) AS began FROM (
                       SELECT person_id FROM {BOUGHT} WHERE NOT back AND {lately}
                       UNION SELECT person_id FROM {SEEN} WHERE {lately}) AS w"""

    def did(at: date) -> str:
        s = midnight(at)
        return f"SELECT DISTINCT person_id FROM {table} WHERE day >= {s} AND day < {s} + INTERVAL {days} DAY"

    def own(at: date, people: str) -> str:
        s = midnight(at)
        return f"""SELECT w.person_id, count(d.day) AS done_days, min(date_diff('day', d.day, {s})) AS done_recency_days
                   FROM ({people}) AS w LEFT JOIN {table} d ON d.person_id = w.person_id AND d.day < {s}
                   GROUP BY w.person_id"""

    return Question(
        form="event" if told["event"] else "products",
        horizon_days=days,
        groups=tuple(told["groups"]),
        first=first,
        tables={table: done},
        who=who,
        did=did,
        own=own,
        words=WORDS,
        seen_days=max(SEEN_DAYS, active),
    )


def _event(event: str) -> Source:
    sql = f"""SELECT DISTINCT m.person_id, CAST(e.occurred_at AS DATE) AS day
              FROM events e JOIN membership m ON m.key_id = e.key_id
              WHERE e.event = {literal(event)} AND e.occurred_at IS NOT NULL"""
    return Source(views=("events", "membership"), sql=sql)


def _products(products: Sequence[str]) -> Source:
    """Days with a line of such a product whose order came to something, no return."""
    if ANY in products:
        return Source(views=(), sql=f"SELECT DISTINCT person_id, day FROM {BOUGHT} WHERE NOT back")
    begins = " OR ".join(f"starts_with(l.product_id, {literal(p)})" for p in products)
    sql = f"""SELECT DISTINCT m.person_id, CAST(l.occurred_at AS DATE) AS day
              FROM order_lines l JOIN membership m ON m.key_id = l.key_id
              WHERE ({begins}) AND l.quantity > 0 AND l.amount_cents > 0 AND l.occurred_at IS NOT NULL
                AND coalesce(l.order_id, '') NOT IN (SELECT order_id FROM orders WHERE order_id IS NOT NULL AND NOT ({SOLD}))"""
    return Source(views=("order_lines", "orders", "membership"), sql=sql)
