"""Names that come from outside: which may be shown, and columns made unique."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Protocol

_VALUE_LIKE = re.compile(
    r"\+\d[\d ().-]{6,}|(?<!\d)00[1-9][\d ().-]{7,}|(?<!\d)(?!(?:19|20)\d{6}(?!\d))\d{8,}"
)
"""A phone number, or eight digits or more that are no date."""


class Keeper(Protocol):
    """What a reader needs of the master key (`trust.secrets.Secrets`): keyed names, and small sealed values."""

    def name_of(self, text: str) -> str: ...

    def derive(self, label: str) -> bytes: ...

    def seal(self, label: str, plaintext: bytes, aad: bytes = b"") -> bytes: ...

    def open(self, label: str, sealed: bytes, aad: bytes = b"") -> bytes: ...


def shown(path: str, secrets: Keeper) -> str:
    """A path (or any name from outside) as messages may show it.

    Each part that holds an "@", a number of eight digits or more (no date), or an international phone number is
    replaced by its keyed name; control characters are written out.
    """
    return "/".join(
        secrets.name_of(part) if "@" in part or _VALUE_LIKE.search(part) else _printable(part)
        for part in clean(path).split("/")
    )


def clean(path: str) -> str:
    """A path as text that can be encoded, whatever bytes the disk has for it."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def unique(names: Iterable[str], reserved: Iterable[str] = ("rn",)) -> tuple[str, ...]:
    """Column names as they are, with a number after those that the engine would take for another (it ignores case).

    An empty name becomes its place.

    >>> unique(["id", "ID", "", "rn"])
    ('id', 'ID_2', 'column_3', 'rn_2')
    """
    taken = {name.casefold() for name in reserved}
    made = []
    for place, name in enumerate(names, 1):
        base = wanted = name or f"column_{place}"
        again = 1
        while wanted.casefold() in taken:
            again += 1
            wanted = f"{base}_{again}"
        taken.add(wanted.casefold())
        made.append(wanted)
    return tuple(made)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
