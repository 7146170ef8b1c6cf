"""The part `serve` of tessera.yaml -> the HTTP door: its address, where staff sign in, how mail leaves."""

from __future__ import annotations

import re

from tessera.config import Mail, Oidc, Serve
from tessera.yamlmarks import Piece
from tessera.yamlread import Section, section, text, whole

_ORIGIN = text(r"https://[^/\s?#@]+|http://(localhost|127\.0\.0\.1)(:\d+)?", "an address such as https://cdp.example.org")
_ISSUER = text(r"https://[^\s?#@]+|http://(localhost|127\.0\.0\.1)(:\d+)?[^\s?#@]*", "the issuer's https:// address")
_NAMED = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_HOST = text(r"[A-Za-z0-9.-]+", "the name of a mail server")
_ADDRESS = text(r"[^@\s<>]+@[^@\s<>]+", "an e-mail address")


def serve(piece: Piece) -> Serve:
    """The settings of the HTTP door; mistakes are noted on the piece."""
    top = section(piece, ("url", "oidc", "mail"))
    if top is None:
        return Serve()
    return Serve(url=top.get("url", _ORIGIN, ""), oidc=_oidc(top), mail=_mail(top))


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
    piece.wrong("its name, such as ${OIDC_SECRET}: secrets are named, never written", found="a secret in clear")
    return None
