"""Which past midnights a model is learned at, and which later one it is judged at, so that no outcome is known too soon.

learn ... learn |<- horizon ->| judge |<- horizon ->| now
                              (learned outcomes are in)   (the judge's are)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

MOST = 8
"""Snapshots that are stacked: older ones tell of customers who were other."""
WARM_DAYS = 30
"""What must be known of a shop before its first snapshot, or every customer is new in it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """final: the midnights of the model that scores, the newest first. judge: the one that a model of `learn` is judged at;
    None where the history is too short for that, and other people at the same midnight have to do."""

    now: date
    horizon_days: int
    final: tuple[date, ...]
    learn: tuple[date, ...]
    judge: date | None

    @property
    def oldest(self) -> date:
        """The earliest midnight of all."""
        return min((*self.final, *self.learn))


def plan(first: date, now: date, horizon_days: int) -> Plan:
    """The snapshots for a history that begins on the day `first`, seen from the midnight that `now` begins with.

    They lie a sixth of the horizon apart (a week at least, a month at most), as neighbours tell nearly the same.

    >>> p = plan(date(2025, 1, 1), date(2025, 7, 1), 60)
    >>> p.final[0].isoformat(), p.judge.isoformat(), [d.isoformat() for d in p.learn]
    ('2025-05-02', '2025-05-02', ['2025-03-03', '2025-02-21', '2025-02-11', '2025-02-01'])
    """
    every, oldest = min(max(horizon_days // 6, 7), 30), first + timedelta(days=WARM_DAYS)

    def back_from(newest: date) -> tuple[date, ...]:
        found = (newest - timedelta(days=every * i) for i in range(MOST))
        return tuple(d for d in found if d >= oldest)

    final = back_from(now - timedelta(days=horizon_days))
    judge = final[0] if final else None
    learn = back_from(judge - timedelta(days=horizon_days)) if judge else ()
    return Plan(now=now, horizon_days=horizon_days, final=final, learn=learn, judge=judge if learn else None)
