"""ORDER_LINES, ITEM_NEIGHBOURS, SEGMENTS -> NEXT_PRODUCTS: what each person will most likely want next, and why.

Who bought before gets her own repurchases and what goes with what she has, by the chance to be in her next basket if she comes
today; who has not, what is popular now in her segment.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from tessera.data import raw
from tessera.data.profiles import PROFILES
from tessera.insight.recommend import cold, item_neighbours, lists, margins
from tessera.insight.recommend.baskets import Ints, Moments
from tessera.insight.recommend.gathering import Gathered, gathered
from tessera.insight.recommend.item_neighbours import MODEL, PURPOSE, bought, learned, worths
from tessera.insight.recommend.lists import Lists
from tessera.insight.recommend.margins import POOL
from tessera.insight.recommend.neighbours import Neighbours
from tessera.insight.recommend.ranking import Known
from tessera.insight.recommend.trends import trends
from tessera.lake.arrow import schema
from tessera.lake.engine import literal
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

NEXT_PRODUCTS = Table(
    name="next_products",
    whose="person:person_id",
    columns=(
        PROFILES.column("person_id"),
        Column(name="rank", type="INTEGER", note="1: the likeliest"),
        Column(name="product_id", type="VARCHAR", category=raw.PURCHASE),
        Column(name="kind", type="VARCHAR", category=raw.PURCHASE, note="repurchase, discovery; popular: nothing of her known"),
        Column(name="chance", type="DOUBLE", category=raw.PURCHASE, note="to be in her next basket; null: popular"),
        Column(name="times", type="INTEGER", category=raw.PURCHASE, note="in how many baskets she had it"),
        Column(name="every_days", type="DOUBLE", category=raw.PURCHASE, note="usual days between; null: not twice yet"),
        Column(name="last_bought", type="DATE", category=raw.PURCHASE),
        Column(name="because", type="VARCHAR", category=raw.PURCHASE, note="a product of hers that it goes with"),
        Column(name="segment", type="VARCHAR", category=raw.PURCHASE, note="popular: in which segment; null: with all"),
        Column(name="as_of", type="DATE", note="the day that it was foretold for"),
    ),
    purposes=(PURPOSE, "marketing"),
    on_erase=Delete(),
    unique=("person_id", "rank"),
    whole=True,
    note="what each person will most likely want next, and why",
)

EPOCH = date(1970, 1, 1)
FOUND = 40
"""New products that are looked at for each person: fewer than where figures are measured, for there are many people."""


def _run(run: Run) -> Made:
    con = run.con
    rows = bought(run)
    recommender = learned(run.model)
    try:
        got = gathered(con, rows, "day") if recommender is not None else None
        worth = worths(run, rows, got) if got is not None else None
    finally:
        con.execute(f"DROP TABLE {rows}")
    if got is None or worth is None or recommender is None or not got.people:
        return Made(rows=schema(NEXT_PRODUCTS).empty_table())
    told = run.config.insight.of(MODEL)
    top, weight = int(told["top"]), float(told["margin_weight"])
    # Data that came to an end long ago are foretold for the day after it: their trends would say nothing of today.
    day = min(float((run.as_of - EPOCH).days), float(got.baskets.day.max()) + 1)
    known = Known(baskets=got.baskets, neighbours=_neighbours(run, got.items), trends=trends(got.baskets))
    moments = lists.now(got.baskets, np.flatnonzero(got.baskets.many > 0), day)
    pool = max(POOL, top) if weight else top
    made = lists.listed(known, recommender, moments, pool, found=max(FOUND, 2 * top))
    _listed(run, known, got, moments, margins.reordered(made, worth, weight).first(top))
    groups = _groups(run, got)
    popular, _ = cold.popular(got.baskets, day, top, groups[0], len(groups[1]))
    _put(con, "recommend_popular", _popular(popular, [*groups[1], None], got.items))
    return Made(select=over({"segments": run.views["segments"]}, _select(EPOCH + timedelta(days=int(day)))))


def _neighbours(run: Run, items: list[Any]) -> Neighbours:
    """ITEM_NEIGHBOURS as matrices over these items."""
    from scipy.sparse import csr_matrix

    numbers = {item: n for n, item in enumerate(items)}
    view = {"item_neighbours": run.views["item_neighbours"]}
    found = run.con.execute(over(view, "SELECT product_id, neighbour, likes, follows FROM item_neighbours")).fetchall()
    there = [(numbers[a], numbers[b], likes, follows) for a, b, likes, follows in found if a in numbers and b in numbers]
    row, column, likes, follows = (np.array([r[n] for r in there]) for n in range(4))
    shape = (len(items), len(items))
    where = (row.astype(np.int64), column.astype(np.int64))
    return Neighbours(
        likes=csr_matrix((likes.astype(np.float32), where), shape=shape),
        follows=csr_matrix((follows.astype(np.float32), where), shape=shape), method="read",
    )  # fmt: skip


def _listed(run: Run, known: Known, got: Gathered, moments: Moments, made: Lists) -> None:
    """The temp tables `recommend_lists`, rows by number of person and item, and `recommend_names` of items."""
    why = lists.reasons(known, moments, made)
    there, top, day = made.items >= 0, made.items.shape[1], float(moments.day[0])
    person = np.broadcast_to(np.array(got.people, np.int64)[moments.person][:, None], there.shape)[there]
    rank = np.broadcast_to(np.arange(1, top + 1), there.shape)[there]
    last = np.where(np.isnan(why.since), np.nan, day - why.since)
    _put(
        run.con, "recommend_lists",
        {
            "person_id": person.astype(np.int32), "rank": rank.astype(np.int32), "item": made.items[there],
            "again": made.again[there], "chance": made.chance[there].round(6), "times": why.times[there].astype(np.int32),
            "every_days": why.every[there].round(1), "last": last[there], "other": why.because[there],
        },
    )  # fmt: skip
    _put(run.con, "recommend_names", {"n": np.arange(len(got.items)), "product_id": [str(i) for i in got.items]})


def _groups(run: Run, got: Gathered) -> tuple[Ints, list[str]]:
    """The number of each buyer's segment (-1: none), and the segments' names."""
    view = {"segments": run.views["segments"]}
    found = dict(run.con.execute(over(view, "SELECT person_id, segment FROM segments WHERE valid_to IS NULL")).fetchall())
    names = sorted({s for s in found.values() if s is not None})
    numbers = {name: n for n, name in enumerate(names)}
    return np.array([numbers.get(found.get(p), -1) for p in got.people], np.int64), names


def _popular(listed: Ints, names: list[str | None], items: list[Any]) -> dict[str, Any]:
    rows = [
        (name, place + 1, str(items[item]))
        for name, some in zip(names, listed.tolist(), strict=True)
        for place, item in enumerate(some)
        if item >= 0
    ]
    return {
        "segment": [r[0] for r in rows],
        "rank": np.array([r[1] for r in rows], np.int32),
        "product_id": [r[2] for r in rows],
    }


def _select(as_of: date) -> str:
    """SQL that continues `over`'s CTEs: NEXT_PRODUCTS. Whoever is in a segment and bought nothing is shown what is popular."""
    day = f"DATE {literal(as_of.isoformat())}"
    return f""", cold AS (
            SELECT person_id, segment FROM segments
            WHERE valid_to IS NULL AND person_id NOT IN (SELECT person_id FROM recommend_lists)
        ), named AS (SELECT DISTINCT segment FROM recommend_popular)
        SELECT l.person_id, l.rank, i.product_id, CASE WHEN l.again THEN 'repurchase' ELSE 'discovery' END AS kind, l.chance,
               l.times, CASE WHEN NOT isnan(l.every_days) THEN l.every_days END AS every_days,
               CASE WHEN NOT isnan(l.last) THEN DATE '1970-01-01' + CAST(l.last AS INTEGER) END AS last_bought,
               CASE WHEN NOT l.again THEN o.product_id END AS because, NULL::VARCHAR AS segment, {day} AS as_of
        FROM recommend_lists l JOIN recommend_names i ON i.n = l.item LEFT JOIN recommend_names o ON o.n = l.other
        UNION ALL
        SELECT c.person_id, p.rank, p.product_id, 'popular', NULL, 0, NULL, NULL, NULL, p.segment, {day}
        FROM cold c JOIN recommend_popular p ON p.segment IS NOT DISTINCT FROM
             CASE WHEN c.segment IN (SELECT segment FROM named WHERE segment IS NOT NULL) THEN c.segment END"""


def _put(con: Any, name: str, columns: dict[str, Any]) -> None:
    con.register("recommend_rows", pa.table(columns))
    con.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM recommend_rows")
    con.unregister("recommend_rows")


_LEARNED = tuple(("item_neighbours", c) for c in ("product_id", "neighbour", "likes", "follows"))
_ALL = (*item_neighbours.READ, *_LEARNED, ("segments", "segment"), ("segments", "valid_to"))

STEP = Step(
    name="next_products",
    reads=(*item_neighbours.READS, "item_neighbours", "segments"),
    writes=NEXT_PRODUCTS,
    purpose=PURPOSE,
    run=_run,
    aged=True,
    daily=True,
    optional=True,
    model=MODEL,
    lineage={
        "person_id": (("membership", "person_id"), ("segments", "person_id")),
        **dict.fromkeys(("rank", "product_id", "kind", "chance", "times", "every_days", "last_bought", "because"), _ALL),
        "segment": (("segments", "segment"),),
        "as_of": (),
    },
)
