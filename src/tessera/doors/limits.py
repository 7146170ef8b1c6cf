"""What one caller may take: how much in one request, and how often. Counts are in memory and start anew with the server."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock

from tessera.trust.answers import Caps

MOST_CALLERS = 100_000
"""Callers that are remembered for one limit; the one that was quiet longest is forgotten first."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So many at once, and one more each `every_s` seconds."""

    burst: int
    every_s: float


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one server; tests and the drill set narrower ones.

    body_bytes, page_rows: of a request, of one page of a list. answer: of one question. request_s: of a request from its
    first byte to its answer. wait_s: how long a request waits for its turn at the workspace.
    address: requests of one address (of IPv6 its /64). caller: of one signed-in caller. knock: attempts to sign in, of one
    address; wrong_key: API keys that are none. link: letters asked for, of one address; mailbox: for one mailbox. verify:
    reads of the whole ledger, by one caller.
    """

    body_bytes: int = 64 * 1024
    page_rows: int = 500
    answer: Caps = field(default_factory=lambda: Caps(rows=10_000, bytes=16 << 20, seconds=20.0))
    request_s: float = 30.0
    wait_s: float = 5.0
    address: Rate = Rate(burst=600, every_s=0.005)
    caller: Rate = Rate(burst=60, every_s=0.05)
    knock: Rate = Rate(burst=10, every_s=30.0)
    wrong_key: Rate = Rate(burst=30, every_s=2.0)
    link: Rate = Rate(burst=10, every_s=120.0)
    mailbox: Rate = Rate(burst=3, every_s=1200.0)
    verify: Rate = Rate(burst=3, every_s=60.0)


class Meter:
    """Counts one kind of thing by caller: a bucket of `burst` that fills again, one each `every_s`. Thread-safe."""

    def __init__(self, rate: Rate, now: Callable[[], float] = time.monotonic) -> None:
        self.rate, self._now = rate, now
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()

    def take(self, who: str) -> float:
        """Counts one: 0.0 if it is within the limit, else the seconds until one would be (it is not counted then)."""
        now, every_s = self._now(), self.rate.every_s
        with self._lock:
            full_at = max(self._full_at.pop(who, now), now)
            over_s = full_at + every_s - now - self.rate.burst * every_s
            taken = over_s <= 1e-9
            self._full_at[who] = full_at + every_s if taken else full_at
            if len(self._full_at) > MOST_CALLERS:
                self._full_at.popitem(last=False)
        return 0.0 if taken else over_s


@lru_cache(4096)
def origin(address: str) -> str:
    """Whom to count a network address as: itself; of IPv6 its /64, which one household has; mapped IPv4 is IPv4.

    >>> origin("2001:db8::1") == origin("2001:db8::ffff"), origin("::ffff:192.0.2.1")
    (True, '192.0.2.1')
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def loopback(host: str) -> bool:
    """Whether nobody but this machine can ask there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
