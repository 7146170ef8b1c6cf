"""One row for each thing, a dot for what each model says of it, and the span from the least to the most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, line, n, picture, rect, steps, text, told

WIDTH, LEFT, ROW, TOP = 640.0, 116.0, 34.0, 8.0


@dataclass(frozen=True, kw_only=True)
class Span:
    """One row. chosen: the dot that is lit; others: the grey ones. low, high: an interval around the chosen, where known."""

    name: str
    chosen: float
    others: Sequence[float]
    sentence: str
    low: float | None = None
    high: float | None = None


def spans(rows: Sequence[Span], label: str, number: Callable[[float], str]) -> Markup:
    """The picture, from zero, with its axis below."""
    marks = steps(max(max(s.chosen, *s.others, s.high or 0) for s in rows))
    wide, bottom = WIDTH - LEFT - 20, TOP + ROW * len(rows)

    def x(value: float) -> float:
        return LEFT + wide * value / marks[-1]

    drawn = NOTHING
    for mark in marks:
        drawn += line(x(mark), TOP, x(mark), bottom, "axis" if mark == 0 else "grid")
        drawn += text(x(mark), bottom + 18, number(mark), "mid faint")
    for i, span in enumerate(rows):
        drawn += told(_row(span, TOP + ROW * (i + 0.5), x), span.sentence)
    return picture(WIDTH, bottom + 26, label, drawn)


def _row(span: Span, y: float, x: Callable[[float], float]) -> Markup:
    drawn = text(LEFT - 12, y + 4, span.name, "end strong")
    least, most = min(span.chosen, *span.others), max(span.chosen, *span.others)
    drawn += rect(x(least), y - 1, x(most) - x(least), 2, "f-mute")
    if span.low is not None and span.high is not None:
        drawn += rect(x(span.low), y - 8, x(span.high) - x(span.low), 16, "f-lapis", round_=3, opacity=0.18)
    for value in span.others:
        drawn += Markup('<circle cx="{}" cy="{}" r="4" class="f-slate" fill-opacity="0.55"/>').format(n(x(value)), n(y))
    return drawn + Markup('<circle cx="{}" cy="{}" r="5.5" class="f-lapis"/>').format(n(x(span.chosen)), n(y))
