"""How a column of a SELECT is made: the expressions on its way."""

from __future__ import annotations

import pytest

from tessera.ancestry import expressions as of_step
from tessera.errors import BadQuestion
from tessera.lake.expressions import expressions, told
from tessera.loop import STEPS

ORDERS = {"orders": {"amount": "INT", "paid": "BOOLEAN", "day": "DATE"}}


def made(sql: str, column: str) -> list[str]:
    return [told(e) for e in expressions(sql, ORDERS, column)]


def test_a_value_is_followed_through_the_parts_that_hand_it_on() -> None:
    sql = """WITH a AS (SELECT amount * 2 AS twice, day FROM orders), b AS (SELECT twice, day FROM a)
             SELECT sum(twice) AS s, max(day) AS last FROM b"""
    assert made(sql, "s") == ["SUM(b.twice)", "orders.amount * 2"]
    assert made(sql, "last") == ["MAX(b.day)"]


def test_of_a_union_the_part_is_told_that_makes_the_value_of_something() -> None:
    sql = """SELECT 0 AS n FROM orders UNION ALL SELECT NULL AS n FROM orders
             UNION ALL SELECT count(amount) AS n FROM orders"""
    assert made(sql, "n") == ["COUNT(orders.amount)"]


def test_what_is_handed_on_as_it_is_is_made_by_nothing() -> None:
    assert made("SELECT amount AS a FROM orders", "a") == []


def test_what_is_no_select_is_refused() -> None:
    with pytest.raises(BadQuestion):
        expressions("DROP TABLE orders", ORDERS, "a")


def test_a_long_expression_is_cut() -> None:
    [found] = expressions("SELECT " + " + ".join(["amount"] * 300) + " AS s FROM orders", ORDERS, "s")
    assert told(found, 50).endswith(" …") and len(told(found, 50)) == 52


def test_every_column_of_every_step_in_sql_can_be_told(demo_config: object) -> None:
    for step in [s for s in STEPS if s.sql is not None]:
        for column in step.writes.names:
            assert all(told(e) for e in of_step(step, demo_config, column))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def demo_config(tmp_path_factory: pytest.TempPathFactory) -> object:
    from given_workspace import given
    from tessera.app import settings

    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHOP_PASSWORD", "s3cret")
        return settings(given(tmp_path_factory.mktemp("workspace")))
