"""A question at another moment: only what stands behind table names changes, and the wall reads it as any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from wall_tables import TABLES

from tessera.errors import BadQuestion
from tessera.lake.store import Version
from tessera.trust import wall
from tessera.trust.timetravel import at, moments, named

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAMES = {"orders": 3, "events": 1}


@pytest.mark.parametrize(
    ("asked", "then"),
    [
        ("SELECT 1 FROM orders", "SELECT 1 FROM orders VERSION AS OF 3"),
        ("SELECT 1 FROM Orders o WHERE o.s = 'orders'", "SELECT 1 FROM Orders VERSION AS OF 3 o WHERE o.s = 'orders'"),
        ('SELECT 1 FROM "orders" AS o', 'SELECT 1 FROM "orders" VERSION AS OF 3 AS o'),
        ("SELECT 'ü€😀' FROM orders -- of all", "SELECT 'ü€😀' FROM orders VERSION AS OF 3 -- of all"),
        ("SELECT 1 FROM orders VERSION AS OF 1 o", "SELECT 1 FROM orders VERSION AS OF 3 o"),
        ("SELECT 1 FROM orders\n TIMESTAMP AS OF '2026-01-01'", "SELECT 1 FROM orders VERSION AS OF 3"),
        (
            "WITH a AS (SELECT key_id FROM events) SELECT 1 FROM orders JOIN a USING (key_id)",
            "WITH a AS (SELECT key_id FROM events VERSION AS OF 1) SELECT 1 FROM orders VERSION AS OF 3 JOIN a USING (key_id)",
        ),
        ("SELECT 1 FROM touches", "SELECT 1 FROM touches"),
    ],
)
def test_a_version_stands_behind_each_table(asked: str, then: str) -> None:
    assert at(asked, NAMES) == then


def test_the_wall_reads_the_version_that_was_put_in() -> None:
    assert "orders" in TABLES
    text = at("SELECT count(*) AS n FROM orders AS o", NAMES)
    [ref] = wall.read(text, TABLES).refs
    assert ref.as_of == wall.Version(3)


def test_the_tables_of_a_question_are_named_once_and_parts_of_it_are_none() -> None:
    assert named("WITH a AS (SELECT 1 FROM orders) SELECT 1 FROM a, orders, events", NAMES) == ["orders", "events"]


def test_what_is_no_question_is_refused() -> None:
    with pytest.raises(BadQuestion):
        at("DELETE FROM orders", NAMES)


def test_a_moment_is_offered_where_every_table_can_be_read() -> None:
    def version(number: int, hours: int, readable: bool = True) -> Version:
        return Version(number=number, at=NOON + timedelta(hours=hours), rows=1, what="", readable=readable)

    found = moments({"orders": [version(2, 4), version(1, 2), version(0, 0, readable=False)], "events": [version(0, 3)]})
    assert [(m.at.hour, dict(m.versions)) for m in found] == [
        (15, {"orders": 1, "events": 0}), (16, {"orders": 2, "events": 0})
    ]  # fmt: skip
