"""Staff sign in: passwords told alike, slowed down; sessions rotate, end and are revoked; another site's page gets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from given_served import Served, Told, copied, served

from tessera.doors.cli import main
from tessera.doors.drill.shop import PASSWORD, Shop
from tessera.errors import BadInput, NotFound
from tessera.lake.state import State
from tessera.trust.accounts import FREE, Accounts
from tessera.trust.sessions import SPANS, Sessions

CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
START = datetime(2026, 3, 1, tzinfo=UTC)


class Hands:
    """A clock whose hands a test moves."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def accounts(tmp_path: Path, hands: Hands) -> Accounts:
    made = Accounts(State(tmp_path / "state.db"), hands, CHEAP)
    made.add("ann", "a-fine-long-phrase")
    return made


def test_a_password_is_kept_as_argon2id(tmp_path: Path) -> None:
    made = Accounts(State(tmp_path / "s.db"), lambda: START).add("ann", "a-fine-long-phrase")
    assert made.hash.startswith("$argon2id$") and "a-fine" not in made.hash


def test_only_the_right_password_of_an_account_in_force_opens(accounts: Accounts) -> None:
    assert accounts.verified("ann", "a-fine-long-phrase")
    for name, word in (("ann", "a-fine-long-phrasE"), ("ben", "a-fine-long-phrase"), ("", ""), ("ann", "x" * 100_000)):
        assert accounts.verified(name, word) is None
    accounts.disable("ann")
    assert accounts.verified("ann", "a-fine-long-phrase") is None
    with pytest.raises(NotFound):
        accounts.disable("anna")


def test_after_some_failures_the_right_password_waits_too(accounts: Accounts, hands: Hands) -> None:
    for _ in range(FREE):
        assert accounts.verified("ann", "wrong-wrong-wrong") is None
    assert accounts.verified("ann", "a-fine-long-phrase") is None
    hands.at += timedelta(seconds=31)
    assert accounts.verified("ann", "wrong-wrong-wrong") is None
    hands.at += timedelta(seconds=31)
    assert accounts.verified("ann", "a-fine-long-phrase") is None, "each further failure doubles the wait"
    hands.at += timedelta(seconds=30)
    assert accounts.verified("ann", "a-fine-long-phrase")


@pytest.mark.parametrize("word", ["short", "ann-ann-ann-ann", "aaaaaaaaaaaaaaaa", "x" * 201])
def test_a_password_that_is_easily_guessed_is_not_taken(accounts: Accounts, word: str) -> None:
    with pytest.raises(BadInput):
        accounts.password("ann", word)


def test_a_session_ends_idle_in_any_case_and_when_revoked(tmp_path: Path, hands: Hands) -> None:
    sessions = Sessions(State(tmp_path / "state.db"), hands)
    token = sessions.begin("staff", "account:ann")
    assert sessions.find(token, "staff") and sessions.find(token, "customer") is None and sessions.find("x", "staff") is None
    assert token not in str(sessions.state.items("session"))
    for _ in range(24):
        hands.at += SPANS["staff"].idle - timedelta(minutes=1)
        alive = sessions.find(token, "staff") is not None
        assert alive == (hands.at - START < SPANS["staff"].most)
    token = sessions.begin("staff", "account:ann")
    hands.at += SPANS["staff"].idle
    assert sessions.find(token, "staff") is None
    tokens = [sessions.begin("staff", a) for a in ("account:ann", "account:ann", "account:ben")]
    assert sessions.end_all("account:ann") == 2
    assert [sessions.find(t, "staff") is not None for t in tokens] == [False, False, True]


