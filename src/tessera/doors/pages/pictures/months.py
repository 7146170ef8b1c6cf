"""Two small charts under each other over the same months: bars of an amount, a line of a count. Never two axes in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import line, n, picture, rect, text, told

WIDTH, LEFT, TOP, BARS, GAP, LINE, BELOW = 400, 46, 28, 92, 40, 46, 20
HEIGHT = TOP + BARS + GAP + LINE + BELOW


def chart(
    labels: Sequence[str], amounts: Sequence[float], counts: Sequence[float], *, amount: str, count: str,
    written: Callable[[float], str], about: str,
) -> Markup:  # fmt: skip
    """labels: of the months. amount, count: what each chart shows, with its unit. written: how an amount is written on its
    axis. about: what the picture says, for whoever hears it."""
    step = (WIDTH - LEFT) / max(len(labels), 1)
    most, base, top = max([*amounts, 0]) or 1, TOP + BARS + GAP, max([*counts, 0]) or 1
    parts = [text(0, 11, amount, "strong"), *_grid(TOP, BARS, most, written)]
    for i, value in enumerate(amounts):
        high = value / most * BARS
        bar = rect(LEFT + (i + 0.22) * step, TOP + BARS - high, step * 0.56, high, "f-lapis", round_=1.5)
        parts.append(told(bar, f"{labels[i]}: {written(value)}"))
    parts += [text(0, base - 14, count, "strong"), *_grid(base, LINE, top, lambda v: f"{v:,.0f}")]
    points = [f"{n(LEFT + (i + 0.5) * step)},{n(base + LINE - c / top * LINE)}" for i, c in enumerate(counts)]
    if points:
        ends = [f"{n(LEFT + (i + 0.5) * step)},{base + LINE}" for i in (0, len(points) - 1)]
        drawn = Markup('<polygon class="f-plum band" points="{}"/><polyline class="line s-plum" points="{}"/>')
        parts.append(drawn.format(" ".join([ends[0], *points, ends[1]]), " ".join(points)))
    parts += [text(LEFT + (i + 0.5) * step, HEIGHT - 4, label, "faint mid") for i, label in enumerate(labels)]
    return picture(WIDTH, HEIGHT, about, Markup("").join(parts))


def _grid(top: float, height: float, most: float, written: Callable[[float], str]) -> list[Markup]:
    """Lines at nothing, half and most."""
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y = top + height - share * height
        drawn += [line(LEFT, y, WIDTH, y, "grid"), text(LEFT - 6, y + 4, written(most * share), "faint end")]
    return drawn
