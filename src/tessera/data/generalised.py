"""What a door keeps of where and by what an event was sent: a network, a browser and a system, an address without its tail.

Nothing that points at one person or one device passes: IPv4 to its /24, IPv6 to its /48; of a user agent the browser with its
major version and the system; URLs lose query and fragment, as landing has them. User agents are written by whoever sends
them, so what stays is put together from the words below alone; a library that takes names out of the text (ua-parser) would
pass on what somebody has put there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Any

LONGEST_AGENT = 1024
"""Characters of a user agent that are looked at."""

_BROWSERS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("Bot", r"(?i:bot\b|crawler|spider|slurp|headless)"),
        ("Edge", r"Edg(?:e|A|iOS)?/(\d{1,4})"),
        ("Opera", r"(?:OPR|OPT|Opera)/(\d{1,4})"),
        ("Samsung Internet", r"SamsungBrowser/(\d{1,4})"),
        ("Huawei Browser", r"HuaweiBrowser/(\d{1,4})"),
        ("MIUI Browser", r"MiuiBrowser/(\d{1,4})"),
        ("WeChat", r"MicroMessenger/(\d{1,4})"),
        ("QQ Browser", r"QQBrowser/(\d{1,4})"),
        ("UC Browser", r"UC?Browser/(\d{1,4})"),
        ("Baidu", r"(?:baiduboxapp|baidubrowser|BIDUBrowser)/(\d{1,4})"),
        ("Yandex Browser", r"YaBrowser/(\d{1,4})"),
        ("Firefox", r"(?:Firefox|FxiOS)/(\d{1,4})"),
        ("Chrome", r"(?:Chrome|CriOS|Chromium)/(\d{1,4})"),
        ("Safari", r"Version/(\d{1,4})[\d.]* (?:Mobile/\w+ )?Safari/|^Safari (\d{1,4})\b"),
        ("Internet Explorer", r"MSIE (\d{1,4})|Trident/.*rv:(\d{1,4})"),
    )
)
_SYSTEMS = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("iOS", r"iPhone|iPad|iPod|CFNetwork|on iOS$"),
        ("HarmonyOS", r"HarmonyOS|OpenHarmony"),
        ("Android", r"Android"),
        ("Windows", r"Windows"),
        ("ChromeOS", r"CrOS|ChromeOS"),
        ("macOS", r"Macintosh|Mac OS X|macOS"),
        ("Linux", r"Linux|X11"),
    )
)
_NAMES, _ON = "|".join((*(n for n, _ in _BROWSERS), "Other")), "|".join(n for n, _ in _SYSTEMS)
_AGAIN = re.compile(rf"(?:{_NAMES})(?: \d{{1,4}})?(?: on (?:{_ON}))?")
"""What `agent` makes: it stays as it is, where a server of yours sends on what another of ours has taken."""

HINTS = frozenset(("userAgentData", "user_agent", "useragent"))
"""Of a context: what tells more of her device than is kept (client hints), or tells it under a name of its own."""

_BESIDE = frozenset(("ip", "request_ip", "requestIP", "userAgent", "url", "referrer"))
"""Beside the context, where servers that pass events on have put it."""

_QUERIES = frozenset(("search", "query", "query_string", "hash"))
"""In a page's facts: the query by itself."""


@lru_cache(4096)
def address(text: str) -> str | None:
    """The network of an address, as its first address; None if it is no address.

    >>> address("203.0.113.77"), address("2001:db8:77:1::1"), address("::ffff:203.0.113.77"), address("home")
    ('203.0.113.0', '2001:db8:77::', '203.0.113.0', None)
    """
    try:
        return _net(inet_pton(AF_INET, text))
    except (OSError, ValueError):
        pass
    try:
        packed = inet_pton(AF_INET6, text.partition("%")[0])
    except (OSError, ValueError):
        return None
    if packed[:12] == b"\0" * 10 + b"\xff\xff":
        return _net(packed[12:])
    return inet_ntop(AF_INET6, packed[:6] + b"\0" * 10)


def _net(packed: bytes) -> str:
    return inet_ntop(AF_INET, packed[:3] + b"\0")


@lru_cache(4096)
def agent(text: str) -> str:
    """The browser with its major version, and the system.

    >>> agent("Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605 Version/19.1 Mobile/15E Safari/604")
    'Safari 19 on iOS'
    """
    text = text[:LONGEST_AGENT]
    if _AGAIN.fullmatch(text):
        return text
    found = "Other"
    for name, pattern in _BROWSERS:
        if match := pattern.search(text):
            version = next((g for g in match.groups() if g), "")
            found = f"{name} {version}".rstrip()
            break
    system = next((name for name, pattern in _SYSTEMS if pattern.search(text)), "")
    return f"{found} on {system}" if system else found


@lru_cache(4096)
def from_outside(text: str) -> bool:
    """Whether an address is of the internet, not of a proxy of yours or of this machine."""
    try:
        return ip_address(text.partition("%")[0]).is_global
    except ValueError:
        return False


def bare(url: str) -> str:
    """A URL without query and fragment.

    >>> bare("https://shop.example/a?mail=ann@example.org#top")
    'https://shop.example/a'
    """
    return url.partition("?")[0].partition("#")[0]


def generalise(event: dict[str, Any], *, keep_address: bool = True) -> None:
    """An event's context, page, properties and traits as they may be stored; changed in place."""
    context = event.get("context")
    if type(context) is dict:
        if (ip := context.pop("ip", None)) is not None and keep_address and type(ip) is str and (network := address(ip)):
            context["ip"] = network
        if (sent := context.pop("userAgent", None)) is not None and type(sent) is str:
            context["userAgent"] = agent(sent)
        if not HINTS.isdisjoint(context):
            for name in HINTS:
                context.pop(name, None)
        for name in ("page", "referrer", "traits"):
            if type(part := context.get(name)) is dict:
                _bared(part)
    for name in ("properties", "traits"):
        if type(part := event.get(name)) is dict:
            _bared(part)
    if not _BESIDE.isdisjoint(event):
        _beside(event, keep_address)


def _beside(event: dict[str, Any], keep_address: bool) -> None:
    for name in _BESIDE.intersection(event):
        value = event.pop(name)
        if not isinstance(value, str):
            continue
        if name in ("url", "referrer"):
            event[name] = bare(value)
        elif name == "userAgent":
            event[name] = agent(value)
        elif keep_address and (network := address(value)):
            event[name] = network


def _bared(part: dict[str, Any]) -> None:
    """Facts of a page or of anything else: their URLs without tails, and no query that stands by itself."""
    tailed = None
    for name, value in part.items():
        if type(value) is str and ("?" in value or "#" in value):
            tailed = tailed or []
            tailed.append(name)
    for name in tailed or ():
        value = part[name]
        if name in _QUERIES and value[0] in "?#":
            del part[name]
        elif "://" in value or name == "path":
            part[name] = bare(value)
