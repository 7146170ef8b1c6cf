"""How many, day by day: a line with its axis, or a small one for the cell of a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, line, n, picture, steps, text

WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 560.0, 190.0, 46.0, 12.0, 24.0
Points = Sequence[tuple[date, int]]


def trend(points: Points, label: str, number: Callable[[float], str], day: Callable[[date], str]) -> Markup:
    """A size as it was: it holds from each point on, so the line goes in steps. points: at least two, by day; from zero."""
    marks = steps(max(v for _, v in points))
    top, first, last = marks[-1], points[0][0], points[-1][0]
    high, wide = HEIGHT - TOP - BOTTOM, WIDTH - LEFT - 58

    def x(when: date) -> float:
        return LEFT + wide * (when - first).days / max((last - first).days, 1)

    def y(value: float) -> float:
        return TOP + high * (1 - value / top)

    drawn = NOTHING
    for mark in marks:
        drawn += line(LEFT, y(mark), LEFT + wide, y(mark), "axis" if mark == 0 else "grid")
        drawn += text(LEFT - 8, y(mark) + 4, number(mark), "end faint")
    path = _stepped([(x(d), y(v)) for d, v in points])
    ground = f"{path}V{n(y(0))}H{n(x(first))}Z"
    drawn += Markup('<path d="{}" class="band f-lapis"/><path d="{}" class="line s-lapis"/>').format(ground, path)
    drawn += Markup('<circle cx="{}" cy="{}" r="3.5" class="f-lapis"/>').format(n(x(last)), n(y(points[-1][1])))
    drawn += text(x(last) + 9, y(points[-1][1]) + 4, number(points[-1][1]), "strong")
    drawn += text(LEFT, HEIGHT - 6, day(first), "faint") + text(LEFT + wide, HEIGHT - 6, day(last), "end faint")
    return picture(WIDTH, HEIGHT, label, drawn)


def spark(points: Points) -> Markup:
    """The same without an axis: whether it rose or fell. The cell beside it has the numbers."""
    if len(points) < 2:
        return NOTHING
    first, last = points[0][0], points[-1][0]
    low, high = min(v for _, v in points), max(v for _, v in points)
    spread = max(high - low, 1)
    places = [
        (88 * (d - first).days / max((last - first).days, 1), 21 - 18 * (v - low) / spread) for d, v in points
    ]  # fmt: skip
    path = _stepped(places)
    return Markup(
        '<svg class="spark pic" viewBox="0 0 92 24" aria-hidden="true"><path d="{}" class="line s-lapis"/>'
        '<circle cx="{}" cy="{}" r="2.5" class="f-lapis"/></svg>'
    ).format(path, n(places[-1][0]), n(places[-1][1]))


def _stepped(places: Sequence[tuple[float, float]]) -> str:
    first, *rest = places
    return f"M{n(first[0])} {n(first[1])}" + "".join(f"H{n(x)}V{n(y)}" for x, y in rest)
