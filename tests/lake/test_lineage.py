"""Lineage against sqlglot's own (for values) and against DuckDB itself: what is not named does not matter."""

import doctest

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.lineage import lineage as second_opinion

import tessera.lake.lineage
from tessera.errors import BadInput, BadQuestion, NotFound
from tessera.lake.lineage import Flow, categories, to_spark, trace

SCHEMA = {
    "o": {"id": "INT", "k": "INT", "x": "INT", "paid": "BOOLEAN"},
    "c": {"k": "INT", "name": "VARCHAR", "age": "INT"},
}

TEXTS = [
    "SELECT * FROM o",
    "SELECT count(*) AS n FROM o WHERE paid",
    "SELECT k, sum(x) FILTER (WHERE paid) AS s, max(id) AS m FROM o GROUP BY k HAVING count(*) > 1",
    "SELECT o.id, c.name FROM o JOIN c ON o.k = c.k AND c.age > 1",
    "SELECT o.id, c.name FROM o LEFT JOIN c USING (k)",
    "SELECT o.id FROM o SEMI JOIN c ON o.k = c.k",
    "WITH a AS (SELECT k, sum(x) AS s FROM o GROUP BY 1), b AS (SELECT k, s + 1 AS t FROM a WHERE s > 1)"
    " SELECT c.age + b.t AS v, c.k FROM b JOIN c USING (k)",
    "SELECT id, row_number() OVER (PARTITION BY k ORDER BY x, id) AS r FROM o",
    "SELECT id, x FROM o QUALIFY rank() OVER (PARTITION BY k ORDER BY id) = 1",
    "SELECT id FROM o WHERE k IN (SELECT k FROM c WHERE age > 1)",
    "SELECT id, (SELECT max(age) FROM c WHERE c.k = o.k) AS m FROM o",
    "SELECT id FROM o WHERE EXISTS (SELECT * FROM c WHERE c.k = o.k AND age = 2)",
    "SELECT id AS v FROM o UNION ALL SELECT age FROM c WHERE k > 1",
    "SELECT id AS v FROM o EXCEPT SELECT age FROM c",
    "SELECT DISTINCT k FROM o",
    "SELECT DISTINCT ON (k) k, id FROM o ORDER BY k, x, id",
    "SELECT id FROM o ORDER BY x, id LIMIT 2",
    "SELECT k, count(*) AS n FROM o GROUP BY ALL ORDER BY ALL",
    "SELECT CASE WHEN paid THEN x ELSE k END AS v, v + 1 AS w FROM o",
    "SELECT x AS a, id AS a FROM o ORDER BY 1, 2 LIMIT 1",
    "SELECT t.u FROM (VALUES (1), (2)) AS t(u) JOIN o ON o.id = t.u",
    "(SELECT id, x FROM o WHERE paid ORDER BY id, x LIMIT 1) UNION ALL (SELECT k, age FROM c)",
]


@pytest.mark.parametrize("sql", TEXTS)
def test_values_agree_with_sqlglots_own_lineage(sql):
    mine = trace(sql, SCHEMA)
    for out, direct in mine.direct.items():
        root = second_opinion(out, sql, schema=SCHEMA, dialect="duckdb", copy=True)
        theirs = {
            (leaf.expression.this.name, leaf.name.rpartition(".")[2].strip('"'))
            for leaf in root.walk()
            if not leaf.downstream and leaf.expression.key == "table"
        }
        if out == "a":  # two outputs of one name: it follows one of them
            assert theirs <= direct
        else:
            assert direct <= theirs <= direct | mine.indirect[out], (out, direct, theirs)


NUMBER = st.one_of(st.none(), st.integers(0, 3))
ORDERS = st.lists(st.tuples(NUMBER, NUMBER, NUMBER, st.booleans()), max_size=5)
PEOPLE = st.lists(st.tuples(NUMBER, st.sampled_from(["ann", "bob"]), NUMBER), max_size=4)
DUCK = duckdb.connect(config={"threads": 1})
DUCK.execute("CREATE TABLE o (id INT, k INT, x INT, paid BOOLEAN)")
DUCK.execute("CREATE TABLE c (k INT, name VARCHAR, age INT)")


