"""A small lake of made-up profiles, and the steps of floor 5 over it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tessera.config import Config, SegmentsConfig
from tessera.data.profiles import PROFILES
from tessera.insight import features
from tessera.insight.segments import centres, history
from tessera.lake.engine import connect, name, rows
from tessera.lake.models import Card
from tessera.lake.state import State
from tessera.lake.step import Made, Run, Step
from tessera.lake.store import Lake
from tessera.lake.view import View

MARCH = date(2024, 3, 1)
STEPS = (features.STEP, centres.STEP, history.STEP)
"""Those that read nothing but profiles."""
Person = tuple[int, int, int | None, str | None, int]
"""person_id, orders, revenue_cents, day of the last order, events"""


@dataclass
class Shop:
    """Profiles in a lake. allowed: who allows the purpose (None: everybody)."""

    folder: Path
    segments: SegmentsConfig = field(default_factory=SegmentsConfig)
    allowed: set[int] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    models: dict[str, Card] = field(default_factory=dict)
    steps: tuple[Step, ...] = STEPS

    def __post_init__(self) -> None:
        self.con = connect(threads=1)
        tables = [PROFILES, *(s.writes for s in self.steps)]
        noon = datetime(2024, 3, 1, 12, tzinfo=UTC)
        self.lake = Lake(self.folder / "lake", tables, State(self.folder / "state.db"), lambda: noon)

    def fill(self, people: Iterable[Person]) -> Shop:
        """Sets the profiles."""
        ids, orders, cents, days, events = zip(*people, strict=True)
        drawn = pa.table(
            {"i": ids, "n": orders, "c": pa.array(cents, pa.int64()), "d": pa.array(days, pa.string()), "e": events}
        )
        at = "CAST(d || 'T10:00:00Z' AS TIMESTAMPTZ)"
        known = {"person_id": "i", "orders": "n", "revenue_cents": "c", "events": "e", "last_order_at": at,
                 "first_order_at": at, "touches": "0"}  # fmt: skip
        columns = ", ".join(f"{known.get(c.name, 'NULL')} AS {name(c.name)}" for c in PROFILES.columns)
        self.con.register("drawn", drawn)
        self.lake.write(self.con, "profiles", f"SELECT {columns} FROM drawn", what="test")
        return self

    def turn(self, as_of: date = MARCH, *, refit: bool = False) -> dict[str, Made]:
        """Runs the steps once, as the loop does; what each made. refit: somebody asked for a new model."""
        config = Config(root=self.folder, name="test", segments=self.segments)
        made = {}
        for step in self.steps:
            made[step.name] = self._step(step, config, as_of, refit)
            self.facts[step.name] = dict(made[step.name].facts) | {"ran": True}
            self.models |= {card.model: card for card in made[step.name].cards}
        return made

    def ask(self, select: str) -> list[tuple[Any, ...]]:
        """Rows of a SELECT over bare table names."""
        tables = ", ".join(f"{t} AS (SELECT * FROM {self.lake.relation(t)} AS t)" for t in self.lake.tables)
        return rows(self.con, f"WITH {tables} {select}")

    def segments_now(self) -> dict[int, str]:
        """Today's segment of each person."""
        return dict(self.ask("SELECT person_id, segment FROM segments WHERE valid_to IS NULL ORDER BY 1"))

    def _step(self, step: Step, config: Config, as_of: date, refit: bool) -> Made:
        run = Run(
            con=self.con, views={t: self._view(t) for t in step.reads}, config=config, state=self.lake.state,
            own=self.lake.relation(step.writes.name), before=self.facts.get(step.name, {}), as_of=as_of, batch=1,
            model=self.models.get(step.model), refit=refit,
        )  # fmt: skip
        made = step.run(run)
        if not made.nothing:
            if made.rows is not None:
                self.con.register("made_rows", made.rows)
            staged = self.lake.stage(self.con, step.writes.name, made.select or "SELECT * FROM made_rows")
            self.lake.commit(step.writes.name, staged, what="test", mode=made.mode)
        return made

    def _view(self, table: str) -> View:
        where = ""
        if self.allowed is not None and self.lake.table(table).reason == "person":
            where = f" WHERE person_id IN ({', '.join(map(str, self.allowed))})"
        sql = f"(SELECT * FROM {self.lake.relation(table)} AS t{where})"
        return View(table=table, version=0, purpose="analytics", sql=sql, columns=self.lake.table(table).columns)


GROUPS = ((5, 12, 90_000), (40, 5, 30_000), (15, 1, 4_000), (250, 1, 5_000))
"""Four kinds of people, plain to see: days since the last order, orders, cents."""


def crowd(count: int = 200, seed: int = 1) -> list[Person]:
    """People of those kinds in equal parts, in turn, and one in ten who never buys (every other of them was seen)."""
    rng = np.random.default_rng(seed)
    people: list[Person] = []
    for i in range(count):
        days, orders, cents = GROUPS[i % 4]
        last = np.datetime64(MARCH) - int(days * rng.uniform(0.8, 1.25))
        people.append((i, orders, int(cents * rng.uniform(0.7, 1.4)), str(last), 3))
    return people + [(count + i, 0, 0, None, i % 2) for i in range(count // 10)]
