"""Features: RFM scores against Python's own ntile, no ages, and the same text on Spark."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_people import MARCH, Shop

from tessera.config import Config
from tessera.data.profiles import PROFILES
from tessera.insight.features import FEATURES, STEP, sql
from tessera.lake.engine import connect, rows
from tessera.lake.lineage import to_spark, trace

DAYS = ("2024-01-01", "2024-01-02", "2024-02-03", "2024-02-28")
GIVEN = ("person_id", "orders", "revenue_cents", "last_order_at", "events")
SCHEMA = pa.schema([(c, pa.string() if c == "last_order_at" else pa.int64()) for c in GIVEN])
CON = connect(threads=1)
CON.execute(f"CREATE TABLE profiles ({', '.join(f'{c.name} {c.lake_type}' for c in PROFILES.columns)})")


def ntile(people: list[int], by: dict[int, object]) -> dict[int, int]:
    """Fifths, the first ones larger by one where they do not come out even."""
    ordered = sorted(people, key=lambda p: (by[p], p))
    size, more = divmod(len(ordered), 5)
    fifths: list[int] = []
    for n in range(5):
        fifths += [n + 1] * (size + (n < more))
    return dict(zip(ordered, fifths, strict=True))


PEOPLE = st.lists(
    st.tuples(st.integers(0, 4), st.none() | st.integers(-300, 900), st.sampled_from(DAYS), st.integers(0, 3)),
    min_size=1,
    max_size=23,
)


@settings(max_examples=40, deadline=None)
@given(PEOPLE)
def test_scores_are_fifths_of_those_who_bought_and_ties_go_by_person(drawn):
    people = [(i, n, c if n else 0, d if n else None, e) for i, (n, c, d, e) in enumerate(drawn)]
    CON.execute("DELETE FROM profiles")
    given_rows = pa.Table.from_pylist([dict(zip(GIVEN, p, strict=True)) for p in people], schema=SCHEMA)
    CON.register("given_rows", given_rows)
    CON.execute("INSERT INTO profiles BY NAME SELECT * FROM given_rows")
    found = rows(CON, f"SELECT person_id, r_score, f_score, m_score, rfm FROM ({sql(MARCH)}) ORDER BY person_id")
    bought = [p[0] for p in people if p[1]]
    r = ntile(bought, {p[0]: p[3] for p in people})
    f = ntile(bought, {p[0]: p[1] for p in people})
    m = ntile(bought, {p[0]: p[2] or 0 for p in people})
    assert found == [
        (i, r[i], f[i], m[i], f"{r[i]}{f[i]}{m[i]}") if i in r else (i, None, None, None, None) for i in range(len(people))
    ]


def test_one_row_per_person_with_the_day_and_no_age(tmp_path):
    shop = Shop(tmp_path).fill([(1, 2, 900, "2024-02-01", 4), (2, 0, 0, None, 1)])
    shop.turn()
    assert shop.ask("SELECT person_id, as_of, orders, events, rfm FROM features ORDER BY 1") == [
        (1, MARCH, 2, 4, "111"),
        (2, MARCH, 0, 1, None),
    ]
    assert {c.type for c in FEATURES.columns} <= {"INTEGER", "BIGINT", "DATE", "TIMESTAMPTZ", "VARCHAR"}
    assert not any(c.sealed for c in FEATURES.columns)


def test_the_step_can_be_written_for_spark_and_traced():
    text = STEP.sql(Config(root=".", name="x"))
    assert "NTILE(5)" in to_spark(text)
    schema = {"profiles": {c.name: c.lake_type for c in PROFILES.columns}}
    assert "NTILE(5)" in to_spark(sql(MARCH), schema)
    lineage = trace(text, schema)
    assert lineage.direct["revenue_cents"] == {("profiles", "revenue_cents")}
    assert ("profiles", "last_order_at") in lineage.direct["rfm"] | lineage.indirect["rfm"]
    assert tuple(lineage.direct) == FEATURES.names


@pytest.mark.parametrize("column", ["name", "email", "phone", "address", "born", "city"])
def test_no_name_contact_or_place_is_a_feature(column):
    assert column not in FEATURES.names
