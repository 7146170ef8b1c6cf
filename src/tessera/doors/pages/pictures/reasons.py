"""Why a score is as it is: a bar per reason, to the right what raises it, to the left what lowers it, from one middle line."""

from __future__ import annotations

from markupsafe import Markup

WIDTH, HEIGHT, MIDDLE = 100, 14, 40
"""Of one bar's picture, in its own units; the middle lies left of the centre, for more is told of what raises."""


def bar(points: float, most: float) -> Markup:
    """One reason's bar. points: what it adds, of the same unit as most, the largest of the page without its sign.

    >>> "f-terra" in bar(2.0, 4.0), "f-verd" in bar(-2.0, 4.0)
    (True, True)
    """
    room = WIDTH - MIDDLE if points > 0 else MIDDLE
    length = max(1.5, abs(points) / (most or 1.0) * MIDDLE)
    length = min(length * (room / MIDDLE if points > 0 else 1.0), room)
    x = MIDDLE if points > 0 else MIDDLE - length
    return Markup(
        '<svg class="whybar" viewBox="0 0 {w} {h}" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="f-mute" x="{m}" y="0" width="0.8" height="{h}"/>'
        '<rect class="f-{hue}" x="{x:.1f}" y="1" width="{length:.1f}" height="12" rx="1.5"/></svg>'
    ).format(w=WIDTH, h=HEIGHT, m=MIDDLE, x=x, length=length, hue="terra" if points > 0 else "verd")
