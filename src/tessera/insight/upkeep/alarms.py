"""Risks, day by day -> alarms that do not flap: two thresholds with a gap between, and a least time in either state.

An alarm begins when the risk has been at ON or above for LEAST_DAYS, and ends when it has been at OFF or below for as long. So
two switches of a device are at least LEAST_DAYS apart, whatever its risk does. What is seen for the first time waits for
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ON, OFF = 0.5, 0.25
LEAST_DAYS = 3


@dataclass(frozen=True, kw_only=True)
class Alarms:
    """The state of many devices, one place each. on: whether its alarm holds. since: the day of its last switch (the first day,
    of one that never switched). turning: the day since when its risk asks for the other state; NaN if it does not. Days are
    numbers, from any first day."""

    on: Bools
    since: Numbers
    turning: Numbers


def first(risk: Numbers, day: float) -> Alarms:
    """The state of devices that were never seen before; a risk that is not known raises no alarm."""
    return Alarms(on=np.nan_to_num(risk) >= ON, since=np.full(len(risk), day), turning=np.full(len(risk), np.nan))


def after(was: Alarms, risk: Numbers, day: float) -> Alarms:
    """The state on a later day. A risk that is not known asks for nothing."""
    with np.errstate(invalid="ignore"):
        asks = np.where(was.on, risk <= OFF, risk >= ON)
    turning = np.where(asks, np.where(np.isnan(was.turning), day, was.turning), np.nan)
    with np.errstate(invalid="ignore"):
        switches = day - turning >= LEAST_DAYS
    return Alarms(on=was.on ^ switches, since=np.where(switches, day, was.since), turning=np.where(switches, np.nan, turning))
