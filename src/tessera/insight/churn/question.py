"""What is asked of the people of a midnight: who could, and who of them did. Churn and propensities differ in nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from tessera.insight.churn import history
from tessera.insight.churn.history import SEEN_DAYS
from tessera.insight.explain.words import Word


@dataclass(frozen=True, kw_only=True)
class Source:
    """SQL over some of the step's views, by name. Without any it is over the history's temp tables."""

    views: tuple[str, ...]
    sql: str


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question about people at a midnight.

    first: the day with which its history begins. tables: temp tables that it needs beside the history's. who: SQL of a
    midnight: whoever could (person_id, began). did: SQL of a midnight: who did it in the horizon from then on (person_id). own:
    SQL of a midnight and of people (SQL): person_id and the question's own features of them, none of which reads anything at or
    after it. words: of those features.
    seen_days: how far back events are read. groups: fields of a profile by which fairness is told.
    """

    form: str
    horizon_days: int
    first: Source
    who: Callable[[date], str]
    did: Callable[[date], str]
    groups: tuple[str, ...] = ()
    tables: Mapping[str, Source] = field(default_factory=dict)
    own: Callable[[date, str], str] | None = None
    words: Mapping[str, Word] = field(default_factory=dict)
    seen_days: int = SEEN_DAYS

    @property
    def names(self) -> tuple[str, ...]:
        """All features, in the order of the model's columns."""
        return (*history.FEATURES, *self.words)


FIRST_ORDER = Source(views=("orders",), sql="SELECT min(CAST(occurred_at AS DATE)) FROM orders WHERE key_id IS NOT NULL")
