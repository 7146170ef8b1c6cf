"""door.py: what the tracking door has accepted lands once, as if it had come in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from given_tiny import EVENTS, Tiny, contract
from tessera.app import App
from tessera.data.sources import door
from tessera.errors import BadSource, BadWorkspace
from tessera.lake.engine import rows
from tessera.lake.journal import Journal


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    made = Tiny(tmp_path / "w")
    at_the_door(made)
    return made


def at_the_door(tiny: Tiny, sync: str = "append") -> None:
    """Its events come to the door from now on."""
    text = contract("events", EVENTS, path="x", format="json", record="event", sync=sync, rank="5")
    tiny.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))


def event(number: int, user: str = "ann") -> dict[str, Any]:
    return {"id": f"m{number}", "type": "page", "user": user, "cookie": f"c-{user}", "at": "2026-02-01T10:00:00Z",
            "analytics": "yes"}  # fmt: skip


def opened(app: App) -> Journal:
    return door.journal(app.config.var, "events", app.state, app.secrets)


def accepted(app: App, events: Iterable[Mapping[str, Any]], block: int = 3) -> None:
    """As a door does: block by block, then it stops."""
    lines, journal = [json.dumps(e).encode() for e in events], opened(app)
    for at in range(0, len(lines), block):
        journal.append(lines[at : at + block])
    journal.close()


def landed(app: App) -> list[str]:
    return [str(m) for (m,) in rows(app.con, f"SELECT message_id FROM {app.lake.relation('events')} ORDER BY message_id")]


def test_what_was_accepted_lands_once_and_leaves_the_journal(tiny: Tiny) -> None:
    with tiny.open() as app:
        assert app.sync()["events"].rows == 0, "before the door was ever open"
        accepted(app, [event(n) for n in range(5)])
        accepted(app, [event(n) for n in range(4, 8)])
        done = app.sync()["events"]
        assert (done.rows, done.kept, done.doubles) == (9, 8, 1) and landed(app) == [f"m{n}" for n in range(8)]
        assert app.sync()["events"].rows == 0
        assert not list(door.folder_of(app.config.var, "events").glob("*.journal"))
        accepted(app, [event(8)])
    with tiny.open() as app:
        assert app.sync()["events"].kept == 1 and len(landed(app)) == 9


def test_it_makes_the_tables_that_a_file_of_the_same_events_makes(tiny: Tiny, tmp_path: Path) -> None:
    events = [event(n, user) for n, user in enumerate(("ann", "bo", "ann", "cleo"))] + [{"id": "m9", "type": "page"}]
    other = Tiny(tmp_path / "file")
    other.events(events)
    told = []
    for one in (tiny, other):
        with one.open() as app:
            if one is tiny:
                accepted(app, events)
            app.turn()
            shown = app.sql("SELECT keys, events, first_seen_at FROM profiles ORDER BY ALL", purpose="analytics").rows()
            refused = rows(app.con, f"SELECT reason, field FROM {app.lake.relation('quarantine')} ORDER BY ALL")
            told.append((landed(app), shown, refused))
    assert told[0] == told[1] and len(told[0][2]) == 1


def test_a_kill_between_commit_and_removal_lands_nothing_twice(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny.open() as app:
        accepted(app, [event(n) for n in range(3)])
        with monkeypatch.context() as patch:
            patch.setattr(door.Segments, "drop", lambda self, upto: None)
            assert app.sync()["events"].kept == 3
        assert door.segments(app.config.var, "events", app.secrets).waiting() == [1]
    with tiny.open() as app:
        assert app.sync()["events"].rows == 0 and len(landed(app)) == 3
        accepted(app, [event(3)])
        assert app.sync()["events"].kept == 1, "the number of the next segment is another"


def test_what_a_killed_door_left_under_way_lands_too(tiny: Tiny) -> None:
    with tiny.open() as app:
        journal = opened(app)
        journal.append([json.dumps(event(1)).encode()])
        assert app.sync()["events"].rows == 0, "the door is at work"
        journal._held.close()
        assert app.sync()["events"].kept == 1


def test_a_damaged_segment_is_told_and_what_lies_before_it_lands(tiny: Tiny) -> None:
    with tiny.open() as app:
        for number in range(3):
            accepted(app, [event(number)])
        _, second, _ = sorted(door.folder_of(app.config.var, "events").glob("*.journal"))
        data = bytearray(second.read_bytes())
        data[30] ^= 1
        second.write_bytes(bytes(data))
        no = app.sync(["events"])["events"]
        assert isinstance(no, BadSource)
        assert "segment 2" in str(no) and landed(app) == ["m0"]
        second.rename(second.with_suffix(".aside"))
        assert app.sync(["events"])["events"].kept == 1 and landed(app) == ["m0", "m2"]


def test_lines_that_are_no_json_are_kept_with_the_reason(tiny: Tiny) -> None:
    with tiny.open() as app:
        journal = opened(app)
        journal.append([b"{", b"\xff", json.dumps(event(1)).encode()])
        journal.close()
        done = app.sync()["events"]
        assert (done.kept, done.quarantined) == (1, 2)


def test_a_source_at_the_door_is_appended_to_and_check_says_what_waits(tiny: Tiny) -> None:
    with tiny.open() as app:
        accepted(app, [event(1)])
        (says,) = app.check("events")
        assert "in 1 closed segments" in says and "ann" not in says
    at_the_door(tiny, sync="snapshot")
    with pytest.raises(BadWorkspace, match="append"):
        tiny.open()
