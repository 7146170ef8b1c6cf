"""Counts over time as small bars from zero: of each step one, the newest at the right end."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, line, picture, rect, text, told

WIDE, HIGH = 240.0, 34.0


def spark(counts: Sequence[int], label: str, *, cls: str = "f-lapis", top: int = 0) -> Markup:
    """A picture as high as a line of text. label: what it shows, with its numbers. top: the count that reaches the upper edge,
    so that several can be compared; else the largest."""
    most, step = max(top, *counts, 1), WIDE / max(len(counts), 1)
    bars = [
        rect(i * step, HIGH - _height(count, most), step * 0.78, _height(count, most), cls)
        for i, count in enumerate(counts) if count
    ]  # fmt: skip
    return picture(WIDE, HIGH, label, NOTHING.join([line(0, HIGH, WIDE, HIGH, "axis"), *bars]), "pic spark")


def hours(counts: Sequence[tuple[str, int, int]], label: str, ticks: Sequence[tuple[int, str]]) -> Markup:
    """Two counts of each hour on one bar, the second above the first. counts: the sentence of the hour, and both. ticks: what
    is written below which hour."""
    width, height, low = 300.0, 130.0, 22.0
    most, step = max([a + b for _, a, b in counts] or [1]) or 1, width / max(len(counts), 1)
    room = height - low - 14
    inner = [line(0, height - low, width, height - low, "axis"), text(0, 10, f"{most:,}", "faint")]
    for i, (sentence, first, second) in enumerate(counts):
        if first + second == 0:
            continue
        a, b = max(first and 1.5, first / most * room), max(second and 1.5, second / most * room)
        x, wide = i * step, step * 0.76
        parts = rect(x, height - low - a, wide, a, "f-lapis") + rect(x, height - low - a - b, wide, b, "f-mute")
        inner.append(told(parts, sentence))
    last = len(counts) * 0.8
    inner += [text(place * step, height - 6, said, "end faint" if place > last else "faint") for place, said in ticks]
    return picture(width, height, label, NOTHING.join(inner))


def _height(count: int, most: int) -> float:
    """A bar of something is never of no height."""
    return max(1.5, count / most * (HIGH - 2))
