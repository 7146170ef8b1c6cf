"""Purchases of a bare file -> segments: the same SQL, model and names as in the turn, and what each segment is like."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from tessera.data.profiles import PROFILES
from tessera.insight import features
from tessera.insight.segments import centres, fitting, names
from tessera.insight.segments.fitting import Model, Points
from tessera.lake.engine import Connection, literal, name, rows, value
from tessera.words import Progress, silent

ASSIGNED = "assigned_segments"
"""The temp table of the answer: customer, segment, recency_days, orders, revenue, rfm."""


@dataclass(frozen=True, kw_only=True)
class Segmented:
    """What was found. model: None where there are too few customers, and the RFM scores decide. rows: one per segment."""

    model: Model | None
    as_of: date
    customers: int
    rows: list[dict[str, Any]]

    @property
    def en(self) -> str:
        """Why so many segments."""
        return _why(self.model)[0]

    @property
    def zh(self) -> str:
        """The same in Chinese."""
        return _why(self.model)[1]


def segmented(
    con: Connection,
    purchases: str,
    *,
    k: int | None = None,
    seed: int = 7,
    as_of: date | None = None,
    progress: Progress = silent,
) -> Segmented:
    """Segments of a relation with customer, time, amount, as of a day (default: the day after the last purchase); ASSIGNED says
    who is where. An order is a moment of a customer: lines of one time are one. Amounts are in whole units of money.
    """
    progress("features", 0, 3)
    day = as_of or value(con, f"SELECT max(CAST(time AS DATE)) + 1 FROM {purchases}")
    con.execute(f"CREATE OR REPLACE TEMP TABLE bought AS {_bought(purchases, day)}")
    con.execute(f"CREATE OR REPLACE TEMP VIEW profiles AS SELECT {_profile()} FROM bought")
    con.execute(f"CREATE OR REPLACE TEMP TABLE features AS {features.sql(day)}")
    customers = int(value(con, "SELECT count(*) FROM features WHERE orders > 0"))
    model = None
    if customers >= fitting.FEWEST_BUYERS:
        progress("fitting", 1, 3)
        drawn = con.execute(centres.sample(customers, day)).fetchnumpy()
        points: Points = np.column_stack([drawn["x0"], drawn["x1"], drawn["x2"]])
        model = fitting.fit(points, k, seed, day)
    progress("assigning", 2, 3)
    now = centres.assigned((model,) if model else (), day)
    ago = f"date_diff('day', CAST(b.last_order_at AS DATE), DATE {literal(day.isoformat())})"
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE {ASSIGNED} AS
            SELECT b.customer, a.segment, {ago} AS recency_days, b.orders, b.revenue_cents / 100.0 AS revenue, f.rfm
            FROM ({now}) AS a JOIN bought AS b ON b.person_id = a.person_id JOIN features AS f ON f.person_id = a.person_id"""
    )
    progress("assigning", 3, 3)
    return Segmented(model=model, as_of=day, customers=customers, rows=_rows(con, model))


def _bought(purchases: str, as_of: date) -> str:
    until = f"CAST(time AS DATE) <= DATE {literal(as_of.isoformat())}"
    return f"""SELECT row_number() OVER (ORDER BY customer) AS person_id, customer, count(DISTINCT time) AS orders,
               CAST(round(sum(amount) * 100) AS BIGINT) AS revenue_cents, min(time) AS first_order_at,
               max(time) AS last_order_at
        FROM {purchases} WHERE {until} GROUP BY customer"""


def _profile() -> str:
    """The fields of PROFILES that features are made from; what purchases do not tell is nothing."""
    known = ("person_id", "orders", "revenue_cents", "first_order_at", "last_order_at")
    fields = (PROFILES.column(field) for field in ("person_id", *features.TAKEN))
    return ", ".join(name(c.name) if c.name in known else f"CAST(NULL AS {c.lake_type}) AS {name(c.name)}" for c in fields)


def _rows(con: Connection, model: Model | None) -> list[dict[str, Any]]:
    """One row per segment, the one with most revenue first; also one that nobody is in."""
    of = {c.segment: c for c in model.centres} if model else {}
    found = {
        row[0]: row[1:]
        for row in rows(
            con,
            f"""SELECT segment, count(*), count(*) / sum(count(*)) OVER (), sum(revenue) / nullif(sum(sum(revenue)) OVER (), 0),
                       median(recency_days), median(orders), median(revenue) FROM {ASSIGNED} GROUP BY segment""",
        )
    }
    listed = []
    for segment in sorted({*of, *found}):
        many, share, money, days, orders, revenue = found.get(segment, (0, 0.0, 0.0, None, None, None))
        centre = of.get(segment)
        listed.append({
            "segment": segment, "label_en": names.label(segment, "en"), "label_zh": names.label(segment, "zh"), "people": many,
            "share": share, "revenue_share": money,
            "median": {"recency_days": days, "orders": orders, "revenue": revenue},
            "centre": centre and {
                "recency_days": centre.recency_days, "orders": centre.orders, "revenue": centre.revenue_cents / 100,
            },
            "stability": centre and centre.held,
        })  # fmt: skip
    return sorted(listed, key=lambda row: (-(row["revenue_share"] or 0.0), row["segment"]))


def _why(model: Model | None) -> tuple[str, str]:
    if model is None:
        return (
            f"Fewer than {fitting.FEWEST_BUYERS} customers: no model is made of so few; fixed rules on RFM scores decide.",
            f"客户少于 {fitting.FEWEST_BUYERS} 人：不足以建立模型，按 RFM 评分的固定规则划分。",
        )
    k = model.k
    if len(model.choices) < 2:
        en, zh = f"{k} segments were asked for.", f"按要求划分为 {k} 个群组。"
    elif any(c.passes and c.k == k for c in model.choices):
        passing = ", ".join(str(c.k) for c in model.choices if c.passes)
        en = (
            f"{k} segments: the most that are useful and nearly as stable as the best. Stable (adjusted Rand index of at least "
            f"{fitting.GATE} over {fitting.BOOTSTRAPS} resamples, none smaller than {fitting.USEFUL_SHARE:.0%}): {passing}."
        )
        zh = (
            f"{k} 个群组：在足够稳定且有用的方案中群组最多。稳定的方案（{fitting.BOOTSTRAPS} 次重抽样的调整兰德指数不低于 "
            f"{fitting.GATE}，且最小群组不少于 {fitting.USEFUL_SHARE:.0%}）：{passing}。"
        )
    else:
        en = f"{k} segments: no number of segments is stable here; this one is the most stable."
        zh = f"{k} 个群组：没有足够稳定的方案，这是其中最稳定的。"
    if model.stability is not None and model.stability < fitting.GATE:
        en += f" Take them with care: resampled people agree by {model.stability:.2f} only."
        zh += f" 请谨慎使用：重抽样一致性仅为 {model.stability:.2f}。"
    return en, zh
