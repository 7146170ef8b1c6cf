"""Uses by day: a column for each, what was refused on top of what was allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, line, picture, rect, steps, text, told

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 720.0, 176.0, 46.0, 10.0, 24.0


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day. sentence: all of it in words."""

    day: date
    allowed: int
    refused: int
    sentence: str


def days(shown: Sequence[Day], label: str, number: Callable[[float], str], name: Callable[[date], str]) -> Markup:
    """The columns, from zero. shown: at least one, each day that lies between the first and the last too."""
    marks = steps(max(1, *(d.allowed + d.refused for d in shown)))
    marks = [m for m in marks if m == int(m)]
    high, bottom = HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM
    step = (WIDTH - LEFT) / len(shown)
    wide = min(step * 0.72, 26.0)
    drawn = NOTHING
    for mark in marks:
        y = bottom - high * mark / marks[-1]
        drawn += line(LEFT, y, WIDTH, y, "axis" if mark == 0 else "grid") + text(LEFT - 8, y + 4, number(mark), "end faint")
    for place, one in enumerate(shown):
        x = LEFT + step * place + (step - wide) / 2
        allowed, refused = (high * v / marks[-1] for v in (one.allowed, one.refused))
        # A refusal is seen beside any number of yeses.
        refused = max(refused, 2.5) if one.refused else 0.0
        column = rect(x, bottom - allowed, wide, allowed, "f-verd", round_=1.5)
        if one.refused:
            column += rect(x, bottom - allowed - refused, wide, refused, "f-terra", round_=1.5)
        drawn += told(rect(LEFT + step * place, TOP, step, high, "f-none") + column, one.sentence)
    drawn += text(LEFT, HEIGHT - 6, name(shown[0].day), "faint") + text(WIDTH, HEIGHT - 6, name(shown[-1].day), "end faint")
    return picture(WIDTH, HEIGHT, label, drawn)
