"""One person's events, one after the other: her state and an event in, her next state and the decisions out. Pure.

What a stream that is keyed by person (doors/stream.py, on Apache Flink) does with each line, and nothing of the stream: the
same lines through plain Python give the same decisions, byte by byte. `Folder.fold` and `Decider.decide` are those of the live
engine, and decided is as there after the events that a point names. Needs the standard library, msgspec and sqlglot alone.

Whose an event is, what of it is clear and what she allows is found before, where the vault and consent are (action.handing): a
line holds no identifier, and each says for which purposes may be decided now, so that no permission grows old in a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from tessera.action.decide import Decider, Decision, Model, Past
from tessera.action.live_past import VIEWED
from tessera.action.nearby import VIEW
from tessera.data.live_folds import Folder, empty, micros, values
from tessera.data.profiles import ADDED, FOLDS
from tessera.decision_points import Point
from tessera.errors import BadInput

_TIMES = frozenset(f.field for f in FOLDS if f.type == "TIMESTAMPTZ")


class State(msgspec.Struct, array_like=True):
    """What is kept of a person. partials: as `live_folds` has them. viewed: by key of hers, when (microseconds since 1970) and
    what, at most VIEWED. shown: decision, arm and moment, as long as its point asks for it."""

    partials: list[int | tuple[int, int, str] | None] = msgspec.field(default_factory=empty)
    viewed: dict[str, list[tuple[int, str]]] = {}
    shown: list[tuple[str, str, int]] = []


class Handed(msgspec.Struct, tag_field="is", tag="event", omit_defaults=True, kw_only=True):
    """An event as it is handed on. person: a lasting name of hers, no identifier; key: the same of the one of her identifiers
    that it came with. id: of the event. at: the moment for which is decided, microseconds since 1970. columns: what it says,
    by the names of `table`. may: purposes for which may be decided now, each with the facts that only a turn makes. state:
    hers with this event in it, where it is not what the stream has: when she is first handed on, and when the identifiers
    that are hers have changed."""

    person: str
    key: str = ""
    id: str
    at: int
    source: str
    table: str
    columns: dict[str, Any]
    may: dict[str, dict[str, Any]] = {}
    state: State | None = None


class Forget(msgspec.Struct, tag_field="is", tag="forget"):
    """What is kept of a person goes: she was erased, or is now a part of somebody else."""

    person: str


class Setting(msgspec.Struct, kw_only=True):
    """What a stream decides with, one JSON file. models: by purpose, as of one moment; ranks: of the sources, as the turn has
    them."""

    points: list[Point]
    models: dict[str, Model] = {}
    ranks: dict[str, int] = {}


class Answer(msgspec.Struct):
    """One decision. event: the id of the event that it answers."""

    person: str
    event: str
    decision: Decision


class Keyed:
    """Folds and decides, and keeps nothing of anybody: a state comes in and goes out."""

    def __init__(self, setting: Setting) -> None:
        """Raises BadInput for a rule that cannot be used."""
        self._folders = {table: Folder(table, setting.ranks) for table in ADDED}
        self._deciders = [Decider(point) for point in setting.points]
        self._models = {point.purpose: setting.models.get(point.purpose, Model()) for point in setting.points}

    def line(self, state: str | None, text: str) -> tuple[str | None, list[str]]:
        """`respond` with everything as JSON: her state or None, one line -> her next state or None, one line per decision.
        Raises BadInput for a line that is none."""
        try:
            told = _LINE.decode(text)
            kept = None if state is None else _STATE.decode(state)
        except msgspec.MsgspecError as no:
            raise BadInput(f"A line that is no event as it is handed on: {no}. See docs/flink.md.") from None
        if isinstance(told, Forget):
            return None, []
        after, answers = self.respond(kept or State(), told)
        return _JSON.encode(after).decode(), [_JSON.encode(answer).decode() for answer in answers]

    def respond(self, state: State, event: Handed) -> tuple[State, list[Answer]]:
        """Takes up an event, and decides at each point that is asked after such an event and for whose purpose she may be
        decided for: of others nothing is told. The state that came in is used up."""
        state = event.state or self._taken(state, event)
        named = event.columns.get("event") if event.table == "events" else None
        answers = [
            Answer(event.person, event.id, self._decided(state, event, decider))
            for decider in self._deciders
            if named in decider.point.on and decider.point.purpose in event.may
        ]
        return state, answers

    # parts

    def _taken(self, state: State, event: Handed) -> State:
        when = _moment(event.columns.get("occurred_at"))
        columns = {**event.columns, "occurred_at": when}
        self._folders[event.table].fold(state.partials, columns, event.source)
        product = columns.get("product_id") if event.table == "events" and columns.get("event") == VIEW else None
        if product and when is not None:
            some = state.viewed.setdefault(event.key, [])
            some.append((micros(when), product))
            if len(some) > VIEWED:
                some.sort()
                del some[0]
        return state

    def _decided(self, state: State, event: Handed, decider: Decider) -> Decision:
        point = decider.point
        turned = {name: _timed(name, value) for name, value in event.may[point.purpose].items()}
        facts = {**values(state.partials), **turned, **{f"event.{name}": value for name, value in event.columns.items()}}
        decision = decider.decide(
            facts, _past(state, facts["last_product_id"]), self._models[point.purpose], person=event.person, event_id=event.id,
            at=event.at, allowed=True,
        )  # fmt: skip
        since = decision.at - point.memory_s * 1_000_000
        kept = [one for one in state.shown if one[0] != point.name or one[2] > since]
        state.shown = [*kept, (point.name, decision.arm, decision.at)]
        return decision


def answers(setting: Setting, lines: Iterable[str]) -> Iterator[str]:
    """The decisions of all lines, in their order, with nothing but this process: the yardstick of every stream."""
    keyed, states = Keyed(setting), dict[str, str]()
    for text in lines:
        person = person_of(text)
        after, told = keyed.line(states.get(person), text)
        if after is None:
            states.pop(person, None)
        else:
            states[person] = after
        yield from told


def person_of(text: str) -> str:
    """Whose a line is. Raises BadInput."""
    try:
        return _WHOSE.decode(text).person
    except msgspec.MsgspecError as no:
        raise BadInput(f"A line that is no event as it is handed on: {no}. See docs/flink.md.") from None


def _moment(told: Any) -> Any:
    """A time that JSON has made a text of."""
    return datetime.fromisoformat(told) if isinstance(told, str) else told


def _timed(name: str, value: Any) -> Any:
    return _moment(value) if name in _TIMES else value


def _past(state: State, before: str | None) -> Past:
    """As `LivePast.of` has it. before: the product that her profile knows as the last one."""
    found = sorted((one for some in state.viewed.values() for one in some), reverse=True)
    viewed = dict.fromkeys(p for p in (*(product for _, product in found), before) if p)
    return Past(viewed=list(viewed)[:VIEWED], shown=state.shown)


class _Whose(msgspec.Struct):
    person: str


_LINE: msgspec.json.Decoder[Handed | Forget] = msgspec.json.Decoder(Handed | Forget)
_WHOSE, _STATE, _JSON = msgspec.json.Decoder(_Whose), msgspec.json.Decoder(State), msgspec.json.Encoder()
