"""expressions.py: a value computed from a row of JSON by the catalogue alone; what fails in a row is empty there."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data.expressions import Place, compiled, refused
from tessera.errors import BadInput
from tessera.lake import engine

ROW = {
    "customer": {"first": "Ann", "last": None}, "price": "12.50", "at": 1772355600, "none": "x", "od\"d": {"a b": 1},
    "lines": [{"sku": "lamp", "tags": ["a", "b"]}, {"sku": "bulb"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def con() -> Any:
    return engine.connect(memory="256MB", threads=1, spill=None)


def value(con: Any, text: str, row: Any) -> Any:
    made = compiled(text)
    paths = {p: f"json_extract_string(line, {engine.literal(p.path)})" for p in made.places}
    ((found,),) = engine.rows(con, f"SELECT {made.sql(paths)} FROM (SELECT ? AS line)", [json.dumps(row)])
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("customer.first || '!'", "Ann!"),
        ("customer.first || ' ' || customer.last", None),
        ("coalesce(customer.last, customer.first)", "Ann"),
        ("lines[1].sku || lines[2].sku", "lampbulb"),
        ("lines[1].tags[2]", "b"),
        ("lines[9].sku", None),
        ("round(price::DECIMAL(18, 2) * 100)::BIGINT", "1250"),
        ("none::BIGINT + 1", None),
        ("CASE WHEN price::DOUBLE > 10 THEN 'dear' ELSE 'cheap' END", "dear"),
        ("strftime(to_timestamp(at::BIGINT), '%Y-%m-%d')", "2026-03-01"),
        ("strftime(epoch_ms(at::BIGINT * 1000), '%H')", "09"),
        ('"od""d"."a b"', "1"),
        ("'it''s; -- ' || price", "it's; -- 12.50"),
        ("p0", None),
    ],
)
def test_a_value_is_what_sql_says_and_empty_where_it_fails(con: Any, text: str, wanted: str | None) -> None:
    assert value(con, text, ROW) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "", "a, b", "a AS b", "*", "t.*", "a; DROP TABLE x", "1 FROM x", "1 WHERE a", "(SELECT 1)", "a IN (SELECT 1)",
        "EXISTS (SELECT 1)", "read_text('/etc/passwd')", "getenv('HOME')", "current_user", "current_setting('x')", "count(*)",
        "sum(a) OVER ()", "row_number() OVER ()", "now()", "current_date", "random()", "?", "$1", "a[-1]", "a[0]", "a[1:2]",
        "epoch_ms(getenv('x')::BIGINT)", "to_timestamp((SELECT 1))", "COLUMNS('a')", "x -> x", "{'a': 1}", "[1]",
        "a::STRUCT(b INT)", "'open", "a /*", "nextval('s')", "query('SELECT 1')", "a.b(c)", "TRY(a)", "a\0b",
        "price * 2", "epoch_ms(at)", "left(a)",
    ],
)  # fmt: skip
def test_what_is_more_than_a_value_of_the_row_is_refused_with_a_sentence(text: str) -> None:
    reason = refused(text)
    assert reason and reason.endswith(".")
    with pytest.raises(BadInput):
        compiled(text)


@given(st.text(st.sampled_from(list("ab.[]1(),;'\"|:-*/$? ")) | st.characters(), max_size=25))
@settings(max_examples=12, deadline=None)
def test_no_text_breaks_it_and_what_is_taken_runs(con: Any, text: str) -> None:
    if refused(text) is None:
        value(con, text, ROW)


def test_a_place_knows_how_contracts_write_it() -> None:
    assert [Place(("a", "b")).dotted, Place(("a", 0, "b")).dotted] == ["a.b", ""]
    assert Place(('x"y', 2)).path == '$."x\\"y"[2]'
