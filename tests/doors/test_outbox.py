"""Letters through a mail server: a real one on this machine, over TLS."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import AuthResult

from tessera.config import Mail
from tessera.doors.certificate import self_signed
from tessera.doors.outbox import Letter, SmtpOutbox

MAIL = Mail(host="localhost", port=0, sender="shop@example.org", user="tessera", password="${MAIL_PASSWORD}")
LETTER = Letter(
    key=1, to="ann@example.org", subject="您的访问链接", text="Öffnen: https://shop.example.org/v1/me/enter?token=abc\n"
)


class Box(Sink):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.got: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


def free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


@contextmanager
def mail_server(folder: Path, box: Box) -> Iterator[tuple[int, ssl.SSLContext]]:
    """A server that takes letters only over TLS and from whoever signs in; its port, and a context that trusts it."""
    cert, key = self_signed(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(cert, key)

    def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = (data.login, data.password) == (b"tessera", b"right")
        return AuthResult(success=right, handled=False)

    up = Controller(
        box, hostname="127.0.0.1", port=free_port(), tls_context=tls, require_starttls=True, auth_required=True,
        authenticator=known,
    )  # fmt: skip
    up.start()
    try:
        yield up.port, ssl.create_default_context(cafile=str(cert))
    finally:
        up.stop()


@pytest.fixture
def box() -> Box:
    return Box()


def test_a_letter_arrives_whole_over_tls(tmp_path: Path, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "right")
    with mail_server(tmp_path, box) as (port, trusted):
        SmtpOutbox(replace(MAIL, port=port), trusted).send(LETTER)
    ((sender, to, data),) = box.got
    assert (sender, to) == ("shop@example.org", ["ann@example.org"])
    arrived = message_from_bytes(data)
    assert arrived.get_payload(decode=True).decode().replace("\r\n", "\n") == LETTER.text
    assert arrived["Auto-Submitted"] == "auto-generated"


def test_nothing_is_sent_with_a_wrong_password_or_to_a_server_that_is_not_trusted(
    tmp_path: Path, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "wrong")
    with mail_server(tmp_path, box) as (port, trusted):
        with pytest.raises(smtplib.SMTPAuthenticationError):
            SmtpOutbox(replace(MAIL, port=port), trusted).send(LETTER)
        monkeypatch.setenv("MAIL_PASSWORD", "right")
        with pytest.raises(ssl.SSLCertVerificationError):
            SmtpOutbox(replace(MAIL, port=port)).send(LETTER)
    assert box.got == []
