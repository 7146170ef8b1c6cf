"""The first-party cookie: an id of a browser that its scripts cannot read, for sites whose domain the door shares.

A source opts in with `cookieDomain`. HttpOnly, Secure, SameSite=Lax; set by an event whose own consent does not refuse, taken
back by one whose does. Browsers themselves refuse a domain under which strangers register (a public suffix).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit
from uuid import uuid4

NAME = "tessera_id"
PLACE = "firstPartyId"
"""Where an event has it, in its context."""

LASTS_S = 365 * 24 * 3600

_SENT = re.compile(rf"(?:^|;)\s*{NAME}=([0-9a-f]{{32}})\s*(?:;|$)".encode())


def within(headers: Mapping[bytes, bytes], domain: str) -> bool:
    """Whether a page of this domain asks."""
    asks = headers.get(b"origin") or headers.get(b"referer") or b""
    try:
        host = urlsplit(asks.decode("latin-1")).hostname or ""
    except ValueError:
        return False
    return host == domain or host.endswith("." + domain)


def sent(headers: Mapping[bytes, bytes]) -> str:
    """The id that came with a request; empty if none did."""
    found = _SENT.search(headers.get(b"cookie", b""))
    return found[1].decode() if found else ""


def new() -> str:
    """An id for a browser that has none."""
    return uuid4().hex


def given(value: str, domain: str) -> bytes:
    """The header that sets it."""
    return _header(value, domain, LASTS_S)


def taken_back(domain: str) -> bytes:
    """The header that removes it."""
    return _header("", domain, 0)


def _header(value: str, domain: str, seconds: int) -> bytes:
    return f"{NAME}={value}; Domain={domain}; Path=/; Max-Age={seconds}; HttpOnly; Secure; SameSite=Lax".encode()
