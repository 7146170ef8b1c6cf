"""Where we connect to at somebody's word: never inside, never to another address than the one that was checked."""

from __future__ import annotations

import http.server
import ipaddress
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera import outward
from tessera.doors.drill.corpus import INSIDE, NAMED, SCHEMES
from tessera.errors import BadSource, BadUrl

PUBLIC = "93.184.215.14"


def public(name: str) -> list[str]:
    return [PUBLIC]


def system(name: str) -> list[str]:
    """What a machine resolves by itself."""
    return ["127.0.0.1"] if name.lower().startswith(("localhost", "ip6-")) else [PUBLIC]


@pytest.mark.parametrize("host", INSIDE)
def test_no_host_that_leads_inside_is_accepted(host: str) -> None:
    for url in (f"http://{host}/hook", f"https://{host}:8443/"):
        with pytest.raises(BadUrl) as no:
            outward.checked(url, resolve=system)
        assert not host or len(host) < 4 or host not in str(no.value)


@pytest.mark.parametrize("url", SCHEMES)
def test_no_url_that_is_none_of_the_web_s_is_accepted(url: str) -> None:
    with pytest.raises(BadUrl):
        outward.checked(url, resolve=public)


def test_the_corpus_is_as_large_as_we_say() -> None:
    assert len(set(INSIDE) | set(SCHEMES)) >= 100


@pytest.mark.parametrize("address", NAMED)
def test_a_name_is_refused_if_one_of_its_addresses_leads_inside(address: str) -> None:
    for found in ([address], [PUBLIC, address], [address, PUBLIC]):
        with pytest.raises(BadUrl):
            outward.checked("https://hook.example.org/x", resolve=lambda _, f=found: f)


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("https://hook.example.org/a?b=c", "hook.example.org", 443, "/a?b=c"),
        ("http://Hook.example.org:8080", "hook.example.org", 8080, "/"),
        ("https://93.184.215.14/x", "93.184.215.14", 443, "/x"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
    ],
)
def test_an_address_of_the_web_is_resolved_once_and_kept(url: str, host: str, port: int, path: str) -> None:
    asked: list[str] = []
    made = outward.checked(url, resolve=lambda name: asked.append(name) or [PUBLIC])  # type: ignore[func-returns-value]
    assert (made.host, made.port, made.path, made.address, len(asked) <= 1) == (host, port, path, PUBLIC, True)
    assert outward.checked("https://[2606:4700::1111]/").address == "2606:4700::1111"


@given(st.ip_addresses(v=4))
def test_every_form_that_carries_an_inner_ipv4_address_is_refused(ip: ipaddress.IPv4Address) -> None:
    v4 = int(ip)
    for carried in (0xFFFF << 32 | v4, v4, 0x64FF9B << 96 | v4, 0x2002 << 112 | v4 << 80, 0x20010000 << 96 | v4 ^ 0xFFFFFFFF):
        assert outward.refused(ipaddress.IPv6Address(carried))


@given(st.ip_addresses())
def test_nothing_is_allowed_that_the_standard_library_calls_private(ip: outward.Address) -> None:
    if not outward.refused(ip):
        assert ip.is_global and not ip.is_multicast


@pytest.mark.parametrize("host", ["10.0.0.5", "127.0.0.1", "db", "[fd12::1]"])
def test_a_database_of_our_own_network_is_reached(host: str) -> None:
    assert outward.address_of(host, own_network=True, resolve=lambda _: ["192.168.7.7"])


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fd00:ec2::254]", "[fe80::1]", "[::ffff:10.0.0.1]", "0.0.0.0", "224.0.0.1", "100.100.100.200"]
)
def test_a_database_is_never_a_cloud_s_metadata(host: str, tmp_path: Path) -> None:
    with pytest.raises(BadUrl):
        outward.address_of(host, own_network=True)
    from dataclasses import replace

    from tessera.config import Contract
    from tessera.data.sources.database import connected

    contract = Contract(name="shop", file=tmp_path, kind="sql", record="person", fields=())
    for url in (f"postgresql+psycopg://u@{host}/shop", f"postgresql+psycopg:///shop?host={host.strip('[]')}"):
        with pytest.raises(BadSource, match="do not connect"), connected(replace(contract, connection=url), tmp_path):
            pass


class _Other(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.path, self.headers["host"]))  # type: ignore[attr-defined]
        if self.path == "/away":
            self.send_response(302)
            self.send_header("location", "/secret")
            self.end_headers()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"x" * (100_000 if self.path == "/large" else 10))

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def other() -> Iterator[http.server.HTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Other) as up:
        up.seen = []  # type: ignore[attr-defined]
        threading.Thread(target=up.serve_forever, daemon=True).start()
        yield up
        up.shutdown()


def target(up: http.server.HTTPServer, path: str) -> outward.Target:
    """A target that was checked elsewhere: the name is another than the address."""
    return outward.Target(scheme="http", host="hook.example.org", port=up.server_port, address="127.0.0.1", path=path)


def test_it_connects_to_the_checked_address_under_the_given_name(other: http.server.HTTPServer) -> None:
    assert outward.post(target(other, "/hook"), b"{}", {}).status == 200
    assert other.seen == [("/hook", f"hook.example.org:{other.server_port}")]  # type: ignore[attr-defined]


def test_it_follows_no_redirect_and_reads_no_flood(other: http.server.HTTPServer) -> None:
    for path, says in (("/away", "redirect"), ("/large", "more than")):
        with pytest.raises(BadUrl, match=says):
            outward.post(target(other, path), b"{}", {})
    assert "/secret" not in [p for p, _ in other.seen]  # type: ignore[attr-defined]
