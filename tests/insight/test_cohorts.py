"""Cohorts by the month of the first order, against plain Python over made-up orders."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa

from tessera.insight import cohorts


def test_who_ordered_again_is_counted_as_by_hand() -> None:
    dice, start = random.Random(3), datetime(2025, 3, 1, tzinfo=UTC)
    rows = [
        {
            "person_id": dice.choice([None, *range(40)]), "occurred_at": start + timedelta(days=dice.random() * 500),
            "amount_cents": dice.choice([500, 900, -500]), "status": dice.choice(["completed", "cancelled", None]),
        }
        for _ in range(400)
    ]  # fmt: skip
    months: dict[int, set[int]] = {}
    for r in rows:
        if r["person_id"] is not None and r["amount_cents"] > 0 and r["status"] != "cancelled":
            months.setdefault(r["person_id"], set()).add(r["occurred_at"].year * 12 + r["occurred_at"].month)
    expected: dict[tuple[date, int], int] = {}
    for some in months.values():
        first = min(some)
        if cohorts.month(first) >= date(2025, 4, 1):
            for one in some:
                key = (cohorts.month(first), one - first)
                expected[key] = expected.get(key, 0) + 1
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.register("orders", pa.Table.from_pylist(rows))
    found = con.sql(cohorts.sql(date(2025, 4, 17))).fetchall()
    con.close()
    assert {(cohorts.month(int(c)), int(later)): n for c, later, n in found} == expected and len(expected) > 20
