"""What is unusual in the ledger: an actor's day that is far from her other days. A rule that anybody can check by hand.

For each person or program (never the machine's own steps) and each day: how many uses, how many people the largest of them
held, how many were refused, and at which hours. A number is far from usual if it is above her median by more than SPREADS
times the median distance from it (MAD x 1.4826: the standard deviation where numbers are spread normally), above twice her
median, and above a floor below which nobody would look. Source: Leys et al. (2013), outliers by the median absolute deviation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median
from typing import Literal
from zoneinfo import ZoneInfo

from tessera.trust.tallies import Counted, Tally

Kind = Literal["uses", "people", "refused", "hours"]
SPREADS, SIGMA = 6.0, 1.4826
LEAST_DAYS = 7
"""Days of hers, beside the one that is looked at, without which nothing is said of her."""

FLOOR: dict[Kind, int] = {"uses": 30, "people": 50, "refused": 5, "hours": 5}
RARE, AROUND = 0.01, 1
"""An hour is not hers if less than this share of her uses on other days lies within so many hours of it."""


@dataclass(frozen=True, kw_only=True)
class Unusual:
    """One finding. value: what was counted that day; usual: her median on the other days; limit: above which it is told. hour:
    of the day, where it is about hours: usual is then the share of her other uses that lie around it, and limit the share under
    which it is told (both in 0..1). days: her other days."""

    actor: str
    day: date
    kind: Kind
    value: int
    usual: float
    limit: float
    days: int
    hour: int | None = None


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What was looked at: the findings, newest first; of how many actors there were days enough, and of how many not."""

    found: tuple[Unusual, ...]
    judged: int
    young: int


def limit(others: Sequence[int], floor: int) -> tuple[float, float]:
    """The median of her other days, and the number above which a day is told of.

    >>> limit([10, 12, 11, 9, 10, 13, 11], 5)
    (11, 22)
    """
    usual = median(others)
    spread = SIGMA * median(abs(n - usual) for n in others)
    return usual, max(usual + SPREADS * spread, 2 * usual, floor)


def look(counted: Counted, zone: str, machine: str) -> Looked:
    """Looks through counts of the ledger. zone: whose days and hours are meant. machine: the actor who is left out."""
    days: dict[str, dict[date, _Day]] = defaultdict(lambda: defaultdict(_Day))
    local = _Local(zone)
    for (hour, actor), tally in counted.by.items():
        if actor != machine:
            moment = local[hour]
            days[actor][moment.date()].add(tally, moment.hour)
    known = {actor: told for actor, told in days.items() if len(told) > LEAST_DAYS}
    found = [one for actor, told in known.items() for one in _of(actor, told)]
    found.sort(key=lambda one: (one.day, one.value), reverse=True)
    return Looked(found=tuple(found), judged=len(known), young=len(days) - len(known))


def by_day(counted: Counted, zone: str) -> dict[date, tuple[int, int]]:
    """By day of a zone, how many uses were allowed and how many refused; a day without one is left out."""
    local, found = _Local(zone), dict[date, tuple[int, int]]()
    for (hour, _), tally in counted.by.items():
        day = local[hour].date()
        allowed, refused = found.get(day, (0, 0))
        found[day] = (allowed + tally.uses - tally.refused, refused + tally.refused)
    return dict(sorted(found.items()))


class _Local(dict[str, datetime]):
    """An hour of the log -> the same in a zone; each reckoned once."""

    def __init__(self, zone: str) -> None:
        super().__init__()
        self._zone = ZoneInfo(zone)

    def __missing__(self, hour: str) -> datetime:
        self[hour] = found = datetime.fromisoformat(f"{hour}:00:00+00:00").astimezone(self._zone)
        return found


class _Day:
    """What one actor did on one day."""

    def __init__(self) -> None:
        self.counts: dict[Kind, int] = {"uses": 0, "people": 0, "refused": 0}
        self.hours = [0] * 24

    def add(self, tally: Tally, hour: int) -> None:
        self.counts["uses"] += tally.uses
        self.counts["refused"] += tally.refused
        self.counts["people"] = max(self.counts["people"], tally.people)
        self.hours[hour] += tally.uses


def _of(actor: str, told: dict[date, _Day]) -> Iterator[Unusual]:
    hours = [sum(day.hours[h] for day in told.values()) for h in range(24)]
    for day, counted in told.items():
        others = [d.counts for at, d in told.items() if at != day]
        for kind, value in counted.counts.items():
            if value > FLOOR[kind]:
                usual, most = limit([counts[kind] for counts in others], FLOOR[kind])
                if value > most:
                    yield Unusual(actor=actor, day=day, kind=kind, value=value, usual=usual, limit=most, days=len(others))
        if strange := _strange(counted.hours, hours):
            value, hour, share = strange
            yield Unusual(
                actor=actor, day=day, kind="hours", value=value, usual=share, limit=RARE, days=len(others), hour=hour
            )


def _strange(mine: Sequence[int], all_days: Sequence[int]) -> tuple[int, int, float] | None:
    """The hour of a day in which most was asked that is not hers by her other days, and the share of those around it."""
    other = [a - m for a, m in zip(all_days, mine, strict=True)]
    every, found = sum(other), []
    for hour, value in enumerate(mine):
        near = sum(other[(hour + n) % 24] for n in range(-AROUND, AROUND + 1))
        if value > FLOOR["hours"] and every and near / every < RARE:
            found.append((value, hour, near / every))
    return max(found, default=None)
