"""A turn's views -> the people of past midnights, as rows to learn from: what the two steps of churn share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from tessera.insight.churn import history
from tessera.insight.churn.history import BOUGHT, FEATURES, LINES, SEEN, SUBSCRIBED
from tessera.insight.churn.model import Stack
from tessera.lake.engine import Connection, name, value
from tessera.lake.step import Run
from tessera.lake.view import over

Numbers = npt.NDArray[np.float64]
READS = ("orders", "order_lines", "events", "rates", "membership", "profiles")
SAMPLE = 10_000
"""People of one snapshot that a model learns from: beyond, more of them make it no better by the third digit."""
TABLES = (BOUGHT, LINES, SEEN, SUBSCRIBED)


class Past:
    """The history as temp tables of the run's connection, read at any midnight."""

    def __init__(self, run: Run) -> None:
        self.con: Connection = run.con
        told = run.config.insight.of("churn")
        self.form, self.horizon = str(told["form"]), int(told["horizon_days"])
        self.active_days, self.names = int(told["active_days"]), (told["began"], told["ended"])
        self.run = run

    def load(self, since: date, until: date) -> None:
        """Makes the temp tables: orders and lines whole, events of the days [since, until)."""
        views = self.run.views
        few = {t: views[t] for t in ("orders", "rates", "membership")}
        self._make(BOUGHT, over(few, history.bought(self.run.config.currency)))
        self._make(LINES, over({t: views[t] for t in ("order_lines", "membership")}, history.lines()))
        seen = {t: views[t] for t in ("events", "membership")}
        self._make(SEEN, over(seen, history.seen(since, until)))
        if self.form == "subscription":
            self._make(SUBSCRIBED, over(seen, history.subscribed(*self.names)))

    def _make(self, table: str, select: str) -> None:
        self.con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {select}")

    def first(self) -> date | None:
        """The day with which the history begins, of the views alone; None if there is none."""
        if self.form == "subscription":
            views = {t: self.run.views[t] for t in ("events", "membership")}
            found = value(self.con, f"SELECT min(began) FROM ({over(views, history.subscribed(*self.names))}) AS s")
        else:
            sql = "SELECT min(CAST(occurred_at AS DATE)) FROM orders WHERE key_id IS NOT NULL"
            found = value(self.con, over({"orders": self.run.views["orders"]}, sql))
        return found if isinstance(found, date) else None

    def who(self, at: date) -> str:
        """SQL: who could leave at a midnight."""
        return history.subscribers(at) if self.form == "subscription" else history.customers(at, self.active_days)

    def many(self, at: date) -> int:
        """How many they are."""
        return int(value(self.con, f"SELECT count(*) FROM ({self.who(at)}) AS w"))

    def rows(self, at: date, part: int = 0, parts: int = 1, sample: int | None = None) -> tuple[npt.NDArray[np.int64], Numbers]:
        """The people of a midnight (or of one of `parts` of them, or about `sample` of them) and their features."""
        who = self.who(at)
        spread = "CAST(person_id AS BIGINT) * 2654435761 % 4294967296"
        if parts > 1:
            who = f"SELECT * FROM ({who}) AS w WHERE person_id % {parts} = {part}"
        elif sample is not None and (people := self.many(at)) > sample:
            who = f"SELECT * FROM ({who}) AS w WHERE {spread} < {2**32 * sample // people}"
        found = self.con.execute(history.features(at, who)).fetchnumpy()
        columns = [np.ma.filled(np.ma.asarray(found[f]).astype(np.float64), np.nan) for f in FEATURES]
        return np.asarray(found["person_id"], dtype=np.int64), np.column_stack(columns)

    def snapshot(self, at: date) -> Stack:
        """A sample of the people of a midnight whose horizon is over, and who of them left."""
        people, x = self.rows(at, sample=SAMPLE)
        subscription = self.form == "subscription"
        sql = history.ended(at, self.horizon) if subscription else history.stopped_buying(at, self.horizon)
        found = np.asarray(self.con.execute(sql).fetchnumpy()["person_id"], dtype=np.int64)
        there = np.isin(people, found)
        return Stack(x=x, y=(there if subscription else ~there).astype(np.float64), people=people)

    def groups(self, people: npt.NDArray[np.int64], by: Iterable[str]) -> dict[str, npt.NDArray[np.str_]]:
        """What each of these people is by fields of her profile; "" where it is not known."""
        found: dict[str, npt.NDArray[np.str_]] = {}
        place = {int(p): i for i, p in enumerate(people)}
        for field in by:
            sql = f"SELECT person_id, CAST({name(field)} AS VARCHAR) FROM profiles WHERE {name(field)} IS NOT NULL"
            of = np.full(len(people), "", dtype=object)
            for person, group in self.con.execute(over({"profiles": self.run.views["profiles"]}, sql)).fetchall():
                if (at := place.get(person)) is not None:
                    of[at] = group
            found[field] = of.astype(str)
        return found


def stacked(snapshots: Iterable[Stack]) -> Stack:
    """Snapshots below each other."""
    all_of = list(snapshots)
    return Stack(
        x=np.concatenate([s.x for s in all_of]),
        y=np.concatenate([s.y for s in all_of]),
        people=np.concatenate([s.people for s in all_of]),
    )


@contextmanager
def opened(run: Run, since: date) -> Iterator[Past]:
    """The history for the time of a `with`; events from `since` on."""
    past = Past(run)
    try:
        past.load(since - timedelta(days=history.SEEN_DAYS), run.as_of + timedelta(days=1))
        yield past
    finally:
        for table in TABLES:
            run.con.execute(f"DROP TABLE IF EXISTS {table}")


def lineage(columns: Iterable[str], none: Iterable[str] = ()) -> dict[str, tuple[tuple[str, str], ...]]:
    """Every column is made from all that the features and outcomes are made from; `none` from nothing of anybody."""
    bare = set(none)
    return {c: () if c in bare else READ for c in columns}


READ: tuple[tuple[str, str], ...] = (
    *(("orders", c) for c in ("occurred_at", "amount_cents", "currency", "status")),
    *(("order_lines", c) for c in ("occurred_at", "amount_cents", "quantity", "product_id")),
    *(("events", c) for c in ("occurred_at", "event")),
    ("rates", "rate"),
)


def settings(run: Run) -> dict[str, Any]:
    """What insight.yaml says, as a card keeps it."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in run.config.insight.of("churn").items()}
