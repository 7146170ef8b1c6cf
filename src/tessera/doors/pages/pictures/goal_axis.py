"""Shares of rows against a goal: a dot on an axis from 80 to 100 %, and how the share went, measurement by measurement."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

LOW, HIGH = 80.0, 100.0
WIDE, TALL = 200, 24
LONG, HIGHER = 300, 120


def dot(percent: float | None, goal: float, said: str) -> Markup:
    """Where a share stands. What lies below the axis is an arrow at its left end; the number stands beside the picture."""
    parts = [
        Markup('<svg class="goalaxis" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDE, TALL, said),
        Markup('<line class="axis" x1="6" x2="{}" y1="12" y2="12"/>').format(WIDE - 6),
        Markup('<line class="goalmark" x1="{0:.1f}" x2="{0:.1f}" y1="4" y2="20"/>').format(_x(goal)),
    ]
    if percent is not None and percent < LOW:
        parts.append(Markup('<path class="f-terra" d="M4,12 L14,6 L14,18 Z"/>'))
    elif percent is not None:
        hue = "f-verd" if percent >= goal else "f-terra"
        parts.append(Markup('<circle class="{}" cx="{:.1f}" cy="12" r="5.5"/>').format(hue, _x(percent)))
    return Markup("").join([*parts, Markup("</svg>")])


def axis(goal: float) -> Markup:
    """The numbers of the axis, once over a column of dots."""
    texts = Markup("").join(
        Markup('<text class="{}" x="{:.1f}" y="16">{:g}</text>').format(place, _x(at), at)
        for at, place in ((LOW, ""), (goal, "mid"), (HIGH, "end"))
    )
    return Markup('<svg class="goalaxis" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>').format(WIDE, TALL, texts)


def history(points: Sequence[tuple[str, float]], goal: float, said: str, goal_said: str) -> Markup:
    """How a share went: (when it was measured, in words; percent), oldest first."""
    low = min([LOW, goal, *(p for _, p in points)])
    low = max(0.0, (low // 10) * 10)

    def y(percent: float) -> float:
        return 10 + (HIGHER - 40) * (HIGH - percent) / (HIGH - low)

    def x(place: int) -> float:
        return 40 + (LONG - 100) * (place / (len(points) - 1) if len(points) > 1 else 0.5)

    parts = [Markup('<svg class="pic" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(LONG, HIGHER, said)]
    for mark in (low, HIGH):
        parts.append(
            Markup(
                '<line class="grid" x1="40" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text class="faint end" x="34" y="{:.1f}">{:g}%</text>'
            ).format(
                LONG - 60, y(mark), y(mark), y(mark) + 4, mark
            )
        )
    parts.append(
        Markup(
            '<line class="goal" x1="40" x2="{0}" y1="{1:.1f}" y2="{1:.1f}"/><text class="faint" x="{2}" y="{3:.1f}">{4}</text>'
        ).format(
            LONG - 60, y(goal), LONG - 54, y(goal) + 4, goal_said
        )
    )
    if len(points) > 1:
        parts.append(
            Markup('<polyline class="line s-slate" points="{}"/>').format(
                " ".join(f"{x(i):.1f},{y(p):.1f}" for i, (_, p) in enumerate(points))
            )
        )
    for i, (when, percent) in enumerate(points):
        parts.append(
            Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}: {:.1f}%</title></circle>').format(
                "f-verd" if percent >= goal else "f-terra", x(i), y(percent), when, percent
            )
        )
    if points:
        ends = ((0, ""), (len(points) - 1, "end")) if len(points) > 1 else ((0, "mid"),)
        for i, place in ends:
            text = Markup('<text class="faint {}" x="{:.1f}" y="{}">{}</text>')
            parts.append(text.format(place, x(i), HIGHER - 6, points[i][0]))
    return Markup("").join([*parts, Markup("</svg>")])


def _x(percent: float) -> float:
    return 6 + (WIDE - 12) * (min(max(percent, LOW), HIGH) - LOW) / (HIGH - LOW)
