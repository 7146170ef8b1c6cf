"""A source that is sent any JSON: who signed it, and the lines of its rows."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import UTC

from tessera.config import Contract, Webhook
from tessera.data.sources import door
from tessera.data.sources.posted import Form
from tessera.doors.collect import Hook
from tessera.doors.grouped import GroupCommit
from tessera.envtext import filled
from tessera.words import Clock

ALGORITHM = b"sha256="
"""What some senders write before a signature, as GitHub does."""


def hook(contract: Contract, told: Webhook, group: GroupCommit, clock: Clock, env: Mapping[str, str] = os.environ) -> Hook:
    """The door of a webhook. Raises BadInput if its secret is not set any more."""
    form, secret = Form.of(contract), filled(told.secret, env).encode()

    def signed(headers: Mapping[bytes, bytes], data: bytes) -> bool:
        if not told.header:
            return True
        given = headers.get(told.header.lower().encode(), b"").strip().removeprefix(ALGORITHM)
        return hmac.compare_digest(_bytes(given, told.encoding), hmac.digest(secret, data, hashlib.sha256))

    def lines(data: bytes) -> tuple[list[bytes], str]:
        posted = form.read(data, clock().astimezone(UTC))
        return door.lines_posted(posted), posted.whole

    return Hook(name=contract.name, signed=signed, lines=lines, group=group)


def _bytes(written: bytes, encoding: str) -> bytes:
    """A signature as bytes; empty if it is none."""
    try:
        return base64.b64decode(written, validate=True) if encoding == "base64" else binascii.unhexlify(written)
    except binascii.Error:
        return b""
