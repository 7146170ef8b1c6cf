"""What differs between two texts, for a reviewer: lines with both their numbers, and within a changed line the words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Literal

Spans = tuple[tuple[str, bool], ...]
"""A line in pieces; True: this piece is what changed."""

CONTEXT = 3
"""Lines around a change that stay as they are and are shown all the same."""

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
ALIKE = 0.35
"""Lines less alike than this are not compared word by word: everything in them is new."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line. old, new: its number there, counted from 1; None where it is not. skipped: how many unchanged it stands for."""

    kind: Literal["same", "gone", "new", "skipped"]
    old: int | None = None
    new: int | None = None
    spans: Spans = ()
    skipped: int = 0


Pair = tuple[Line | None, Line | None]


def lines(before: str, after: str, context: int = CONTEXT) -> list[Line]:
    """The difference in one column: what goes, then what comes; long unchanged parts are counted."""
    found: list[Line] = []
    for left, right in _blocks(before, after, context):
        found += left if left is right else [*left, *right]
    return found


def pairs(before: str, after: str, context: int = CONTEXT) -> list[Pair]:
    """The difference in two columns, changed lines beside each other."""
    found: list[Pair] = []
    for left, right in _blocks(before, after, context):
        for i in range(max(len(left), len(right))):
            found.append((left[i] if i < len(left) else None, right[i] if i < len(right) else None))
    return found


def counted(before: str, after: str) -> tuple[int, int]:
    """How many lines come, and how many go."""
    told = lines(before, after, 0)
    return sum(t.kind == "new" for t in told), sum(t.kind == "gone" for t in told)


def patch(before: str, after: str, file: str) -> str:
    """As `git diff` writes it; `git apply` takes it."""
    told = unified_diff(before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{file}", f"b/{file}")
    return "".join(t if t.endswith("\n") else f"{t}\n\\ No newline at end of file\n" for t in told)


def _blocks(before: str, after: str, context: int) -> Iterator[tuple[list[Line], list[Line]]]:
    """Parts of the texts in turn; the same list twice for what did not change."""
    old, new = before.splitlines(), after.splitlines()
    codes = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for n, (kind, i1, i2, j1, j2) in enumerate(codes):
        if kind != "equal":
            yield _changed(old[i1:i2], new[j1:j2], i1, j1)
            continue
        head, tail = context if n else 0, context if n < len(codes) - 1 else 0
        told: list[Line] = []
        skipped = i2 - i1 - head - tail
        for k in range(i2 - i1):
            if skipped > 1 and head <= k < head + skipped:
                if k == head:
                    told.append(Line(kind="skipped", skipped=skipped))
                continue
            told.append(Line(kind="same", old=i1 + k + 1, new=j1 + k + 1, spans=((old[i1 + k], False),)))
        yield told, told


def _changed(old: list[str], new: list[str], i: int, j: int) -> tuple[list[Line], list[Line]]:
    gone, come = [], []
    for k in range(max(len(old), len(new))):
        a, b = old[k] if k < len(old) else None, new[k] if k < len(new) else None
        one, two = _words(a, b) if a is not None and b is not None else (((a or "", False),), ((b or "", False),))
        if a is not None:
            gone.append(Line(kind="gone", old=i + k + 1, spans=one))
        if b is not None:
            come.append(Line(kind="new", new=j + k + 1, spans=two))
    return gone, come


def _words(a: str, b: str) -> tuple[Spans, Spans]:
    """Two lines, each in pieces that say what changed."""
    one, two = _WORDS.findall(a), _WORDS.findall(b)
    matcher = SequenceMatcher(None, one, two, autojunk=False)
    if matcher.ratio() < ALIKE:
        return ((a, False),), ((b, False),)
    left: list[tuple[str, bool]] = []
    right: list[tuple[str, bool]] = []
    for kind, i1, i2, j1, j2 in matcher.get_opcodes():
        if i2 > i1:
            left.append(("".join(one[i1:i2]), kind != "equal"))
        if j2 > j1:
            right.append(("".join(two[j1:j2]), kind != "equal"))
    return tuple(left), tuple(right)
