"""The outermost layer of the HTTP door: what every request must keep to, and what every answer carries.

Nothing here knows of people or roles. A request is refused here for its host, its path, its size, its coding, its
frequency or its time, before any other code of ours reads it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tessera.doors.http import answers, her_words
from tessera.doors.limits import Limits, Meter, origin

HEADERS = {
    "content-security-policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_PATH = re.compile(rb"(/[A-Za-z0-9._~-]+)+/?|/")
"""Paths of ours have no other byte: no escape, no second slash, no backslash."""


class Shield:
    """Wraps the application. hosts: the names, with port, under which it may be asked. var: where its log lies."""

    def __init__(self, app: ASGIApp, *, limits: Limits, hosts: Collection[str], var: Path) -> None:
        self.app, self.limits, self.hosts, self.var = app, limits, frozenset(hosts), var
        self.meter = Meter(limits.address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        out = _Out(send)
        refused = self._refused(scope)
        if refused is not None:
            await refused(scope, receive, out)
            return
        body = _Body(receive, self.limits.body_bytes)
        try:
            with anyio.fail_after(self.limits.request_s):
                await self.app(scope, body, out)
        except TimeoutError:
            if not out.begun:
                await answers.plain(503, {"retry-after": "1"}, her_words.at(scope))(scope, receive, out)
        except Exception as error:
            # The framework tells its own logger too, with the error's text; it stops here.
            if not out.begun:
                await answers.unforeseen(error, self.var, her_words.at(scope))(scope, receive, out)

    def _refused(self, scope: Scope) -> JSONResponse | None:
        headers, hers = Headers(scope=scope), her_words.at(scope)
        client = scope.get("client")
        if retry_s := self.meter.take(origin(client[0]) if client else "?"):
            return answers.of(answers.TooMany(retry_s), self.var, hers)
        if headers.get("host", "").lower() not in self.hosts:
            return answers.plain(421, hers=hers)
        path = scope.get("raw_path") or scope["path"].encode()
        if not _PATH.fullmatch(path) or {b".", b".."} & set(path.split(b"/")):
            return answers.plain(404, hers=hers)
        if headers.get("content-encoding", "identity").lower() != "identity":
            return answers.plain(415, hers=hers)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:19]) > self.limits.body_bytes:
            return answers.plain(413, hers=hers)
        return None


class _TooLarge(HTTPException):
    """More bytes came than the door takes."""

    def __init__(self) -> None:
        super().__init__(413)


class _Body:
    """What the request sends, counted."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise _TooLarge
        return message


class _Out:
    """What the answer sends, with our headers."""

    def __init__(self, send: Send) -> None:
        self._send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "private, no-store")
            del headers["server"]
        await self._send(message)
