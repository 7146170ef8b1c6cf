"""Sealed columns in questions: where they may stand, how they are looked up, and what is said where they may not."""



import duckdb
import pytest
from wall_tables import TABLES

from tessera.errors import Unreadable
from tessera.trust.wall import read, write

EMAIL, NOTE = ("customers", "email"), ("customers", "note")


def relations(asked):
    return {r.id: f"SELECT * FROM {r.table}" for r in asked.refs}


@pytest.mark.parametrize(
    ("sql", "sealed"),
    [
        ("SELECT email FROM customers", (EMAIL,)),
        ("SELECT region, email AS Mail FROM customers", (None, EMAIL)),
        ("SELECT * FROM customers", (None, EMAIL, None, NOTE, None)),
        ("SELECT c.* EXCLUDE (key_id) FROM customers c", (EMAIL, None, NOTE, None)),
        ("SELECT * FROM (SELECT email AS e, key_id FROM customers) t", (EMAIL, None)),
        (
            "WITH a AS (SELECT * FROM customers), b AS (SELECT note n, region FROM a) SELECT region, n FROM b",
            (None, NOTE),
        ),
        ("WITH a(x) AS (SELECT email FROM customers) SELECT x FROM a", (EMAIL,)),
        ("SELECT o.id, c.email FROM orders o LEFT JOIN customers c USING (key_id) ORDER BY o.id", (None, EMAIL)),
        ("SELECT DISTINCT ON (region) email FROM customers ORDER BY region, key_id", (EMAIL,)),
        ("SELECT count(email), count(note) FROM customers WHERE note IS NOT NULL", (None, None)),
        ("SELECT region FROM customers WHERE EXISTS (SELECT * FROM customers)", (None,)),
        ("SELECT email FROM customers WHERE email = 'a@b.test'", (EMAIL,)),
        ("SELECT id FROM orders UNION SELECT key_id FROM customers", (None,)),
    ],
)
def test_a_sealed_column_passes_to_the_answer(sql, sealed):
    assert read(sql, TABLES).sealed_output == sealed


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT lower(email) FROM customers",
        "SELECT email || 'x' FROM customers",
        "SELECT max(email) FROM customers",
        "SELECT count(DISTINCT email) FROM customers",
        "SELECT any_value(email) FROM customers",
        "SELECT coalesce(email, note) FROM customers",
        "SELECT CASE WHEN region = 'x' THEN email END FROM customers",
        "SELECT email::VARCHAR FROM customers",
        "SELECT first_value(email) OVER (ORDER BY key_id) FROM customers",
        "SELECT row_number() OVER (ORDER BY email) FROM customers",
        "SELECT row_number() OVER w FROM customers WINDOW w AS (PARTITION BY email)",
        "SELECT region FROM customers ORDER BY email",
        "SELECT email FROM customers ORDER BY email",
        "SELECT email FROM customers ORDER BY 1",
        "SELECT email AS e FROM customers ORDER BY e",
        "SELECT email AS x, region AS x FROM customers ORDER BY 1",
        "SELECT email FROM customers ORDER BY ALL",
        "SELECT email, count(*) FROM customers GROUP BY email",
        "SELECT email, count(*) FROM customers GROUP BY ALL",
        "SELECT email, count(*) FROM customers GROUP BY 1",
        "SELECT DISTINCT email FROM customers",
        "SELECT DISTINCT ON (email) region FROM customers",
        "SELECT DISTINCT * FROM customers",
        "SELECT count(*) FROM customers HAVING min(email) > 1",
        "SELECT email FROM customers UNION ALL SELECT note FROM customers",
        "SELECT email FROM customers EXCEPT SELECT 'x'",
        "SELECT 'x' UNION ALL SELECT email FROM customers",
        "SELECT (SELECT email FROM customers)",
        "SELECT id FROM orders WHERE 'x' IN (SELECT email FROM customers)",
        "SELECT id FROM orders WHERE id = ANY (SELECT email FROM customers)",
        "SELECT 1 FROM customers a JOIN customers b ON a.email = b.email",
        "SELECT 1 FROM customers a JOIN customers b USING (email)",
        "SELECT 1 FROM customers WHERE email LIKE 'a%'",
        "SELECT 1 FROM customers WHERE email <> 'a'",
        "SELECT 1 FROM customers WHERE email > 'a'",
        "SELECT 1 FROM customers WHERE email BETWEEN 'a' AND 'b'",
        "SELECT 1 FROM customers WHERE email = 11",
        "SELECT 1 FROM customers WHERE email IN (11, 12)",
        "SELECT 1 FROM customers WHERE email IN ('a', 12)",
        "SELECT 1 FROM customers WHERE email = region",
        "SELECT 1 FROM customers WHERE email = lower('A')",
        "SELECT 1 FROM customers WHERE email IS NOT DISTINCT FROM 'a'",
        "SELECT 1 FROM customers WHERE email IN (SELECT region FROM customers)",
        "SELECT 1 FROM customers WHERE (email, region) IN (('a', 'b'))",
        "SELECT 1 FROM customers WHERE note = 'a'",
        "SELECT 1 FROM customers WHERE email",
        "SELECT 1 FROM (SELECT email AS e FROM customers) t WHERE t.e = 'a'",
        "SELECT lower(e) FROM (SELECT email AS e FROM customers) t",
        "WITH a AS (SELECT * FROM customers) SELECT region FROM a GROUP BY region, note",
        "SELECT (SELECT count(*) FROM orders o WHERE o.kind = c.email) FROM customers c",
        "SELECT sum(email) FROM customers",
    ],
)
def test_all_other_uses_are_refused_with_the_way_round(sql):
    with pytest.raises(Unreadable, match=r"is sealed: .* It takes .*IS NULL and COUNT"):
        read(sql, TABLES)


