"""Why a score is as it is: a bar per reason, to the right what raises it, to the left what lowers it, from one middle line."""

from __future__ import annotations

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import rect

WIDTH, HEIGHT, MIDDLE = 100, 14, 40
"""Of one bar's picture, in its own units; the middle lies left of the centre, for more is told of what raises."""


def bar(points: float, most: float) -> Markup:
    """One reason's bar; its number stands beside it. points: what it adds, of the same unit as most, the largest of the page
    without its sign.

    >>> "f-terra" in bar(2.0, 4.0), "f-verd" in bar(-2.0, 4.0)
    (True, True)
    """
    side = WIDTH - MIDDLE if points > 0 else MIDDLE
    length = min(max(1.5, abs(points) / (most or 1.0) * side), side)
    drawn = rect(MIDDLE, 0, 0.8, HEIGHT, "f-mute") + rect(
        MIDDLE if points > 0 else MIDDLE - length, 1, length, HEIGHT - 2, "f-terra" if points > 0 else "f-verd", round_=1.5
    )
    return Markup('<svg class="whybar" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">{}</svg>').format(
        WIDTH, HEIGHT, drawn
    )
