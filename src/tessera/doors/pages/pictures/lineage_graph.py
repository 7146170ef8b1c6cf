"""Tables and what they are made of, as a picture: lanes from left to right, what feeds before what is fed. Layout and SVG."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from markupsafe import Markup

WIDE, TALL, GAP_X, GAP_Y, EDGE = 190, 58, 74, 22, 30
BEND = 66
MOST = 60
"""Nodes that are drawn; beyond that the ends of the fullest lanes are one node that says how many it stands for."""
OTHERS = "…"
Edges = Collection[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Node:
    """One card. below: the line under its name. tone: the hue of its mark (verd: meets the goal, terra: below it, slate: not
    known, plum: a source). said: what is spoken of it. more, more_to, more_said: how many further nodes wait behind it on its
    outer side, and the address that shows them."""

    id: str
    name: str
    to: str
    said: str
    below: str = ""
    tone: str = "slate"
    low: bool = False
    locked: bool = False
    chosen: bool = False
    lit: bool = True
    more: int = 0
    more_to: str = ""
    more_said: str = ""
    lane: int = 0
    row: int = 0
    x: float = 0.0
    y: float = 0.0


def lanes(edges: Edges, chosen: str) -> dict[str, int]:
    """In which lane each node stands that leads to the chosen one (before it: below zero) or comes of it. A node stands as
    near to the chosen one as its longest way there allows, so that no arrow goes back.

    >>> lanes({("a", "b"), ("b", "d"), ("a", "d"), ("d", "e")}, "d") == {"d": 0, "b": -1, "a": -2, "e": 1}
    True
    """
    return {**_depths(edges, chosen, -1), **_depths(edges, chosen, 1), chosen: 0}


def near(edges: Edges, chosen: str, up: int, down: int, opened: Collection[str] = ()) -> set[str]:
    """The nodes within so many steps before and after the chosen one, and one step beyond each that was opened."""
    found = {chosen}
    for way, steps in ((-1, up), (1, down)):
        reached, front = {chosen}, {chosen}
        while front:
            steps -= 1
            wider = front if steps >= 0 else front & set(opened)
            front = {n for node in wider for n in _next(edges, node, way)} - reached
            reached |= front
        found |= reached
    return found


def reach(edges: Edges, start: str, way: int) -> set[str]:
    """All before (-1) or after (1) a node."""
    found, front = {start}, {start}
    while front:
        front = {n for node in front for n in _next(edges, node, way)} - found
        found |= front
    return found - {start}


def grouped(nodes: Iterable[Node], most: int = MOST) -> tuple[list[Node], dict[str, str]]:
    """At most so many nodes: the last of the fullest lanes become one; and which nodes each of those stands for."""
    by_lane: dict[int, list[Node]] = {}
    for node in nodes:
        by_lane.setdefault(node.lane, []).append(node)
    gone: dict[str, str] = {}
    groups: dict[int, int] = {}
    while sum(map(len, by_lane.values())) + len(groups) > most:
        lane = max(by_lane, key=lambda k: len(by_lane[k]))
        last = next((n for n in reversed(by_lane[lane]) if not n.chosen), None)
        if last is None:
            break
        by_lane[lane].remove(last)
        gone[last.id] = f"{OTHERS}{lane}"
        groups[lane] = groups.get(lane, 0) + 1
    kept = [n for lane in sorted(by_lane) for n in by_lane[lane]]
    kept += [Node(id=f"{OTHERS}{k}", name=f"+{n}", to="", said=f"+{n}", lane=k) for k, n in groups.items()]
    return kept, gone


def placed(nodes: Iterable[Node], edges: Edges) -> list[Node]:
    """Each node with its place: within a lane near to what it is joined with, so that few arrows cross."""
    by_lane: dict[int, list[Node]] = {}
    for node in nodes:
        by_lane.setdefault(node.lane, []).append(node)
    order = {n.id: float(i) for found in by_lane.values() for i, n in enumerate(found)}
    joined: dict[str, list[str]] = {}
    for a, b in edges:
        joined.setdefault(a, []).append(b)
        joined.setdefault(b, []).append(a)
    for sweep in range(4):
        for lane in sorted(by_lane, reverse=bool(sweep % 2)):
            weights = {n.id: _mean([order[o] for o in joined.get(n.id, ()) if o in order], order[n.id]) for n in by_lane[lane]}
            by_lane[lane].sort(key=lambda n, w=weights: (n.id.startswith(OTHERS), w[n.id], n.name))  # type: ignore[misc]
            # The middle of a lane is where its neighbours' middle is.
            order |= {n.id: i - (len(by_lane[lane]) - 1) / 2 for i, n in enumerate(by_lane[lane])}
    most = max((len(found) for found in by_lane.values()), default=1)
    made = []
    for place, lane in enumerate(sorted(by_lane)):
        top = EDGE + (most - len(by_lane[lane])) * (TALL + GAP_Y) / 2
        for row, node in enumerate(by_lane[lane]):
            x, y = EDGE + place * (WIDE + GAP_X), top + row * (TALL + GAP_Y)
            made.append(replace(node, lane=place, row=row, x=x, y=y))
    return made


def draw(nodes: Collection[Node], edges: Edges, label: str) -> Markup:
    """The picture of placed nodes. Each node is a link with its sentence; arrows of the keyboard go by data-lane, data-row."""
    at = {n.id: n for n in nodes}
    wide = max((n.x + WIDE for n in nodes), default=WIDE) + EDGE
    tall = max((n.y + TALL for n in nodes), default=TALL) + EDGE
    parts = [
        Markup('<svg class="net" width="{0:g}" height="{1:g}" viewBox="0 0 {0:g} {1:g}" role="group" aria-label="{2}">').format(
            wide, tall, label
        )
    ]
    drawn = [(at[a], at[b]) for a, b in sorted(edges) if a in at and b in at]
    for a, b in sorted(drawn, key=lambda pair: pair[0].lit and pair[1].lit):
        parts.append(_edge(a, b))
    parts += [_card(n, wide) for n in sorted(nodes, key=lambda n: (n.lane, n.row))]
    return Markup("").join([*parts, Markup("</svg>")])


def _edge(a: Node, b: Node) -> Markup:
    x1, y1, x2, y2 = a.x + WIDE, a.y + TALL / 2, b.x, b.y + TALL / 2
    m = (x1 + x2) / 2
    # An arrow over a lane goes around the card that stands there.
    bend = BEND if b.lane - a.lane > 1 and abs(y1 - y2) < TALL else 0
    hue = "ed bad" if a.low else "ed"
    dim = "" if a.lit and b.lit else " dim"
    return Markup('<path class="{}{}" d="M{:g},{:g} C{:g},{:g} {:g},{:g} {:g},{:g}"/>').format(
        hue, dim, x1, y1, x1 + GAP_X if bend else m, y1 + bend, x2 - GAP_X if bend else m, y2 + bend, x2 - 1, y2
    )


def _card(n: Node, wide: float) -> Markup:
    """A node: its mark, its name, the line below, a lock if it holds personal data, and how many wait behind it."""
    kind = f"nd{' chosen' if n.chosen else ''}{'' if n.lit else ' dim'}"
    inner = [
        Markup('<rect class="b" x="{:g}" y="{:g}" width="{}" height="{}" rx="8"/>').format(n.x, n.y, WIDE, TALL),
        Markup('<rect class="f-{}" x="{:g}" y="{:g}" width="4" height="{}" rx="2"/>').format(n.tone, n.x, n.y + 9, TALL - 18),
        Markup('<text class="strong" x="{:g}" y="{:g}">{}</text>').format(
            n.x + 15, n.y + (24 if n.below else 34), _fit(n.name, 23)
        ),
    ]
    if n.below:
        inner.append(
            Markup('<text class="{}" x="{:g}" y="{:g}">{}</text>').format(
                "low" if n.low else "faint", n.x + 15, n.y + 43, _fit(n.below, 27 if not n.locked else 25)
            )
        )
    if n.locked:
        # A lock: a body and its bow.
        inner.append(
            Markup('<path class="lk" d="M{0:g},{1:g} h9 v7 h-9 Z M{2:g},{1:g} v-2.5 a2.5,2.5 0 0 1 5,0 v2.5"/>').format(
                n.x + WIDE - 21, n.y + 14, n.x + WIDE - 19
            )
        )
    body = Markup("").join(inner)
    if not n.to:
        return Markup('<g class="{}">{}</g>').format(kind, body)
    card = Markup('<a class="{}" href="{}" id="n-{}" data-lane="{}" data-row="{}" aria-label="{}"{}>{}</a>').format(
        kind, n.to, n.id.replace(":", "--"), n.lane, n.row, n.said, Markup(' aria-current="true"') if n.chosen else "", body
    )
    if not n.more:
        return card
    left = n.x < wide / 2
    cx = n.x - 16 if left else n.x + WIDE + 16
    return card + Markup(
        '<a class="more" href="{}" id="m-{}" aria-label="{}"><circle cx="{:g}" cy="{:g}" r="13"/>'
        '<text class="mid" x="{:g}" y="{:g}">+{}</text></a>'
    ).format(n.more_to, n.id.replace(":", "--"), n.more_said, cx, n.y + TALL / 2, cx, n.y + TALL / 2 + 4, n.more)


def _fit(text: str, most: int) -> str:
    """As much of a text as a card holds; a Chinese letter takes the room of two."""
    room = 0.0
    for i, letter in enumerate(text):
        room += 1.75 if ord(letter) > 0x2E80 else 1
        if room > most:
            return text[: max(i - 1, 1)] + "…"
    return text


def _depths(edges: Edges, start: str, way: int) -> dict[str, int]:
    """The longest way from a node to each behind it, in lanes; a circle is cut where it comes back."""
    inside = reach(edges, start, way) | {start}
    ahead: Mapping[str, list[str]] = {n: [m for m in _next(edges, n, way) if m in inside] for n in sorted(inside)}
    found: dict[str, int] = {}

    def longest(node: str, trail: frozenset[str]) -> None:
        for other in ahead[node]:
            depth = found.get(node, 0) + way
            if other not in trail and abs(depth) > abs(found.get(other, 0)):
                found[other] = depth
                longest(other, trail | {other})

    longest(start, frozenset({start}))
    return found


def _next(edges: Edges, node: str, way: int) -> list[str]:
    return sorted({b if way > 0 else a for a, b in edges if (a if way > 0 else b) == node} - {node})


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
