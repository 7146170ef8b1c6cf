"""`tessera source tail`: events as they come, never more of them than the table would show, and each look an entry."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from given_tiny import DAY, EVENTS, Tiny, contract
from tessera.data.passing import Passing
from tessera.data.tracking import line_of
from tessera.doors.cli import main
from tessera.doors.http.desk import Desk
from tessera.doors.tail import MOST_LINES, Tails, Taps
from tessera.doors.tracked import Tracked
from tessera.errors import NotAllowed

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "source-tail.json"
FIELDS = {
    "messageId": EVENTS["id"], "type": EVENTS["type"], "event": EVENTS["event"], "userId": EVENTS["user"],
    "email": EVENTS["mail"], "timestamp": EVENTS["at"], "ip": EVENTS["ip"], "analytics": EVENTS["analytics"],
}  # fmt: skip


def line(user: str, **more: Any) -> bytes:
    event = {"type": "track", "event": "Viewed", "userId": user, "messageId": f"m-{user}", "timestamp": DAY.isoformat()}
    return line_of({**event, "email": f"{user}@example.org", "ip": "192.0.2.7", "unnamed": "secret", **more})


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A source at the door; its people ann, who agreed to analytics, bo, who did not, and cy, who was erased."""
    made = Tiny(tmp_path_factory.mktemp("tail") / "w")
    for other in ("crm", "orders"):
        (made.root / "sources" / f"{other}.odcs.yaml").unlink()
    text = contract("events", FIELDS, path="x", format="json", record="event", sync="append", rank="5")
    made.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))
    tracked = Tracked(made.clock)
    with made.open() as app:
        tracked.open(app)
        (door,) = tracked.collector.sources.values()
        journal = tracked._journals["events"]
        assert door.name == "events"
        journal.append([line("ann", analytics="yes"), line("bo", analytics="no"), line("cy", analytics="yes")])
        tracked.close()
        app.turn()
        app.erase(app.people.find("cy"))
    return made


@pytest.fixture
def tiny(landed: Tiny, tmp_path: Path) -> Tiny:
    return landed.copied(tmp_path / "w")


def seen(tiny: Tiny, role: str, purpose: str, *lines: bytes) -> tuple[list[dict[str, Any]], int]:
    with tiny.open() as app:
        found = Passing(app.config, app.contract("events"), app.reader(role, purpose)).shown(lines, app.vault, app.permits)
        return found.events, found.withheld


def test_whom_the_table_would_not_show_is_not_shown_in_passing(tiny: Tiny) -> None:
    lines = [line("ann"), line("bo"), line("cy"), line("new"), b"!{}"]
    events, withheld = seen(tiny, "owner", "operate", *lines)
    assert [e["messageId"] for e in events] == ["m-ann", "m-bo", "m-new"] and withheld == 1, "the erased is not"
    events, withheld = seen(tiny, "owner", "analytics", *lines)
    assert [e["messageId"] for e in events] == ["m-ann"] and withheld == 3, "no record means no"


def test_a_column_shows_by_the_verdict_of_its_category_and_what_is_unnamed_not_at_all(tiny: Tiny) -> None:
    access = tiny.root / "access.yaml"
    text = access.read_text("utf-8")
    at = text.index("\ngrants:\n") + len("\ngrants:\n")
    line_ = "  - {roles: [owner], purposes: [operate], categories: [user.contact.email], verdict: masked}\n"
    line_ += "  - {roles: [owner], purposes: [operate], categories: [user.device.ip_address], verdict: hidden}\n"
    access.write_text(text[:at] + line_ + text[at:], "utf-8")
    tiny._config = None
    (event,), _ = seen(tiny, "owner", "operate", line("ann", event="mail me: ann@example.org"))
    assert event["email"] == "a•••@•••" and "ip" not in event and "unnamed" not in event and "analytics" not in event
    assert event["event"] == "•••", "an identifier in a text that was declared harmless would be sealed"
    assert event["userId"] == "ann"


def test_a_role_whose_rows_are_cut_sees_nothing_in_passing(tiny: Tiny) -> None:
    access = tiny.root / "access.yaml"
    text = access.read_text("utf-8")
    assert "\nrows:" not in text
    access.write_text(text + "\nrows:\n  - {roles: [owner], tables: [events], column: type, values: [page]}\n", "utf-8")
    tiny._config = None
    with pytest.raises(NotAllowed, match="row rule"):
        seen(tiny, "owner", "operate", line("ann"))


@pytest.fixture
def passing(tiny: Tiny) -> Iterator[tuple[Tiny, Desk, Taps]]:
    """What `serve` runs for watchers."""
    taps = Taps()
    desk = Desk(tiny.root, open_=tiny.open)
    try:
        with Tails(desk, taps):
            yield tiny, desk, taps
    finally:
        desk.close()


def test_a_watcher_gets_each_event_as_it_comes_and_the_ledger_says_whom_it_held(
    passing: tuple[Tiny, Desk, Taps], capsys: Any
) -> None:
    tiny, desk, taps = passing
    assert (tiny.root / "var" / "tail.sock").stat().st_mode & 0o777 == 0o600

    def send() -> None:
        until = time.monotonic() + 20
        while not taps._taps.get("events") and time.monotonic() < until:
            time.sleep(0.01)
        taps.written("events", [line("cy"), line("ann"), line("bo")], 0.0)

    sender = threading.Thread(target=send)
    sender.start()
    words = ["-w", str(tiny.root), "source", "tail", "events", "--purpose", "operate", "--count", "2", "--json"]
    assert main(words) == 0
    sender.join()
    told = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert [e["messageId"] for e in told] == ["m-ann", "m-bo"]
    for one in told:
        jsonschema.validate(one, json.loads(SCHEMA.read_text("utf-8")))
    with desk.app() as app:
        (entry,) = [e for e in app.ledger.entries() if e.act == "tail"]
        assert entry.rows == 2 and entry.purpose == "operate" and entry.note == "live events of events"
        assert any(e.seq == entry.seq for e in app.people.uses_of(app.people.find("ann")[0], 100))


def test_whoever_may_not_watch_is_told_why_and_it_is_an_entry(passing: tuple[Tiny, Desk, Taps], capsys: Any) -> None:
    tiny, desk, _ = passing
    words = ["-w", str(tiny.root), "source", "tail"]
    assert main([*words, "events", "--purpose", "operate", "--role", "analyst"]) == 4
    assert main([*words, "nothing", "--purpose", "operate"]) == 3
    assert "No property of events is open to analyst" in capsys.readouterr().err
    with desk.app() as app:
        assert [e.verdict for e in app.ledger.entries() if e.act == "tail"] == ["refused"]


def test_without_a_server_it_says_so(tiny: Tiny, capsys: Any) -> None:
    assert main(["-w", str(tiny.root), "source", "tail", "events", "--purpose", "operate"]) == 2
    assert "tessera serve" in capsys.readouterr().err


def test_the_door_waits_for_no_watcher(tiny: Tiny) -> None:
    taps = Taps()
    with taps.tap("events") as tap:
        for _ in range(3):
            taps.written("events", [b"x"] * MOST_LINES, 0.0)
        assert tap.missed == 2 * MOST_LINES and len(tap.take()) == MOST_LINES
    taps.written("events", [b"x"], 0.0)
    assert tap.take() == []
