"""Shares with their intervals, one below the other on one axis from zero, beside the share that all are compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, line, n, picture, steps, text, told


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One share: its name, where it lies, its interval, and a sentence with all of it. cls: its colour's name."""

    name: str
    share: float
    low: float
    high: float
    sentence: str
    cls: str = "lapis"


def against(dots: Sequence[Dot], base: float | None, label: str, percent: Callable[[float], str]) -> Markup:
    """The picture. base: the share to compare with, as a dashed line. percent: how the axis writes a share."""
    width, left, row, top = 520.0, 132.0, 30.0, 8.0
    marks = steps(max([d.high for d in dots] + [base or 0.0, 0.01]))
    high, room = top + row * len(dots), width - left - 30

    def x(share: float) -> float:
        return left + share / marks[-1] * room

    inner = [line(x(m), top, x(m), high, "grid") + text(x(m), high + 16, percent(m), "mid faint") for m in marks]
    if base is not None:
        inner.append(line(x(base), top, x(base), high, "goal"))
    for i, dot in enumerate(dots):
        y = top + row * i + row / 2
        drawn = (
            text(left - 12, y + 4, dot.name, "end strong") + _bar(x(dot.low), x(dot.high), y, dot.cls)
            + Markup('<circle cx="{}" cy="{}" r="5" class="f-{}"/>').format(n(x(dot.share)), n(y), dot.cls)
        )  # fmt: skip
        inner.append(told(drawn, dot.sentence))
    return picture(width, high + 24, label, NOTHING.join(inner), "pic against")


def _bar(low: float, high: float, y: float, cls: str) -> Markup:
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="s-{} whisker"/>').format(n(low), n(y), n(high), n(y), cls)
