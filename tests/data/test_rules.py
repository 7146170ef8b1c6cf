"""Rules over one row: the same three-valued answers as the engine's SQL, and nothing but the small list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data.rules import columns, compiled
from tessera.errors import BadInput
from tessera.lake.engine import Connection, connect

numbers = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([0.5, -1.25]))
texts = st.sampled_from([None, "a", "b", "O'Brien", ""])
rows = st.fixed_dictionaries({"n": numbers, "m": numbers, "s": texts, "t": texts})

number = st.sampled_from(["n", "m", "2", "-1", "0.5", "n + m", "n * 2", "m - n", "(n)", "coalesce(n, 0)", "coalesce(n, m, 1)"])
text = st.sampled_from(["s", "t", "'a'", "'O''Brien'", "coalesce(s, 'b')"])
compared = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])
leaf = st.one_of(
    st.builds("{} {} {}".format, number, compared, number),
    st.builds("{} {} {}".format, text, compared, text),
    st.builds("{} IS NULL".format, st.one_of(number, text)),
    st.builds("{} IS NOT NULL".format, st.one_of(number, text)),
    st.builds("{} BETWEEN {} AND {}".format, number, number, number),
    st.sampled_from(["n IN (1, 2, -1)", "s IN ('a', 'b')", "t NOT IN ('a')", "TRUE", "FALSE", "n NOT BETWEEN 0 AND 1"]),
)
rule = st.recursive(
    leaf,
    lambda some: st.one_of(st.builds("({} AND {})".format, some, some), st.builds("({} OR {})".format, some, some),
    st.builds("NOT ({})".format, some)), max_leaves=6, )  # fmt: skip


@pytest.fixture(scope="module")
def con() -> Connection:
    return connect(memory="128MB", threads=1)


@settings(max_examples=400, deadline=None)
@given(text=rule, row=rows)
def test_a_rule_says_of_a_row_what_the_engine_says(con: Connection, text: str, row: dict[str, Any]) -> None:
    types = {"n": "DOUBLE", "m": "DOUBLE", "s": "VARCHAR", "t": "VARCHAR"}
    made = ", ".join(f"CAST(? AS {types[c]}) AS {c}" for c in row)
    (by_sql,) = con.execute(f"SELECT ({text}) FROM (SELECT {made})", list(row.values())).fetchone() or (None,)
    assert compiled(text)(row) == by_sql, (text, row)


def test_days_since_are_counted_from_the_moment_of_asking() -> None:
    now = datetime(2026, 3, 10, tzinfo=UTC)
    since = compiled("days_since(last_order_at) >= 7.5")
    assert since({"last_order_at": now - timedelta(days=7, hours=12), "now": now}) is True
    assert since({"last_order_at": now - timedelta(days=7), "now": now}) is False
    assert since({"last_order_at": None, "now": now}) is None


def test_names_with_dots_are_whole_and_what_is_not_there_is_unknown() -> None:
    asked = compiled("event.product_id = 'p1' OR here.page = 'cart'")
    assert columns("event.product_id = 'p1' OR here.page = 'cart'") == {"event.product_id", "here.page"}
    assert asked({"event.product_id": "p1"}) is True and asked({"here.page": "home"}) is None
    assert compiled("n > 'a'")({"n": 3}) is None and compiled("1 / n = 1")({"n": 0}) is None


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", "now() > last_seen_at", "x IN (SELECT 1)", "x LIKE 'a%'", "read_csv('a')", "a; b", "", "x IN (y)", "a ~ 'b'",
     "CASE WHEN a THEN b END", "x::INT", "(" * 400 + "a" + ")" * 400],
)  # fmt: skip
def test_what_is_not_in_the_list_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(BadInput):
        compiled(text)
