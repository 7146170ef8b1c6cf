"""What pictures are made of: elements with their text made safe, steps for axes, a bar for the cell of a table."""

from __future__ import annotations

from math import floor, log10

from markupsafe import Markup

NOTHING = Markup("")


def text(x: float, y: float, said: object, cls: str = "") -> Markup:
    """A text at a place; cls: end, mid, strong, faint."""
    return Markup('<text x="{}" y="{}"{}>{}</text>').format(n(x), n(y), _cls(cls), said)


def rect(x: float, y: float, width: float, height: float, cls: str, *, round_: float = 0, opacity: float = 1) -> Markup:
    """A rectangle filled by a class."""
    more = Markup(' rx="{}"').format(n(round_)) if round_ else NOTHING
    if opacity < 1:
        more += Markup(' fill-opacity="{}"').format(n(opacity))
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}"{}/>').format(
        n(x), n(y), n(max(width, 0)), n(max(height, 0)), cls, more
    )


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> Markup:
    """A straight line drawn by a class."""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>').format(n(x1), n(y1), n(x2), n(y2), cls)


def told(inner: Markup, sentence: str) -> Markup:
    """A group with a sentence: shown where the pointer rests, and read out."""
    return Markup("<g><title>{}</title>{}</g>").format(sentence, inner)


def picture(width: float, height: float, label: str, inner: Markup, cls: str = "pic", *, natural: bool = False) -> Markup:
    """The whole picture. label: what it shows, in one sentence, for whoever does not see it. natural: as large as it is drawn,
    in place of as wide as its card."""
    size = Markup(' width="{}" height="{}"').format(n(width), n(height)) if natural else NOTHING
    return Markup('<svg class="{}" viewBox="0 0 {} {}"{} role="img" aria-label="{}">{}</svg>').format(
        cls, n(width), n(height), size, label, inner
    )


def bar(share: float, cls: str = "f-lapis") -> Markup:
    """A bar from zero for the cell of a table, which has the number beside it. share: of the longest, 0 to 1."""
    wide = 100 * max(0.0, min(share, 1.0))
    return Markup(
        '<svg class="cellbar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect width="100" height="6" class="f-sunk"/><rect width="{}" height="6" class="{}"/></svg>'
    ).format(n(wide), cls)


def steps(top: float, many: int = 4) -> list[float]:
    """Round numbers from 0 to the first that is not below `top`.

    >>> steps(93), steps(0.5)
    ([0.0, 50.0, 100.0], [0.0, 0.2, 0.4, 0.6])
    """
    if top <= 0:
        return [0.0, 1.0]
    rough = top / many
    ten = 10.0 ** floor(log10(rough))
    step = next(s * ten for s in (1, 2, 5, 10) if s * ten >= rough * 0.999)
    count = int(-(-top // step)) if top % step else int(top / step)
    return [round(i * step, 10) for i in range(count + 1)]


def n(value: float) -> str:
    """A number as short as a picture needs it.

    >>> n(3.0), n(2.345)
    ('3', '2.3')
    """
    return f"{value:.2f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:.1f}".removesuffix(".0")


def _cls(cls: str) -> Markup:
    return Markup(' class="{}"').format(cls) if cls else NOTHING
