"""Staff sign in by OpenID Connect, against a real provider: the code flow with PKCE, and every token that is not for us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from given_provider import CLIENT, SECRET, Provider, provider
from given_served import Served, Told, copied, served
from joserfc.jwk import ECKey

from tessera.app import settings
from tessera.doors.drill.shop import Shop
from tessera.errors import BadInput, BadWorkspace


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as up:
        yield up


@pytest.fixture
def up(drill_shop: Shop, idp: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    shop = copied(drill_shop, tmp_path / "shop")
    with (shop.root / "tessera.yaml").open("a") as file:
        file.write(f"serve:\n  oidc: {{issuer: '{idp.issuer}', client_id: {CLIENT}, client_secret: '${{OIDC_SECRET}}'}}\n")
    access = shop.root / "access.yaml"
    access.write_text(access.read_text("utf-8").replace('"account:drill"', '"oidc:staff-1"'), "utf-8")
    with served(shop) as door:
        yield door


def begun(up: Served) -> tuple[str, str]:
    """The address that the provider sends the browser back to, and the cookie of the browser."""
    away = up.ask("GET", "/v1/session/oidc")
    assert away.status == 303
    said = away.headers["set-cookie"]
    assert all(w in said.lower() for w in ("__host-", "httponly", "secure", "samesite=lax"))
    came = requests.get(away.headers["location"], allow_redirects=False, timeout=10)
    back = urlsplit(came.headers["location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{up.url}/v1/session/oidc/back"
    return f"{back.path}?{back.query}", said.partition(";")[0]


def back(up: Served, path: str, cookie: str) -> Told:
    return up.ask("GET", path, headers={"Cookie": cookie})


def test_whom_the_provider_vouches_for_has_her_roles(up: Served) -> None:
    path, cookie = begun(up)
    told = back(up, path, cookie)
    assert (told.status, told.json) == (200, {"actor": "oidc:staff-1", "roles": ["officer"]})
    cookies = told.headers["set-cookie"]
    assert cookies
    entry = up.ask("GET", "/v1/ledger?limit=1", role="officer").json[0]
    assert (entry["actor"], entry["act"], entry["verdict"]) == ("oidc:staff-1", "sign-in", "allowed")
    assert back(up, path, cookie).status == 401, "an answer of the provider is good once"


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"iss": "https://evil.example"}, {"nonce": "x"}, {"exp": 1_700_000_000}, {"azp": "another"},
     {"sub": "staff-2"}],
    ids=str,
)  # fmt: skip
def test_a_token_that_is_not_for_us_lets_nobody_in(up: Served, idp: Provider, claims: dict[str, Any]) -> None:
    idp.claims = claims
    told = back(up, *begun(up))
    assert told.status == 401 and "set-cookie" not in told.headers
    entry = up.ask("GET", "/v1/ledger?limit=1", role="officer").json[0]
    assert (entry["actor"], entry["verdict"]) == ("oidc:?", "refused")


def test_a_token_signed_by_another_key_lets_nobody_in(up: Served, idp: Provider) -> None:
    idp.key = ECKey.generate_key("P-256", {"kid": "k1"})
    assert back(up, *begun(up)).status == 401


def test_another_browser_s_answer_lets_nobody_in(up: Served) -> None:
    path, cookie = begun(up)
    assert back(up, path, "").status == back(up, begun(up)[0], cookie).status == 401
    path, cookie = begun(up)
    state = parse_qs(urlsplit(path).query)["state"][0]
    assert back(up, path.replace(state, "x" * len(state)), cookie).status == 401
    path, cookie = begun(up)
    other = path.replace("iss=http", "iss=https")
    assert other != path and back(up, other, cookie).status == 401


def test_without_a_provider_there_is_no_such_way(door: Served) -> None:
    assert door.ask("GET", "/v1/session/oidc").status == 404


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("serve: {oidc: {issuer: 'https://idp.example', client_id: t, client_secret: hunter2}}", "secrets are named"),
        ("serve: {oidc: {issuer: 'http://idp.example', client_id: t, client_secret: '${S}'}}", "https"),
        ("serve: {url: 'http://cdp.example.org'}", "https"),
        ("serve: {mail: {host: mail.example.org}}", "sender"),
    ],
)
def test_a_mistake_in_the_door_s_settings_is_named(drill_shop: Shop, tmp_path: Path, text: str, says: str) -> None:
    root = copied(drill_shop, tmp_path / "shop").root
    with (root / "tessera.yaml").open("a") as file:
        file.write(text + "\n")
    with pytest.raises(BadWorkspace, match=says) as no:
        settings(root)
    assert "tessera.yaml:5" in str(no.value) and "hunter2" not in str(no.value)


def test_a_secret_that_is_not_set_is_told_at_the_start(drill_shop: Shop, tmp_path: Path) -> None:
    shop = copied(drill_shop, tmp_path / "shop")
    with (shop.root / "tessera.yaml").open("a") as file:
        file.write("serve: {oidc: {issuer: 'https://idp.example', client_id: t, client_secret: '${NO_SUCH_SECRET}'}}\n")
    with pytest.raises(BadInput, match="NO_SUCH_SECRET"), served(shop):
        pass
