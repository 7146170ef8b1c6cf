"""GET /v1/access/changes, POST /v1/access/approve: a second person at the door puts a change of access in force, at once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from given_served import Served, copied, served

from tessera.account import account
from tessera.app import App
from tessera.doors.drill.shop import ACCESS, PASSWORD, Shop
from tessera.trust.apikeys import ApiKeys

FOUR_EYES = (
    ACCESS.replace("@USER@", account())
    .replace("contact: the owner\n", "contact: the owner\nchanges: {people: 2, roles: [owner, officer]}\n")
    .replace("consents, ledger, explain]}", "consents, ledger, explain, approve]}")
    .replace("  - {roles: [sales], may: [sql, find, show]}", "  - {roles: [sales], may: [sql, find, show, approve]}")
    .replace('  - {name: "account:drill"', '  - {name: "key:two", roles: [owner, sales]}\n  - {name: "account:drill"')
)
"""The drill's matrix; what gives waits for two of owner and officer. Sales may use the function, and count for nothing."""
WIDER = FOUR_EYES.replace("[user.contact], verdict: masked", "[user.contact], verdict: clear")
EMAILS = {"question": "SELECT email FROM profiles", "purpose": "analytics"}


@pytest.fixture
def shop(drill_shop: Shop, tmp_path: Path) -> Shop:
    """With that matrix in force."""
    made = copied(drill_shop, tmp_path / "shop")
    write(made, FOUR_EYES)
    App(made.root).close()
    return made


def write(shop: Shop, text: str) -> None:
    (shop.root / "access.yaml").write_text(text, "utf-8")


def clear(up: Served) -> bool:
    """Whether the analyst sees the e-mails of those who agreed as they are."""
    told = up.ask("POST", "/v1/sql", EMAILS, role="analyst")
    assert told.status == 200 and told.json["rows"]
    seen = {row[0] for row in told.json["rows"]}
    agreed = {p.email for p in up.shop.people if p.analytics}
    assert seen == agreed or not seen & agreed
    return seen == agreed


def changes(up: Served) -> Any:
    told = up.ask("GET", "/v1/access/changes", role="officer")
    assert told.status == 200, told.body
    return told.json


def signed_in(up: Served) -> dict[str, str]:
    told = up.ask("POST", "/v1/session", {"account": "drill", "password": PASSWORD})
    assert told.status == 200
    return {"Cookie": told.headers["set-cookie"].partition(";")[0], "Origin": up.url}


def test_two_people_at_the_door_put_a_change_in_force_without_a_restart(shop: Shop) -> None:
    with served(shop) as up:
        assert changes(up)["waiting"] is None and not clear(up)
        write(shop, WIDER)
        assert changes(up)["waiting"] is None, "a file counts from the next opening on"
        App(shop.root, wait_s=20).close()  # any command borrows the workspace, and the server opens it again
        until = time.monotonic() + 20
        while up.ask("GET", "/v1/access/changes", role="officer").status == 503 and time.monotonic() < until:
            time.sleep(0.05)
        before = changes(up)
        waiting = before["waiting"]
        assert (waiting["people"], waiting["roles"], waiting["approved"]) == (2, ["owner", "officer"], [])
        assert {(c["role"], c["before"], c["after"]) for c in waiting["cells"]} == {("analyst", "masked", "clear")}
        change = {"change": waiting["digest"][:12]}
        assert up.ask("POST", "/v1/access/approve", {"change": "0" * 12}, role="officer").status == 404

        told = up.ask("POST", "/v1/access/approve", change, role="officer")
        assert (told.status, told.json["version"]) == (200, before["version"])
        assert told.json["waiting"]["approved"] == ["key:officer"]
        assert not clear(up), "one is not two"
        again = up.ask("POST", "/v1/access/approve", change, role="officer")
        assert again.status == 403 and "Somebody else has to approve it." in again.json["error"]["message"]
        assert not clear(up)

        own = signed_in(up)
        told = up.ask("POST", "/v1/access/approve", change, headers=own)
        assert (told.status, told.json["version"], told.json["waiting"]) == (200, before["version"] + 1, None)
        assert told.json["digest"] == waiting["digest"] and clear(up)
        assert changes(up) == told.json
        assert up.ask("GET", "/v1/session", headers=own).status == 200, "who was signed in still is"
        assert up.ask("POST", "/v1/access/approve", change, role="owner").status == 404, "nothing waits any more"

        found = [e for e in up.ask("GET", "/v1/ledger?limit=200", role="officer").json if e["act"] in ("access", "approve")]
        assert [(e["actor"], e["role"], e["verdict"], e["note"].partition(":")[0]) for e in found[:4][::-1]] == [
            ("key:officer", "officer", "allowed", f"approves {change['change']}"),
            ("key:officer", "", "refused", "http"),
            ("account:drill", "officer", "allowed", f"approves {change['change']}"),
            ("account:drill", "officer", "allowed", f"version {before['version']} -> {before['version'] + 1}"),
        ]


