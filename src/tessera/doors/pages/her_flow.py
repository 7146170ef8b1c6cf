"""Where her data went, as a picture, as a list for narrow screens, and as a table: the same numbers three times."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from markupsafe import Markup

from tessera.doors.pages import her_sayings
from tessera.doors.pages.her_choices import Choice, blocked_by_her
from tessera.doors.pages.her_visit import HerRoom
from tessera.doors.pages.pictures.sankey import Hue, Node, Ribbon, sankey
from tessera.doors.pages.tongue import Tongue

BLOCKED = "kept-back"
MOST = 9
"""Purposes in the picture, those with most uses; the table has all."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One purpose, used or kept back. origins: name and in how many of these uses it took part. ends: who received it."""

    purpose: str
    short: str
    hue: Hue
    uses: int
    blocked: bool
    origins: tuple[tuple[str, int], ...]
    ends: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What the card and the head of the page show. origins, purposes: how many took part in uses that held her."""

    picture: Markup
    lines: tuple[Line, ...]
    uses: int
    blocked: int
    origins: int
    purposes: int
    refused: tuple[str, ...]
    by_her: bool


def shown(room: HerRoom, choices: list[Choice]) -> Shown:
    """The card."""
    tongue, flows = room.tongue, room.lately.flows
    drew: dict[tuple[str, bool], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    weight: dict[tuple[str, bool], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    uses: dict[tuple[str, bool], int] = defaultdict(int)
    for flow in flows:
        name = (flow.purpose, flow.blocked)
        uses[name] += flow.uses
        for one in flow.origins:
            drew[name][one] += flow.uses
            weight[name][one] += flow.uses / len(flow.origins)
    names = sorted(uses, key=lambda n: (n[1], -uses[n]))
    found = {c.name: c for c in choices}
    shut = [found[p] for p, blocked in names if blocked and p in found]
    kept = tongue("Blocked by you") if blocked_by_her(shut) else tongue("Blocked without your yes")
    lines = tuple(
        Line(
            purpose=p, short=her_sayings.short(room.app.config, p, tongue),
            hue="terra" if blocked else her_sayings.look(room.app.config.purposes.get(p)), uses=uses[p, blocked],
            blocked=blocked,
            origins=tuple(
                (her_sayings.origin(o, tongue), drew[p, blocked][o]) for o in her_sayings.ORIGINS if drew[p, blocked][o]
            ),
            ends=(kept,) if blocked else (room.app.config.name, *(found[p].recipients if p in found else ())),
        )
        for p, blocked in names
    )  # fmt: skip
    used = {o for f in flows if not f.blocked for o in f.origins}
    return Shown(
        picture=_picture(room, lines, names[:MOST], weight, drew, kept), lines=lines, uses=room.lately.uses(blocked=False),
        blocked=room.lately.uses(blocked=True), origins=len(used), purposes=sum(not b for _, b in names),
        refused=tuple(dict.fromkeys(line.short for line in lines if line.blocked)), by_her=blocked_by_her(shut),
    )  # fmt: skip


def _picture(
    room: HerRoom, lines: tuple[Line, ...], names: list[tuple[str, bool]],
    weight: dict[tuple[str, bool], dict[str, float]], drew: dict[tuple[str, bool], dict[str, int]], kept: str,
) -> Markup:  # fmt: skip
    tongue = room.tongue
    line = {(one.purpose, one.blocked): one for one in lines}
    nodes, ribbons = _from(tongue, names, drew), list[Ribbon]()
    ends: dict[str, int] = defaultdict(int)
    places: dict[str, int] = {room.app.config.name: 0} if any(not blocked for _, blocked in names) else {}
    for name in names:
        one, mark = line[name], f"for-{name[0]}{'-out' if name[1] else ''}"
        says, to = _says(tongue, one), f"#choice-{name[0]}"
        nodes.append(Node(id=mark, column=1, label=one.short, note=tongue.number(one.uses), hue=one.hue, says=says, to=to))
        for source, (called, hue) in her_sayings.ORIGINS.items():
            if many := drew[name][source]:
                told, wide = _drew(tongue, tongue(called), one, many), weight[name][source]
                ribbons.append(Ribbon(start=f"from-{source}", end=mark, weight=wide, hue=hue, says=told, stopped=name[1]))
        for end in one.ends:
            at = BLOCKED if name[1] else f"to-{places.setdefault(end, len(places))}"
            ends[at] += one.uses
            share = one.uses / len(one.ends)
            ribbons.append(Ribbon(start=mark, end=at, weight=share, hue=one.hue, says=says, stopped=name[1]))
    for end, place in places.items():
        # What is done here is counted; of what somebody outside was given, the ledger knows the purpose alone.
        many = ends[f"to-{place}"]
        note = tongue.number(many) if place == 0 else tongue("up to {n}", n=tongue.number(many))
        nodes.append(Node(id=f"to-{place}", column=2, label=end, note=note, hue="slate", says=f"{end}: {note}"))
    if ends[BLOCKED]:
        note = tongue.number(ends[BLOCKED])
        nodes.append(Node(id=BLOCKED, column=2, label=kept, note=note, hue="terra", says=f"{kept}: {note}"))
    heads = (tongue("Where it came from"), tongue("What it was used for"), tongue("Who received it"))
    return sankey(nodes, ribbons, heads, tongue("Where your data went in the last 30 days, in uses"), "flow")


def _from(tongue: Tongue, names: list[tuple[str, bool]], drew: dict[tuple[str, bool], dict[str, int]]) -> list[Node]:
    """The bars of her records, with in how many uses each kind took part."""
    nodes = []
    for source, (called, hue) in her_sayings.ORIGINS.items():
        if many := sum(drew[name][source] for name in names):
            label = tongue(called)
            says = tongue.many("{what}: took part in one use", "{what}: took part in {n} uses", many, what=label)
            nodes.append(Node(id=f"from-{source}", column=0, label=label, note=tongue.number(many), hue=hue, says=says))
    return nodes


def _says(tongue: Tongue, line: Line) -> str:
    """A purpose's part as a sentence."""
    what = line.short
    if line.blocked:
        return tongue.many("“{what}”: you were left out once", "“{what}”: you were left out {n} times", line.uses, what=what)
    return tongue.many("“{what}”: your data was used once", "“{what}”: your data was used {n} times", line.uses, what=what)


def _drew(tongue: Tongue, source: str, line: Line, many: int) -> str:
    """What a kind of records was used for as a sentence."""
    facts = {"source": source, "what": line.short}
    if line.blocked:
        return tongue.many("{source}: kept out of “{what}” once", "{source}: kept out of “{what}” {n} times", many, **facts)
    return tongue.many("{source}: used for “{what}” once", "{source}: used for “{what}” {n} times", many, **facts)
