"""What a model said beside what came: dots on the slanting line kept their word; a dot's size tells how many people it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, line, n, picture, text, told

SIZE, LEFT, BOTTOM, TOP = 300.0, 46.0, 40.0, 10.0
WIDTH = LEFT + SIZE + 16
MARKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, kw_only=True)
class Bin:
    """People to whom the model gave about the same chance. said: its mean; came: the share to whom it came."""

    said: float
    came: float
    people: int
    sentence: str

    @property
    def spread(self) -> tuple[float, float]:
        """Between what shares the truth may lie (95 %, Wilson): few people tell little."""
        z, p, m = 1.96, self.came, self.people
        middle = (p + z * z / (2 * m)) / (1 + z * z / m)
        around = z * sqrt(p * (1 - p) / m + z * z / (4 * m * m)) / (1 + z * z / m)
        return max(middle - around, 0.0), min(middle + around, 1.0)


def calibration(bins: Sequence[Bin], label: str, said: str, came: str, percent: Callable[[float], str]) -> Markup:
    """The plot. said, came: what the axes are."""
    most = max(b.people for b in bins)

    def x(value: float) -> float:
        return LEFT + SIZE * value

    def y(value: float) -> float:
        return TOP + SIZE * (1 - value)

    drawn = NOTHING
    for mark in MARKS:
        cls = "axis" if mark == 0 else "grid"
        drawn += line(x(0), y(mark), x(1), y(mark), cls) + line(x(mark), y(0), x(mark), y(1), cls)
        drawn += text(LEFT - 8, y(mark) + 4, percent(mark), "end faint") + text(x(mark), y(0) + 16, percent(mark), "mid faint")
    drawn += line(x(0), y(0), x(1), y(1), "goal")
    for b in bins:
        low, high = b.spread
        dot = Markup('<circle cx="{}" cy="{}" r="{}" class="f-lapis" fill-opacity="0.75"/>').format(
            n(x(b.said)), n(y(b.came)), n(3 + 7 * sqrt(b.people / most))
        )
        drawn += told(line(x(b.said), y(low), x(b.said), y(high), "s-lapis") + dot, b.sentence)
    drawn += text(x(0.5), y(0) + 34, said, "mid")
    drawn += Markup('<text transform="translate(10 {}) rotate(-90)" class="mid">{}</text>').format(n(y(0.5)), came)
    return picture(WIDTH, TOP + SIZE + BOTTOM, label, drawn, "pic square")
