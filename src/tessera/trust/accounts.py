"""Local accounts of staff: a password as argon2id; guessing is slowed down by account, and told alike in every case."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Semaphore
from typing import Any

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tessera.errors import BadInput, NotFound
from tessera.lake.state import State
from tessera.words import Clock

SPACE, FAILED = "account", "account_failed"
LEAST, MOST = 12, 200
"""Characters of a password (NIST SP 800-63B: length, no rules of composition)."""
FREE = 5
"""Failures in a row before the account waits."""
FIRST_WAIT_S, LONGEST_WAIT_S = 30, 900
AT_ONCE = 2
"""Passwords that are checked at once: each takes 64 MiB and a core."""
_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account: its actor is `account:NAME`, which access.yaml gives its roles."""

    name: str
    hash: str
    made: str
    disabled: str | None = None

    @property
    def actor(self) -> str:
        """As access.yaml and the ledger name it."""
        return f"account:{self.name}"


class Accounts:
    """The accounts of one workspace. hasher: its cost (argon2-cffi's default is RFC 9106's low-memory profile)."""

    _turn = Semaphore(AT_ONCE)

    def __init__(self, state: State, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        self.state, self.clock, self.hasher = state, clock, hasher or PasswordHasher()

    def add(self, name: str, password: str) -> Account:
        """A new account. Raises BadInput for a bad name or password, or a name that is taken."""
        if not _NAME.fullmatch(name):
            raise BadInput(f"{name!r} is no account's name. Take small letters, digits, '_', '.' and '-', a letter first.")
        if self.state.get(SPACE, name) is not None:
            raise BadInput(f"The account {name!r} is there already. Try: tessera account password {name}")
        made = Account(name=name, hash=self._hashed(name, password), made=self._now().isoformat())
        return self._put(made)

    def password(self, name: str, password: str) -> Account:
        """Another password for an account, which may sign in again if it had to wait."""
        made = msgspec.structs.replace(self.named(name), hash=self._hashed(name, password))
        self.state.drop(FAILED, name)
        return self._put(made)

    def disable(self, name: str) -> Account:
        """From now on nobody signs in with it."""
        return self._put(msgspec.structs.replace(self.named(name), disabled=self._now().isoformat()))

    def listed(self) -> list[Account]:
        """All accounts by name."""
        return [msgspec.convert(kept, Account) for kept in self.state.items(SPACE).values()]

    def named(self, name: str) -> Account:
        """The account of that name; NotFound if there is none."""
        kept = self.state.get(SPACE, name)
        if kept is None:
            raise NotFound("Account", name, self.state.items(SPACE))
        return msgspec.convert(kept, Account)

    def verified(self, name: str, password: str) -> Account | None:
        """The account whose password this is. None in every other case, after the same work: no such account, a wrong
        password, one that is disabled, or one that has to wait after too many failures."""
        kept = self.state.get(SPACE, name) if _NAME.fullmatch(name) else None
        account = msgspec.convert(kept, Account) if kept else None
        with self._turn:
            right = self._matches(account.hash if account else self._nobody, password[: MOST + 1])
        if account is None:
            return None
        failed: dict[str, Any] = self.state.get(FAILED, name, {"times": 0, "until": ""})
        now = self._now()
        if failed["until"] > now.isoformat() or account.disabled:
            return None
        if not right:
            times = failed["times"] + 1
            wait_s = min(FIRST_WAIT_S * 2 ** (times - FREE), LONGEST_WAIT_S) if times >= FREE else 0
            self.state.put(FAILED, name, {"times": times, "until": (now + timedelta(seconds=wait_s)).isoformat()})
            return None
        self.state.drop(FAILED, name)
        if self.hasher.check_needs_rehash(account.hash):
            account = self._put(msgspec.structs.replace(account, hash=self.hasher.hash(password)))
        return account

    @cached_property
    def _nobody(self) -> str:
        """A hash that no password has, for the work of a name that nobody has."""
        return self.hasher.hash(secrets.token_urlsafe(32))

    def _matches(self, kept: str, password: str) -> bool:
        try:
            return self.hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    def _hashed(self, name: str, password: str) -> str:
        if not LEAST <= len(password) <= MOST:
            raise BadInput(f"A password has {LEAST} to {MOST} characters, this one {len(password)}.")
        if name in password.lower() or len(set(password)) < LEAST // 2:
            raise BadInput("This password is easily guessed: it holds the account's name, or few different characters.")
        return self.hasher.hash(password)

    def _put(self, account: Account) -> Account:
        self.state.put(SPACE, account.name, msgspec.to_builtins(account))
        return account

    def _now(self) -> datetime:
        return self.clock().astimezone(UTC)
