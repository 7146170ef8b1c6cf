"""What is set to disappear: rows by the terms of their sources, her own ends of consents, what waits for a sweep; what has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tessera.doors.pages import her_sayings
from tessera.doors.pages.her_choices import Choice
from tessera.doors.pages.her_visit import HerRoom
from tessera.flows import ORIGINS

MOST = 5


@dataclass(frozen=True, kw_only=True)
class Ending:
    """what: a kind of records of a source, or a consent. since: of records the day of the oldest. at: the day on which it goes.
    days: until then. share: of its whole time that has passed, 0 to 1."""

    what: str
    kind: str
    since: datetime | None
    at: date
    days: int
    share: float


def endings(room: HerRoom, choices: list[Choice]) -> list[Ending]:
    """The nearest first."""
    day, zone = room.app.ages.day(), ZoneInfo(room.tongue.zone)
    terms = room.app.ages.kept.sources
    oldest: dict[str, tuple[int, Ending]] = {}
    for held in room.known.held:
        days = terms.get(held.table, {}).get(held.source)
        if days is None or not held.rows or held.oldest is None:
            continue
        at = held.oldest.date() + timedelta(days=days + 1)
        left = max((at - day).days, 0)
        kind = next(o for o, tables in ORIGINS.items() if held.table in tables)
        name = her_sayings.table(held.table, room.tongue)
        found = Ending(what=name, kind=kind, since=held.oldest, at=at, days=left, share=1 - left / (days + 1))
        if held.table not in oldest or left < oldest[held.table][0]:
            oldest[held.table] = (left, found)
    made = [ending for _, ending in oldest.values()]
    today = room.now.astimezone(zone).date()
    for choice in choices:
        if choice.on and choice.until:
            ends, since = datetime.fromisoformat(choice.until).astimezone(zone).date(), date.fromisoformat(choice.since[:10])
            left, whole = max((ends - today).days, 0), max((ends - since).days, 1)
            share = max(0.0, 1 - left / whole)
            made.append(Ending(what=choice.short, kind="consent", since=None, at=ends, days=left, share=share))
    return sorted(made, key=lambda e: e.days)[:MOST]
