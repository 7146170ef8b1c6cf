"""What an erasure would do, before anybody does it: rows by table, what becomes of them, what a law makes us keep."""

from __future__ import annotations

from dataclasses import dataclass

from tessera.copies import Duty
from tessera.desk import Desk
from tessera.errors import BadInput
from tessera.trust.rights import Plan


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """plan: None where we hold nothing of whoever asks. duties: what is kept of her, in a compartment of its own. sweep_days:
    until when the last trace has left the disk, counted from the erasure."""

    plan: Plan | None
    duties: tuple[Duty, ...]
    sweep_days: int


def foresee(desk: Desk, number: int) -> Foreseen:
    """What running a request for erasure would touch. All her tables are read, and nothing of them is shown but counts.

    Raises NotFound for a request, BadInput for one that asks for something else or waits no more.
    """
    request = desk.get(number)
    if request.kind != "erasure" or not request.open:
        raise BadInput(f"Request {number} is no erasure that waits.")
    person, days = desk.whose(request), desk.rooms.config.sweep_days
    if person is None:
        return Foreseen(plan=None, duties=(), sweep_days=days)
    return Foreseen(plan=desk.rooms.rights.plan([person]), duties=desk.duties(person), sweep_days=days)
