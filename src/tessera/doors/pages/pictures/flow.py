"""Bands between two columns: how many went from what they were to what they are; those who stayed in grey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, n, picture, rect, text, told

WIDTH, HIGH, GAP, FEWEST_HIGH = 640.0, 280.0, 12.0, 1.0
LEFT, RIGHT, THICK = 152.0, 488.0, 8.0


@dataclass(frozen=True, kw_only=True)
class Node:
    """One end: its name, and the words of its number."""

    key: str
    name: str
    said: str


@dataclass(frozen=True, kw_only=True)
class Band:
    """people who went from a node on the left to one on the right; stays: it is the same. hue: a class."""

    was: str
    now: str
    people: int
    sentence: str
    hue: str = "f-lapis"
    stays: bool = False


def flow(left: Sequence[Node], right: Sequence[Node], bands: Sequence[Band], label: str, before: str, after: str) -> Markup:
    """The picture. Nodes are as high as their bands together. before, after: what the columns are."""
    total = max(sum(b.people for b in bands), 1)
    unit = HIGH / total
    high = HIGH + GAP * max(len(left), len(right), 1)
    starts = [_places(nodes, bands, side, unit) for side, nodes in (("was", left), ("now", right))]
    used = [dict.fromkeys(place, 0.0) for place in starts]
    order = {node.key: i for i, node in enumerate(right)}
    back = {node.key: i for i, node in enumerate(left)}
    drawn = NOTHING
    leaves: dict[tuple[str, str], float] = {}
    for band in sorted(bands, key=lambda b: (back.get(b.was, 0), order.get(b.now, 0))):
        leaves[band.was, band.now] = starts[0][band.was] + used[0][band.was]
        used[0][band.was] += band.people * unit
    placed = []
    for band in sorted(bands, key=lambda b: (order.get(b.now, 0), back.get(b.was, 0))):
        placed.append((band, leaves[band.was, band.now], starts[1][band.now] + used[1][band.now]))
        used[1][band.now] += band.people * unit
    # Who stays lies below, so that who moves is seen.
    for band, y1, y2 in sorted(placed, key=lambda p: not p[0].stays):
        drawn += told(_band(y1, y2, max(band.people * unit, FEWEST_HIGH), band), band.sentence)
    for nodes, place, taken, x in ((left, starts[0], used[0], LEFT - THICK), (right, starts[1], used[1], RIGHT)):
        for node in nodes:
            drawn += rect(x, place[node.key], THICK, max(taken[node.key], FEWEST_HIGH), "f-slate", round_=2)
            drawn += _named(node, place[node.key] + taken[node.key] / 2, x == RIGHT)
    drawn += text(LEFT, 14, before, "end strong") + text(RIGHT, 14, after, "strong")
    return picture(WIDTH, high + 26, label, drawn, "pic wide")


def _places(nodes: Sequence[Node], bands: Sequence[Band], side: str, unit: float) -> dict[str, float]:
    """Where each node of a column begins."""
    at, found = 26.0, {}
    for node in nodes:
        found[node.key] = at
        many = sum(b.people for b in bands if getattr(b, side) == node.key)
        # A node of few people still has the room of its name.
        at += max(many * unit + GAP, 18.0)
    return found


def _band(y1: float, y2: float, thick: float, band: Band) -> Markup:
    middle = (LEFT + RIGHT) / 2
    path = (
        f"M{n(LEFT)} {n(y1)}C{n(middle)} {n(y1)} {n(middle)} {n(y2)} {n(RIGHT)} {n(y2)}V{n(y2 + thick)}"
        f"C{n(middle)} {n(y2 + thick)} {n(middle)} {n(y1 + thick)} {n(LEFT)} {n(y1 + thick)}Z"
    )
    cls, opacity = ("f-mute", "0.45") if band.stays else (band.hue, "0.5")
    return Markup('<path d="{}" class="{}" fill-opacity="{}"/>').format(path, cls, opacity)


def _named(node: Node, y: float, right: bool) -> Markup:
    x, cls = (RIGHT + THICK + 8, "strong") if right else (LEFT - THICK - 8, "strong end")
    return Markup('<text x="{}" y="{}" class="{}">{} <tspan class="faint">{}</tspan></text>').format(
        n(x), n(y + 4), cls, node.name, node.said
    )
