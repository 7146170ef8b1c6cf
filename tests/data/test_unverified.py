"""An e-mail or phone joins records only where it is verified: `joinsIf` and `joins: false`, from the row to the person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from given_tiny import EVENTS, Tiny, contract
from tessera.app import App
from tessera.lake.engine import rows

CRM = {
    "id": {"required": True, "primaryKey": True, "identifier": "user_id"},
    "mail": {"identifier": "email", "mapsTo": "email", "joinsIf": "verified"},
    "phone": {"identifier": "phone", "mapsTo": "phone", "joinsIf": "verified"},
    "updated": {"logicalType": "timestamp", "mapsTo": "occurred_at"},
    "verified": {"logicalType": "boolean", "category": "system.operations"},
}
WEB = EVENTS | {
    "mail": {"identifier": "email", "joinsIf": "verified"},
    "verified": {"logicalType": "boolean", "category": "system.operations"},
}
HEADS = {"crm": ("person", CRM), "web": ("event", WEB)}
AT = "2026-02-01T10:00:00Z"


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    tiny = Tiny(tmp_path / "w", caps="{email: 3, phone: 3, device_id: 3, anonymous_id: 3}")
    for file in (tiny.root / "sources").glob("*.odcs.yaml"):
        file.unlink()
    for source, (record, fields) in HEADS.items():
        declare(tiny, source, record, fields)
    return tiny


def declare(tiny: Tiny, source: str, record: str, fields: dict[str, Any]) -> None:
    (tiny.root / "in" / source).mkdir(exist_ok=True)
    head = {"path": f"in/{source}/*.jsonl", "format": "json", "record": record, "sync": "append", "rank": "1"}
    tiny.write(source, contract(source, fields, **head))


def put(tiny: Tiny, source: str, *made: dict[str, Any]) -> None:
    stamp = {"crm": {"updated": AT}, "web": {"at": AT, "type": "page"}}[source]
    text = "".join(json.dumps(stamp | ({"id": f"m{i}"} if source == "web" else {}) | row) + "\n" for i, row in enumerate(made))
    tiny.put(source, text.encode(), "jsonl")


def key(app: App, kind: str, value: str) -> int:
    return int(app.vault.resolve(kind, [value], mint=False)[0])


def owners(app: App, table: str) -> list[int]:
    return sorted(r[0] for r in rows(app.con, f"SELECT key_id FROM {app.lake.relation(table)}"))


def sealed(app: App, table: str) -> list[dict[str, Any]]:
    ids = [r[0] for r in rows(app.con, f"SELECT record_id FROM {app.lake.relation(table)} WHERE record_id IS NOT NULL")]
    return [json.loads(blob) for blob in app.vault.unseal(ids).values()]


def test_an_unverified_e_mail_is_kept_and_links_nothing(tiny: Tiny) -> None:
    put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "phone": "+4411111111", "verified": "no"})
    with tiny.open() as app:
        app.sync(["crm"])
        assert app.lake.rows("links") == 0
        [record] = rows(app.con, f"SELECT key_id, email_key, phone_key FROM {app.lake.relation('records')}")
        assert record == (key(app, "user_id", "u1"), key(app, "email", "a@x.org"), key(app, "phone", "+4411111111"))
        assert [(s["email"], s["phone"]) for s in sealed(app, "records")] == [("a@x.org", "+4411111111")]


@pytest.mark.parametrize("told", ["no", "", None, "0"])
def test_whatever_is_not_true_is_not_verified(tiny: Tiny, told: str | None) -> None:
    put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "verified": told}, {"id": "u2", "mail": "a@x.org"})
    with tiny.open() as app:
        app.sync(["crm"])
        assert app.lake.rows("links") == 0


def test_it_links_once_a_later_row_says_that_it_is_verified(tiny: Tiny) -> None:
    put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "verified": "no"}, {"id": "u2", "mail": "a@x.org", "verified": "yes"})
    with tiny.open() as app:
        app.sync(["crm"])
        app.turn(sync=False)
        [second] = app.people.find("u2")
        assert app.people.find("a@x.org") == [second] != app.people.find("u1")
        assert app.people.stated("a@x.org") == app.people.find("u1")
        put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "verified": True})
        app.sync(["crm"])
        app.turn(sync=False)
        assert app.people.find("u1") == app.people.find("u2") == app.people.find("a@x.org")
        assert app.people.stated("a@x.org") == []


def test_an_e_mail_that_somebody_typed_does_not_take_the_row_from_her_cookie(tiny: Tiny) -> None:
    put(
        tiny,
        "web",
        {"cookie": "k1", "mail": "a@x.org", "marketing": "yes"},
        {"cookie": "k2", "mail": "b@x.org", "verified": True},
    )
    with tiny.open() as app:
        app.sync(["web"])
        assert owners(app, "events") == sorted([key(app, "anonymous_id", "k1"), key(app, "email", "b@x.org")])
        assert owners(app, "consents") == [key(app, "anonymous_id", "k1")]
        [(a, b)] = rows(app.con, f"SELECT key_a, key_b FROM {app.lake.relation('links')}")
        assert (a, b) == (key(app, "email", "b@x.org"), key(app, "anonymous_id", "k2"))
        assert [s["mail"] for s in sealed(app, "events") if s.get("mail")] == ["a@x.org"]
        assert key(app, "email", "a@x.org") == 0, "a number that no table has is one that no erasure finds"


def test_where_a_row_has_nothing_else_its_unverified_e_mail_says_whose_it_is(tiny: Tiny) -> None:
    put(tiny, "web", {"mail": "a@x.org"}, {"mail": "a@x.org", "cookie": "k1"})
    with tiny.open() as app:
        app.sync(["web"])
        assert owners(app, "events") == sorted([key(app, "email", "a@x.org"), key(app, "anonymous_id", "k1")])
        assert app.lake.rows("links") == 0


def test_an_identifier_that_never_joins_is_treated_so_in_every_row(tiny: Tiny) -> None:
    declare(tiny, "web", "event", WEB | {"mail": {"identifier": "email", "joins": False}})
    put(tiny, "web", {"mail": "a@x.org", "cookie": "k1", "verified": True})
    with tiny.open() as app:
        app.sync(["web"])
        assert owners(app, "events") == [key(app, "anonymous_id", "k1")]
        assert app.lake.rows("links") == 0 and key(app, "email", "a@x.org") == 0


def test_of_two_e_mails_in_a_row_the_verified_one_joins(tiny: Tiny) -> None:
    work = {"work": {"identifier": "email", "joinsIf": "proven"}}
    fields = CRM | {"mail": {"identifier": "email", "joinsIf": "verified"}} | work
    declare(tiny, "crm", "person", fields | {"proven": {"logicalType": "boolean", "category": "system.operations"}})
    put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "work": "b@x.org", "proven": True})
    with tiny.open() as app:
        app.sync(["crm"])
        [(a, b)] = rows(app.con, f"SELECT key_a, key_b FROM {app.lake.relation('links')}")
        assert (a, b) == (key(app, "user_id", "u1"), key(app, "email", "b@x.org"))
        assert "a@x.org" in json.dumps(sealed(app, "records"))


def test_an_unverified_e_mail_of_an_erased_person_keeps_the_row_out(tiny: Tiny) -> None:
    put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "verified": True})
    with tiny.open() as app:
        app.sync(["crm"])
        app.turn(sync=False)
        app.erase(app.people.find("u1"), sweep=True)
        put(tiny, "web", {"mail": "a@x.org", "cookie": "k1"})
        assert app.sync(["web"])["web"].suppressed == 1
        assert app.lake.rows("events") == 0


def test_a_broken_row_with_an_unverified_e_mail_is_found_by_an_erasure(tiny: Tiny) -> None:
    put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "verified": True})
    put(tiny, "web", {"mail": "a@x.org", "cookie": "k1", "at": "yesterday"})
    with tiny.open() as app:
        app.sync(["crm", "web"])
        app.turn(sync=False)
        assert app.lake.rows("quarantine") == 1
        app.erase(app.people.find("u1"), sweep=True)
        assert app.lake.rows("quarantine") == 0


def test_a_leak_of_an_unverified_e_mail_is_sealed_as_any(tiny: Tiny) -> None:
    put(tiny, "web", {"mail": "a@x.org", "cookie": "k1", "event": "typed a@x.org"})
    with tiny.open() as app:
        app.sync(["web"])
        assert rows(app.con, f"SELECT event FROM {app.lake.relation('events')}") == [(None,)]


def test_find_names_the_record_that_states_it_beside_the_person_who_has_it(tiny: Tiny) -> None:
    put(tiny, "crm", {"id": "u1", "mail": "a@x.org", "verified": "no"})
    with tiny.open() as app:
        app.sync(["crm"])
        app.turn(sync=False)
        assert app.people.stated("A@x.org") == app.people.find("u1")
        [person] = app.people.find("u1")
        assert [(e.act, e.rows, [t for t, _ in e.tables]) for e in app.people.uses_of(person, 2)] == [
            ("find", 1, ["membership"]),
            ("find", 1, ["membership"]),
        ]
        assert app.people.stated("A@x.org") == [person]
        assert [t for t, _ in app.people.uses_of(person, 1)[0].tables] == ["records", "membership"]
        assert app.people.stated("nobody@x.org") == []
