"""forwarded.py: behind a proxy of yours a request is counted as its client's, and nobody chooses her own address."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from given_served import WIDE, Served, copied, served
from hypothesis import given
from hypothesis import strategies as st

from tessera.doors.drill.shop import Shop
from tessera.doors.forwarded import Proxies
from tessera.doors.limits import Rate
from tessera.doors.tracked import write_key
from tessera.errors import BadWorkspace
from tessera.house import settings
from tessera.scaffold import init

PROXIES = Proxies(["127.0.0.0/8", "::1/128", "10.0.0.0/24"])
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
ADDRESSES = st.ip_addresses().map(str)
OURS = st.sampled_from(["127.0.0.1", "10.0.0.7", "::1", "::ffff:10.0.0.9", "127.8.8.8"])


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ([b"93.184.216.34"], "93.184.216.34"),
        ([b"1.1.1.1, 93.184.216.34"], "93.184.216.34"),
        ([b"1.1.1.1", b"93.184.216.34"], "93.184.216.34"),
        ([b"1.1.1.1, 93.184.216.34, 10.0.0.5"], "93.184.216.34"),
        ([b"127.0.0.1, 93.184.216.34"], "93.184.216.34"),
        ([b"10.0.0.5, 10.0.0.6"], "10.0.0.5"),
        ([b"93.184.216.34:51234"], "93.184.216.34"),
        ([b"[2606:2800:220:1::1]:443"], "2606:2800:220:1::1"),
        ([b"2606:2800:220:1::1"], "2606:2800:220:1::1"),
        ([b"::ffff:93.184.216.34"], "93.184.216.34"),
        ([b"93.184.216.34, unknown"], "127.0.0.1"),
        ([b"93.184.216.34, unknown, 10.0.0.5"], "10.0.0.5"),
        ([b"93.184.216.34,"], "127.0.0.1"),
        ([b""], "127.0.0.1"),
        ([b"\xff\xfe, ;drop, 999.1.1.1"], "127.0.0.1"),
    ],
)
def test_the_right_most_address_that_is_no_proxy_of_ours_counts(said: list[bytes], found: str) -> None:
    assert PROXIES.client("127.0.0.1", said) == found


@given(st.binary(max_size=80), ADDRESSES, st.lists(OURS, max_size=4))
def test_whatever_a_client_writes_herself_she_is_counted_as_who_asked_our_proxy(
    written: bytes, client: str, proxies: list[str]
) -> None:
    """Each proxy appends whom it was asked by; what she had written stands before."""
    address = ip_address(client)
    plain = str(getattr(address, "ipv4_mapped", None) or address)
    if PROXIES._is_trusted(client):
        return
    for said in ([b", ".join([written, client.encode(), *(p.encode() for p in proxies)])],
                 [written, ", ".join([client, *proxies]).encode()]):  # fmt: skip
        assert PROXIES.client("127.0.0.1", said) == plain


def test_of_a_stranger_the_header_is_not_read() -> None:
    scope = {"type": "http", "client": ("93.184.216.34", 1), "headers": [(b"x-forwarded-for", b"1.1.1.1")]}
    PROXIES.see_through(scope)
    assert scope["client"] == ("93.184.216.34", 1)
    for client in (("127.0.0.1", 5), ("::ffff:10.0.0.3", 5)):
        scope |= {"client": client}
        PROXIES.see_through(scope)
        assert scope["client"] == ("1.1.1.1", 0)
    PROXIES.see_through({"type": "http", "client": None, "headers": []})


WEB = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:drill:web
name: web
version: 1.0.0
status: active
servers:
  - {server: door, type: api, location: /v1}
customProperties:
  - {property: record, value: event}
schema:
  - name: events
    properties:
      - {name: messageId, required: true, unique: true, customProperties: [{property: mapsTo, value: message_id}]}
      - {name: type, required: true, customProperties: [{property: mapsTo, value: type}]}
      - {name: userId, customProperties: [{property: identifier, value: user_id}]}
      - {name: timestamp, logicalType: timestamp, required: true, customProperties: [{property: mapsTo, value: occurred_at}]}
"""


