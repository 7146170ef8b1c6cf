"""Shares of those who answered: by month as a line within its 95 % interval, by wording as a dot on its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, line, n, picture, rect, text, told

WIDTH, HEIGHT, LEFT, TOP, BOTTOM, RIGHT = 340.0, 150.0, 40.0, 10.0, 22.0, 44.0
MARKS = (0, 50, 100)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One share in percent, with its interval. name: of the month or the wording. sentence: all of it in words. sure: whether
    enough people answered for a point of its own."""

    name: str
    rate: float
    low: float
    high: float
    sentence: str
    sure: bool = True


def course(points: Sequence[Rate], label: str, percent: Callable[[float], str], changes: Sequence[int] = ()) -> Markup:
    """The line over months, 0 to 100 %. points: at least one, oldest first; those of too few people leave a gap. changes: at
    which of them a new wording begins."""
    high, wide = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - RIGHT
    span = max(len(points) - 1, 1)

    def x(place: int) -> float:
        return LEFT + wide * place / span

    def y(rate: float) -> float:
        return TOP + high * (1 - rate / 100)

    drawn = NOTHING
    for mark in MARKS:
        drawn += line(LEFT, y(mark), LEFT + wide, y(mark), "axis" if mark == 0 else "grid")
        drawn += text(LEFT - 8, y(mark) + 4, percent(mark / 100), "end faint")
    for place in changes:
        drawn += line(x(place), TOP, x(place), y(0), "goal")
    sure = [(x(i), p) for i, p in enumerate(points) if p.sure]
    if sure:
        upper = " ".join(f"{n(at)},{n(y(p.high))}" for at, p in sure)
        lower = " ".join(f"{n(at)},{n(y(p.low))}" for at, p in reversed(sure))
        path = " ".join(f"{n(at)},{n(y(p.rate))}" for at, p in sure)
        drawn += Markup('<polygon points="{} {}" class="band f-lapis"/>').format(upper, lower)
        drawn += Markup('<polyline points="{}" class="line s-lapis"/>').format(path)
        at, last = sure[-1]
        drawn += Markup('<circle cx="{}" cy="{}" r="3.5" class="f-lapis"/>').format(n(at), n(y(last.rate)))
        drawn += text(at + 8, y(last.rate) + 4, percent(last.rate / 100), "strong")
    for place, point in enumerate(points):
        half = wide / span / 2
        drawn += told(rect(x(place) - half, TOP, 2 * half, high, "f-none"), point.sentence)
    drawn += text(LEFT, HEIGHT - 4, points[0].name, "faint")
    if len(points) > 1:
        drawn += text(LEFT + wide, HEIGHT - 4, points[-1].name, "end faint")
    return picture(WIDTH, HEIGHT, label, drawn)


def beside(points: Sequence[Rate], label: str, percent: Callable[[float], str]) -> Markup:
    """One row for each wording: its share as a dot, the interval as a bar, 0 to 100 %."""
    left, row, width = 120.0, 30.0, 560.0
    wide, bottom = width - left - 60, 6 + row * len(points)

    def x(rate: float) -> float:
        return left + wide * rate / 100

    drawn = NOTHING
    for mark in (0, 25, 50, 75, 100):
        drawn += line(x(mark), 6, x(mark), bottom, "axis" if mark == 0 else "grid")
        drawn += text(x(mark), bottom + 16, percent(mark / 100), "mid faint")
    for place, point in enumerate(points):
        y = 6 + row * (place + 0.5)
        shape = text(left - 12, y + 4, point.name, "end strong")
        shape += rect(x(point.low), y - 6, x(point.high) - x(point.low), 12, "f-lapis", round_=3, opacity=0.2)
        shape += Markup('<circle cx="{}" cy="{}" r="5" class="f-lapis"/>').format(n(x(point.rate)), n(y))
        shape += text(max(x(point.high), x(point.rate)) + 10, y + 4, percent(point.rate / 100), "strong")
        drawn += told(shape, point.sentence)
    return picture(width, bottom + 24, label, drawn)
