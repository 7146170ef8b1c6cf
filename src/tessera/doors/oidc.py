"""Staff sign in by OpenID Connect: the code flow with PKCE, by Authlib; who comes back is `oidc:SUBJECT` of access.yaml.

Source: OpenID Connect Core 1.0, 3.1; RFC 7636 (PKCE); RFC 9207 (iss). The provider is the one that tessera.yaml names, so
it may lie in our own network; its answers are read for 10 s at most, and no redirect of its endpoints is followed.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from dataclasses import dataclass
from threading import Lock
from typing import Any, cast

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tessera.config import Oidc
from tessera.envtext import filled
from tessera.errors import BadInput, TesseraError

TIMEOUT_S = 10
STARTED_S = 600
MOST_STARTED = 1_000
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures by a key of the provider; never `none`, never one by the client's secret."""


class NotVouched(TesseraError):
    """The provider vouches for nobody: refused, expired, forged, or not reached."""


@dataclass(frozen=True, kw_only=True)
class _Started:
    """A sign-in under way."""

    nonce: str
    verifier: str
    ends: float


class Provider:
    """The provider of one workspace. back: the address to which it sends whoever has signed in."""

    def __init__(self, oidc: Oidc, back: str) -> None:
        self.oidc, self.back = oidc, back
        try:
            self._secret = filled(oidc.client_secret, os.environ)
        except BadInput as absent:
            raise BadInput(f"serve.oidc of tessera.yaml: {absent}") from None
        self._started: dict[str, _Started] = {}
        self._lock = Lock()
        self._found: dict[str, Any] | None = None

    def start(self) -> tuple[str, str]:
        """Where to send the browser, and the state that its cookie has to hold when it comes back. Raises NotVouched."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._session() as session:
            address, _ = session.create_authorization_url(
                self._metadata()["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
            )
        now = time.monotonic()
        with self._lock:
            self._started = {s: one for s, one in self._started.items() if one.ends > now}
            while len(self._started) >= MOST_STARTED:
                self._started.pop(next(iter(self._started)))
            self._started[state] = _Started(nonce=nonce, verifier=verifier, ends=now + STARTED_S)
        return str(address), state

    def finish(self, code: str, state: str, cookie: str, issuer: str | None) -> str:
        """The subject whom the provider vouches for. cookie: what the browser's held. Raises NotVouched."""
        with self._lock:
            started = self._started.pop(state, None)
        if started is None or started.ends < time.monotonic() or not hmac.compare_digest(state.encode(), cookie.encode()):
            raise NotVouched("This sign-in was not begun here, or too long ago.")
        if issuer is not None and issuer != self._metadata()["issuer"]:
            raise NotVouched("Another issuer answers.")
        try:
            with self._session() as session:
                token = session.fetch_token(
                    self._metadata()["token_endpoint"], code=code, code_verifier=started.verifier, allow_redirects=False
                )
            keys = KeySet.import_key_set(cast(Any, self._get(self._metadata()["jwks_uri"])))
            found = jwt.decode(token["id_token"], keys, ALGORITHMS)
            claims = CodeIDToken(
                found.claims, found.header,
                {"iss": {"values": [self._metadata()["issuer"]]}, "aud": {"values": [self.oidc.client_id]}},
                {"nonce": started.nonce, "client_id": self.oidc.client_id, "access_token": token.get("access_token")},
            )  # fmt: skip
            claims.validate(leeway=30)
        except (requests.RequestException, AuthlibBaseError, JoseError, KeyError, ValueError, TypeError) as no:
            raise NotVouched(f"The provider vouches for nobody ({type(no).__name__}).") from None
        return str(claims["sub"])

    def _session(self) -> Any:
        return OAuth2Session(
            self.oidc.client_id, self._secret, scope="openid", redirect_uri=self.back, code_challenge_method="S256",
            default_timeout=TIMEOUT_S,
        )  # fmt: skip

    def _metadata(self) -> dict[str, Any]:
        if self._found is None:
            found = self._get(self.oidc.issuer.rstrip("/") + "/.well-known/openid-configuration")
            needed = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
            if any(not isinstance(found.get(n), str) for n in needed) or found["issuer"] != self.oidc.issuer:
                raise NotVouched("The provider's configuration is not that of the issuer in tessera.yaml.")
            self._found = found
        return self._found

    def _get(self, address: str) -> dict[str, Any]:
        try:
            answer = requests.get(address, timeout=TIMEOUT_S, allow_redirects=False)
            answer.raise_for_status()
            found = answer.json()
        except (requests.RequestException, ValueError):
            raise NotVouched("The provider cannot be reached.") from None
        return found if isinstance(found, dict) else {}
