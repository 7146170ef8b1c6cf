"""What the pages of insight share: today, the words of segments, whose data is in a figure, and through which lens it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from tessera.app import App
from tessera.doors import auth
from tessera.doors.pages.room import Room
from tessera.doors.pages.tongue import Tongue
from tessera.errors import BadInput, NotFound
from tessera.insight.cohorts import FEWEST
from tessera.insight.segments import names

K = FEWEST
"""Groups of fewer people are not shown."""


def today(app: App) -> date:
    """The day at which times become ages, as the turns have it."""
    return app.config.day(app.clock())


def day(text: str, otherwise: date) -> date:
    """A day of an address; empty for another one. Raises BadInput."""
    if not text:
        return otherwise
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput("A day is written as 2026-11-20.") from None


def before(room: Room, days: int = 30) -> date:
    """So many days before today."""
    return today(room.app) - timedelta(days=days)


def label(app: App, segment: str, tongue: Tongue) -> str:
    """What a segment is called: of a rule its own words, of a learned one those of its name."""
    for rule in app.config.segments.rules:
        if rule.name == segment:
            return tongue.pick({"en": rule.en, "zh": rule.zh})
    try:
        return names.label(segment, tongue.language)
    except KeyError:
        return segment


def also_for(room: Room, purpose: str, table: str) -> Room | None:
    """The same viewer in the same role, asking for another purpose; None where her role does not see the table for it."""
    if purpose not in room.app.config.purposes or not room.has(table):
        return None
    try:
        reader = auth.reader(room.app, room.caller, "tables", room.lens.role, purpose)
    except NotFound:
        return None
    found = replace(room, reader=reader)
    return found if found.sees(table, "person_id") else None


def elsewhere(room: Room, *needed: tuple[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Other lenses of hers (role, purpose) that see all of these columns, if this one does not; the nearest first. needed:
    table and columns."""
    if all(room.sees(table, *columns) for table, columns in needed):
        return []
    found = []
    for role, purposes in room.lens.choices.items():
        for purpose in purposes:
            other = replace(room, reader=replace(room.reader, role=role, purpose=room.app.config.purposes[purpose]))
            if all(other.sees(table, *columns) for table, columns in needed):
                found.append((role, purpose))
    found.sort(key=lambda lens: (lens[0] != room.lens.role, lens[1] != room.lens.purpose))
    return found[:2]


def share_shown(room: Room, table: str, shown: int) -> dict[str, Any]:
    """How much of a raw table a figure stands on: rows shown, rows there are (by the log's count; none of them is read)."""
    total = room.app.lake.rows(table)
    return {"shown": shown, "total": total, "share": shown / total if total else None}


def used_in(app: App, segment: str) -> list[str]:
    """The decision points whose rules name a learned segment."""
    return [
        point.name for point in app.config.decisions
        if any(_names(text, segment) for text in (*point.context, *(c.when for c in point.candidates if c.when)))
    ]  # fmt: skip


def _names(text: str, segment: str) -> bool:
    return "segment" in text and (f"'{segment}'" in text or f'"{segment}"' in text)


def chosen(value: str, among: Mapping[str, Any] | Sequence[str], what: str) -> str:
    """A word of an address, if it is one of ours. Raises NotFound."""
    if value not in among:
        raise NotFound(what, value, list(among))
    return value
