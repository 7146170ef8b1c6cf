"""The parts `serve` and `alerts` of tessera.yaml -> the HTTP door, its turns and metrics, and who is told of trouble."""

from __future__ import annotations

import ipaddress
import re

import yaml

from tessera.config import AlertsConfig, Mail, Oidc, Serve, TlsFiles
from tessera.envtext import broken_reference
from tessera.yamlmarks import Piece
from tessera.yamlread import Section, flag, many, section, text, whole

_ORIGIN = text(r"https://[^/\s?#@]+|http://(localhost|127\.0\.0\.1)(:\d+)?", "an address such as https://cdp.example.org")
_ISSUER = text(r"https://[^\s?#@]+|http://(localhost|127\.0\.0\.1)(:\d+)?[^\s?#@]*", "the issuer's https:// address")
_NAMED = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_HOST = text(r"[A-Za-z0-9.-]+", "the name of a mail server")
_ADDRESS = text(r"[^@\s<>]+@[^@\s<>]+", "an e-mail address")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
NEVER = "never"
LOOPBACK = ("127.0.0.0/8", "::1/128")
"""Where a proxy on this machine asks from."""


def serve(piece: Piece) -> Serve:
    """The settings of the HTTP door; mistakes are noted on the piece."""
    top = section(piece, ("url", "oidc", "mail", "tls", "turn_every", "metrics_port", "proxy"))
    if top is None:
        return Serve()
    every = top.get("turn_every", _every, "")
    return Serve(
        url=top.get("url", _ORIGIN, ""),
        oidc=_oidc(top),
        mail=_mail(top),
        tls=_tls(top),
        turn_every_s=_seconds(every) if every else Serve.turn_every_s,
        metrics_port=top.get("metrics_port", whole(1, 65535), None),
        proxies=top.get("proxy", _proxies, ()),
    )


def alerts(piece: Piece, *, mail: bool) -> AlertsConfig | None:
    """Who is told of trouble. mail: whether `serve.mail` says how letters leave; mistakes are noted on the piece."""
    top = section(piece, ("mail", "webhook", "disk_percent"))
    if top is None:
        return None
    if "mail" in top and not mail:
        top.at("mail").say("found addresses, but nothing says how mail leaves. Add mail under serve, or leave mail out here.")
    if not {"mail", "webhook"} & set(top.parts):
        piece.say("neither mail nor webhook says where alerts go; give one of them, or leave alerts out.")
    return AlertsConfig(
        mail=top.get("mail", many(_ADDRESS), ()),
        webhook=top.get("webhook", _reference, ""),
        disk_percent=top.get("disk_percent", whole(1, 90), AlertsConfig.disk_percent),
    )


def _tls(top: Section) -> TlsFiles | None:
    spec = section(top.parts["tls"], ("cert", "key"), ("cert", "key")) if "tls" in top else None
    return TlsFiles(cert=spec.get("cert", _file, ""), key=spec.get("key", _file, "")) if spec else None


def _file(piece: Piece) -> str | None:
    found = text()(piece)
    if found is not None and broken_reference(found):
        piece.wrong("a path, such as tls/cert.pem or ${CREDENTIALS_DIRECTORY}/cert.pem", found="a broken ${")
        return None
    return found


def _proxies(piece: Piece) -> tuple[str, ...] | None:
    """true: on this machine; else the addresses."""
    if piece.kind == "bool":
        return LOOPBACK if flag(piece) else ()
    if not isinstance(piece.node, yaml.SequenceNode):
        piece.wrong("true (a proxy on this machine), false, or a list of addresses such as [10.0.0.5, 10.1.0.0/24]")
        return None
    return many(_network)(piece)


def _network(piece: Piece) -> str | None:
    """An address, or a network of them; not one that everybody is in."""
    try:
        found = ipaddress.ip_network(piece.raw)
    except ValueError:
        piece.wrong("an address such as 10.0.0.5, or a network such as 10.1.0.0/24")
        return None
    if found.prefixlen == 0:
        piece.wrong("the addresses of your proxies: who is believed may claim any address")
        return None
    return str(found)


def _every(piece: Piece) -> str | None:
    if piece.raw == NEVER or re.fullmatch(r"[1-9]\d{0,4}[smh]", piece.raw):
        return piece.raw
    piece.wrong("a time with its unit, such as 30s, 5m or 1h, or never")
    return None


def _seconds(every: str) -> int | None:
    return None if every == NEVER else int(every[:-1]) * _SECONDS[every[-1]]


def _oidc(top: Section) -> Oidc | None:
    keys = ("issuer", "client_id", "client_secret")
    spec = section(top.parts["oidc"], keys, keys) if "oidc" in top else None
    if spec is None:
        return None
    return Oidc(
        issuer=spec.get("issuer", _ISSUER, ""),
        client_id=spec.get("client_id", text(), ""),
        client_secret=spec.get("client_secret", _reference, ""),
    )


def _mail(top: Section) -> Mail | None:
    keys = ("host", "sender", "port", "user", "password")
    spec = section(top.parts["mail"], keys, ("host", "sender")) if "mail" in top else None
    if spec is None:
        return None
    return Mail(
        host=spec.get("host", _HOST, ""),
        sender=spec.get("sender", _ADDRESS, ""),
        port=spec.get("port", whole(1, 65535), Mail.port),
        user=spec.get("user", text(), ""),
        password=spec.get("password", _reference, ""),
    )


def _reference(piece: Piece) -> str | None:
    if _NAMED.fullmatch(piece.raw):
        return piece.raw
    piece.wrong("its name, such as ${NAME}: secrets are named, never written", found="a secret in clear")
    return None
