"""Small readers that turn a YAML value into a checked Python value, or note what was expected in its place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import yaml

from tessera.yamlmarks import Piece, nearest_word, one_of, quoted

T = TypeVar("T")
D = TypeVar("D")
Reader = Callable[[Piece], T | None]
"""Reads one value; None after it noted a fault."""

_WHOLE = re.compile(r"[-+]?(0|[1-9]\d{0,15})")
_NUMBER = re.compile(r"[-+]?\d{1,20}(\.\d{0,20})?([eE][-+]?\d{1,3})?")


@dataclass(frozen=True)
class Section:
    """A mapping whose keys are known: their values, and the lines of the keys."""

    piece: Piece
    parts: dict[str, Piece]

    def get(self, key: str, reader: Reader[T], default: D) -> T | D:
        """The value under a key; the default if it is absent or wrong."""
        part = self.parts.get(key)
        if part is None:
            return default
        value = reader(part)
        return default if value is None else value

    def __contains__(self, key: str) -> bool:
        return key in self.parts

    def at(self, key: str) -> Piece:
        """The value under a key, or the section itself where the key is absent: for a fault about it."""
        return self.parts.get(key, self.piece)


def section(piece: Piece, known: Collection[str], required: Collection[str] = ()) -> Section | None:
    """A mapping with these keys and no others. A key without a value counts as absent."""
    if not isinstance(piece.node, yaml.MappingNode):
        piece.wrong(f"a mapping with {one_of(known)}")
        return None
    parts: dict[str, Piece] = {}
    for key, value in entries(piece):
        if key.raw not in known:
            key.wrong(one_of(known), known, found=quoted(key.raw))
        elif value.kind != "null":
            parts[key.raw] = value
    _require(piece, parts, required)
    return Section(piece, parts)


def custom_section(
    pieces: Section, known: Collection[str], required: Collection[str] = (), key: str = "customProperties"
) -> Section:
    """ODCS's list of {property, value} as a section; a foreign property stays, unless it looks like a slip of ours."""
    parts: dict[str, Piece] = {}
    for item in items(pieces.parts[key]) if key in pieces else ():
        entry = section(item, ("property", "value", "id", "description", "vendor"), ("property",))
        name = entry.parts.get("property") if entry else None
        if entry is None or name is None:
            continue
        if name.raw in parts:
            name.say(f"found the property {quoted(name.raw)} again, expected it once.")
        elif name.raw in known:
            _require(item, entry.parts, ("value",))
            if "value" in entry:
                parts[name.raw] = entry.parts["value"]
        elif nearest_word(name.raw, known):
            name.wrong(one_of(known), known)
    if required and not set(required) <= set(parts):
        _require(pieces.at(key), parts, required, prefix="the custom property ")
    return Section(pieces.at(key), parts)


def entries(piece: Piece) -> Iterator[tuple[Piece, Piece]]:
    """Keys and values of a mapping; a fault if it is none."""
    if not isinstance(piece.node, yaml.MappingNode):
        piece.wrong("a mapping")
        return
    for key, value in piece.node.value:
        yield Piece(key, piece.file, piece.faults), Piece(value, piece.file, piece.faults)


def items(piece: Piece) -> list[Piece]:
    """The values of a list; a fault if it is none."""
    if not isinstance(piece.node, yaml.SequenceNode):
        piece.wrong("a list")
        return []
    return [Piece(child, piece.file, piece.faults) for child in piece.node.value]


def text(pattern: str = r"(?s:.*)", expected: str = "text") -> Reader[str]:
    """Text, not empty, that matches the pattern as a whole."""

    def read(piece: Piece) -> str | None:
        if piece.kind in ("int", "float", "bool", "timestamp"):
            piece.wrong(f"{expected}; put it in quotes")
        elif piece.kind in ("str", "value") and re.fullmatch(pattern, piece.raw) and piece.raw.strip():
            return piece.raw
        else:
            piece.wrong(expected)
        return None

    return read


def label(piece: Piece) -> str | None:
    """Any scalar, as it is written: a version 2 or 1.10, an allowed value."""
    if isinstance(piece.node, yaml.ScalarNode) and piece.kind != "null":
        return piece.raw
    piece.wrong("one value")
    return None


def choice(known: Collection[str], expected: str = "") -> Reader[str]:
    """One of the known words."""

    def read(piece: Piece) -> str | None:
        if isinstance(piece.node, yaml.ScalarNode) and piece.raw in known:
            return piece.raw
        piece.wrong(expected or one_of(known), known)
        return None

    return read


def whole(low: int, high: int) -> Reader[int]:
    """A whole number within bounds."""

    def read(piece: Piece) -> int | None:
        if piece.plain and _WHOLE.fullmatch(piece.raw) and low <= int(piece.raw) <= high:
            return int(piece.raw)
        piece.wrong(f"a whole number from {low} to {high}")
        return None

    return read


def number(low: float = -math.inf, high: float = math.inf) -> Reader[float]:
    """A number within bounds."""

    def read(piece: Piece) -> float | None:
        if piece.plain and _NUMBER.fullmatch(piece.raw):
            value = float(piece.raw)
            if low <= value <= high and math.isfinite(value):
                return value
        piece.wrong("a number" if math.isinf(low) else f"a number from {low:g} to {high:g}")
        return None

    return read


def flag(piece: Piece) -> bool | None:
    """True or false."""
    if piece.kind == "bool":
        return piece.raw.lower() in ("true", "yes", "on")
    piece.wrong("true or false")
    return None


def day(piece: Piece) -> date | None:
    """A date such as 2026-03-01."""
    try:
        if len(piece.raw) == 10:
            return date.fromisoformat(piece.raw)
    except ValueError:
        pass
    piece.wrong("a date such as 2026-03-01")
    return None


def many(reader: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list that is not empty and has nothing twice."""

    def read(piece: Piece) -> tuple[T, ...] | None:
        values: list[T] = []
        for item in items(piece):
            value = reader(item)
            if value is None:
                continue
            if value in values:
                item.say(f"found {item.found()} again, expected it once.")
            else:
                values.append(value)
        if isinstance(piece.node, yaml.SequenceNode) and not piece.node.value:
            piece.wrong("at least one value", found="an empty list")
        return tuple(values)

    return read


def _require(piece: Piece, parts: dict[str, Piece], required: Collection[str], prefix: str = "") -> None:
    for key in required:
        if key not in parts:
            piece.say(f"{prefix or 'the key '}{key!r} is missing or empty; it must be given.")
