"""What a contract says of a source that comes by itself: the signature of a webhook, the broker of devices."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from tessera import odcs
from tessera.config import Mqtt, Webhook
from tessera.envtext import broken_reference, filled, missing, secret_in_clear
from tessera.errors import BadInput
from tessera.yamlmarks import Piece
from tessera.yamlread import Section, choice, custom_section, flag, text

NAMED = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
LEVEL = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""A level of a topic that becomes a field of the row: fleet/{device_id}/telemetry."""

_PART = r"(?:\$\{[^}]*\}|[^:@/])*"
_ADDRESS = re.compile(
    rf"mqtts?://(?:(?P<user>{_PART})(?::(?P<password>{_PART}))?@)?"
    rf"(?P<host>\[[0-9a-fA-F:]+\]|{_PART})(?::(?P<port>{_PART}))?/(?P<topic>.+)"
)
_ROWS = text(r"[^.\s]+(\.[^.\s]+)*", "the path of a list inside the body, such as data.orders")
_HEADER = text(r"[A-Za-z0-9-]{1,100}", "the name of a header, such as X-Shopify-Hmac-Sha256")
_CODINGS = ("hex", "base64")


def reference(piece: Piece, env: Mapping[str, str]) -> str | None:
    """A path or connection whose `${NAME}` are all set, with no secret in clear; kept as it is written."""
    written = text()(piece)
    if written is None:
        return None
    if secret_in_clear(written):
        piece.wrong("its name, such as ${SHOP_PASSWORD}: secrets are named, never written", found="a secret in clear")
    elif broken_reference(written):
        piece.wrong("${NAME} or ${NAME:-default}", found="an unfinished '${'")
    elif absent := missing(written, env):
        piece.wrong(f"{absent[0]} to be set in the environment", found=f"${{{absent[0]}}}, which is not set")
    else:
        return written
    return None


def webhook(server: Section, env: Mapping[str, str]) -> Webhook | None:
    """What a server of type api takes as a webhook; None where it is the tracking API's."""
    if "location" not in server or not server.at("location").raw.startswith(odcs.WEBHOOK):
        return None
    ours = custom_section(server, odcs.OUR_WEBHOOK)
    header, secret = ours.get("signatureHeader", _HEADER, ""), ours.get("signatureSecret", lambda p: _secret(p, env), "")
    if ("signatureHeader" in ours) != ("signatureSecret" in ours):
        server.piece.say("`signatureHeader` and `signatureSecret` need each other; give both or neither.")
    if "signatureEncoding" in ours and "signatureHeader" not in ours:
        ours.at("signatureEncoding").wrong("it beside signatureHeader", found="signatureEncoding without one")
    coding = cast(Literal["hex", "base64"], ours.get("signatureEncoding", choice(_CODINGS), "hex"))
    return Webhook(rows=ours.get("rows", _ROWS, ""), header=header, secret=secret, encoding=coding)


def _secret(piece: Piece, env: Mapping[str, str]) -> str | None:
    if not NAMED.fullmatch(piece.raw):
        piece.wrong("its name alone, such as ${SHOP_SECRET}: secrets are named, never written", found="something else")
        return None
    return reference(piece, env)


def mqtt_address(server: Section) -> Piece | None:
    """The connection of a server, if it is a broker's."""
    found = custom_section(server, odcs.OUR_SERVER).parts.get("connection")
    return found if found and found.raw.startswith(("mqtt://", "mqtts://")) else None


def mqtt(server: Section, address: Piece, env: Mapping[str, str]) -> Mqtt | None:
    """What is subscribed to at a broker; its address is checked, and stays as it is written."""
    ours = custom_section(server, odcs.OUR_BROKER)
    plain = ours.get("plain", flag, False)
    if reference(address, env) is None:
        return None
    try:
        found = broker(address.raw, env)
    except BadInput:
        address.wrong("an address such as mqtts://${MQTT_USER}:${MQTT_PASSWORD}@broker:8883/fleet/{device_id}/telemetry")
        return None
    if wrong := _topic_fault(found.topic):
        address.wrong(wrong, found=f"the topic {found.topic!r}")
    if not found.tls and not plain and not _loopback(found.host):
        address.wrong("mqtts://, or the custom property plain: true beside it", found="mqtt:// over a network, in clear")
    if "caFile" in ours and not found.tls:
        ours.at("caFile").wrong("it beside an address with mqtts://", found="caFile without TLS")
    return Mqtt(
        rows=ours.get("rows", _ROWS, ""),
        protocol=cast(Literal["5", "3.1.1"], ours.get("protocol", choice(("5", "3.1.1")), "5")),
        ca=ours.get("caFile", lambda p: reference(p, env), ""),
    )


@dataclass(frozen=True, kw_only=True)
class Broker:
    """Where a broker is, who we are there, and the topic, whose levels may be `+`, `#` or `{field}`."""

    host: str
    port: int
    tls: bool
    user: str
    password: str
    topic: str

    @property
    def filter(self) -> str:
        """What is subscribed to."""
        return LEVEL.sub("+", self.topic)

    def fields(self, topic: str) -> dict[str, str]:
        """What the levels of a message's topic say.

        >>> Broker(host="b", port=1, tls=False, user="", password="", topic="fleet/{device}/+").fields("fleet/d7/temp")
        {'device': 'd7'}
        """
        pairs = zip(self.topic.split("/"), topic.split("/"), strict=False)
        return {named.group(1): level for part, level in pairs if (named := LEVEL.fullmatch(part))}


def broker(connection: str, env: Mapping[str, str]) -> Broker:
    """The broker of a connection, its references filled in. Raises BadInput if it is no address, or a name is not set."""
    found = _ADDRESS.fullmatch(connection)
    if found is None:
        raise BadInput("This is no address of a broker.")
    parts = found.group("user", "password", "host", "port", "topic")
    user, password, host, port, topic = (filled(part or "", env) for part in parts)
    tls = connection.startswith("mqtts:")
    number = int(port) if port.isdecimal() else 0 if port else 8883 if tls else 1883
    if not host or not 0 < number < 65536:
        raise BadInput("This is no address of a broker.")
    return Broker(host=host.strip("[]"), port=number, tls=tls, user=user, password=password, topic=topic)


def _topic_fault(topic: str) -> str | None:
    levels = topic.split("/")
    names = LEVEL.findall(topic)
    if topic.startswith("$") or len(topic.encode()) > 65_000 or "\0" in topic:
        return "a topic of your own, which does not begin with $"
    for n, level in enumerate(levels):
        whole = level == "+" or LEVEL.fullmatch(level) or (level == "#" and n == len(levels) - 1)
        if not whole and re.search(r"[+#{}]", level):
            return "+, {field} and (last) # as whole levels"
    return None if len(names) == len(set(names)) else "each field once"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
