"""API keys of programs: 256 random bits that are shown once and kept as a hash, scoped, expiring, revocable.

A key is no password: it cannot be guessed, so one SHA-256 is enough (2 us; argon2 would let anybody keep the machine
busy). Its text is `tessera_ID_SECRET`; the ID finds the record and is no secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from tessera.errors import BadInput, NotFound
from tessera.lake.state import State
from tessera.words import Clock

SPACE = "apikey"
MOST_DAYS = 400
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
_TEXT = re.compile(r"tessera_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key: its actor is `key:NAME`, which access.yaml gives its roles; these narrow them.

    roles, purposes: what it is good for. hash: SHA-256 of its secret, hexadecimal. made, ends, revoked: ISO 8601, UTC.
    """

    id: str
    name: str
    roles: tuple[str, ...]
    purposes: tuple[str, ...]
    made: str
    ends: str
    hash: str
    revoked: str | None = None

    @property
    def actor(self) -> str:
        """As access.yaml and the ledger name it."""
        return f"key:{self.name}"

    def good(self, at: datetime) -> bool:
        """Whether it opens anything at that moment."""
        return self.revoked is None and at.astimezone(UTC).isoformat() < self.ends


class ApiKeys:
    """The keys of one workspace."""

    def __init__(self, state: State, clock: Clock) -> None:
        self.state, self.clock = state, clock

    def new(self, name: str, roles: tuple[str, ...], purposes: tuple[str, ...], days: int) -> tuple[str, ApiKey]:
        """A new key for the actor `key:NAME`: its text, which is nowhere else, and what is kept of it. Several keys may have
        one name, so that a program changes from one to the next without a gap. Raises BadInput."""
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is no name of a key. Take small letters, digits, '_', '.' and '-', a letter first.")
        if not roles or not purposes:
            raise BadInput("A key needs at least one role and one purpose.")
        if not 1 <= days <= MOST_DAYS:
            raise BadInput(f"A key lasts 1 to {MOST_DAYS} days, not {days}.")
        secret, now = secrets.token_urlsafe(32), self.clock().astimezone(UTC)
        made = ApiKey(
            id=secrets.token_hex(6), name=name, roles=roles, purposes=purposes, made=now.isoformat(),
            ends=(now + timedelta(days=days)).isoformat(), hash=_hash(secret),
        )  # fmt: skip
        self._put(made)
        return f"tessera_{made.id}_{secret}", made

    def find(self, text: str) -> ApiKey | None:
        """The good key of that text; None for every other text."""
        def kept(number: str) -> ApiKey | None:
            found = self.state.get(SPACE, number)
            return msgspec.convert(found, ApiKey) if found else None

        found = proved(text, kept)
        return found if found and found.good(self.clock()) else None

    def listed(self) -> list[ApiKey]:
        """All keys, newest first; also those that have ended."""
        kept = [msgspec.convert(k, ApiKey) for k in self.state.items(SPACE).values()]
        return sorted(kept, key=lambda k: k.made, reverse=True)

    def revoke(self, named: str) -> list[ApiKey]:
        """Ends the key of that id, or all of that name, from the next request on. Raises NotFound."""
        ours = [k for k in self.listed() if named in (k.id, k.name)]
        if not ours:
            raise NotFound("API key", named, {k.name for k in self.listed()})
        at = self.clock().astimezone(UTC).isoformat()
        ended = [msgspec.structs.replace(k, revoked=at) for k in ours if k.revoked is None]
        for key in ended:
            self._put(key)
        return ended

    def _put(self, key: ApiKey) -> None:
        self.state.put(SPACE, key.id, msgspec.to_builtins(key))


def proved(text: str, kept: Callable[[str], ApiKey | None]) -> ApiKey | None:
    """The key whose text this is, good or not any more. kept: a key by its id."""
    match = _TEXT.fullmatch(text)
    found = kept(match.group(1)) if match else None
    secret = match.group(2) if match else ""
    # Compared also where nothing was found, so that the time tells nothing.
    same = hmac.compare_digest(_hash(secret), found.hash if found else _hash("-"))
    return found if same else None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
