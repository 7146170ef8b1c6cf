"""A small OpenID provider as a real server: discovery, authorization with PKCE, tokens signed by a key of its own."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "tessera", "a-secret-of-the-client"


class Provider(http.server.ThreadingHTTPServer):
    """Vouches for `subject`. claims: what its next tokens say otherwise. key: what it signs with."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.issuer = f"http://127.0.0.1:{self.server_port}/realm"
        self.key = self.published = ECKey.generate_key("P-256", {"kid": "k1"})
        self.subject, self.claims = "staff-1", {}  # type: str, dict[str, Any]
        self.codes: dict[str, dict[str, str]] = {}
        self.asked: list[str] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        at, asked = urlsplit(self.path).path, {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        issuer = self.server.issuer
        self.server.asked.append(at)
        if at == "/realm/.well-known/openid-configuration":
            ends = {f"{n}_endpoint": f"{issuer}/{n}" for n in ("authorization", "token")}
            self._told(200, {"issuer": issuer, "jwks_uri": f"{issuer}/keys", **ends})
        elif at == "/realm/keys":
            self._told(200, {"keys": [self.server.published.as_dict(private=False)]})
        elif at == "/realm/authorization" and asked.get("code_challenge_method") == "S256" and asked["client_id"] == CLIENT:
            code = secrets.token_urlsafe(16)
            self.server.codes[code] = asked
            self.send_response(302)
            back = {"code": code, "state": asked["state"], "iss": issuer}
            self.send_header("location", f"{asked['redirect_uri']}?{urlencode(back)}")
            self.end_headers()
        else:
            self._told(400, {"error": "invalid_request"})

    def do_POST(self) -> None:
        sent = {k: v[0] for k, v in parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()).items()}
        began = self.server.codes.pop(sent.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        proved = base64.urlsafe_b64encode(hashlib.sha256(sent.get("code_verifier", "").encode()).digest()).decode().rstrip("=")
        if began is None or self.headers["authorization"] != f"Basic {basic}" or proved != began["code_challenge"]:
            self._told(400, {"error": "invalid_grant"})
            return
        now = int(time.time())
        claims = {
            "iss": self.server.issuer, "sub": self.server.subject, "aud": CLIENT, "iat": now, "exp": now + 60,
            "nonce": began["nonce"], **self.server.claims,
        }  # fmt: skip
        token = jwt.encode({"alg": "ES256", "kid": "k1"}, claims, self.server.key)
        self._told(200, {"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _told(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def provider() -> Iterator[Provider]:
    """A running provider."""
    with Provider() as up:
        threading.Thread(target=up.serve_forever, daemon=True).start()
        try:
            yield up
        finally:
            up.shutdown()
