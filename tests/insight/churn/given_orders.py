"""A made-up shop of which the truth is known: customers who buy at their own pace until they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from given_tiny import Tiny
from tessera import insight_file
from tessera.config import Config, InsightConfig
from tessera.insight.churn import checks, folded, leaving, model, scores, snapshots
from tessera.insight.churn.question import Question
from tessera.insight.trees import SMALL
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


def hasty(patch: pytest.MonkeyPatch) -> None:
    """Fewer trees, parts and snapshots: what is tested is what becomes of them."""
    small = replace(SMALL, rounds=20, folds=2, threads=1)
    for function in (model.learned, folded.judged):
        patch.setattr(function, "__kwdefaults__", {**(function.__kwdefaults__ or {}), "recipe": small})
    patch.setattr(folded.final, "__defaults__", (small,))
    patch.setattr(snapshots, "MOST", 3)
    patch.setattr(model, "RESAMPLES", 50)


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

    def __init__(
        self, folder: Path, made: list[Order], events: Sequence[tuple[int, datetime, str]] = (),
        goals: Mapping[str, Mapping[str, Any]] | None = None, **told: Any,
    ) -> None:  # fmt: skip
        """told: settings of churn. goals: of propensity, without what has a default."""
        self.con = connect(threads=1)
        self.folder, self.model, self.facts = folder, None, {}  # type: ignore[var-annotated]
        settings = {**insight_file.DEFAULT.models["churn"], "horizon_days": 45, **told}
        defaults = {n: s.default for n, s in insight_file.GOAL.items()}
        wanted = {goal: defaults | {"en": "doing it", "zh": "做这件事", **its} for goal, its in (goals or {}).items()}
        models = {"churn": settings, "propensity": wanted}
        self.config = Config(root=folder, name="test", insight=InsightConfig(models=models))
        people = sorted({o[0] for o in made} | {e[0] for e in events})
        lines = [
            (p, at, f"p{(p * 7 + at.day) % 40}", 1 + at.day % 3, cents, f"o{i}") for i, (p, at, cents, _) in enumerate(made)
        ]
        self._table(
            "orders",
            "key_id occurred_at amount_cents status currency order_id",
            [(*o, "EUR", f"o{i}") for i, o in enumerate(made)],
        )
        self._table("order_lines", "key_id occurred_at product_id quantity amount_cents order_id", lines)
        self._table("events", "key_id occurred_at event", events)
        self._table("membership", "key_id person_id", [(p, p) for p in people])
        few = {0: "IS", **dict.fromkeys(range(1, 60, 17), "AT")}
        country = {p: few.get(p % 75) or ("DE", "CN", "FR")[p % 3] for p in people}
        self._table("profiles", "person_id country tier", [(p, country[p], None) for p in people])
        self.con.execute("CREATE TABLE rates (currency VARCHAR, valid_from DATE, rate DOUBLE)")
        self.con.execute("CREATE TABLE churn_checks (kind VARCHAR)")
        self.con.execute("CREATE TABLE propensity_checks (kind VARCHAR)")

    def _table(self, table: str, columns: str, values: Sequence[tuple[Any, ...]]) -> None:
        fields = pa.schema([(c, TYPES.get(c, pa.string())) for c in columns.split()])
        arrays = [pa.array([v[i] for v in values], f.type) for i, f in enumerate(fields)]
        self.con.register("drawn", pa.table(arrays, schema=fields))
        self.con.execute(f"CREATE TABLE {table} AS SELECT * FROM drawn")

    def question(self) -> Question:
        """What its settings ask."""
        return leaving.question(self.config.insight.of("churn"))

    def run(self, step: Step = checks.STEP, as_of: date = NOW - timedelta(days=1), *, refit: bool = False) -> Run:
        """What the loop hands a step."""
        views = {
            t: View(table=t, version=0, purpose="analytics", sql=f"(SELECT * FROM main.{t} AS t)", columns=())
            for t in step.reads
        }
        return Run(
            con=self.con, views=views, config=self.config, state=State(self.folder / "state.db"), own="", before=self.facts,
            as_of=as_of, batch=1, model=self.model, refit=refit,
        )  # fmt: skip

    def turn(
        self,
        as_of: date = NOW - timedelta(days=1),
        *,
        refit: bool = False,
        steps: tuple[Step, Step] = (checks.STEP, scores.STEP),
    ) -> tuple[Made, Made]:
        """What both steps make; a card may become the champion."""
        judged = steps[0].run(self.run(steps[0], as_of, refit=refit))
        self.facts: dict[str, Any] = dict(judged.facts)
        if judged.cards and judged.cards[0].status == "champion":
            self.model: Card | None = judged.cards[0]
        return judged, steps[1].run(self.run(steps[1], as_of))


def handed(tiny: Tiny, made: Sequence[Order], allows: Callable[[int], bool] = lambda _: True) -> None:
    """Puts orders into a workspace, and what each of their people says about analytics."""
    tiny.orders(
        [{"id": f"o{i}", "user": f"u{p}", "at": at.isoformat(), "status": status, "cents": cents}
         for i, (p, at, cents, status) in enumerate(made)]
    )  # fmt: skip
    tiny.events(
        [{"id": f"e{p}", "type": "track", "event": "Agreed", "user": f"u{p}", "at": "2025-01-01T10:00:00Z",
          "analytics": allows(p)} for p in sorted({o[0] for o in made})]
    )  # fmt: skip
