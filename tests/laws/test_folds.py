"""Law: a declared fold gives the same value in whatever order and in whatever pieces its rows come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data.profiles import FOLDS, NAMED
from tessera.data.raw import RAW
from tessera.lake.engine import Connection, connect, rows

TABLES = {table.name: table for table in RAW.values()}
RANKS = {"crm": 2, "web": 1}
START = datetime(2026, 1, 1, tzinfo=UTC)

con: Connection = connect(memory="512MB", threads=1)

row = st.fixed_dictionaries(
    {
        "piece": st.integers(0, 3),
        "number": st.integers(-3, 9),
        "at": st.one_of(st.none(), st.integers(0, 2)),
        "word": st.sampled_from([None, "", "paid", "cancelled", "page", "Product Viewed", "Product Added", "x"]),
        "source": st.sampled_from(["crm", "web", "shop"]),
    }
)


def columns(table: str, made: list[dict[str, Any]]) -> pa.Table:
    """Rows of a raw table: each column from the drawn facts, by its type; the row's name is its place."""
    cells: dict[str, pa.Array] = {"piece": pa.array([r["piece"] for r in made], pa.int32())}
    declared = [(c.name, c.lake_type) for c in TABLES[table].columns]
    if table == "orders":
        declared.append(("base_cents", "BIGINT"))
    for name, kind in declared:
        if name == NAMED.get(table):
            cells[name] = pa.array([f"n{i:03}" for i in range(len(made))], pa.string())
        elif name == "source":
            cells[name] = pa.array([r["source"] for r in made], pa.string())
        elif kind == "TIMESTAMPTZ":
            times = [None if r["at"] is None else START + timedelta(days=r["at"]) for r in made]
            cells[name] = pa.array(times, pa.timestamp("us", "UTC"))
        elif kind == "VARCHAR":
            cells[name] = pa.array([r["word"] for r in made], pa.string())
        else:
            cells[name] = pa.array([r["number"] for r in made], pa.int64())
    return pa.table(cells)


@pytest.mark.parametrize("table", sorted({f.table for f in FOLDS}))
@settings(max_examples=12, deadline=None)
@given(made=st.lists(row, min_size=1, max_size=9), order=st.randoms(use_true_random=False))
def test_every_fold_is_the_same_in_any_order_and_any_pieces(table: str, made: list[dict[str, Any]], order: Any) -> None:
    folds = [f for f in FOLDS if f.table == table]
    partial = ", ".join(f"{f.partial(RANKS, NAMED.get(table))} AS {f.field}" for f in folds)
    merged = ", ".join(f"{f.merge()} AS {f.field}" for f in folds)
    values = ", ".join(f"coalesce({f.value()}, 0)" if f.kind in ("count", "sum") else f.value() for f in folds)
    told = columns(table, made)
    con.register("told", told)
    once = rows(con, f"SELECT {values} FROM (SELECT {merged} FROM (SELECT {partial} FROM told))")
    places = list(range(len(made)))
    order.shuffle(places)
    con.register("told", told.take(places))
    pieces = f"SELECT piece, {partial} FROM told GROUP BY piece"
    assert rows(con, f"SELECT {values} FROM (SELECT {merged} FROM ({pieces}))") == once
    # Merging is associative: pieces of pieces, and the partials back through another merge.
    half = f"SELECT piece % 2 AS half, {merged} FROM ({pieces}) GROUP BY half"
    assert rows(con, f"SELECT {values} FROM (SELECT {merged} FROM ({half}))") == once
    con.unregister("told")


def test_of_two_rows_of_the_same_rank_and_time_the_value_decides_which_is_last_and_of_records_the_name() -> None:
    last = next(f for f in FOLDS if f.field == "last_product_id")
    first = next(f for f in FOLDS if f.field == "first_channel")
    city = next(f for f in FOLDS if f.field == "city")
    told = [("m2", "a"), ("m1", "b"), ("m3", "c"), ("m4", "b")]
    for _ in range(4):
        told.append(told.pop(0))
        listed = ", ".join(f"('{n}', '{v}', 'web', TIMESTAMPTZ '2026-01-01')" for n, v in told)
        source = "(VALUES {}) AS t({}, {}, source, occurred_at)"
        found = rows(con, f"SELECT ({last.partial({})}).v FROM {source.format(listed, 'message_id', 'product_id')}")
        assert found == [("c",)]
        assert rows(con, f"SELECT ({first.partial({})}).v FROM {source.format(listed, 'touch_id', 'channel')}") == [("a",)]
        found = rows(con, f"SELECT ({city.partial({}, 'row_key')}).v FROM {source.format(listed, 'row_key', 'city')}")
        assert found == [("b",)]


def test_the_source_of_a_higher_rank_wins_over_a_later_row() -> None:
    city = next(f for f in FOLDS if f.field == "city")
    source = """(VALUES ('k1', 'Bern', 'crm', TIMESTAMPTZ '2026-01-01'), ('k2', 'Basel', 'web', TIMESTAMPTZ '2026-02-01'))
                AS t(row_key, city, source, occurred_at)"""
    assert rows(con, f"SELECT ({city.partial(RANKS, 'row_key')}).v FROM {source}") == [("Bern",)]
