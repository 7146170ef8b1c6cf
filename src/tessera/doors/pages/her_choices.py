"""Her choices: each purpose with what it is, whether it may use her data now, until when, and what that means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tessera import receipt
from tessera.config import Purpose
from tessera.copy_words import BASES
from tessera.desk import INTERESTS, MARKETING
from tessera.doors.pages import her_sayings
from tessera.doors.pages.her_visit import HerRoom
from tessera.doors.pages.tongue import Tongue
from tessera.errors import BadInput
from tessera.trust.requests import Request


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One purpose. switch: whether she can choose. state: given, refused, withdrawn, expired, or none. until, once: how her yes
    ends. objects: whether she may object. stopped: by her own request (objection or restriction)."""

    name: str
    short: str
    sentence: str
    switch: bool
    on: bool
    state: str
    since: str
    until: str
    once: bool
    basis: str
    objects: bool
    stopped: bool
    recipients: tuple[str, ...]
    keep_days: int | None


def choices(room: HerRoom) -> list[Choice]:
    """Every purpose of the workspace: those that need none of hers first, then those that she chooses."""
    config, known = room.app.config, room.known
    ends = room.app.permits.endings(set(room.her.subject.keys)) if room.her.subject else {}
    made = receipt.receipt(config, room.person, known.said, ends, room.now.astimezone(UTC))
    records = {r["processing"]["purpose"]: r for r in made["records"]}
    found = [_choice(room, p, records[p.name]) for p in config.purposes.values()]
    return sorted(found, key=lambda c: c.switch)


def _choice(room: HerRoom, purpose: Purpose, record: Mapping[str, Any]) -> Choice:
    on = room.known.open_[purpose.name]
    return Choice(
        name=purpose.name, short=her_sayings.short(room.app.config, purpose.name, room.tongue),
        sentence=room.tongue.pick(purpose.sentence), switch=purpose.needs_consent, on=on,
        state=record["state"] or "", since=record["since"] or "", until=_last(record["until"]) if on else "",
        once=bool(record["one_use"]) and on, basis=BASES[room.tongue.language].get(purpose.basis, purpose.basis),
        objects=not purpose.needs_consent and objectable(purpose),
        stopped=not on and any(_stops(r, purpose) for r in room.requests), recipients=purpose.recipients,
        keep_days=purpose.keep_days,
    )  # fmt: skip


def _last(until: str | None) -> str:
    """The last moment of a yes: one until midnight is told as the day before."""
    return (datetime.fromisoformat(until) - timedelta(seconds=1)).isoformat() if until else ""


def objectable(purpose: Purpose) -> bool:
    """Whether the law knows an objection to it."""
    return purpose.basis in INTERESTS or purpose.data_use.startswith(MARKETING)


def _stops(request: Request, purpose: Purpose) -> bool:
    if request.status != "done" or request.outcome.get("lifted"):
        return False
    return (request.kind == "objection" and request.purpose == purpose.name) or (
        request.kind == "restriction" and purpose.name not in request.spared
    )


def ends_at(text: str, tongue: Tongue, now: datetime) -> datetime:
    """The end of a day that she chose, in the workspace's zone. Raises BadInput for what is no day to come."""
    try:
        day = date.fromisoformat(text)
        end = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(tongue.zone))
    except (ValueError, OverflowError):
        raise BadInput("A yes ends at a moment to come (until), or with its first use (once); give one of them.") from None
    if end <= now:
        raise BadInput("A yes ends at a moment to come (until), or with its first use (once); give one of them.")
    return end


def blocked_by_her(among: Sequence[Choice]) -> bool:
    """Whether each of these is closed because she said so; else some are because she never said yes."""
    return all(c.state in ("refused", "withdrawn", "expired") or c.stopped for c in among)