def answer(sql, orders, people):
    for name, rows in (("o", orders), ("c", people)):
        DUCK.execute(f"DELETE FROM {name}")
        if rows:
            DUCK.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)
    return DUCK.execute(sql).fetchall()


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(TEXTS), ORDERS, PEOPLE, st.data())
def test_a_column_that_lineage_does_not_name_never_changes_the_answer(sql, orders, people, data):
    lineage = trace(sql, SCHEMA)
    out = data.draw(st.sampled_from(sorted(lineage.direct)))
    place = [i for i, name in enumerate(names(sql)) if name == out]
    named = lineage.direct[out] | lineage.indirect[out]
    changed = {}
    for table, rows in (("o", orders), ("c", people)):
        changed[table] = [list(r) for r in rows]
        for i, column in enumerate(SCHEMA[table]):
            if (table, column) not in named:
                for row in changed[table]:
                    row[i] = data.draw(
                        {"BOOLEAN": st.booleans(), "VARCHAR": st.just("zed")}.get(SCHEMA[table][column], NUMBER)
                    )

    def only(rows):
        return sorted(repr([r[i] for i in place]) for r in rows)

    assert only(answer(sql, orders, people)) == only(answer(sql, changed["o"], changed["c"]))


def names(sql):
    return [d[0] for d in DUCK.execute(sql).description]


def test_a_count_has_no_value_but_depends_on_its_filter():
    lineage = trace("SELECT count(*) AS n FROM o WHERE paid", SCHEMA)
    assert (lineage.direct, lineage.indirect) == ({"n": frozenset()}, {"n": {("o", "paid")}})


def test_a_window_orders_by_what_it_does_not_show():
    lineage = trace("SELECT id, lag(x) OVER (PARTITION BY k ORDER BY paid) AS l FROM o", SCHEMA)
    assert lineage.direct["l"] == {("o", "x")} and lineage.indirect["l"] == {("o", "k"), ("o", "paid")}
    assert lineage.indirect["id"] == frozenset()


def test_categories_flow_along_values_and_apart_along_what_shapes_them():
    lineage = trace("SELECT name, count(*) AS n FROM c WHERE age > 1 GROUP BY name", SCHEMA)
    known = {("c", "name"): "user.name", ("c", "age"): "user.demographic.age"}
    flows = categories(lineage, known)
    assert flows["name"] == Flow(direct=frozenset({"user.name"}), indirect=frozenset(known.values()))
    assert flows["n"].direct == frozenset()


def test_a_query_that_cannot_be_traced_is_refused():
    for sql in (
        "(SELECT id FROM o) ORDER BY id",
        "SELECT id FROM o UNION BY NAME SELECT k AS id FROM c",
        "DROP TABLE o",
    ):
        with pytest.raises(BadQuestion):
            trace(sql, SCHEMA)
    with pytest.raises(NotFound, match="'idd'"):
        trace("SELECT idd FROM o", SCHEMA)


@pytest.mark.parametrize(
    ("duck", "spark"),
    [
        ("SELECT k, count(*) n FROM o GROUP BY ALL", "SELECT k, COUNT(*) AS n FROM o GROUP BY ALL"),
        ("SELECT id FROM o ORDER BY id", "SELECT id FROM o ORDER BY id NULLS LAST"),
        ("SELECT x // 2 FROM o", "SELECT x DIV 2 FROM o"),
        ("SELECT round(x / 2)::INT FROM o", "SELECT CAST(ROUND(x / 2) AS INT) FROM o"),
        ("SELECT concat(name, 'x') FROM c", "SELECT CONCAT(COALESCE(name, ''), 'x') FROM c"),
    ],
)
def test_a_step_can_be_written_for_spark(duck, spark):
    assert to_spark(duck, SCHEMA) == spark


@pytest.mark.parametrize(
    "text", ["quantile_cont(x, 0.5)", "now()", "(x / 2)::INT", "list(x)", "max(x, 2)", "avg(x)::INT"]
)
def test_what_spark_means_otherwise_is_named(text):
    with pytest.raises(BadInput, match="does not mean the same on Spark: "):
        to_spark(f"SELECT {text} FROM o", SCHEMA)


def test_the_example_in_the_docstring_is_true():
    assert doctest.testmod(tessera.lake.lineage).failed == 0