@pytest.fixture
def lake():
    lake = duckdb.connect()
    lake.execute("CREATE TABLE customers (key_id INT, email BIGINT, email_key BIGINT, note BIGINT, region VARCHAR)")
    lake.execute("INSERT INTO customers VALUES (1, 11, 101, 1, 'n'), (2, 12, 102, NULL, 's'), (3, NULL, NULL, 3, 's')")
    lake.execute("CREATE TABLE orders (id INT, key_id INT, kind VARCHAR)")
    lake.execute("INSERT INTO orders VALUES (7, 1, 'buy'), (8, 2, 'buy'), (9, 2, 'buy')")
    return lake


VAULT = {"ann@x.test": 101, "bob@x.test": 102}


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT key_id FROM customers WHERE email = 'ann@x.test'", [(1,)]),
        ("SELECT key_id FROM customers WHERE ('ann@x.test') = (Email)", [(1,)]),
        ("SELECT key_id FROM customers WHERE email IN ('ann@x.test', 'bob@x.test', 'nil@x.test') ORDER BY 1", [(1,), (2,)]),
        ("SELECT key_id FROM customers WHERE NOT email = 'ann@x.test'", [(2,)]),
        ("SELECT key_id FROM customers WHERE email = 'nil@x.test'", []),
        ("SELECT email = 'ann@x.test' AS hers FROM customers ORDER BY key_id", [(True,), (False,), (None,)]),
        ("SELECT email AS e FROM customers WHERE e = 'bob@x.test'", [(12,)]),
        ("SELECT o.id FROM orders o JOIN customers c ON o.key_id = c.key_id AND c.email = 'ann@x.test'", [(7,)]),
        ("SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.email = 'bob@x.test' AND c.key_id = o.key_id)"
         " ORDER BY id", [(8,), (9,)]),
        ("SELECT count(*) FILTER (WHERE email = 'ann@x.test') FROM customers", [(1,)]),
        ("SELECT sum(CASE WHEN email = 'ann@x.test' THEN 1 ELSE 0 END) FROM customers", [(1,)]),
    ],
)  # fmt: skip
def test_equality_works_through_the_key_and_leaves_no_value_behind(sql, rows, lake):
    asked = read(sql, TABLES)
    text = write(asked, relations(asked), {k.name: VAULT.get(k.literal) for k in asked.lookups})
    assert lake.execute(text).fetchall() == rows
    assert "x.test" not in text and "x.test" not in repr(asked) and "x.test" not in "".join(asked.names)
    assert {(k.table, k.column) for k in asked.lookups} == {EMAIL}
    assert {key for r in asked.refs for key in r.keys} == {"email_key"}


def test_a_lookup_works_although_the_key_column_is_hidden(lake):
    def hidden(table, column):
        return "keys are hidden" if column == "email_key" else None

    asked = read("SELECT region FROM customers WHERE email = 'ann@x.test'", TABLES, hidden)
    (ref,) = asked.refs
    assert (ref.columns, ref.keys) == ({"region", "email"}, {"email_key"})
    assert lake.execute(write(asked, relations(asked), {"k0": 101})).fetchall() == [("n",)]
