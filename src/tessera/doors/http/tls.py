"""TLS 1.3 with a certificate that may change while the server runs: a renewed one is taken without a restart."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from tessera.errors import BadInput


class Tls:
    """What the server speaks TLS with. renew: brings the files up to date where they are ours to make, before each look."""

    def __init__(self, cert: Path, key: Path, renew: Callable[[], object] | None = None) -> None:
        self.cert, self.key, self._renew = cert, key, renew
        self._context: ssl.SSLContext | None = None
        self._seen: tuple[int, ...] = ()

    def check(self) -> None:
        """Raises BadInput if the two files cannot be read, or are no certificate and its key."""
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self.cert, self.key, _no_password)
        except OSError as no:
            why = "they are no PEM certificate and its key" if isinstance(no, ssl.SSLError) else f"{no.strerror}"
            raise BadInput(
                f"The certificate {self.cert} and the key {self.key} cannot be used: {why}. "
                "Give a certificate chain and its private key, both PEM, the key without a password."
            ) from None

    def context(self) -> ssl.SSLContext:
        """What connections are greeted with: TLS 1.3 and nothing older."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._seen = self._stamp()
        context.load_cert_chain(self.cert, self.key, _no_password)
        self._context = context
        return context

    def look(self) -> bool:
        """Takes a certificate that has changed for every connection from now on; returns whether one was taken.

        Raises BadInput if what lies there now cannot be used; the old one goes on.
        """
        if self._renew is not None:
            self._renew()
        stamp = self._stamp()
        if self._context is None or stamp == self._seen:
            return False
        self._seen = stamp
        self.check()
        self._context.load_cert_chain(self.cert, self.key, _no_password)
        return True

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = [f.stat() for f in (self.cert, self.key)]
            return tuple(part for f in found for part in (f.st_mtime_ns, f.st_ino, f.st_size))
        except OSError:
            return ()


def _no_password() -> str:
    """Instead of a question at a terminal that nobody sits at."""
    return ""
