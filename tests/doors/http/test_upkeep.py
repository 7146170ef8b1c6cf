"""doors.http.upkeep: what comes due while the server runs is done by itself, and a trouble ends nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from given_tiny import Tiny
from tessera.app import App
from tessera.doors.http.desk import Desk
from tessera.doors.http.upkeep import Upkeep
from tessera.errors import BrokenVault

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)


def soon(true: Callable[[], bool], wait_s: float = 20.0) -> bool:
    until = time.monotonic() + wait_s
    while not true() and time.monotonic() < until:
        time.sleep(0.02)
    return true()


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    made = Tiny(tmp_path / "w")
    made.events([{"id": f"m{u}", "type": "page", "user": u, "at": DAY.isoformat(), "analytics": "yes"} for u in ("ann", "bo")])
    made.day = DAY
    with made.open() as app:
        app.turn()
    return made


def test_a_sweep_and_the_end_of_a_consent_come_by_themselves_when_they_are_due(tiny: Tiny) -> None:
    desk = Desk(tiny.root, open_=tiny.open)
    try:
        with desk.app() as app:
            (ann,), (bo,) = app.people.find("ann"), app.people.find("bo")
            app.erase([ann])
            app.end_consent(bo, "analytics", DAY + timedelta(days=1))
            rows, due = app.lake.rows("events"), app.rights.due()
            assert due is not None

        def acts() -> set[str]:
            with desk.app() as app:
                return {e.act for e in app.ledger.entries()}

        with Upkeep(desk, every_s=0.05):
            time.sleep(0.3)
            assert not {"sweep", "burn"} & acts(), "nothing is due yet"
            tiny.day = due + timedelta(minutes=1)
            assert soon(lambda: {"sweep", "burn"} <= acts())
        with desk.app() as app:
            assert app.lake.rows("events") == rows - 1 and app.lake.rows("features") == 0
    finally:
        desk.close()


def test_a_trouble_is_told_once_and_the_next_look_goes_on(tiny: Tiny, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def upkeep(app: App) -> None:
        looks.append(1)
        raise BrokenVault("The vault does not work.")

    monkeypatch.setattr(App, "upkeep", upkeep)
    desk = Desk(tiny.root, open_=tiny.open)
    try:
        with Upkeep(desk, every_s=0.01):
            assert soon(lambda: len(looks) > 3)
    finally:
        desk.close()
    assert capsys.readouterr().err.count("The vault does not work.") == 1