def test_who_has_not_the_function_or_the_role_approves_nothing_and_a_key_not_beyond_its_own(shop: Shop) -> None:
    write(shop, WIDER)
    with App(shop.root) as app:
        narrow, _ = ApiKeys(app.state, app.clock).new("two", ("sales",), ("operate",), 1)
    with served(shop) as up:
        change = {"change": changes(up)["waiting"]["digest"]}
        for role in ("analyst", "marketer", "outsider"):
            told = up.ask("POST", "/v1/access/approve", change, role=role)
            assert told.status == 403 and "lets" in told.json["error"]["message"]
            assert up.ask("GET", "/v1/access/changes", role=role).status == 403
        assert up.ask("POST", "/v1/access/approve", change, role="sales").status == 403
        told = up.ask("POST", "/v1/access/approve", change, headers={"Authorization": f"Bearer {narrow}"})
        assert told.status == 403, "its actor is an owner, and the key is not"
        newest = up.ask("GET", "/v1/ledger?limit=1", role="officer").json[0]
        assert (newest["actor"], newest["act"], newest["verdict"]) == ("key:two", "approve", "refused")
        assert up.ask("POST", "/v1/access/approve", change).status == 401
        assert changes(up)["waiting"]["approved"] == [] and not clear(up)


def test_an_approval_at_the_command_line_and_one_at_the_door_count_together(shop: Shop) -> None:
    write(shop, WIDER)
    with App(shop.root) as app:
        assert app.standing.waiting is not None
        change = app.standing.waiting.digest
        app.approve(change)
    with served(shop) as up:
        assert changes(up)["waiting"]["approved"] == [f"user:{account()}"]
        assert up.ask("POST", "/v1/access/approve", {"change": change}, role="owner").status == 200
        assert clear(up)


def test_a_file_that_cannot_be_read_at_that_moment_closes_the_door_until_it_can(shop: Shop, capsys: Any) -> None:
    write(shop, WIDER)
    with served(shop) as up:
        change = {"change": changes(up)["waiting"]["digest"]}
        assert up.ask("POST", "/v1/access/approve", change, role="officer").status == 200
        write(shop, WIDER.replace("verdict: clear", "verdict: cleer"))
        told = up.ask("POST", "/v1/access/approve", change, role="owner")
        assert (told.status, told.json["waiting"]) == (200, None), "the approval stands"
        assert up.ask("POST", "/v1/sql", EMAILS, role="analyst").status == 503
        write(shop, WIDER)
        until = time.monotonic() + 20
        while up.ask("POST", "/v1/sql", EMAILS, role="analyst").status == 503 and time.monotonic() < until:
            time.sleep(0.1)
        assert clear(up)
    assert "the workspace cannot be opened, and is tried again" in capsys.readouterr().err


@pytest.mark.parametrize("named", ["", "3f2a9c01b7d", "3F2A9C01B7DE", "x" * 12, "a" * 65, 12])
def test_a_change_is_named_by_its_digest(door: Served, named: object) -> None:
    assert door.ask("POST", "/v1/access/approve", {"change": named}, role="owner").status == 422
