"""Alarms do not flap: a law on how often they switch, whatever the risk does."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tessera.insight.upkeep.alarms import LEAST_DAYS, OFF, ON, after, first

risks = st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), min_size=1, max_size=60)


@given(risks)
def test_two_switches_are_at_least_so_many_days_apart(risk: list[float]) -> None:
    state, switched = first(np.array(risk[:1]), 0), [0.0]
    for day, value in enumerate(risk[1:], 1):
        new = after(state, np.array([value]), day)
        if new.on[0] != state.on[0]:
            assert new.since[0] == day
            switched.append(day)
        state = new
    assert all(b - a >= LEAST_DAYS for a, b in pairwise(switched))
    assert len(switched) - 1 <= (len(risk) - 1) / LEAST_DAYS


def test_an_alarm_begins_and_ends_when_the_risk_stays() -> None:
    state, seen = first(np.array([0.1]), 0), []
    for day, risk in enumerate([ON, 0.9, 0.9, 0.9, 0.4, OFF, 0.3, OFF, 0.1, 0.1, 0.1], 1):
        state = after(state, np.array([risk]), day)
        seen.append(bool(state.on[0]))
    assert seen == [False, False, False, True, True, True, True, True, True, True, False]


def test_what_is_seen_for_the_first_time_waits_for_nothing_and_what_is_not_known_raises_nothing() -> None:
    assert first(np.array([0.9, 0.1, np.nan]), 5).on.tolist() == [True, False, False]
