"""A turn's views -> the people of past midnights, as rows to learn from: what all steps of churn and propensity share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from tessera.insight.churn import history
from tessera.insight.churn.history import BOUGHT, LINES, SEEN
from tessera.insight.churn.model import Stack
from tessera.insight.churn.question import Question, Source
from tessera.lake.engine import name, value
from tessera.lake.step import Run
from tessera.lake.view import over

Numbers = npt.NDArray[np.float64]
READS = ("orders", "order_lines", "events", "rates", "membership", "profiles")
SAMPLE = 10_000
"""People of one snapshot that a model learns from: beyond, more of them make it no better by the third digit."""


class Past:
    """One question's people at any midnight, over the history as temp tables of the run's connection (`opened`)."""

    def __init__(self, run: Run, question: Question) -> None:
        self.run, self.con, self.question = run, run.con, question

    def first(self) -> date | None:
        """The day with which the history begins, of the views alone; None if there is none."""
        found = value(self.con, _over(self.run, self.question.first))
        return found if isinstance(found, date) else None

    def many(self, at: date) -> int:
        """How many people could do it at a midnight."""
        return int(value(self.con, f"SELECT count(*) FROM ({self.question.who(at)}) AS w"))

    def rows(self, at: date, part: int = 0, parts: int = 1, sample: int | None = None) -> tuple[npt.NDArray[np.int64], Numbers]:
        """The people of a midnight (or of one of `parts` of them, or about `sample` of them) and their features."""
        who, asked = self.question.who(at), self.question
        spread = "CAST(person_id AS BIGINT) * 2654435761 % 4294967296"
        if parts > 1:
            who = f"SELECT * FROM ({who}) AS w WHERE person_id % {parts} = {part}"
        elif sample is not None and (people := self.many(at)) > sample:
            who = f"SELECT * FROM ({who}) AS w WHERE {spread} < {2**32 * sample // people}"
        select = history.features(at, who)
        if asked.own is not None:
            own = ", ".join(f"CAST({name(w)} AS DOUBLE) AS {name(w)}" for w in asked.words)
            select = f"""SELECT f.*, {own} FROM ({select}) AS f
                         JOIN ({asked.own(at, who)}) AS o ON o.person_id = f.person_id ORDER BY f.person_id"""
        found = self.con.execute(select).fetchnumpy()
        columns = [np.ma.filled(np.ma.asarray(found[f]).astype(np.float64), np.nan) for f in asked.names]
        return np.asarray(found["person_id"], dtype=np.int64), np.column_stack(columns)

    def snapshot(self, at: date) -> Stack:
        """A sample of the people of a midnight whose horizon is over, and who of them did it."""
        people, x = self.rows(at, sample=SAMPLE)
        did = np.asarray(self.con.execute(self.question.did(at)).fetchnumpy()["person_id"], dtype=np.int64)
        return Stack(x=x, y=np.isin(people, did).astype(np.float64), people=people)

    def groups(self, people: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.str_]]:
        """What each of these people is by the question's fields of her profile; "" where it is not known."""
        found: dict[str, npt.NDArray[np.str_]] = {}
        place = {int(p): i for i, p in enumerate(people)}
        for field in self.question.groups:
            sql = f"SELECT person_id, CAST({name(field)} AS VARCHAR) FROM profiles WHERE {name(field)} IS NOT NULL"
            of = np.full(len(people), "", dtype=object)
            for person, group in self.con.execute(_over(self.run, Source(views=("profiles",), sql=sql))).fetchall():
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
def opened(run: Run, questions: Sequence[Question], since: date) -> Iterator[list[Past]]:
    """Each question's past for the time of a `with`: orders and lines whole, events from so long before `since` as is read."""
    back = since - timedelta(days=max(q.seen_days for q in questions))
    tables = {
        BOUGHT: Source(views=("orders", "rates", "membership"), sql=history.bought(run.config.currency)),
        LINES: Source(views=("order_lines", "membership"), sql=history.lines()),
        SEEN: Source(views=("events", "membership"), sql=history.seen(back, run.as_of + timedelta(days=1))),
    }
    for question in questions:
        tables |= question.tables
    try:
        for table, source in tables.items():
            run.con.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {_over(run, source)}")
        yield [Past(run, question) for question in questions]
    finally:
        for table in tables:
            run.con.execute(f"DROP TABLE IF EXISTS {table}")


def _over(run: Run, source: Source) -> str:
    return over({t: run.views[t] for t in source.views}, source.sql) if source.views else source.sql


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
