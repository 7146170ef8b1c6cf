"""landing_consents.py: which answers of a chunk are noted, and on whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from given_tiny import Tiny, contract
from tessera.app import App
from tessera.lake.engine import rows

DESK = {
    "ticket": {"required": True, "primaryKey": True, "category": "system.operations"},
    "id": {"identifier": "user_id"},
    "mail": {"identifier": "email", "mapsTo": "email"},
    "stars": {"logicalType": "integer", "category": "system.operations"},
    "at": {"logicalType": "timestamp", "mapsTo": "occurred_at"},
    "marketing": {"consent": "marketing"},
}


def desk(tiny: Tiny, *made: dict[str, Any]) -> None:
    """One file of tickets, which change."""
    if not (tiny.root / "in" / "desk").exists():
        (tiny.root / "in" / "desk").mkdir()
        head = {"path": "in/desk/*.jsonl", "format": "json", "record": "person", "sync": "append", "rank": "1"}
        tiny.write("desk", contract("desk", DESK, **head))
    tiny.put("desk", "".join(json.dumps({"ticket": "t1", **row}) + "\n" for row in made).encode(), "jsonl")


def noted(app: App, *values: tuple[str, str]) -> list[tuple[Any, ...]]:
    """(whose, state, minute, whether something is sealed of the row), in the order of time."""
    whose = {int(app.vault.resolve(kind, [v], mint=False)[0]): v for kind, v in values}
    found = rows(
        app.con,
        f"""SELECT key_id, state, extract(minute FROM occurred_at), record_id IS NOT NULL
            FROM {app.lake.relation("consents")} ORDER BY occurred_at, state""",
    )
    return [(whose.get(key, key), *rest) for key, *rest in found]


def at(minute: int) -> str:
    return f"2026-02-01T10:{minute:02}:00Z"


U1, A, B = ("user_id", "u1"), ("email", "a@x.org"), ("email", "b@x.org")


def test_versions_that_one_file_replaces_answer_too_and_point_to_no_sealed_record(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    desk(
        tiny,
        {"id": "u1", "mail": "a@x.org", "at": at(1), "marketing": "no"},
        {"id": "u1", "mail": "a@x.org", "at": at(3), "marketing": "yes"},
        {"id": "u1", "mail": "a@x.org", "at": at(2), "marketing": "withdrawn"},
        {"id": "u1", "mail": "a@x.org", "at": at(0)},
    )
    with tiny.open() as app:
        assert app.sync(["desk"])["desk"].kept == 1
        assert noted(app, U1) == [("u1", "refused", 1, False), ("u1", "withdrawn", 2, False), ("u1", "given", 3, True)]


def test_versions_that_broke_their_contract_or_have_no_time_answer_nothing(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    desk(
        tiny,
        {"id": "u1", "at": at(1), "marketing": "no", "stars": "many"},
        {"id": "u1", "marketing": "withdrawn"},
        {"id": "u1", "at": at(3), "marketing": "yes"},
    )
    with tiny.open() as app:
        app.sync(["desk"])
        assert noted(app, U1) == [("u1", "given", 3, False)]


def test_a_replaced_version_gives_a_number_to_whom_it_answers_for_and_to_nobody_else(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    desk(
        tiny,
        {"id": "u1", "mail": "a@x.org", "at": at(1), "marketing": "no"},
        {"mail": "b@x.org", "at": at(2), "marketing": "no"},
        {"id": "u1", "at": at(3), "marketing": "yes"},
    )
    with tiny.open() as app:
        app.sync(["desk"])
        said = [("u1", "refused", 1, False), ("b@x.org", "refused", 2, False), ("u1", "given", 3, False)]
        assert noted(app, U1, B) == said
        assert app.vault.resolve("email", ["a@x.org"], mint=False).tolist() == [0]


def test_a_replaced_version_that_names_an_erased_person_answers_nothing(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    tiny.events([{"id": "m1", "type": "page", "mail": "a@x.org", "cookie": "k1", "at": at(0)}])
    with tiny.open() as app:
        app.sync(["events"])
        app.turn(sync=False)
        app.erase(app.people.find("a@x.org"), sweep=True)
    desk(
        tiny,
        {"id": "u1", "mail": "a@x.org", "at": at(1), "marketing": "no"},
        {"id": "u1", "mail": "b@x.org", "at": at(2), "marketing": "yes"},
    )
    with tiny.open() as app:
        app.sync(["desk"])
        assert noted(app, U1) == [("u1", "given", 2, True)]


def test_an_erasure_takes_the_answers_of_replaced_versions_with_it(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    desk(
        tiny,
        {"id": "u1", "mail": "a@x.org", "at": at(1), "marketing": "no"},
        {"id": "u1", "mail": "a@x.org", "at": at(2), "marketing": "yes"},
    )
    with tiny.open() as app:
        app.sync(["desk"])
        app.turn(sync=False)
        app.erase(app.people.find("u1"), sweep=True)
        assert noted(app) == []


def test_the_page_of_a_person_shows_since_when_she_answers_as_the_mask_says(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    tiny.events([{"id": "m1", "type": "page", "user": "u1", "cookie": "k1", "at": at(2), "marketing": "withdrawn"}])
    desk(
        tiny,
        {"id": "u1", "mail": "a@x.org", "at": at(1), "marketing": "yes"},
        {"id": "u1", "mail": "b@x.org", "at": at(3), "marketing": "yes"},
    )
    with tiny.open() as app:
        app.sync(["desk", "events"])
        app.turn(sync=False)
        [person] = app.people.find("u1")
        shown = app.people.portrait(person, purpose="operate", role="officer").consents
        assert [(c["purpose"], c["state"], c["occurred_at"].minute) for c in shown] == [("marketing", "withdrawn", 2)]


def test_a_replayed_row_that_was_sent_anew_since_still_answers(tmp_path: Path) -> None:
    """Else the CRM's later yes would be its first, and override what she withdrew between."""
    tiny = Tiny(tmp_path / "w")
    tiny.events([{"id": "m1", "type": "page", "user": "u1", "cookie": "k1", "at": at(2), "marketing": "withdrawn"}])
    desk(tiny, {"id": "u1", "at": at(1), "marketing": "yes", "stars": "many"})
    with tiny.open() as app:
        app.sync(["desk", "events"])
        desk(tiny, {"id": "u1", "at": at(3), "marketing": "yes", "stars": "5"})
        app.sync(["desk"])
        assert noted(app, U1) == [("u1", "withdrawn", 2, False), ("u1", "given", 3, False)]
    text = (tiny.root / "sources" / "desk.odcs.yaml").read_text()
    tiny.write("desk", text.replace('"logicalType": "integer"', '"logicalType": "string"'))
    with tiny.open() as app:
        done = app.quarantine.replay()
        assert done.older == 1 and app.lake.rows("records") == 1
        assert noted(app, U1) == [("u1", "given", 1, False), ("u1", "withdrawn", 2, False), ("u1", "given", 3, False)]
        assert app.quarantine.listed() == []
        app.turn(sync=False)
        assert {m for (m,) in rows(app.con, f"SELECT mask FROM {app.lake.relation('mask')}")} == {0}
