"""What a change would do, for the page that shows it: cells of access in words, people counted in the viewer's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tessera import change_effects as effects
from tessera.change_effects import Ruled
from tessera.config import Config
from tessera.doors.pages import change_words
from tessera.doors.pages.room import Room
from tessera.errors import NotAllowed, Refused


def would_do(room: Room, file: str, after: Config) -> dict[str, Any]:
    """What a file that says this would do, by its kind: cells of access, or people by rule."""
    before, kind = room.app.config, file.partition("/")[0]
    if kind in ("access.yaml", "purposes.yaml"):
        change = effects.matrix(before, after)
        cells = change_words.together(change.cells)
        return {
            "kind": "matrix", "gains": [c for c in cells if c.gives], "loses": [c for c in cells if not c.gives],
            "others": [(o, change_words.said(o, room.tongue)) for o in change.others], "verdicts": change_words.VERDICT,
            "reworded": _reworded(before, after),
        }  # fmt: skip
    if kind in ("segments.yaml", "decisions"):
        ruled = (effects.segments if kind == "segments.yaml" else effects.decisions)(before, after)
        table = "features" if kind == "segments.yaml" else "profiles"
        asked = [r for r in ruled if r.counts]
        return {
            "kind": "ruled", "of": kind, "ruled": ruled, "relearned": kind == "segments.yaml" and _learned(before, after),
            "counted": room.card(lambda: _counted(room, asked, before, after, table)) if asked else None,
        }  # fmt: skip
    return {"kind": "other", "of": kind}


def _reworded(before: Config, after: Config) -> list[str]:
    """Purposes whose sentence changes under the same version: nobody could tell which one a customer saw."""
    both = [(n, before.purposes[n], p) for n, p in after.purposes.items() if n in before.purposes]
    return [n for n, was, now in both if was.sentence != now.sentence and was.version == now.version]


def _learned(before: Config, after: Config) -> bool:
    a, b = before.segments, after.segments
    return (a.k, a.seed, a.purpose) != (b.k, b.seed, b.purpose)


def _counted(room: Room, ruled: list[Ruled], before: Config, after: Config, table: str) -> dict[str, Any]:
    """How many people meet each rule before and after, for the viewer's purpose; and of those whom marketing may reach."""
    question = effects.question(ruled, before, after, table, room.now)
    if not room.has(table):
        return {"purpose": "", "rows": [], "everybody": 0}
    read = frozenset().union(*(r.columns for r in ruled))
    purpose = _purpose(room, after, table, read)
    told = _asked(room, question, purpose)
    reach = next((n for n, p in after.purposes.items() if p.data_use.startswith("marketing")), "")
    reached: Mapping[str, Any] = {}
    if reach and reach != purpose and table == "features" and reach in room.lens.choices[room.lens.role]:
        try:
            _clear(room, table, read, reach)
            reached = _asked(room, question, reach)
        except Refused:
            reached = {}
    rows = [(r, told[f"b{n}"], told[f"a{n}"], reached.get(f"a{n}")) for n, r in enumerate(ruled)]
    return {"purpose": purpose, "reach": reach, "rows": rows, "everybody": told["everybody"]}


def _purpose(room: Room, after: Config, table: str, read: frozenset[str]) -> str:
    """The lens's purpose, or where that shows too little the one that segments are made for. Raises NotAllowed."""
    wanted = list(dict.fromkeys([room.lens.purpose, after.segments.purpose]))
    for purpose in [p for p in wanted if p in room.lens.choices[room.lens.role]]:
        try:
            _clear(room, table, read, purpose)
            return purpose
        except NotAllowed:
            continue
    _clear(room, table, read, room.lens.purpose)
    return room.lens.purpose


def _clear(room: Room, table: str, read: frozenset[str], purpose: str) -> None:
    """A count by a column tells of its values, so whoever counts sees them in clear."""
    reader = room.app.reader(room.lens.role, purpose, room.caller.actor)
    shown = room.app.gate.presented()[table]
    for column in sorted(read):
        seen = room.app.gate.seen(shown, column, reader)
        if seen.verdict != "clear":
            raise NotAllowed(seen.reason, f"Ask {room.app.config.access.contact}.")


def _asked(room: Room, question: str, purpose: str) -> Mapping[str, Any]:
    reader = room.app.reader(room.lens.role, purpose, room.caller.actor)
    found: dict[str, Any] = room.app.answers.ask(question, reader, room.caps).table.to_pylist()[0]
    return found
