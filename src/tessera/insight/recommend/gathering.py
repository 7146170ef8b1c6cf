"""A relation of who bought what when -> baskets: what was bought on one day, in one order, or each item by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tessera.insight.recommend.baskets import Baskets, Floats, Ints, repeated, sorted_rows
from tessera.lake.engine import Connection, name

By = Literal["day", "order", "row"]
"""What makes a basket: all of a day, all of an order, or each row by itself."""

REPEATS = 0.05
"""From this share of repeats on, people come back for the same: then the next basket is foretold, else the next item."""


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """people, items: their names, by number. repeats: the share of rows after a first basket that somebody had before."""

    baskets: Baskets
    people: list[Any]
    items: list[Any]
    by: By
    repeats: float


def gathered(con: Connection, rows: str, by: By | None = None) -> Gathered:
    """Reads a relation with the columns person, item, bought_at, place (its order among rows of one time) and, for
    "order", basket. by: None finds out: days where people come back for the same, else rows."""
    people, items = _named(con, rows, "person"), _named(con, rows, "item")
    try:
        tried = by or "day"
        baskets = _read(con, rows, tried, len(people), len(items))
        repeats = repeated(baskets)
        if by is None and repeats < REPEATS:
            tried = "row"
            baskets = _read(con, rows, tried, len(people), len(items))
    finally:
        for kind in ("person", "item"):
            con.execute(f"DROP TABLE {_table(kind)}")
    return Gathered(baskets=baskets, people=people, items=items, by=tried, repeats=repeats)


def by_item(con: Connection, rows: str, items: list[Any], sql: str) -> Floats:
    """An aggregate of the rows of each item, as `avg(margin)`; NaN where there is none."""
    found = con.execute(f"SELECT item, CAST({sql} AS DOUBLE) AS v FROM {rows} AS r GROUP BY item").fetchall()
    told = {item: np.nan if v is None else float(v) for item, v in found}
    return np.array([told.get(item, np.nan) for item in items])


def categories(con: Connection, rows: str, items: list[Any], column: str) -> Ints:
    """The category of each item, as a number: the one that most of its rows have; -1 for none."""
    found = con.execute(f"SELECT item, mode({name(column)}) FROM {rows} AS r GROUP BY item").fetchall()
    told = dict(found)
    numbers = {kind: n for n, kind in enumerate(sorted({k for k in told.values() if k is not None}))}
    return np.array([numbers.get(told.get(item), -1) for item in items], np.int64)


def _named(con: Connection, rows: str, kind: str) -> list[Any]:
    """Numbers the values of a column, in their order."""
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE {_table(kind)} AS
            SELECT v, row_number() OVER (ORDER BY v) - 1 AS n FROM (SELECT DISTINCT {name(kind)} AS v FROM {rows} AS r)"""
    )
    return [v for (v,) in con.execute(f"SELECT v FROM {_table(kind)} ORDER BY n").fetchall()]


def _read(con: Connection, rows: str, by: By, people: int, items: int) -> Baskets:
    numbered = f"""SELECT p.n AS person, i.n AS item, r.* EXCLUDE (person, item) FROM {rows} AS r
                   JOIN {_table("person")} p ON p.v = r.person JOIN {_table("item")} i ON i.v = r.item"""
    if by == "day":
        day = "date_diff('day', DATE '1970-01-01', CAST(bought_at AS DATE))"
        select = f"""SELECT person, basket, item, CAST(basket AS DOUBLE) AS day
                     FROM (SELECT DISTINCT person, item, {day} AS basket FROM ({numbered})) ORDER BY person, basket, item"""
    elif by == "order":
        select = f"""SELECT person, dense_rank() OVER (ORDER BY person, begun, basket) AS basket, item, begun / 86400 AS day
                     FROM (SELECT person, basket, item, min(min(epoch(bought_at))) OVER (PARTITION BY person, basket) AS begun
                           FROM ({numbered}) GROUP BY person, basket, item)
                     ORDER BY person, 2, item"""
    else:
        select = f"""SELECT person, row_number() OVER (ORDER BY person, bought_at, place) AS basket, item,
                            epoch(bought_at) / 86400 AS day FROM ({numbered}) ORDER BY 2"""
    found = {k: np.asarray(v) for k, v in con.execute(select).fetchnumpy().items()}
    person, basket, item = (found[k].astype(np.int64) for k in ("person", "basket", "item"))
    return sorted_rows(person, basket, item, found["day"].astype(np.float64), items, people)


def _table(kind: str) -> str:
    return f"recommend_{kind}"
