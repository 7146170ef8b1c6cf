"""generalised.py: nothing that points at one person or one device passes."""

from __future__ import annotations

import doctest
import ipaddress
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.data import generalised
from tessera.data.generalised import address, agent, bare, from_outside, generalise

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.7444.60 Safari/537.36"
WECHAT = "Mozilla/5.0 (Linux; Android 14; 23013RK75C) AppleWebKit/537.36 Chrome/116.0 XWEB/1160 MicroMessenger/8.0.50"


def test_what_the_page_says() -> None:
    assert doctest.testmod(generalised).failed == 0


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (CHROME, "Chrome 142 on Windows"),
        (CHROME + " Edg/142.0.3595.53", "Edge 142 on Windows"),
        (WECHAT, "WeChat 8 on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox 145 on Linux"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/17.4 Safari/605.1", "Safari 17 on macOS"),
        ("Shop/3.2 (iPhone14,3; iOS 18.1) CFNetwork/1568", "Other on iOS"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Bot"),
        ("python-requests/2.34", "Other"),
        ("", "Other"),
    ],
)
def test_of_a_user_agent_stay_browser_major_version_and_system(sent: str, kept: str) -> None:
    assert agent(sent) == kept == agent(kept)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["", CHROME, WECHAT, "Chrome/", "Firefox/"]), st.text(max_size=60))
def test_no_word_of_a_user_agent_is_the_sender_s_own(before: str, known: str, after: str) -> None:
    words = {w for name, _ in generalised._BROWSERS + generalised._SYSTEMS for w in name.split()} | {"Other", "on"}
    assert all(w in words or re.fullmatch(r"\d{1,4}", w) for w in agent(before + known + after).split())


@settings(max_examples=200, deadline=None)
@given(st.ip_addresses())
def test_an_address_is_its_network(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    ip = getattr(ip, "ipv4_mapped", None) or ip
    size = 24 if ip.version == 4 else 48
    assert ipaddress.ip_address(address(str(ip)) or "") == ipaddress.ip_network((ip, size), strict=False).network_address


@pytest.mark.parametrize("text", ["", "home", "1.2.3", "1.2.3.4.5", "\0", "fe80::1%eth0\0", "٣.1.1.1"])
def test_what_is_no_address_is_not_kept(text: str) -> None:
    assert address(text) in (None, "fe80::")


def test_only_addresses_of_the_internet_are_those_of_a_visitor() -> None:
    assert from_outside("8.8.8.8") and from_outside("2606:4700::1")
    assert not any(map(from_outside, ("127.0.0.1", "10.1.2.3", "::1", "fe80::1%eth0", "x")))


def test_an_event_keeps_no_tail_of_a_url_wherever_sdks_put_one() -> None:
    url = "https://shop.example/a?mail=ann@example.org#x"
    event: dict[str, Any] = {
        "context": {
            "page": {"url": url, "search": "?mail=ann@example.org", "path": "/a?mail=ann@example.org", "tab_url": url},
            "referrer": {"url": url}, "userAgentData": {"model": "x"}, "ip": 7, "userAgent": None, "traits": {"avatar": url},
        },
        "properties": {"url": url, "search": "red shoes?", "query": "#ann@example.org", "note": "why? 5#1"},
        "traits": {"site": url}, "request_ip": "203.0.113.77", "referrer": url, "userAgent": CHROME,
    }  # fmt: skip
    generalise(event)
    text = msgspec.json.encode(event).decode()
    assert "ann@" not in text and "203.0.113.77" not in text and "7444" not in text
    assert event["properties"] == {"url": bare(url), "search": "red shoes?", "note": "why? 5#1"}
    assert event["request_ip"] == "203.0.113.0" and event["context"]["page"]["path"] == "/a"
    assert set(event["context"]) == {"page", "referrer", "traits"}


def test_a_network_is_dropped_where_the_source_says_so() -> None:
    event: dict[str, Any] = {"context": {"ip": "203.0.113.77"}, "request_ip": "203.0.113.77"}
    generalise(event, keep_address=False)
    assert event == {"context": {}}
