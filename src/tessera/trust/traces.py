"""Traces: the identifiers that may stand in a text which no contract could read, and keyed marks of other words.

A row that broke its contract is sealed with no key, and an erasure has to find it all the same: its words are looked up
in the vault as if each were an identifier. Nothing here keeps a value.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import unquote

import numpy as np

from tessera.lake.engine import literal
from tessera.words import KINDS

GONE = "gone"
"""The state's space of keyed marks of the order numbers of erased people: their rows do not land again."""

NAMED = "named"
"""The state's space of keyed marks of their names: a broken row that has one, and no identifier, is not kept again."""

LIFTED = "lifted"
"""The state's space of identifiers of people who came back after an erasure: key -> since when rows of hers land."""

LEADS = "order_id"
"""The column by which a row without an owner still hangs on a person: her order's lines and payments."""

SHORTEST = 6
"""Shorter words would meet too many rows by chance."""

_MAIL = re.compile(r"[^@\s,;<>\"'|&=?/:\\(){}\[\]]+@[^@\s,;<>\"'|&=?/:\\(){}\[\]]+\.[^@\s,;<>\"'|&=?/:\\(){}\[\]]+")
_PHONE = re.compile(r"(?<![0-9+])(?:\+|00)?[0-9](?:[ ()./-]{0,2}[0-9]){6,18}(?![0-9])")
_CELL = re.compile(r"[^,;|\t\n\r\"{}\[\]]+")
_WORD = re.compile(r"[^\s,;|\"'<>{}\[\]()=&?#]+")
_PART = re.compile(r"[\w.-]+")


class Resolves(Protocol):
    """Who knows identifiers (the vault)."""

    def resolve(self, kind: str, values: list[str], *, mint: bool = True) -> np.ndarray[Any, Any]: ...


def like_identifier(text: str) -> bool:
    """Whether a text that people wrote may hold an identifier; such texts go into no log, message or ledger."""
    plain = unquote(text)
    return "@" in plain or any(sum(c.isdigit() for c in m.group()) >= 8 for m in _PHONE.finditer(plain))


def keys_in(texts: Sequence[str], vault: Resolves) -> list[set[int]]:
    """For each text the keys of what stands in it; -1 where it is of an erased person."""
    found = [identifiers(t) for t in texts]
    keys: list[set[int]] = [set() for _ in texts]
    for kind in KINDS:
        values = sorted({v for words in found for v in words.get(kind, ())})
        if not values:
            continue
        known = dict(zip(values, vault.resolve(kind, values, mint=False).tolist(), strict=True))
        for mine, words in zip(keys, found, strict=True):
            mine |= {known[v] for v in words.get(kind, ()) if known[v]}
    return keys


def identifiers(text: str) -> dict[str, set[str]]:
    """By kind, the words of a text that may be an identifier, each in its one spelling.

    >>> sorted(identifiers("ann@x.org;+44 7911 123456")["phone"])
    ['+447911123456']
    """
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for piece in _pieces(text):
        found["email"] |= {m.group().lower().strip(".") for m in _MAIL.finditer(piece)}
        for m in _PHONE.finditer(piece):
            digits = "".join(c for c in m.group() if c.isdigit() or c == "+")
            found["phone"].add("+" + digits[2:] if digits.startswith("00") else digits)
        words = {piece.strip(), *(m.group().strip() for m in _CELL.finditer(piece))}
        words |= {m.group() for shape in (_WORD, _PART) for m in shape.finditer(piece)}
        own = {w for w in words if SHORTEST <= len(w) <= 200}
        for kind in ("user_id", "device_id", "anonymous_id"):
            found[kind] |= own
    return found


def marks(texts: Iterable[str], key: bytes) -> set[str]:
    """Keyed marks of whole cells (a name): they say whether a text has the same cell, and nothing else."""
    cells = {c for t in texts for c in _cells(t)}
    return {hashlib.blake2b(c.encode(), key=key[:64], digest_size=12).hexdigest() for c in cells}


def row_mark(salt: str, expr: str) -> str:
    """SQL: the keyed mark of a row's name, by which landing knows the orders of an erased person."""
    return f"md5({literal('gone' + salt)} || {expr})"


def _cells(text: str) -> Iterator[str]:
    for piece in _pieces(text):
        for cell in (piece, *(m.group() for m in _CELL.finditer(piece))):
            plain = cell.strip().lower()
            if len(plain) >= SHORTEST:
                yield plain


def _pieces(text: str) -> Iterator[str]:
    """The text; its words, if it is JSON; and each again with its %-signs undone."""
    texts = [text]
    if text.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            texts += _leaves(json.loads(text))
    for piece in texts:
        yield piece
        if "%" in piece:
            yield unquote(piece)


def _leaves(value: Any) -> list[str]:
    found, todo = [], [value]
    while todo:
        at = todo.pop()
        if isinstance(at, dict):
            todo += [*at.keys(), *at.values()]
        elif isinstance(at, list):
            todo += at
        elif isinstance(at, str | int | float) and not isinstance(at, bool):
            found.append(str(at))
    return found
