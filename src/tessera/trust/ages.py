"""What is too old to be read: rows that their source's contract keeps no longer, or that a purpose no longer needs.

An age is counted in whole days up to the workspace's `as_of`, or to today if that is earlier: a workspace over data of
2011 is read as in 2011. A row without a time has no age. From the day on that a row is too old no step, question or page
reads it; the burn (see trust/expiry.py) takes it out of the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from tessera.config import Config, Purpose
from tessera.lake.engine import literal, name
from tessera.lake.state import State
from tessera.lake.table import Table
from tessera.words import Clock

OLDEST = "oldest"
"""The state's space of the oldest row's time by table and source, as landing notes it: who has nothing that is too old is
read without a condition (measured on 20 M events: a third of a light sum)."""

EVER, NEVER = -(1 << 63), (1 << 63) - 1
"""Microseconds since 1970: before all times (nobody noted which row is the oldest), and after all (no row has a time)."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How long rows are kept. sources: by table and source, days, as the contracts say. acts: tables whose rows are acts
    of a day, which a purpose may be too late for; a record of who somebody is does not age so."""

    sources: Mapping[str, Mapping[str, int]]
    acts: frozenset[str]


class Ages:
    """Says from which day on rows are read."""

    def __init__(self, config: Config, state: State, clock: Clock, kept: Kept) -> None:
        self.config, self.state, self.clock, self.kept = config, state, clock, kept

    def day(self) -> date:
        """The day at which times become ages."""
        today = self.clock().astimezone(UTC).date()
        return today if self.config.as_of == "today" else min(today, date.fromisoformat(self.config.as_of))

    def first(self, table: str) -> dict[str, date]:
        """By source, the first day of which rows are still kept; sources without an end are not there."""
        return {s: self.day() - timedelta(days=n) for s, n in sorted(self.kept.sources.get(table, {}).items())}

    def over(self, table: str) -> dict[str, date]:
        """The same of those sources alone that have anything older."""
        return {source: day for source, day in self.first(table).items() if self._oldest(table, source) < _micros(day)}

    def conditions(self, table: Table, purpose: Purpose) -> list[str]:
        """What a row has to meet, as SQL; nothing where no row can fail."""
        found = [f"NOT {old(source, day)}" for source, day in self.over(table.name).items()]
        if purpose.keep_days is not None and table.name in self.kept.acts:
            day = self.day() - timedelta(days=purpose.keep_days)
            if self._oldest(table.name) < _micros(day):
                found.append(f"coalesce({name('occurred_at')} >= {_moment(day)}, TRUE)")
        return found

    def word(self, tables: Iterable[Table], purpose: Purpose) -> str:
        """Changes when rows of these tables grow too old: part of a step's run key."""
        return " ".join(c for table in tables for c in self.conditions(table, purpose))

    def _oldest(self, table: str, source: str | None = None) -> int:
        if source is not None:
            return int(self.state.get(OLDEST, f"{table}/{source}", EVER))
        times = [int(at) for place, at in self.state.items(OLDEST).items() if place.startswith(f"{table}/")]
        return min(times, default=EVER)


def old(source: str, day: date) -> str:
    """The condition that a row of a source is older than a day."""
    return f"coalesce({name('source')} = {literal(source)} AND {name('occurred_at')} < {_moment(day)}, FALSE)"


def oldest(table: str, source: str, micros: int | None, state: State) -> list[tuple[str, str, int]]:
    """The facts (space, name, value) that a batch leaves whose oldest row is of this time (microseconds since 1970; None:
    no row has a time): none where older rows are known of."""
    place, found = f"{table}/{source}", NEVER if micros is None else micros
    known = state.get(OLDEST, place)
    return [(OLDEST, place, found)] if known is None or found < int(known) else []


def oldest_again(table: str, micros: Mapping[str, int | None], state: State) -> None:
    """Notes anew, by source, which row is the oldest, after older ones went; a source without a row has none."""
    places = [place.partition("/")[2] for place in state.items(OLDEST) if place.startswith(f"{table}/")]
    found = {f"{table}/{source}": micros.get(source) for source in places}
    state.put_many(OLDEST, {place: NEVER if at is None else at for place, at in found.items()})


def _micros(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def _moment(day: date) -> str:
    return f"TIMESTAMPTZ {literal(f'{day.isoformat()} 00:00:00+00')}"
