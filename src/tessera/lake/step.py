"""A step: a function from views that the gate opened to one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

import pyarrow as pa

from tessera.config import Config
from tessera.lake.engine import Connection
from tessera.lake.models import Card
from tessera.lake.state import State
from tessera.lake.table import Table
from tessera.lake.view import View


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a step made: a SELECT over the run's connection, or rows; and how they go into its table.

    parts: instead of one SELECT, one for each bucket of the table. many: about how many rows, where the step knows it.
    facts: what the step wants to find in `Run.before` the next time (its last batch). cards: models that it fitted.
    """

    select: str = ""
    parts: Mapping[int, str] = field(default_factory=dict)
    rows: pa.Table | None = None
    many: int | None = None
    mode: Literal["overwrite", "append"] = "overwrite"
    nothing: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    cards: tuple[Card, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a step.

    views: what the gate opened, by table. own: the step's table as it stands, as a relation. dirty: a relation with
    the person_ids to compute anew; None to compute everybody. before: the facts of the last run (empty at first).
    as_of: the day at which times become ages. batch: the newest landed batch. at: the moment of the run. grown: since
    the last run rows were only added or replaced by batches; nobody was erased. parts: for a step `by_bucket`, the views
    of each bucket that the tables are laid out in; empty if they are small. moved: tells the persons who have other keys
    than at the last run, None if that is not known any more. model: for a step with a model the one that scores, None if
    there is none. refit: somebody asked for a new one, or the step's code or settings are not those of the last run.
    rows: how many rows each table that it reads has in all, from the log: what a view leaves out is counted without being read.
    opened: for a step that `opens`, what reads those columns (trust/opened.py).
    """

    con: Connection
    views: Mapping[str, View]
    config: Config
    state: State
    own: str
    before: Mapping[str, Any]
    as_of: date
    batch: int
    dirty: str | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    grown: bool = False
    parts: Mapping[int, Mapping[str, View]] = field(default_factory=dict)
    moved: Callable[[], pa.Array | None] = lambda: None
    model: Card | None = None
    refit: bool = False
    rows: Mapping[str, int] = field(default_factory=dict)
    opened: Callable[[str, str, Iterable[str], str, str], Iterator[pa.Table]] | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One line of STEPS.

    reads: tables it reads. writes: the one it fills. purpose: what for. aged: its result depends on the day. timely: on
    the real one, whatever `as_of` says (a permission is always today's). by_person:
    it can compute some persons alone (`Run.dirty`); its table is then patched. by_bucket: the rows of a bucket come from
    the same bucket of what it reads, so that it can make a large table bucket by bucket, whose keys fit the processor's
    cache. sql: the text it runs, for lineage and
    the Spark compile test; None for Python steps, which declare `lineage` themselves. keeps: its rows cannot be made
    again (ids given once, a history), so even a full turn starts from them. aggregates: it only counts over everybody,
    so no category of a person flows through it; what it declares in `lineage` shapes its numbers. upkeep: it only keeps the
    house's own books (who is who, who said what, partial sums), which go on for whoever is restricted: without them her
    restriction itself would not hold; nobody may ask for what it writes. model: the name of what it learns, of which it
    keeps cards (`Made.cards`); when a sweep took what that had learned, or somebody asked for a new one, the step is stale.
    daily: its answer moves by the day and takes its time, so a turn that rests (`serve`'s) makes it once a day. What a person
    does not allow any more is hidden by the gate at once, whatever rests. optional: a workspace that has no such purpose goes
    without the step. rowwise: each row is made of one row of what it reads, and leaves with it; so where rows grow too old, the
    others stand. settings: what else of the workspace's files decides its result. opens: sealed columns, as
    (table, column), whose text it reads, of the rows that its views show.
    """

    name: str
    reads: tuple[str, ...]
    writes: Table
    purpose: str
    run: Callable[[Run], Made]
    aged: bool = False
    timely: bool = False
    by_person: bool = False
    by_bucket: bool = False
    keeps: bool = False
    aggregates: bool = False
    sql: Callable[[Config], str] | None = None
    upkeep: bool = False
    model: str = ""
    daily: bool = False
    optional: bool = False
    rowwise: bool = False
    opens: tuple[tuple[str, str], ...] = ()
    settings: Callable[[Config], object] | None = None
    lineage: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    @property
    def insight(self) -> str:
        """The insight that it belongs to, as insight.yaml calls it: its package on floor 5; empty for all else."""
        parts = self.run.__module__.split(".")
        return parts[2] if parts[:2] == ["tessera", "insight"] and len(parts) > 3 else ""
