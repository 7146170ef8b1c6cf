"""Where this machine connects to at somebody's word: addresses are checked, resolved once, and connected to as checked.

A URL from outside (a webhook, a source) could name this machine, its network, or the cloud's metadata. The standard
library's `is_global` alone says yes to NAT64 and 6to4 forms of such addresses and to multicast, so what is allowed is a
list: plain IPv4 and IPv6 global unicast. Redirects are never followed: each would be a new URL at a stranger's word.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tessera.errors import BadUrl

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], list[str]]

_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.I)
_NUMBER = re.compile(r"(0x[0-9a-f]*|\d+)", re.I)
_UNICAST = ipaddress.ip_network("2000::/3")
_TUNNELS = [
    ipaddress.ip_network(n) for n in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48", "5f00::/16")
]
"""Parts of 2000::/3 that carry another address, or are nobody's: Teredo, ORCHID, 6to4, documentation."""
_ISATAP = (0x5EFE, 0x0200_5EFE)
_SPECIAL = [ipaddress.ip_network(n) for n in ("192.88.99.0/24", "192.0.0.0/24", "168.63.129.16/32")]
"""6to4 relays, protocol assignments, Azure's wire server: global by the standard library."""
_OWN = [
    ipaddress.ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "::1/128", "fc00::/7")
]
_METADATA = [ipaddress.ip_network("fd00:ec2::/32"), ipaddress.ip_network("fd20:ce::/32")]
"""Clouds' metadata within fc00::/7."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A checked URL. host: as it was named (for TLS and the Host header). address: what to connect to."""

    scheme: str
    host: str
    port: int
    address: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the other side said."""

    status: int
    body: bytes


def refused(ip: Address, *, own_network: bool = False) -> str:
    """Why this address is none to connect to; empty if it is one. own_network: this machine and its private network are
    meant (a database that the workspace's files name); tunnels, link-local and metadata addresses are refused all the same.
    """
    if own_network and any(ip in net for net in _OWN) and not any(ip in net for net in _METADATA):
        return ""
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or ip.is_link_local:
        return "it is this machine, its link, or many at once"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip not in _UNICAST or any(ip in net for net in _TUNNELS):
            return "it is private, reserved, or carries another address"
        if (int(ip) >> 32) & 0xFFFFFFFF in _ISATAP:
            return "it carries another address"
    elif any(ip in net for net in _SPECIAL):
        return "it is reserved"
    return "" if ip.is_global and not ip.is_private and not ip.is_reserved else "it is private or reserved"


def address_of(host: str, *, own_network: bool = False, resolve: Resolve | None = None) -> str:
    """The one address to connect to for a host, after every address that it has was checked. Raises BadUrl.

    resolve: the addresses of a name (default: the system's resolver), asked once.
    """
    plain = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    literal = _literal(plain)
    if literal is None:
        name = plain.removesuffix(".")
        if not _HOST.fullmatch(name) or _NUMBER.fullmatch(name.rpartition(".")[2]):
            raise BadUrl("The host is no plain name and no plain address. Write a name, 192.0.2.1, or [2001:db8::1].")
        if "." not in name and not own_network:
            raise BadUrl("The host is a name of this network. Write a full name.")
        try:
            found = [_literal(text.partition("%")[0]) for text in (resolve or _resolved)(name)]
        except OSError:
            found = []
        if not found:
            raise BadUrl("The host has no address.")
    else:
        found = [literal]
    for ip in found:
        reason = refused(ip, own_network=own_network) if ip is not None else "it cannot be read"
        if reason:
            raise BadUrl(f"The host leads to an address that we do not connect to: {reason}.")
    return str(found[0])


def checked(url: str, *, own_network: bool = False, resolve: Resolve | None = None) -> Target:
    """A URL from outside, checked; only http and https, without a user. own_network: as in `refused`. Raises BadUrl, which does
    not repeat the URL."""
    if len(url) > 2000 or re.search(r"[\x00-\x20\x7f-\U0010ffff\\]", url):
        raise BadUrl("The URL holds a space, a backslash or a character that is not ASCII. Write it percent-encoded.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadUrl("This is no URL.") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise BadUrl("The URL has to begin with https:// (or http://).")
    if "@" in parts.netloc or "%" in parts.netloc or not parts.hostname:
        raise BadUrl("The URL names a user, or no plain host.")
    if port == 0 or (port is not None and port < 1024 and port not in (80, 443)):
        raise BadUrl("The port is none of the web's: 80, 443, or 1024 and above.")
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc.removesuffix(":")
    scheme = parts.scheme.lower()
    return Target(
        scheme=scheme, host=parts.hostname, port=port or (443 if scheme == "https" else 80),
        address=address_of(host, own_network=own_network, resolve=resolve),
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
    )  # fmt: skip


def post(
    target: Target, body: bytes, headers: Mapping[str, str], *, timeout_s: float = 10.0, most_bytes: int = 64 * 1024,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Sends a body to a checked target, over the address that was checked. Raises BadUrl: it cannot be reached, answers with
    a redirect, or with more than `most_bytes`."""
    connection = _Pinned(target, timeout_s, tls or ssl.create_default_context())
    try:
        connection.request("POST", target.path, body, dict(headers))
        answer = connection.getresponse()
        if 300 <= answer.status < 400:
            raise BadUrl("The other side answers with a redirect, and we follow none. Give the URL that it leads to.")
        said = answer.read(most_bytes + 1)
    except (OSError, http.client.HTTPException):
        raise BadUrl("The other side cannot be reached, or does not speak HTTP.") from None
    finally:
        connection.close()
    if len(said) > most_bytes:
        raise BadUrl(f"The other side answers with more than {most_bytes:,} bytes.")
    return Answer(status=answer.status, body=said)


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was checked; the name is for TLS and the Host header alone."""

    def __init__(self, target: Target, timeout_s: float, tls: ssl.SSLContext) -> None:
        usual = 443 if target.scheme == "https" else 80
        super().__init__(target.host, target.port, timeout=timeout_s)
        self.default_port = usual  # so that the Host header names a port only where it has to
        self._target, self._tls = target, tls

    def connect(self) -> None:
        plain = socket.create_connection((self._target.address, self._target.port), self.timeout)
        if self._target.scheme == "https":
            self.sock: Any = self._tls.wrap_socket(plain, server_hostname=self._target.host)
        else:
            self.sock = plain


def _literal(text: str) -> Address | None:
    """The address that a text is, written as addresses are: no zone, no octal, no fewer than four parts."""
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _resolved(name: str) -> list[str]:
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)))
