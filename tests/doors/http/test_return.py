"""POST /v1/me/return: an erased customer comes back by her own act at the owner's site, and by nothing that a file says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from given_served import WIDE, Served, copied, served

from tessera.doors.drill.shop import Person, Shop
from tessera.doors.limits import Rate


@pytest.fixture
def up(drill_shop: Shop, tmp_path: Path) -> Iterator[Served]:
    with served(copied(drill_shop, tmp_path / "shop")) as door:
        yield door


def asked(her: Person, **other: Any) -> dict[str, Any]:
    """Her sign-up at the owner's site, with a yes to analytics."""
    told = {"act": "sign-up", "identifiers": {"user_id": her.id, "email": her.email.upper()}, "choices": {"analytics": "given"}}
    return told | other


def found(up: Served, text: str) -> list[int]:
    told = up.ask("POST", "/v1/persons/find", {"identifier": text, "purpose": "operate"}, role="officer")
    assert told.status == 200
    persons: list[int] = told.json["persons"]
    return persons


def resent(up: Served, her: Person, city: str) -> None:
    """The CRM's file comes again, with a row of hers that is new, and is landed."""
    crm = up.shop.root / "files" / "crm.csv"
    crm.write_text(crm.read_text("utf-8").replace(her.city, city), "utf-8")
    with up.desk.app() as app:
        app.turn()


def test_a_file_does_not_bring_an_erased_customer_back_and_her_own_act_does_under_a_new_number(up: Served) -> None:
    her = up.shop.people[0]
    with up.desk.app() as app:
        app.erase([her.number], sweep=True)
    resent(up, her, "Elsewhere")
    assert found(up, her.id) == found(up, her.email) == found(up, her.phone) == []

    told = up.ask("POST", "/v1/me/return", asked(her, wording="v2", language="zh"), role="owner")
    assert (told.status, told.json) == (200, {"identifiers": 2})
    entry = up.ask("GET", "/v1/ledger?limit=1", role="officer").json[0]
    assert (entry["act"], entry["actor"], entry["role"], entry["note"]) == (
        "welcome", "key:owner", "owner", "sign-up, a new choice",
    )  # fmt: skip
    with up.desk.app() as app:
        app.turn()
    (number,) = found(up, her.id)
    assert number != her.number and found(up, her.email) == [number]
    assert found(up, her.phone) == [], "what she did not give stays out"
    assert up.ask("GET", f"/v1/persons/{her.number}?purpose=operate", role="officer").status == 404
    said = up.ask("GET", f"/v1/persons/{number}/consents?purpose=operate", role="officer").json
    assert said["pii_principal_id"] == f"person:{number}"
    token = up.ask("POST", "/v1/me/token", {"kind": "user_id", "identifier": her.id}, role="owner").json["token"]
    cookie = up.ask("POST", "/v1/me/session", {"token": token}).headers["set-cookie"].partition(";")[0]
    mine = up.ask("GET", "/v1/me", headers={"Cookie": cookie}).json
    assert mine["person"] == number and her.name.encode() not in str(mine).encode(), "no row of before is hers"
    assert [c["state"] for c in mine["consents"] if c["purpose"] == "analytics"] == ["given"]


def test_the_answer_does_not_tell_whether_she_was_erased(up: Served) -> None:
    erased, there = up.shop.people[0], up.shop.people[1]
    stranger = replace(there, id="cust-1", email="stranger@example.org")
    with up.desk.app() as app:
        app.erase([erased.number])
    told = [up.ask("POST", "/v1/me/return", asked(her, act="sign-in"), role="owner") for her in (erased, there, stranger)]
    assert {t.status for t in told} == {200} and len({t.body for t in told}) == 1


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"act": "bulk"}, 422), ({"act": "signed up"}, 422), ({"choices": {}}, 422), ({"choices": {"analytics": "maybe"}}, 422),
        ({"identifiers": {}}, 400), ({"identifiers": {"anonymous_id": "k1"}}, 422), ({"identifiers": {"email": ""}}, 422),
        ({"choices": {"operate": "given"}}, 400), ({"choices": {"none": "given"}}, 404), ({"by": "her"}, 422),
    ],
)  # fmt: skip
def test_what_is_no_act_of_hers_is_refused(door: Served, other: dict[str, Any], status: int) -> None:
    told = door.ask("POST", "/v1/me/return", asked(door.shop.people[2], **other), role="owner")
    assert told.status == status, told.body
    acts = [e["act"] for e in door.ask("GET", "/v1/ledger?limit=500", role="officer").json]
    assert "welcome" not in acts


def test_only_a_program_that_may_let_customers_in_says_that_one_came_back(door: Served) -> None:
    body = asked(door.shop.people[2])
    assert [door.ask("POST", "/v1/me/return", body, role=r).status for r in ("officer", "sales", "outsider")] == [403] * 3
    newest = door.ask("GET", "/v1/ledger?limit=1", role="officer").json[0]
    assert (newest["actor"], newest["act"], newest["verdict"]) == ("key:outsider", "customer_token", "refused")
    assert door.ask("POST", "/v1/me/return", body).status == 401


def test_whoever_asks_too_often_waits(drill_shop: Shop, tmp_path: Path) -> None:
    with served(copied(drill_shop, tmp_path / "shop"), replace(WIDE, caller=Rate(burst=3, every_s=600))) as up:
        body = asked(up.shop.people[0], choices={"none": "given"})
        told = [up.ask("POST", "/v1/me/return", body, role="owner") for _ in range(4)]
    assert [t.status for t in told] == [404, 404, 404, 429] and int(told[-1].headers["retry-after"]) > 0
