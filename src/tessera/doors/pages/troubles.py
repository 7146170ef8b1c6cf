"""What needs somebody now: sources, quality, requests, the ledger, keys; each a sentence, and the page where it is seen to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Literal

from tessera.doors.pages.room import Room
from tessera.doors.pages.tongue import N_

SOON_DAYS = 5


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """tone: terra where it is late or broken, gold where it will be. sentence: with its facts in places. to: where it is seen
    to."""

    tone: Literal["terra", "gold"]
    icon: str
    sentence: str
    to: str
    facts: dict[str, Any] = field(default_factory=dict)


def found(room: Room, standing: Sequence[Mapping[str, Any]]) -> list[Trouble]:
    """What a viewer's role may see to, the worst first. Counts and names of ours; asks for nobody's data. standing: how each
    department's data stands (`App.quality`)."""
    told = [*_governed(room), *_operated(room), *_quality(room, standing)]
    return sorted(told, key=lambda t: t.tone != "terra")


def _governed(room: Room) -> Iterator[Trouble]:
    app = room.app
    if room.may("ledger") and app.ledger.fault:
        yield Trouble(
            tone="terra", icon="shield", to="/status",
            sentence=N_("The ledger contradicts its signed heads: nothing is entered."),
        )  # fmt: skip
    if room.may("requests"):
        today = room.now.astimezone(UTC).date()
        left = [r.days_left(today) for r in app.requests.all() if r.open]
        if late := sum(d < 0 for d in left):
            yield Trouble(
                tone="terra", icon="inbox", sentence=N_("{n} requests of customers are late."), to="/requests",
                facts={"n": late},
            )  # fmt: skip
        if soon := sum(0 <= d <= SOON_DAYS for d in left):
            yield Trouble(
                tone="gold", icon="inbox", sentence=N_("{n} requests of customers are due within five days."), to="/requests",
                facts={"n": soon},
            )  # fmt: skip
    if room.may("approve") and app.standing.waiting:
        yield Trouble(
            tone="gold", icon="key-round", sentence=N_("A change of who may see what waits for approval."), to="/access"
        )


def _operated(room: Room) -> Iterator[Trouble]:
    app = room.app
    if not room.may("operate"):
        return
    synced = app.synced()
    for contract in app.config.sources:
        if synced.get(contract.name, {}).get("error"):
            yield Trouble(
                tone="terra", icon="plug", sentence=N_("The source {name} could not be read."), to=f"/sources/{contract.name}",
                facts={"name": contract.name},
            )  # fmt: skip
    if waiting := sum(app.quarantine.waiting().values()):
        yield Trouble(
            tone="gold", icon="triangle-alert", sentence=N_("{n} rows wait in quarantine for repair."), to="/quarantine",
            facts={"n": room.tongue.number(waiting)},
        )  # fmt: skip
    due = app.rights.due()
    if due is not None and due <= room.now:
        yield Trouble(
            tone="terra", icon="flame", sentence=N_("Erased rows are due to leave the disk: run a turn."), to="/status"
        )
    if app.state.get("keys", "shares") is None:
        yield Trouble(
            tone="gold", icon="key-round", sentence=N_("The master key has no recovery shares: if it is lost, all is."),
            to="/status",
        )  # fmt: skip


def _quality(room: Room, standing: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    for row in standing:
        if row["ok"] is False:
            yield Trouble(
                tone="gold", icon="scale", sentence=N_("The data of {name} is at {kpi}, under its goal of {goal}."),
                to="/quality", facts={
                    "name": row["department"], "kpi": room.tongue.percent(row["kpi_percent"] / 100, 1),
                    "goal": room.tongue.percent(row["goal_percent"] / 100),
                },
            )  # fmt: skip
        if room.may("operate"):
            for source in row["late"]:
                yield Trouble(
                    tone="terra", icon="timer", sentence=N_("The source {name} is late: its newest row is too old."),
                    to=f"/sources/{source}", facts={"name": source},
                )  # fmt: skip
