"""A clock that is set forth and back, by an hour and by a day, while events come, turns run and the door is killed."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from test_policy import NOW, Doors, track

from tessera.doors.limits import Meter, Rate
from tessera.doors.tracked import Tracked
from tessera.lake.engine import rows

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def reopened(doors: Doors, clock: list[timedelta]) -> None:
    """The door of a new process, after the old one was killed; `clock` is how far the clock is off."""
    for journal in doors.tracked._journals.values():
        journal._held.close()  # what the system does with the lock of a process that is no more
    doors.tracked = Tracked(lambda: NOW + clock[0])
    doors.settings(dedupeHours=24)


@pytest.mark.parametrize(
    "jumps",
    [
        (DAY, -DAY, -HOUR),
        pytest.param((-DAY, DAY, -HOUR, HOUR), marks=pytest.mark.heavy),
        pytest.param((DAY, DAY, -2 * DAY, -DAY, 25 * HOUR), marks=pytest.mark.heavy),
    ],
    ids=["forth", "back", "far"],
)
def test_what_was_acknowledged_lands_once_and_its_doubles_are_known_however_the_clock_is_set(
    tmp_path: Path, jumps: tuple[timedelta, ...]
) -> None:
    doors, clock, sent, doubles = Doors(tmp_path / "w"), [timedelta(0)], list[str](), 0
    reopened(doors, clock)
    for number, jump in enumerate(jumps):
        for moment in ("before", "after"):
            fresh = [f"{number}-{moment}-{n}" for n in range(3)]
            assert doors.post(*map(track, [*fresh, *sent[-6:], *fresh])) == 200
            doubles += 3 + len(sent[-6:])
            sent += fresh
            if moment == "before":
                clock[0] += jump
                doors.tiny.day = NOW + clock[0]
        assert doors.source.policy.counts["doubles"] == doubles, "one process knows all of its window"
        if number % 2:
            doors.tracked.roll()
            with doors.tiny.open() as app:
                app.turn()
        else:
            reopened(doors, clock)
            doubles = 0
    reopened(doors, clock)
    assert doors.post(*map(track, sent[-6:])) == 200
    # A door that starts with a clock further ahead than its window takes old ids for forgotten; landing knows them.
    assert doors.source.policy.counts["doubles"] == (6 if max(jumps) <= DAY else 3)
    doors.tracked.roll()
    with doors.tiny.open() as app:
        app.turn()
        found = Counter(str(m) for (m,) in rows(app.con, f"SELECT message_id FROM {app.lake.relation('events')}"))
    doors.tracked.close()
    assert found == Counter(sent)


def test_limits_go_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    meter = Meter(Rate(burst=1, every_s=60))
    assert meter.take("a") == 0.0
    for wrong in (-86_400, 3_600, 86_400):
        monkeypatch.setattr(time, "time", lambda wrong=wrong: 1_700_000_000 + wrong)
        assert 0 < meter.take("a") <= 60
