"""Signed-in sessions: 256 random bits in a cookie, kept as a hash; they end when idle, in any case, and when revoked."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from tessera.lake.state import State
from tessera.words import Clock

SPACE = "session"
Kind = Literal["staff", "customer"]


@dataclass(frozen=True, kw_only=True)
class Span:
    """How long a session lasts: unused, and at most."""

    idle: timedelta
    most: timedelta


SPANS: dict[Kind, Span] = {
    "staff": Span(idle=timedelta(minutes=30), most=timedelta(hours=12)),
    "customer": Span(idle=timedelta(minutes=15), most=timedelta(hours=1)),
}
TOUCH = timedelta(minutes=1)
"""How far behind the note of the last use may be: each note is a durable write."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in. actor: as access.yaml names her (staff). key: the vault's number of the identifier by which a
    customer came in: a number that an erasure makes nobody's. began, used: ISO 8601, UTC."""

    kind: Kind
    actor: str
    began: str
    used: str
    key: int = 0


class Sessions:
    """The sessions of one workspace."""

    def __init__(self, state: State, clock: Clock) -> None:
        self.state, self.clock = state, clock

    def begin(self, kind: Kind, actor: str, key: int = 0) -> str:
        """A new session; returns what its cookie holds."""
        self.sweep()
        token, now = secrets.token_urlsafe(32), self._now().isoformat()
        made = Session(kind=kind, actor=actor, began=now, used=now, key=key)
        self.state.put(SPACE, _hash(token), msgspec.to_builtins(made))
        return token

    def find(self, token: str, kind: Kind, *, used: bool = True) -> Session | None:
        """The session of a cookie, of that kind and not over. used: its use is noted; without, it goes on being idle."""
        name = _hash(token)
        kept = self.state.get(SPACE, name)
        found = msgspec.convert(kept, Session) if kept else None
        if found is None or found.kind != kind:
            return None
        now = self._now()
        if _over(found, now):
            self.state.drop(SPACE, name)
            return None
        if used and now - datetime.fromisoformat(found.used) >= TOUCH:
            self.state.put(SPACE, name, msgspec.to_builtins(msgspec.structs.replace(found, used=now.isoformat())))
        return found

    def end(self, token: str) -> None:
        """Ends one session."""
        self.state.drop(SPACE, _hash(token))

    def end_all(self, actor: str | None = None, kind: Kind | None = None) -> int:
        """Ends every session, or those of one actor or kind; returns how many."""
        ours = [
            name
            for name, kept in self.state.items(SPACE).items()
            if actor in (None, kept["actor"]) and kind in (None, kept["kind"])
        ]
        with self.state.together():
            for name in ours:
                self.state.drop(SPACE, name)
        return len(ours)

    def sweep(self) -> None:
        """Forgets those that are over."""
        now = self._now()
        with self.state.together():
            for name, kept in self.state.items(SPACE).items():
                if _over(msgspec.convert(kept, Session), now):
                    self.state.drop(SPACE, name)

    def _now(self) -> datetime:
        return self.clock().astimezone(UTC)


def _over(session: Session, now: datetime) -> bool:
    span = SPANS[session.kind]
    used, began = datetime.fromisoformat(session.used), datetime.fromisoformat(session.began)
    return now - used >= span.idle or now - began >= span.most


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
