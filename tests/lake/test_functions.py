"""The catalogue: what is in, what is out, and that each refusal says the way round."""

# ruff: noqa: E501 (a case is one line)

import pytest
import sqlglot
from sqlglot.optimizer.annotate_types import annotate_types

from tessera.lake.functions import allowed

SCHEMA = {"t": {"a": "VARCHAR", "b": "BIGINT", "x": "DOUBLE", "d": "DATE", "e": "DATE", "at": "TIMESTAMPTZ"}}


def reasons(text: str, clock: bool = False) -> list[str]:
    tree = sqlglot.parse_one(f"SELECT {text} FROM t", read="duckdb")
    for column in tree.find_all(sqlglot.exp.Column):
        column.set("table", sqlglot.exp.to_identifier("t"))
    tree = annotate_types(tree, schema=SCHEMA, dialect="duckdb")
    return [why for node in tree.walk() if (why := allowed(node, clock=clock))]


@pytest.mark.parametrize(
    "text",
    """count(*) | count(DISTINCT a) | sum(b) FILTER (WHERE a = 'x') | arg_max(a, b) | max_by(a, b) | approx_count_distinct(a)
    any_value(a) | bool_and(b > 1) | stddev(x) | median(x) | mean(x) | count_if(b > 1) | corr(x, b) | isnull(a) | round(x)::INT
    lower(a) | a || 'x' | concat(a, 'x') | trim(a) | lpad(a, 3, ' ') | split_part(a, '-', 1) | regexp_matches(a, '^x') | len(a)
    abs(b) | b % 2 | b // 2 | b / 2 | power(b, 2) | floor(x)::BIGINT | ceil(x) | greatest(b, 1) | ln(x) | sign(b) | sqrt(x)
    date_trunc('week', at) | extract(year FROM d) | date_part('month', d) | date_diff('day', d, e) | d + INTERVAL 3 DAY | year(d)
    strftime(d, '%Y-%m') | make_date(2024, 1, 2) | last_day(d) | CASE WHEN b > 1 THEN a END | nullif(a, '') | if(b > 1, 1, 2)
    row_number() OVER (ORDER BY b) | lag(a, 1) OVER (ORDER BY b) | ntile(4) OVER (ORDER BY b) | a ->> '$.x.y[0]' | d::VARCHAR
    a LIKE 'x%' | a IN ('x', 'y') | b BETWEEN 1 AND 2 | a IS NULL | NOT b > 1 | try_cast(a AS DATE) | b::DOUBLE | -b | x::DECIMAL(9, 2)
    first_value(a IGNORE NULLS) OVER (ORDER BY b) | a IS DISTINCT FROM 'x'""".replace("\n", "|").split("|"),
)  # fmt: skip
def test_what_means_the_same_on_both_engines_is_allowed(text):
    assert reasons(text.strip()) == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("random()", "rand"),
        ("uuid()", "uuid"),
        ("getenv('x')", "getenv"),
        ("getvariable('x')", "getvariable"),
        ("current_setting('x')", "current_setting"),
        ("read_text('x')", "read_text"),
        ("current_user", "current_user"),
        ("current_database()", "current_database"),
        ("eval('x')", "eval"),
        ("list(a)", "array_agg"),
        ("string_agg(a, ',')", "group_concat"),
        ("first(a)", "first"),
        ("mode(a)", "mode"),
        ("quantile_cont(x, 0.5)", "percentile_cont"),
        ("dayofweek(d)", "day_of_week"),
        ("log(x)", "log"),
        ("trunc(x)", "trunc"),
        ("epoch(at)", "time_to_unix"),
        ("regexp_replace(a, 'x', 'y')", "regexp_replace"),
        ("regexp_matches(a, 'x', 'i')", "takes no flags"),
        ("max(b, 3)", "row_number"),
        ("x::BIGINT", "round, floor or ceil"),
        ("(b / 2)::INT", "round, floor or ceil"),
        ("avg(b)::INT", "round, floor or ceil"),
        ("x::VARCHAR", "DECIMAL"),
        ("at::VARCHAR", "strftime"),
        ("a::UUID", "plain type"),
        ("a::STRUCT(i INT)", "plain type"),
        ("d - e", "date_diff"),
        ("date_diff('month', d, e)", "units day"),
        ("extract(dow FROM d)", "units"),
        ("extract(second FROM at)", "units"),
        ("date_part('epoch', at)", "units"),
        ("date_part(a, at)", "units"),
        ("date_trunc('century', at)", "units"),
        ("strftime(d, '%A')", "strftime"),
        ("strftime(d, a)", "strftime"),
        ("a ->> a", "plain path"),
        ("a -> '$.x'", "json_extract"),
        ("a ->> '$[*]'", "plain path"),
        ("a GLOB 'x'", "GLOB"),
        ("[1, 2]", "array"),
        ("a[1]", "BRACKET"),
        ("current_date", "as_of"),
        ("now()", "as_of"),
        ("current_timestamp", "as_of"),
    ],
)
def test_what_differs_or_reaches_out_is_refused_with_the_reason(text, word):
    assert word in " ".join(reasons(text))


@pytest.mark.parametrize("text", ["current_date", "now()", "today()", "current_timestamp"])
def test_a_question_may_read_the_clock(text):
    assert reasons(text, clock=True) == []
