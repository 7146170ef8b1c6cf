"""What the live engine takes up, as lines for a stream that is keyed by person: no identifier, and her leave in each line.

Names of people are keyed hashes of an identifier of theirs, as the vault has them; without its key they lead back to nobody.
Columns are those that folds and rules ask for, as the contract lets them through in clear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tessera.action.decide import arm_of
from tessera.action.keyed import Forget, Handed, Setting, State
from tessera.action.live import Took
from tessera.action.live_state import State as Live
from tessera.decision_points import Point


def setting(live: Live, ranks: Mapping[str, int]) -> Setting:
    """What a stream decides with, as the live engine knows it now. ranks: of the sources, as the turn has them."""
    points: list[Point] = [decider.point for decider in live.points.deciders.values()]
    return Setting(points=points, models=dict(live.models), ranks=dict(ranks))


class Handing:
    """Hands on, one event after the other, what one state of the live engine has taken up."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._known: dict[str, tuple[int, ...]] = {}

    def lines(self, took: Took, *, event_id: str, source: str, table: str, at: int) -> Iterator[Handed | Forget]:
        """The lines of an event, before the next one is taken up and before anything is decided on it; none for one of nobody,
        or of somebody for whom nothing may be decided. at: the moment for which is decided, microseconds since 1970."""
        live = self._live
        if not took.key:
            return
        keys = tuple(sorted(live.people.keys(took.key)))
        names = {key: live.index.blind_of(key).hex() for key in keys}
        person = min(name for name in names.values() if name)
        may = {p: live.turned(p, keys) for p in sorted(live.points.purposes) if live.leaves.given(p, keys)}
        if not may:
            yield from (Forget(name) for name in sorted(set(names.values())) if self._known.pop(name, None) is not None)
            return
        known = self._known.get(person) == keys
        if not known:
            # Her state is in this line; what stood under the other names is a part of it.
            for name in sorted(set(names.values()) - {person}):
                if self._known.pop(name, None) is not None:
                    yield Forget(name)
            self._known[person] = keys
        yield Handed(
            person=person, key=names[took.key], id=event_id, at=at, source=source, table=table, columns=took.event,
            may=may, state=None if known else self._state(names),
        )  # fmt: skip

    def forget(self, key: int) -> Iterator[Forget]:
        """The line by which whoever has this key is forgotten; to be asked for before the live engine forgets her."""
        person = min((name for k in self._live.people.keys(key) if (name := self._live.index.blind_of(k).hex())), default="")
        if self._known.pop(person, None) is not None:
            yield Forget(person)

    def _state(self, names: Mapping[int, str]) -> State:
        live = self._live
        return State(
            partials=live.people.partials(next(iter(names))),
            viewed={name: views for key, name in names.items() if (views := live.past.views(key))},
            shown=[(one.decision, arm_of(one.candidate, one.product), one.at) for one in live.past.made(list(names))],
        )
