"""A no holds from the next read on, whatever the workspace's day is and whether a turn has come by."""

from __future__ import annotations

from pathlib import Path

import pytest

from given_tiny import Tiny
from tessera.app import App


def asked(app: App, table: str) -> int:
    [(many,)] = app.sql(f"SELECT count(*) FROM {table}", purpose="analytics").rows()
    return int(many)


def told(tiny: Tiny, number: int, answer: bool, at: str = "2026-02-01T10:00:00Z", user: str = "u1") -> None:
    tiny.events([{"id": f"m{number}", "type": "page", "user": user, "cookie": f"k-{user}", "at": at, "analytics": answer}])


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    made = Tiny(tmp_path / "w")
    told(made, 1, True)
    told(made, 2, True, user="u2")
    return made


def test_a_no_that_a_sync_lands_holds_for_the_very_next_read(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.turn()
        assert (asked(app, "profiles"), asked(app, "events")) == (2, 2)
        told(tiny, 3, False, "2026-02-02T10:00:00Z")
        app.sync(["events"])
        assert (asked(app, "profiles"), asked(app, "events")) == (1, 1)
        app.turn(sync=False)
        assert (asked(app, "profiles"), asked(app, "events")) == (1, 1)
        told(tiny, 4, True, "2026-02-03T10:00:00Z")
        app.turn()
        assert (asked(app, "profiles"), asked(app, "events")) == (2, 4)


def test_a_no_that_landed_before_a_kill_holds_when_the_workspace_is_opened_again(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.turn()
    with tiny.open() as app:
        told(tiny, 3, False, "2026-02-02T10:00:00Z")
        app.sync(["events"])
    with tiny.open() as app:
        assert (asked(app, "profiles"), asked(app, "events")) == (1, 1)


@pytest.mark.parametrize("day", ["2025-01-01", "2026-12-31"])
def test_the_day_of_the_workspace_moves_ages_and_no_permission(tiny: Tiny, day: str) -> None:
    settings = tiny.root / "tessera.yaml"
    settings.write_text(settings.read_text().replace("as_of: 2026-12-31", f"as_of: {day}"))
    with tiny.open() as app:
        app.turn()
        assert asked(app, "profiles") == 2
        told(tiny, 3, False, "2026-02-02T10:00:00Z")
        app.turn()
        assert (asked(app, "profiles"), asked(app, "events")) == (1, 1)


def test_a_no_of_a_clock_that_is_ahead_holds_at_once_and_a_yes_does_not(tiny: Tiny) -> None:
    with tiny.open() as app:
        app.turn()
        told(tiny, 3, False, "2030-01-01T00:00:00Z")
        told(tiny, 4, False, "2026-02-02T10:00:00Z", user="u2")
        told(tiny, 5, True, "2030-01-01T00:00:00Z", user="u2")
        app.turn()
        assert asked(app, "profiles") == 0
