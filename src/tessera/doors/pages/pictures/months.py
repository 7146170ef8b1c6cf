"""Two small charts under each other over the same months: bars of an amount, a line of a count. Never two axes in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

WIDTH, LEFT, TOP, BARS, GAP, LINE, BELOW = 400, 46, 28, 92, 40, 46, 20
HEIGHT = TOP + BARS + GAP + LINE + BELOW


def chart(
    labels: Sequence[str], amounts: Sequence[float], counts: Sequence[float], *, amount: str, count: str,
    written: Callable[[float], str], about: str,
) -> Markup:  # fmt: skip
    """labels: of the months. amount, count: what each chart shows, with its unit. written: how an amount is written on its
    axis. about: what the picture says, for whoever hears it."""
    step = (WIDTH - LEFT) / max(len(labels), 1)
    parts = [Markup('<text class="strong" x="0" y="11">{}</text>').format(amount)]
    most = max([*amounts, 0]) or 1
    parts += _grid(TOP, BARS, most, written)
    for i, value in enumerate(amounts):
        height = value / most * BARS
        bar = Markup('<rect class="f-lapis" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1.5">{}</rect>')
        says = Markup("<title>{}: {}</title>").format(labels[i], written(value))
        parts.append(bar.format(LEFT + i * step + step * 0.22, TOP + BARS - height, step * 0.56, height, says))
    base = TOP + BARS + GAP
    parts.append(Markup('<text class="strong" x="0" y="{}">{}</text>').format(base - 14, count))
    top = max([*counts, 0]) or 1
    parts += _grid(base, LINE, top, lambda v: f"{v:,.0f}")
    points = [(LEFT + (i + 0.5) * step, base + LINE - c / top * LINE) for i, c in enumerate(counts)]
    if points:
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        area = f"{points[0][0]:.1f},{base + LINE} {joined} {points[-1][0]:.1f},{base + LINE}"
        drawn = Markup('<polygon class="f-plum band" points="{}"/><polyline class="line s-plum" points="{}"/>')
        parts.append(drawn.format(area, joined))
    for i, label in enumerate(labels):
        parts.append(
            Markup('<text class="faint mid" x="{:.1f}" y="{}">{}</text>').format(LEFT + (i + 0.5) * step, HEIGHT - 4, label)
        )
    return Markup('<svg class="pic" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, about, Markup("").join(parts)
    )


def _grid(top: float, height: float, most: float, written: Callable[[float], str]) -> list[Markup]:
    line = Markup(
        '<line class="grid" x1="{l}" x2="{w}" y1="{y:.1f}" y2="{y:.1f}"/><text class="faint end" x="{x}" y="{t:.1f}">{v}</text>'
    )
    drawn = []
    for share in (0.0, 0.5, 1.0):
        y = top + height - share * height
        drawn.append(line.format(l=LEFT, w=WIDTH, y=y, x=LEFT - 6, t=y + 4, v=written(most * share)))
    return drawn
