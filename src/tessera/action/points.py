"""The points of a workspace, compiled: their rules, which events are outcomes, what has to be remembered and counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from tessera.action.decide import Decider
from tessera.action.facts import of_turn
from tessera.decision_points import Point


class Points:
    """All points. Raises BadInput for a rule that cannot be used."""

    def __init__(self, points: Iterable[Point]) -> None:
        self.deciders = {p.name: Decider(p) for p in points}
        every = [d.point for d in self.deciders.values()]
        self.purposes = frozenset(p.purpose for p in every)
        self.recommending = frozenset(p.purpose for p in every if any(c.recommend for c in p.candidates))
        outcomes: defaultdict[str, list[Point]] = defaultdict(list)
        pushed: defaultdict[str, list[Decider]] = defaultdict(list)
        for decider in self.deciders.values():
            if decider.point.outcome is not None:
                outcomes[decider.point.outcome.event].append(decider.point)
            for event in decider.point.on:
                pushed[event].append(decider)
        self.outcomes, self.pushed = dict(outcomes), dict(pushed)

    def of(self, purpose: str) -> list[Point]:
        """The points of a purpose."""
        return [d.point for d in self.deciders.values() if d.point.purpose == purpose]

    def turned(self, purpose: str) -> frozenset[str]:
        """The facts of a turn that the rules of a purpose ask for."""
        points = self.of(purpose)
        return of_turn([text for p in points for text in (*p.context, *(c.when for c in p.candidates if c.when))])