def made(shop: Shop, folder: Path, proxy: str) -> Shop:
    """A copy of the shop with a source at the door, behind a proxy or not."""
    shop = copied(shop, folder)
    (shop.root / "sources" / "web.odcs.yaml").write_text(WEB, "utf-8")
    with (shop.root / "tessera.yaml").open("a", encoding="utf-8") as file:
        file.write(f"serve: {{proxy: {proxy}}}\n")
    return shop


@pytest.fixture(scope="module", params=["true", pytest.param("[127.0.0.1]", marks=pytest.mark.heavy)])
def behind(request: pytest.FixtureRequest, drill_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    limits = replace(WIDE, address=Rate(burst=2, every_s=60))
    with served(made(drill_shop, tmp_path_factory.mktemp("proxied") / "shop", request.param), limits) as up:
        yield up


def test_behind_a_proxy_each_client_has_a_limit_of_her_own(behind: Served) -> None:
    def asked(client: str) -> int:
        return behind.ask("GET", "/v1/health", headers={"X-Forwarded-For": client}).status

    assert [asked("93.184.216.34") for _ in range(3)] == [200, 200, 429]
    assert asked("93.184.216.35") == 200, "another client"
    assert asked("93.184.216.35, 93.184.216.34") == 429, "who writes the header herself is counted all the same"


def test_the_network_that_is_kept_is_the_clients(behind: Served) -> None:
    told: list[bytes] = []
    with behind.desk.app() as app:
        key = write_key(app.secrets, "web")
    source = behind.desk._beside.collector.sources[key]  # type: ignore[union-attr]
    group, put = source.group, source.group.put

    async def seen(lines: list[bytes]) -> int:
        told.extend(lines)
        return await put(lines)

    group.put = seen  # type: ignore[method-assign]
    for client in ("93.184.216.34", "10.1.2.3"):
        sent = {"X-Forwarded-For": client, "X-Write-Key": key, "User-Agent": BROWSER}
        assert behind.ask("POST", "/v1/page", {"userId": "u1"}, headers=sent).status == 200
    body = b'{"userId": "u1"}'
    head = f"POST /v1/page HTTP/1.1\r\nHost: h\r\nX-Write-Key: {key}\r\nContent-Length: {len(body)}\r\n"
    head += f"User-Agent: {BROWSER}\r\n"
    with socket.create_connection(("127.0.0.1", behind.port), timeout=20) as raw:
        raw.sendall(f"{head}X-Forwarded-For: 93.184.217.7\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n".encode() + body)
        assert raw.recv(100).startswith(b"HTTP/1.1 200")
    first, second, third = [json.loads(line)["context"] for line in told]
    assert first["ip"] == "93.184.216.0", "its /24"
    assert third["ip"] == "93.184.217.0", "of two lines, as two proxies write them"
    assert "ip" not in second, "one inside of the house"


def test_without_the_setting_the_header_is_not_read(drill_shop: Shop, tmp_path: Path) -> None:
    limits = replace(WIDE, address=Rate(burst=2, every_s=60))
    with served(made(drill_shop, tmp_path / "shop", "false"), limits) as up:
        told = [up.ask("GET", "/v1/health", headers={"X-Forwarded-For": f"93.184.216.{n}"}).status for n in range(3)]
    assert told == [200, 200, 429]


@pytest.mark.parametrize(
    ("proxy", "told"),
    [
        ("nginx", r"expected true \(a proxy on this machine\), false, or a list of addresses"),
        ("[localhost]", r"'localhost', expected an address such as 10\.0\.0\.5"),
        ("[10.0.0.5/24]", r"expected an address such as 10\.0\.0\.5, or a network"),
        ("['0.0.0.0/0']", r"expected the addresses of your proxies"),
        ("['::/0']", r"expected the addresses of your proxies"),
        ("[]", "expected at least one value"),
    ],
)
def test_a_mistake_in_the_setting_is_told(tmp_path: Path, proxy: str, told: str) -> None:
    init(tmp_path / "w", user="user:somebody")
    file = tmp_path / "w" / "tessera.yaml"
    file.write_text(f"{file.read_text('utf-8')}\nserve: {{proxy: {proxy}}}\n", "utf-8")
    with pytest.raises(BadWorkspace, match=told):
        settings(tmp_path / "w")
