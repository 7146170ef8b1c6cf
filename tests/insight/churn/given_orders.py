"""A made-up shop of which the truth is known: customers who buy at their own pace until they leave."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tessera import insight_file
from tessera.config import Config, InsightConfig
from tessera.insight.churn import checks, scores
from tessera.lake.engine import connect
from tessera.lake.models import Card
from tessera.lake.state import State
from tessera.lake.step import Made, Run, Step
from tessera.lake.view import View

BEGAN = date(2025, 1, 1)
DAYS = 300
NOW = BEGAN + timedelta(days=DAYS)
TYPES = {
    "occurred_at": pa.timestamp("us", tz="UTC"), "key_id": pa.int32(), "person_id": pa.int32(), "amount_cents": pa.int64(),
    "quantity": pa.int64(),
}  # fmt: skip
Order = tuple[int, datetime, int, str]
"""person, moment, cents, status"""


def orders(people: int = 400, seed: int = 1) -> list[Order]:
    """Orders of people with paces from a week to two months, of whom each leaves with a chance of 1 in 6 a month."""
    rng = np.random.default_rng(seed)
    made: list[Order] = []
    for person in range(people):
        pace, day = rng.uniform(7, 60), float(rng.uniform(0, DAYS - 30))
        left = day + rng.exponential(180)
        while day < min(left, DAYS):
            at = datetime(2025, 1, 1, int(rng.integers(8, 20)), tzinfo=UTC) + timedelta(days=int(day))
            back = rng.random() < 0.05
            made.append((person, at, int(rng.gamma(2, 2000)) + 100, "refunded" if back else "paid"))
            day += max(1.0, rng.exponential(pace))
    return made


class Shop:
    """The steps' views as plain tables, and a turn of the two steps."""

    def __init__(self, folder: Path, made: list[Order], events: Sequence[tuple[int, datetime, str]] = (), **told: Any) -> None:
        self.con = connect(threads=1)
        self.folder, self.model = folder, None  # type: ignore[var-annotated]
        settings = {**insight_file.DEFAULT.models["churn"], "horizon_days": 45, **told}
        self.config = Config(root=folder, name="test", insight=InsightConfig(models={"churn": settings}))
        people = sorted({o[0] for o in made} | {e[0] for e in events})
        lines = [(p, at, f"p{(p * 7 + at.day) % 40}", 1 + at.day % 3, cents) for p, at, cents, _ in made]
        self._table("orders", "key_id occurred_at amount_cents status currency", [(*o, "EUR") for o in made])
        self._table("order_lines", "key_id occurred_at product_id quantity amount_cents", lines)
        self._table("events", "key_id occurred_at event", events)
        self._table("membership", "key_id person_id", [(p, p) for p in people])
        few = {0: "IS", **dict.fromkeys(range(1, 60, 17), "AT")}
        country = {p: few.get(p % 75) or ("DE", "CN", "FR")[p % 3] for p in people}
        self._table("profiles", "person_id country tier", [(p, country[p], None) for p in people])
        self.con.execute("CREATE TABLE rates (currency VARCHAR, valid_from DATE, rate DOUBLE)")
        self.con.execute("CREATE TABLE churn_checks (kind VARCHAR)")

    def _table(self, table: str, columns: str, values: Sequence[tuple[Any, ...]]) -> None:
        fields = pa.schema([(c, TYPES.get(c, pa.string())) for c in columns.split()])
        arrays = [pa.array([v[i] for v in values], f.type) for i, f in enumerate(fields)]
        self.con.register("drawn", pa.table(arrays, schema=fields))
        self.con.execute(f"CREATE TABLE {table} AS SELECT * FROM drawn")

    def run(self, step: Step = checks.STEP, as_of: date = NOW - timedelta(days=1), *, refit: bool = False) -> Run:
        """What the loop hands a step."""
        views = {
            t: View(table=t, version=0, purpose="analytics", sql=f"(SELECT * FROM main.{t} AS t)", columns=())
            for t in step.reads
        }
        return Run(
            con=self.con, views=views, config=self.config, state=State(self.folder / "state.db"), own="", before={},
            as_of=as_of, batch=1, model=self.model, refit=refit,
        )  # fmt: skip

    def turn(self, as_of: date = NOW - timedelta(days=1), *, refit: bool = False) -> tuple[Made, Made]:
        """What both steps make; a card becomes the champion."""
        judged = checks.STEP.run(self.run(checks.STEP, as_of, refit=refit))
        if judged.cards:
            self.model: Card | None = judged.cards[0]
        return judged, scores.STEP.run(self.run(scores.STEP, as_of))