@pytest.fixture
def up(drill_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with served(copied(drill_shop, tmp_path / "shop")) as door:
        yield door


def signed_in(up: Served, password: str = PASSWORD, **headers: str) -> Told:
    return up.ask("POST", "/v1/session", {"account": "drill", "password": password}, headers=headers)


def cookie(told: Told) -> str:
    return told.headers["set-cookie"].partition(";")[0]


def test_who_signs_in_has_a_session_and_her_roles(up: Served) -> None:
    told = signed_in(up)
    assert told.status == 200 and told.json == {"actor": "account:drill", "roles": ["officer"]}
    said = told.headers["set-cookie"].lower()
    assert said.startswith("__host-tessera=") and all(w in said for w in ("httponly", "secure", "samesite=strict", "path=/"))
    assert "domain=" not in said and "max-age" not in said
    own = {"Cookie": cookie(told)}
    assert up.ask("GET", "/v1/session", headers=own).json["roles"] == ["officer"]
    newest = up.ask("GET", "/v1/ledger?limit=1", headers=own).json[0]
    assert (newest["actor"], newest["act"], newest["verdict"]) == ("account:drill", "sign-in", "allowed")
    again = signed_in(up, Cookie=cookie(told))
    assert cookie(again) != cookie(told), "signing in gives another session"
    assert up.ask("GET", "/v1/session", headers=own).status == 401, "and ends the one before"
    out = up.ask("DELETE", "/v1/session", headers={"Cookie": cookie(again), "Origin": up.url})
    assert out.status == 200
    assert up.ask("GET", "/v1/session", headers={"Cookie": cookie(again)}).status == 401


def test_a_page_of_another_site_changes_nothing(up: Served) -> None:
    own = {"Cookie": cookie(signed_in(up))}
    question = {"question": "SELECT 1", "purpose": "operate"}
    for origin in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": up.url + ".evil.example"}):
        assert up.ask("POST", "/v1/sql", question, headers={**own, **origin}).status == 403
        assert up.ask("DELETE", "/v1/session", headers={**own, **origin}).status == 403
    assert up.ask("POST", "/v1/sql", question, headers={**own, "Origin": up.url}).status == 200
    here = {"Host": f"localhost:{up.port}", "Origin": f"http://localhost:{up.port}"}
    assert up.ask("POST", "/v1/sql", question, headers={**own, **here}).status == 200, "another name of this machine"
    assert up.ask("POST", "/v1/sql", question, headers={**own, "Origin": f"http://localhost:{up.port + 1}"}).status == 403
    assert signed_in(up, Origin="https://evil.example").status == 403


def test_every_failure_is_answered_alike_and_noted_without_what_was_typed(up: Served) -> None:
    told = [
        up.ask("POST", "/v1/session", {"account": a, "password": p})
        for a, p in (
            ("drill", "wrong-password-1"),
            ("nobody", PASSWORD),
            ("w.drillova1@post1.ex", "x"),
            ("drill", PASSWORD + "x"),
        )
    ]
    assert {t.status for t in told} == {401} and len({t.body for t in told}) == 1
    entries = up.ask("GET", "/v1/ledger?limit=4", role="officer").json
    assert [e["actor"] for e in entries] == ["account:drill", "account:?", "account:?", "account:drill"]
    log = (up.shop.root / "var" / "ledger" / "log.jsonl").read_text("utf-8")
    assert "drillova" not in log and "wrong-password" not in log and PASSWORD not in log


def test_a_disabled_account_is_out_at_once(up: Served, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"Cookie": cookie(signed_in(up))}
    root = str(up.shop.root)
    assert main(["-w", root, "account", "disable", "drill"]) == 0
    assert "1 sessions ended" in capsys.readouterr().out
    for _ in range(50):
        if (told := up.ask("GET", "/v1/session", headers=own)).status != 503:
            break
    assert told.status == 401 and signed_in(up).status == 401


def test_accounts_from_the_command_line(drill_shop: Shop, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import json

    root = str(copied(drill_shop, tmp_path / "shop").root)
    for verb, word in (("add", "a-fine-long-phrase"), ("password", "another-long-phrase")):
        monkeypatch.setattr("sys.stdin", io.StringIO(word + "\n"))
        assert main(["-w", root, "account", verb, "ann", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["actor"] == "account:ann"
    assert main(["-w", root, "account", "list", "--json"]) == 0
    out = capsys.readouterr().out
    assert {a["name"]: a["roles"] for a in json.loads(out)} == {"ann": [], "drill": ["officer"]} and "argon2" not in out
