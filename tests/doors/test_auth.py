"""API keys at the door: what opens, what does not, alike; scopes narrow and never add; each use has its actor."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from given_served import Served, copied, served
from hypothesis import given
from hypothesis import strategies as st

from tessera.doors.drill.shop import FUNCTIONS, PURPOSE, Shop
from tessera.errors import BadInput, NotFound
from tessera.lake.state import State
from tessera.trust.apikeys import SPACE, ApiKeys

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(State(tmp_path / "state.db"), lambda: AT)


def test_a_key_has_256_random_bits_and_is_kept_as_a_hash(keys: ApiKeys) -> None:
    texts = [keys.new("web", ("owner",), ("operate",), 30)[0] for _ in range(50)]
    assert len({t[-43:] for t in texts}) == 50 and all(len(t) == 64 for t in texts)
    kept = str(keys.state.items(SPACE)) + Path(keys.state.path).read_bytes().decode("latin-1")
    assert not [t for t in texts if t[-43:] in kept]
    assert hashlib.sha256(texts[0][-43:].encode()).hexdigest() in kept
    assert all(keys.find(t) for t in texts)


@given(st.text(max_size=80))
def test_no_other_text_opens(text: str) -> None:
    keys = ApiKeys(_Nothing(), lambda: AT)  # type: ignore[arg-type]
    assert keys.find(text) is None


class _Nothing:
    def get(self, space: str, name: str) -> None:
        return None


def test_a_changed_ended_or_revoked_key_opens_nothing(keys: ApiKeys) -> None:
    text, _ = keys.new("web", ("owner",), ("operate",), 30)
    other, second = keys.new("web", ("owner",), ("operate",), 60)
    for place in (8, 20, 40, 63):
        changed = text[:place] + ("a" if text[place] != "a" else "b") + text[place + 1 :]
        assert keys.find(changed) is None
    assert keys.find(f"tessera_{second.id}_{text[-43:]}") is None, "a secret opens under its own id alone"
    keys.clock = lambda: AT + timedelta(days=31)
    assert keys.find(text) is None and keys.find(other) is not None
    assert [k.id for k in keys.revoke("web")] and keys.find(other) is None
    with pytest.raises(NotFound):
        keys.revoke("wbe")


@pytest.mark.parametrize(("name", "roles", "days"), [("Web", ("o",), 3), ("w", (), 3), ("w", ("o",), 0), ("w", ("o",), 401)])
def test_a_key_without_scope_or_end_is_not_made(keys: ApiKeys, name: str, roles: tuple[str, ...], days: int) -> None:
    with pytest.raises(BadInput):
        keys.new(name, roles, ("operate",), days)


def test_no_key_a_wrong_key_and_an_ended_key_are_answered_alike(door: Served) -> None:
    wrong = door.shop.keys["owner"][:-1] + ("A" if door.shop.keys["owner"][-1] != "A" else "B")
    told = [
        door.ask("GET", "/v1/ledger", headers=h)
        for h in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {wrong}"}, {"Authorization": "Basic eDp5"},
                  {"Cookie": "__Host-tessera=x"})
    ]  # fmt: skip
    assert {t.status for t in told} == {401} and len({t.body for t in told}) == 1
    assert all(t.headers["www-authenticate"].startswith("Bearer") for t in told)


ROUTES = {
    "sql": ("POST", "/v1/sql", {"question": "SELECT count(*) FROM profiles", "purpose": "{purpose}"}),
    "tables": ("GET", "/v1/tables?purpose={purpose}", None),
    "find": ("POST", "/v1/persons/find", {"identifier": "nobody@example.org", "purpose": "{purpose}"}),
    "show": ("GET", "/v1/persons/{person}?purpose={purpose}", None),
    "consents": ("GET", "/v1/persons/{person}/consents?purpose={purpose}", None),
    "ledger": ("GET", "/v1/ledger", None),
    "explain": ("GET", "/v1/access/explain?purpose=operate&of_role=sales&table=profiles", None),
}


@pytest.mark.parametrize("role", FUNCTIONS)
@pytest.mark.parametrize("function", ROUTES)
def test_a_role_uses_what_access_yaml_lets_it_use(door: Served, role: str, function: str) -> None:
    method, path, body = ROUTES[function]
    filled = {"{purpose}": PURPOSE[role], "{person}": str(door.person(1))}
    for mark, value in filled.items():
        path = path.replace(mark, value)
        body = {k: v.replace(mark, value) for k, v in body.items()} if body else None
    told = door.ask(method, path, body, role=role)
    assert told.status == (200 if function in FUNCTIONS[role] else 403), told.body
    if told.status == 403:
        newest = door.ask("GET", "/v1/ledger?limit=1", role="officer").json[0]
        assert (newest["actor"], newest["act"], newest["verdict"]) == (f"key:{role}", function, "refused")


def test_a_key_narrows_its_actor_and_adds_nothing(drill_shop: Shop, tmp_path: Path) -> None:
    with served(copied(drill_shop, tmp_path / "shop")) as up:
        def asked(text: str, role: str, purpose: str) -> int:
            body = {"question": "SELECT count(*) FROM profiles", "purpose": purpose, "role": role}
            return up.ask("POST", "/v1/sql", body, headers={"Authorization": f"Bearer {text}"}).status

        with up.desk.app() as app:
            made = ApiKeys(app.state, app.clock)
            narrow, _ = made.new("owner", ("owner",), ("marketing",), 1)
            more, _ = made.new("sales", ("sales", "owner"), ("operate",), 1)
            stranger, _ = made.new("nobody", ("owner",), ("operate",), 1)
        assert asked(narrow, "owner", "marketing") == 200 and asked(narrow, "owner", "operate") == 403
        assert asked(more, "sales", "operate") == 200 and asked(more, "owner", "operate") == 403
        assert asked(stranger, "owner", "operate") == 403
        with up.desk.app() as app:
            made.revoke("owner")
        assert asked(narrow, "owner", "marketing") == 401, "a revoked key ends with the next request"
