"""What the drill attacks: a running instance of ours, asked as an attacker asks, byte by byte where it matters."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tessera.doors.drill.shop import Shop
from tessera.errors import BadInput

TIMEOUT_S = 40.0
PATIENCE = 300
"""How often one request waits when it is told that it comes too often."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Its document; None if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(kw_only=True)
class Target:
    """An instance. shop: the throw-away workspace behind it; None for one that is not ours to look into. cert: what its
    certificate is trusted by. said: what it has written to its output and log so far."""

    url: str
    shop: Shop | None = None
    cert: Path | None = None
    said: list[Path] = field(default_factory=list)
    _kept: http.client.HTTPConnection | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput(f"{self.url!r} is no address of an instance. Write https://HOST:PORT")
        self.host, self.tls = parts.hostname, parts.scheme == "https"
        self.port = parts.port or (443 if self.tls else 80)
        self.authority = parts.netloc

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str = "", headers: Mapping[str, str] | None = None,
        patient: bool = True,
    ) -> Told:  # fmt: skip
        """One request. key: an API key. patient: waits where it is told to come again later."""
        sent = {"Host": self.authority} | ({"Authorization": f"Bearer {key}"} if key else {})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            sent["Content-Type"] = "application/json"
        for _ in range(PATIENCE):
            told = self._once(method, path, data, sent | dict(headers or {}))
            if not (patient and told.status in (429, 503) and "retry-after" in told.headers):
                break
            time.sleep(0.2)
        return told

    def raw(self, data: bytes) -> bytes:
        """What comes back for bytes as they are, up to 64 KiB."""
        with self._socket() as to:
            to.sendall(data)
            with to.makefile("rb") as answer:
                return answer.read(65536)

    def context(self) -> ssl.SSLContext:
        """How its certificate is checked."""
        return ssl.create_default_context(cafile=str(self.cert) if self.cert else None)

    def close(self) -> None:
        """Closes the connection that it keeps."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _once(self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]) -> Told:
        """Over the connection that is kept; where the server has closed it, over a new one."""
        fresh = self._kept is None
        if self._kept is None:
            if self.tls:
                self._kept = http.client.HTTPSConnection(self.host, self.port, timeout=TIMEOUT_S, context=self.context())
            else:
                self._kept = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
        try:
            self._kept.request(method, path, data, dict(headers))
            answer = self._kept.getresponse()
            return Told(status=answer.status, headers={k.lower(): v for k, v in answer.getheaders()}, body=answer.read())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if fresh:
                raise BadInput(f"{self.url} does not answer ({type(error).__name__}).") from None
            return self._once(method, path, data, headers)

    def _socket(self) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), timeout=TIMEOUT_S)
        return self.context().wrap_socket(plain, server_hostname=self.host) if self.tls else plain
