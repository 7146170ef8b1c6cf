"""Two texts that began as one, made into one again, line by line; where both changed the same lines, nobody guesses."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

Edit = tuple[int, int, int, int]
"""Lines first..last of the base that lines first..last of the other take the place of; the last is not among them."""


@dataclass(frozen=True, kw_only=True)
class Clash:
    """Lines that both changed, and not alike. base: first and last line in the base, counted from 1 (last < first: none, both
    put something there)."""

    base: tuple[int, int]
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Merged:
    """text: empty where there are clashes."""

    text: str
    clashes: tuple[Clash, ...] = ()


def merged(base: str, ours: str, theirs: str) -> Merged:
    """What both made of `base`. Changes that touch (no line between them stayed) clash, unless they are the same.

    >>> merged("a\\nb\\nc\\n", "A\\nb\\nc\\n", "a\\nb\\nC\\n").text
    'A\\nb\\nC\\n'
    """
    lines = base.splitlines(keepends=True)
    one, two = ours.splitlines(keepends=True), theirs.splitlines(keepends=True)
    left, right = _edits(lines, one), _edits(lines, two)
    out: list[str] = []
    clashes: list[Clash] = []
    at = i = j = 0
    while i < len(left) or j < len(right):
        start = min(e[0] for e in (*left[i : i + 1], *right[j : j + 1]))
        end, i0, j0 = start, i, j
        grew = True
        while grew:  # whatever touches what was taken belongs to it
            grew = False
            while i < len(left) and left[i][0] <= end:
                end, i, grew = max(end, left[i][1]), i + 1, True
            while j < len(right) and right[j][0] <= end:
                end, j, grew = max(end, right[j][1]), j + 1, True
        out += lines[at:start]
        mine, hers = _part(left[i0:i], one, lines, start, end), _part(right[j0:j], two, lines, start, end)
        if j == j0 or mine == hers:
            out += mine
        elif i == i0:
            out += hers
        else:
            clashes.append(Clash(base=(start + 1, end), ours=tuple(mine), theirs=tuple(hers)))
        at = end
    out += lines[at:]
    return Merged(text="" if clashes else "".join(out), clashes=tuple(clashes))


def _edits(base: list[str], other: list[str]) -> list[Edit]:
    codes = SequenceMatcher(None, base, other, autojunk=False).get_opcodes()
    return [(i1, i2, j1, j2) for kind, i1, i2, j1, j2 in codes if kind != "equal"]


def _part(edits: list[Edit], other: list[str], base: list[str], start: int, end: int) -> list[str]:
    """What one side made of lines start..end of the base."""
    out: list[str] = []
    at = start
    for i1, i2, j1, j2 in edits:
        out += [*base[at:i1], *other[j1:j2]]
        at = i2
    return [*out, *base[at:end]]
