"""Flows between three columns as SVG: ribbons as wide as they weigh; hatched where they were stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

Hue = Literal["lapis", "verd", "terra", "gold", "plum", "slate"]
WIDE, BAR, TOP = 720, 9, 30
COLUMNS = (0, 268, 556)
"""Where the bars of each column stand; the words of one are to the right of it."""

TALL, GAP, THIN, LINE = 330, 12, 2.5, 22
"""Height of the largest column without its gaps; the least gap; the thinnest ribbon; what a label needs."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """One bar. note: its number, as it is written. to: where it leads. says: the sentence that is spoken."""

    id: str
    column: Literal[0, 1, 2]
    label: str
    note: str
    hue: Hue
    says: str
    to: str = ""


@dataclass(frozen=True, kw_only=True)
class Ribbon:
    """From one node to one of the next column. weight: what its width shows."""

    start: str
    end: str
    weight: float
    hue: Hue
    says: str
    stopped: bool = False


@dataclass
class _Bar:
    y: float
    height: float
    out: float = 0.0
    into: float = 0.0


def sankey(
    nodes: Sequence[Node], ribbons: Sequence[Ribbon], heads: tuple[str, str, str], says: str, id: str = "sankey"
) -> Markup:
    """The picture. Nodes stand in their order from above; ribbons of one bar in the order of the bars that they lead to."""
    wide = _widths(nodes, ribbons)
    bars = _bars(nodes, ribbons, wide)
    height = max((bar.y + bar.height for bar in bars.values()), default=TOP) + 10
    place = {node.id: n for n, node in enumerate(nodes)}
    order = sorted(range(len(ribbons)), key=lambda i: (place[ribbons[i].start], place[ribbons[i].end]))
    drawn = Markup("").join(_ribbon(ribbons[i], wide[i], bars, nodes, place) for i in order)
    titles = Markup("").join(
        Markup('<text x="{}" y="12" class="head{}">{}</text>').format(WIDE if n == 2 else x, " end" if n == 2 else "", head)
        for n, (x, head) in enumerate(zip(COLUMNS, heads, strict=True))
    )
    marks = Markup("").join(_node(node, bars[node.id]) for node in nodes)
    return Markup(
        '<svg class="pic sankey" viewBox="0 0 {} {}" role="group" aria-label="{}"><defs><pattern id="{}-stopped" width="7" '
        'height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" class="f-stopped"/>'
        '<rect width="2.4" height="7" class="f-terra"/></pattern></defs>{}{}{}</svg>'
    ).format(WIDE, round(height), says, id, titles, drawn.replace("#stopped", f"#{id}-stopped"), marks)


def _widths(nodes: Sequence[Node], ribbons: Sequence[Ribbon]) -> list[float]:
    """How wide each ribbon is: by one scale, by which the heaviest column is TALL."""
    column = {node.id: node.column for node in nodes}
    sums = [sum(r.weight for r in ribbons if column[r.start] == c) for c in (0, 1)]
    scale = TALL / (max(sums) or 1)
    return [max(THIN, r.weight * scale) for r in ribbons]


def _bars(nodes: Sequence[Node], ribbons: Sequence[Ribbon], wide: Sequence[float]) -> dict[str, _Bar]:
    heights = {
        node.id: max(
            sum(w for r, w in zip(ribbons, wide, strict=True) if r.start == node.id),
            sum(w for r, w in zip(ribbons, wide, strict=True) if r.end == node.id),
        )
        for node in nodes
    }
    found: dict[str, _Bar] = {}
    full = max((sum(max(heights[n.id], LINE - GAP) + GAP for n in nodes if n.column == c) for c in (0, 1, 2)), default=0)
    for column in (0, 1, 2):
        mine = [n for n in nodes if n.column == column]
        used = sum(max(heights[n.id], LINE - GAP) for n in mine)
        # A column of few bars is spread, so that ribbons run level and labels have room.
        gap = min((full - used) / max(len(mine), 1), 3 * GAP) if mine else GAP
        y = float(TOP)
        for node in mine:
            found[node.id] = _Bar(y, heights[node.id])
            y += max(heights[node.id], LINE - GAP) + gap
    return found


def _ribbon(ribbon: Ribbon, wide: float, bars: dict[str, _Bar], nodes: Sequence[Node], place: dict[str, int]) -> Markup:
    a, b = bars[ribbon.start], bars[ribbon.end]
    x0, x1 = COLUMNS[nodes[place[ribbon.start]].column] + BAR, COLUMNS[nodes[place[ribbon.end]].column]
    y0, y1 = a.y + a.out, b.y + b.into
    a.out += wide
    b.into += wide
    mid = (x0 + x1) / 2
    path = (
        f"M{x0} {y0:.1f}C{mid} {y0:.1f} {mid} {y1:.1f} {x1} {y1:.1f}V{y1 + wide:.1f}"
        f"C{mid} {y1 + wide:.1f} {mid} {y0 + wide:.1f} {x0} {y0 + wide:.1f}Z"
    )
    stopped = Markup('fill="url(#stopped)" class="rib stopped"')
    paint = stopped if ribbon.stopped else Markup('class="rib f-{}"').format(ribbon.hue)
    return Markup('<path id="{}--{}" d="{}" {} role="img" aria-label="{}" tabindex="0"><title>{}</title></path>').format(
        ribbon.start, ribbon.end, path, paint, ribbon.says, ribbon.says
    )


def _node(node: Node, bar: _Bar) -> Markup:
    x, middle = COLUMNS[node.column], bar.y + max(bar.height, 4) / 2
    mark = Markup(
        '<rect x="{}" y="{:.1f}" width="{}" height="{:.1f}" rx="2" class="f-{}"/>'
        '<text x="{}" y="{:.1f}" class="name"><tspan class="strong">{}</tspan> <tspan>{}</tspan></text>'
    ).format(x, bar.y, BAR, max(bar.height, 4), node.hue, x + BAR + 7, middle + 4, node.label, node.note)
    if not node.to:
        return Markup('<g role="img" aria-label="{}">{}</g>').format(node.says, mark)
    return Markup('<a href="{}" id="to-{}" aria-label="{}">{}</a>').format(node.to, node.id, node.says, mark)
