"""Letters to people outside: into a folder of var/, or through the mail server that tessera.yaml names."""

from __future__ import annotations

import os
import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol

from tessera.config import Mail
from tessera.envtext import filled
from tessera.letters import Letters

TIMEOUT_S = 20


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One letter. key: of the customer whom it goes to."""

    key: int
    to: str
    subject: str
    text: str


class Outbox(Protocol):
    """Where letters go."""

    def send(self, letter: Letter) -> None: ...


class FolderOutbox:
    """Keeps letters in var/outbox (see letters.py); for trying out, and for a mailer of one's own."""

    def __init__(self, letters: Letters) -> None:
        self.letters = letters

    def send(self, letter: Letter) -> None:
        """Writes the letter."""
        self.letters.put(letter.key, _message(letter, "tessera@localhost").as_bytes())


class SmtpOutbox:
    """Sends letters through a mail server, over TLS from the first byte (port 465) or by STARTTLS."""

    def __init__(self, mail: Mail, tls: ssl.SSLContext | None = None) -> None:
        self.mail, self.tls = mail, tls or ssl.create_default_context()
        self._password = filled(mail.password, os.environ) if mail.password else ""

    def send(self, letter: Letter) -> None:
        """Raises OSError or smtplib.SMTPException if the server does not take it."""
        mail = self.mail
        if mail.port == 465:
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_S, context=self.tls)
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S)
            try:
                server.starttls(context=self.tls)
            except BaseException:
                # Not by a polite QUIT: the server waits for the rest of a greeting that will not come.
                server.close()
                raise
        with server:
            if mail.user:
                server.login(mail.user, self._password)
            server.send_message(_message(letter, mail.sender))


def _message(letter: Letter, sender: str) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, letter.to, letter.subject
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.text)
    return made
