"""Whose request it is that a proxy of yours hands on: the right-most address of X-Forwarded-For that is none of your proxies.

Each proxy appends whom it was asked by, so what stands to the right of the first stranger was written by proxies that
`serve: proxy` names, and what stands to the left by anybody. Counted from the left, a client would choose its own address.
Source: MDN, X-Forwarded-For, "Selecting an IP address"; RFC 7239, section 8.1.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope

HEADER = b"x-forwarded-for"
Address = IPv4Address | IPv6Address


class Proxies:
    """addresses: of your proxies, or networks of them (CIDR); as config.Serve has them."""

    def __init__(self, addresses: Collection[str]) -> None:
        self._networks = [ip_network(one) for one in addresses]
        self._trusted = lru_cache(1024)(self._is_trusted)

    def see_through(self, scope: Scope) -> None:
        """Puts the client in the place of a proxy of yours in a request."""
        said = [value for name, value in scope["headers"] if name == HEADER]
        if said and scope.get("client"):
            peer, port = scope["client"]
            found = self.client(peer, said)
            scope["client"] = (found, port if found == peer else 0)

    def client(self, peer: str, said: Sequence[bytes]) -> str:
        """The address of the client. peer: who asks us. said: the values of the header, in their order; of anybody but a proxy
        of yours they are not read.

        What is no address ends the chain: the proxy that wrote it is counted then.

        >>> Proxies(["10.0.0.0/8"]).client("10.0.0.1", [b"127.0.0.1, 203.0.113.7, 10.0.0.2"])
        '203.0.113.7'
        """
        found = peer
        if not said or not self._trusted(peer):
            return peer
        for text in reversed(b",".join(said).decode("latin-1").split(",")):
            address = _address(text)
            if address is None:
                break
            found = str(address)
            if not self._trusted(found):
                break
        return found

    def _is_trusted(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """An address as proxies write it, some with a port; of a mapped IPv4 the IPv4. None if it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
