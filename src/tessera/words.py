"""The nouns that all floors share, and the small protocols between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NewType, Protocol

KeyId = NewType("KeyId", int)
"""A dense number for one identifier value (a cookie, an e-mail); the vault alone knows the value."""

PersonId = NewType("PersonId", int)
"""A dense number for one resolved person: minted once, never used again."""

RecordId = NewType("RecordId", int)
"""The number of one sealed record in the vault; `record_id // 128` is its packed row."""

KINDS = ("user_id", "email", "phone", "device_id", "anonymous_id")
"""Kinds of identifiers, strongest first: the first one present in a row is the row's subject."""

Clock = Callable[[], datetime]
"""Tells the time, in UTC; an argument everywhere, so that tests hold the hands."""


@dataclass(frozen=True, kw_only=True)
class Erased:
    """Whom an erasure concerns: all her keys, her person ids, and her sealed records."""

    keys: frozenset[int]
    persons: frozenset[int]
    records: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one store did to forget a person."""

    store: str
    removed: int
    complete: bool
    note: str = ""


class Forgets(Protocol):
    """A store that can forget people: live state, models, exports, marts and destinations."""

    name: str

    def forget(self, who: Erased) -> Proof: ...


class Progress(Protocol):
    """Where long work tells how far it is; the doors draw it."""

    def __call__(self, stage: str, done: int, total: int | None = None) -> None: ...


def silent(stage: str, done: int, total: int | None = None) -> None:
    """A Progress that says nothing."""


def listed(names: Iterable[str]) -> str:
    """Names as one sentence part: "a, b and c"."""
    words: Collection[str] = list(names)
    *head, tail = words
    return f"{', '.join(head)} and {tail}" if head else str(tail)


def spelt(kind: str, text: str) -> str:
    """An identifier that somebody typed, in the one spelling that landing gives it (data.intake.normalised)."""
    plain = text.strip()
    if kind == "email":
        return plain.lower()
    if kind != "phone":
        return plain
    digits = "".join(c for c in plain if c.isdigit() or c == "+")
    return "+" + digits[2:] if digits.startswith("00") else digits
