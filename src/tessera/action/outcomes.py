"""DECISIONS, EVENTS, MEMBERSHIP -> what was decided for whom, and what came of it: the live engine begins with it.

An outcome of a decision is an event of that person, whoever of her identifiers it carries, of the name and within the time
that its point says, and of the same product where it says so. Each decision has one outcome at the most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from tessera.action.learned import Learned
from tessera.action.live_past import Made
from tessera.action.nearby import KEPT, VIEW, Nearby
from tessera.data.live_folds import micros
from tessera.decision_points import FALLBACK, Point
from tessera.lake.engine import Connection, literal, rows
from tessera.lake.view import View, over

READS = ("decisions", "events", "membership")

NEIGHBOURS = "item_neighbours"
"""The table of what goes with what, as insight has learned it (insight/recommend)."""

APART_S = 1_800
"""Two views are one after the other if they are no further apart: half an hour, as sessions are cut."""

DAYS = 90
"""How far back views are looked at, from the newest event on."""


def decided(points: Iterable[Point]) -> str:
    """SQL over the views of READS: key_id, decision, candidate, product_id, context, chosen_by, occurred_at and done of each
    decision of these points."""
    points = list(points)
    names = ", ".join(literal(p.name) for p in points) or "NULL"
    came = [_came(p) for p in points if p.outcome is not None]
    done = " UNION ".join(came) or "SELECT NULL::VARCHAR AS decision_id WHERE FALSE"
    return f""", mine AS (
            SELECT d.decision_id, d.key_id, m.person_id, d.decision, d.candidate, coalesce(d.product_id, '') AS product_id,
                   coalesce(d.context, '') AS context, d.chosen_by, d.occurred_at
            FROM decisions d JOIN membership m ON m.key_id = d.key_id WHERE d.decision IN ({names})
        ), done AS ({done})
        SELECT key_id, decision, candidate, product_id, context, chosen_by, occurred_at,
               decision_id IN (SELECT decision_id FROM done) AS done FROM mine"""


def _came(point: Point) -> str:
    outcome = point.outcome
    assert outcome is not None
    same = " AND e.product_id = d.product_id" if outcome.same_product else ""
    return f"""SELECT d.decision_id FROM mine d JOIN (
            SELECT m.person_id, x.occurred_at, x.product_id FROM events x JOIN membership m ON m.key_id = x.key_id
            WHERE x.event = {literal(outcome.event)}
        ) e ON e.person_id = d.person_id WHERE d.decision = {literal(point.name)}
        AND e.occurred_at >= d.occurred_at AND e.occurred_at <= d.occurred_at + INTERVAL {outcome.within_s} SECOND{same}"""


def learned(con: Connection, views: Mapping[str, View], points: Iterable[Point]) -> Learned:
    """What came of all that was decided at these points, of whoever the views' purpose allows."""
    made, points = Learned(), list(points)
    counts = f"""SELECT decision, candidate, product_id, context, chosen_by, count(*), count(*) FILTER (WHERE done)
                 FROM ({_apart(views, points)}) AS x GROUP BY ALL"""
    for decision, candidate, product, context, by, trials, outcomes in rows(con, counts):
        if candidate == FALLBACK:
            made.fell(decision, by, trials, outcomes)
        else:
            made.add(decision, candidate, product, context, trials, outcomes)
    return made


def remembered(
    con: Connection, views: Mapping[str, View], points: Iterable[Point], now: datetime
) -> list[tuple[int, Made]]:
    """By key, the decisions that a cap or an outcome still asks for."""
    points, moment = list(points), f"TIMESTAMPTZ {literal(now.isoformat())}"
    since = " OR ".join(
        f"(decision = {literal(p.name)} AND occurred_at > {moment} - INTERVAL {p.memory_s} SECOND)"
        for p in points if p.memory_s
    )  # fmt: skip
    if not since:
        return []
    select = f"""SELECT key_id, decision, candidate, product_id, context, occurred_at, done, chosen_by
                 FROM ({_apart(views, points)}) AS x WHERE key_id IS NOT NULL AND ({since})"""
    return [
        (int(key), Made(decision, candidate, product, context, micros(at), bool(done), by))
        for key, decision, candidate, product, context, at, done, by in rows(con, select)
    ]


def nearby(con: Connection, views: Mapping[str, View]) -> Nearby:
    """What was viewed one after the other by one person, and how often each product, of whoever the views' purpose allows."""
    con.execute(f"CREATE OR REPLACE TEMP TABLE looked AS {over(views, _views())}")
    try:
        pairs = f"""SELECT * FROM (
                SELECT one, other, sum(n)::BIGINT AS n,
                       row_number() OVER (PARTITION BY one ORDER BY sum(n) DESC, other) AS place
                FROM (SELECT product_id AS one, before AS other, count(*) AS n FROM looked
                      WHERE before IS NOT NULL GROUP BY ALL
                      UNION ALL
                      SELECT before, product_id, count(*) FROM looked WHERE before IS NOT NULL GROUP BY ALL) AS x
                GROUP BY one, other
            ) AS y WHERE place <= {KEPT}"""
        made = Nearby()
        for one, other, times, _ in rows(con, pairs):
            made.near.setdefault(one, {})[other] = int(times)
        made.views = {p: int(n) for p, n in rows(con, "SELECT product_id, count(*) FROM looked GROUP BY product_id")}
    finally:
        con.execute("DROP TABLE looked")
    made.popular = sorted(made.views, key=lambda p: (-made.views[p], p))[:KEPT]
    return made


def trained(con: Connection, view: View) -> dict[str, dict[str, float]]:
    """What the insight model says goes with each product, by the view of ITEM_NEIGHBOURS; empty until one stands."""
    found: dict[str, dict[str, float]] = {}
    select = f"SELECT product_id, neighbour, likes FROM {NEIGHBOURS} WHERE likes > 0 AND place <= {KEPT} ORDER BY ALL"
    for product, other, likes in rows(con, over({NEIGHBOURS: view}, select)):
        found.setdefault(product, {})[other] = likes
    return found


def _views() -> str:
    return f""", v AS (
            SELECT m.person_id, x.product_id, x.occurred_at, x.message_id FROM events x JOIN membership m ON m.key_id = x.key_id
            WHERE x.event = {literal(VIEW)} AND x.product_id IS NOT NULL
            AND x.occurred_at > (SELECT max(occurred_at) FROM events) - INTERVAL {DAYS} DAY
        ), w AS (
            SELECT product_id, occurred_at, lag(product_id) OVER one AS before, lag(occurred_at) OVER one AS since FROM v
            WINDOW one AS (PARTITION BY person_id ORDER BY occurred_at, message_id)
        )
        SELECT product_id,
               CASE WHEN before <> product_id AND occurred_at <= since + INTERVAL {APART_S} SECOND THEN before END AS before
        FROM w"""


def _apart(views: Mapping[str, View], points: list[Point]) -> str:
    return over(views, decided(points))
