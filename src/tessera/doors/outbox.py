"""Letters to people outside: into a folder of var/, or through the mail server that tessera.yaml names."""

from __future__ import annotations

import os
import secrets
import smtplib
import ssl
import time
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Protocol

from tessera.config import Mail
from tessera.envtext import filled

TIMEOUT_S = 20
KEPT_S = 900
"""How long a letter lies in the folder: as long as the link in it opens anything."""


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One letter."""

    to: str
    subject: str
    text: str


class Outbox(Protocol):
    """Where letters go."""

    def send(self, letter: Letter) -> None: ...


class FolderOutbox:
    """Keeps letters as files (0600) with names that say nothing, for KEPT_S; for trying out, and for a mailer of one's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self.clear()

    def send(self, letter: Letter) -> None:
        """Writes the letter; older ones go."""
        self.clear()
        path = self.folder / f"{secrets.token_hex(8)}.eml"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_message(letter, "tessera@localhost").as_bytes())

    def clear(self) -> None:
        """Removes letters whose time is over."""
        for path in self.folder.glob("*.eml"):
            if path.stat().st_mtime < time.time() - KEPT_S:
                path.unlink(missing_ok=True)


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
