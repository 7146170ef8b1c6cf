"""How a customer gets in to her own data: a token, sealed and good once, in a letter to her mailbox or from the owner's site.

Nothing that she or anybody else sees depends on whether we know her: the token of a stranger looks the same and opens
nothing, and letters are written in the background, after a pause of chance, whoever asked.
"""

from __future__ import annotations

import base64
import binascii
import queue
import random
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, timedelta

from tessera.app import App
from tessera.doors.http.desk import Away, Desk
from tessera.doors.outbox import Letter, Outbox
from tessera.errors import BrokenVault, TesseraError
from tessera.trust.access import Reader
from tessera.words import spelt

LABEL = "customer-token"
LINK_GOOD, TOKEN_GOOD = timedelta(minutes=15), timedelta(minutes=2)
ENTERED = "entered"
WAITING = 1_000
"""Letters that wait to be written; further requests are dropped, and answered alike."""
PAUSE_S = (0.1, 1.0)

WORDS = {
    "en": (
        "Your link to {name}",
        "Somebody, probably you, asked {name} to show what it knows about you.\n\nOpen this link within 15 minutes; it works "
        "once:\n{link}\n\nIf it was not you, do nothing: without this letter nobody gets in.\n",
    ),
    "zh": (
        "您在 {name} 的访问链接",
        "有人（可能是您本人）请求 {name} 展示其持有的关于您的信息。\n\n请在 15 分钟内打开以下链接，链接仅可使用一次：\n"
        "{link}\n\n如果这不是您本人的操作，无需处理：没有这封邮件，任何人都无法进入。\n",
    ),
}


def key_of(app: App, text: str, kind: str) -> int:
    """The key by which somebody who shows an identifier may come in; 0 where it is nobody's, or its customer has said that it
    is not hers (she has corrected it): a mailbox that was written down wrongly is another person's."""
    key = app.people.key_of(text, [kind])
    person = app.people.person_of(key) if key else None
    if person is not None and app.corrections.disowned(app.people.keys(person), kind, text):
        return 0
    return key


def mint(app: App, key: int, good: timedelta) -> str:
    """A token for the person who has a key; for key 0 one that opens nothing, and looks the same."""
    ends = int((app.clock().astimezone(UTC) + good).timestamp())
    plain = key.to_bytes(8, "big") + ends.to_bytes(8, "big") + secrets.token_bytes(16)
    return base64.urlsafe_b64encode(app.secrets.seal(LABEL, plain)).decode().rstrip("=")


def enter(app: App, token: str) -> tuple[int, Reader] | None:
    """The key and the person whom a token lets in; None for a forged, used or old one, or somebody we do not know. It is used
    up in any case."""
    try:
        plain = app.secrets.open(LABEL, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (BrokenVault, binascii.Error, ValueError):
        return None
    key, ends, nonce = int.from_bytes(plain[:8], "big"), int.from_bytes(plain[8:16], "big"), plain[16:].hex()
    now = int(app.clock().astimezone(UTC).timestamp())
    for old, until in app.state.items(ENTERED).items():
        if until < now:
            app.state.drop(ENTERED, old)
    if ends <= now or app.state.get(ENTERED, nonce) is not None:
        return None
    app.state.put(ENTERED, nonce, ends)
    reader = app.people.subject(key) if key else None
    return (key, reader) if reader else None


@dataclass(frozen=True, kw_only=True)
class _Asked:
    address: str
    language: str


class Postman:
    """Writes the letters that were asked for, one after the other, in a thread of its own. pause_s: from, to."""

    def __init__(self, desk: Desk, outbox: Outbox, url: str, pause_s: tuple[float, float] = PAUSE_S) -> None:
        self.desk, self.outbox, self.url, self.pause_s = desk, outbox, url, pause_s
        self._asked: queue.Queue[_Asked | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="postman", daemon=True)
        self._thread.start()

    def ask(self, address: str, language: str) -> None:
        """A letter to a mailbox, if somebody we know has it; returns at once, and says nothing."""
        with suppress(queue.Full):
            self._asked.put_nowait(_Asked(address=address, language=language))

    def stop(self) -> None:
        """Writes what waits, then no more."""
        self._asked.put(None)
        self._thread.join(10)

    def _work(self) -> None:
        while (asked := self._asked.get()) is not None:
            time.sleep(random.SystemRandom().uniform(*self.pause_s))
            # A mail server that is away must not end the thread; whoever gets no letter asks again.
            with suppress(TesseraError, OSError):
                self._write(asked)

    def _write(self, asked: _Asked) -> None:
        # The spelling that landing gave it: a mailbox that only looks like hers is another one.
        address = spelt("email", asked.address)
        for _ in range(10):
            try:
                with self.desk.app() as app:
                    key, name = key_of(app, address, "email"), app.config.name
                    token = mint(app, key, LINK_GOOD)
                break
            except Away:
                time.sleep(1)
        else:
            return
        subject, text = WORDS[asked.language]
        letter = Letter(
            key=key, to=address, subject=subject.format(name=name),
            text=text.format(name=name, link=f"{self.url}/v1/me/enter?token={token}&lang={asked.language}"),
        )  # fmt: skip
        if key:
            self.outbox.send(letter)
