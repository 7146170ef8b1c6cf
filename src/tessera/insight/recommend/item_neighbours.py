"""ORDER_LINES -> ITEM_NEIGHBOURS: which products go with which, of whoever allows it; and what foretells next baskets.

The recommender (models of the chance that a product is in her next basket) is fitted anew after REFIT_DAYS, or when
somebody asks; one that foretells the same last baskets worse than the one before waits as the challenger. Neighbours are
made from what stands at each run; two products with fewer than FEWEST people who bought both are none.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from tessera.data.profiles import SOLD
from tessera.insight.recommend import judging, margins
from tessera.insight.recommend.baskets import Floats
from tessera.insight.recommend.fitting import Recommender
from tessera.insight.recommend.gathering import Gathered, by_item, gathered
from tessera.insight.recommend.judging import LEAST_BASKETS, MEASURES, Verdict
from tessera.insight.recommend.neighbours import Neighbours, fit, together
from tessera.lake.arrow import schema
from tessera.lake.engine import literal, value
from tessera.lake.models import Card, Figure
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table
from tessera.lake.view import over

FEWEST = 10
"""People behind two products that are neighbours."""
FEWEST_BUYERS = 50
"""People with LEAST_BASKETS baskets that a recommender needs."""
REFIT_DAYS = 30
MODEL = "recommend"
PURPOSE = "personalise"
BOUGHT = "recommend_bought"
READS = ("membership", "order_lines", "orders")

ITEM_NEIGHBOURS = Table(
    name="item_neighbours",
    whose="nobody",
    columns=(
        Column(name="product_id", type="VARCHAR"),
        Column(name="neighbour", type="VARCHAR", note="another product"),
        Column(name="likes", type="DOUBLE", note="who has the one is the likelier to want the other (EASE's weight)"),
        Column(name="follows", type="DOUBLE", note="how often the other is in the next basket; 0: seldom"),
        Column(name="people", type="BIGINT", note="who bought both: 10 or more"),
        Column(name="place", type="INTEGER", note="1: the nearest one"),
        Column(name="method", type="VARCHAR", note="ease, or cosine where there are too many products for it"),
    ),
    purposes=(PURPOSE, "analytics"),
    unique=("product_id", "neighbour"),
    note="which products go with which; about products, never about a person",
)
SCHEMA = schema(ITEM_NEIGHBOURS)


def bought(run: Run) -> str:
    """A temp table of what everybody bought up to the day: person, item, bought_at, place, worth (cents). Lines of orders that
    came to nothing, returns, and lines of nobody are not in it."""
    day = literal(run.as_of.isoformat())
    select = f"""SELECT m.person_id AS person, l.product_id AS item, l.occurred_at AS bought_at, 0 AS place,
               l.amount_cents AS worth
        FROM order_lines l JOIN membership m ON m.key_id = l.key_id
        WHERE l.product_id IS NOT NULL AND CAST(l.occurred_at AS DATE) <= DATE {day}
          AND coalesce(l.quantity, 1) > 0 AND coalesce(l.amount_cents, 0) >= 0
          AND coalesce(l.order_id, '') NOT IN (SELECT order_id FROM orders WHERE order_id IS NOT NULL AND NOT ({SOLD}))"""
    views = {t: run.views[t] for t in READS}
    run.con.execute(f"CREATE OR REPLACE TEMP TABLE {BOUGHT} AS {over(views, select)}")
    return BOUGHT


def worths(run: Run, rows: str, got: Gathered) -> Floats:
    """The margin that a line of each item brings, in cents: its mean amount times the share that insight.yaml gives."""
    told = run.config.insight.of(MODEL)["margins"]
    return margins.filled(by_item(run.con, rows, got.items, "avg(worth)") * margins.shares(got.items, told))


def learned(card: Card | None) -> Recommender | None:
    """The recommender that a card has; None if it has none."""
    return msgspec.json.decode(card.learned, type=Recommender) if card is not None and card.learned else None


def _run(run: Run) -> Made:
    rows = bought(run)
    try:
        often = f"SELECT person FROM {rows} GROUP BY person HAVING count(DISTINCT CAST(bought_at AS DATE)) >= {LEAST_BASKETS}"
        if int(value(run.con, f"SELECT count(*) FROM ({often}) AS o")) < FEWEST_BUYERS:
            return Made(rows=SCHEMA.empty_table())
        got = gathered(run.con, rows, "day")
        worth = worths(run, rows, got)
    finally:
        run.con.execute(f"DROP TABLE {rows}")
    recommender, cards = learned(run.model), tuple[Card, ...]()
    fitted = date.fromisoformat(run.before.get("fitted", "1970-01-01"))
    if recommender is None or run.refit or (run.as_of - fitted).days > REFIT_DAYS:
        fitted = run.as_of
        verdict = judging.judge(got.baskets, single=False, least=FEWEST)
        card = _card(run, verdict, recommender, worth)
        cards, recommender = (card,), verdict.recommender if card.status == "champion" else recommender
    assert recommender is not None
    settings = recommender.settings
    near = fit(got.baskets, settings.regular, settings.window, FEWEST)
    return Made(rows=_rows(got, near), cards=cards, facts={"fitted": fitted.isoformat()})


def _card(run: Run, verdict: Verdict, before: Recommender | None, worth: Floats) -> Card:
    """The card of a recommender that was fitted now, with what each weight of margin costs in recall and brings in cents."""
    told = msgspec.to_builtins(verdict.recommender)
    figures = {
        measure: Figure(found.value, found.low, found.high)
        for measure in MEASURES
        if (found := verdict.figures[measure].value) is not None
    }
    popular = verdict.figures["recall_at_10"].baselines["popularity"]
    if popular is not None:
        figures["popularity_recall_at_10"] = Figure(popular.value, popular.low, popular.high)
    figures["coverage"] = Figure(verdict.coverage)
    # The verdict has fewer people; its items keep the numbers by which their worth is told.
    for trade in margins.trade(verdict.lists, worth, verdict.wanted, judging.AT):
        for name, found in (("recall_at_10", trade.recall), ("margin_cents", trade.bought)):
            if found is not None:
                figures[f"{name}_at_margin_weight_{trade.weight:g}"] = Figure(found.value, found.low, found.high)
    worse = before is not None and judging.worse(verdict, before, FEWEST)
    return Card(
        model=MODEL, fitted_at=run.as_of, people=verdict.recommender.people, remembers="some", figures=figures,
        settings={**told["settings"], "tried": verdict.recommender.tried, "least_people": FEWEST},
        seed=verdict.recommender.seed, learned=msgspec.json.encode(verdict.recommender).decode(),
        status="challenger" if worse else "champion",
        note=f"Foretells the next basket of who has {LEAST_BASKETS} or more; says nothing of what nobody has bought yet.",
    )  # fmt: skip


def _rows(got: Gathered, near: Neighbours) -> pa.Table:
    likes, people = near.likes.tocsr(), together(got.baskets, FEWEST)
    likes.eliminate_zeros()
    row = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
    column, weight = likes.indices, likes.data.astype(np.float64)
    order = np.lexsort((column, -weight, row))
    row, column, weight = row[order], column[order], weight[order]
    place = np.arange(len(row)) - likes.indptr[row] + 1
    names = pa.array([str(i) for i in got.items], pa.string())
    columns: list[Any] = [
        names.take(pa.array(row)), names.take(pa.array(column)), np.round(weight, 6), _at(near.follows, row, column).round(6),
        _at(people, row, column).astype(np.int64), place.astype(np.int32), pa.array([near.method] * len(row), pa.string()),
    ]  # fmt: skip
    return pa.Table.from_arrays([pa.array(c) for c in columns], schema=SCHEMA)


def _at(matrix: Any, row: Any, column: Any) -> Any:
    return np.asarray(matrix[row, column]).ravel().astype(np.float64) if len(row) else np.zeros(0)


READ = (
    ("order_lines", "key_id"), ("order_lines", "product_id"), ("order_lines", "occurred_at"), ("order_lines", "order_id"),
    ("order_lines", "quantity"), ("order_lines", "amount_cents"), ("orders", "order_id"), ("orders", "status"),
    ("membership", "key_id"), ("membership", "person_id"),
)  # fmt: skip

STEP = Step(
    name="item_neighbours",
    reads=READS,
    writes=ITEM_NEIGHBOURS,
    purpose=PURPOSE,
    run=_run,
    aged=True,
    daily=True,
    optional=True,
    aggregates=True,
    model=MODEL,
    lineage={c.name: () if c.name == "method" else READ for c in ITEM_NEIGHBOURS.columns},
)
