"""decide(point, person, event) -> Decision: what to show this person here, now, and why. Pure: the same call, the same answer.

Who is in the control group, and chance, are drawn from the person's and the event's names, never from a clock or a generator
that goes on, so that a decision can be replayed, and another engine (a Flink job) makes the very same one. Needs the standard
library, msgspec and sqlglot alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Any, Literal

import msgspec

from tessera.action.learned import Belief, Learned, drawn
from tessera.action.nearby import Nearby
from tessera.data.rules import NOW, Reads, compiled
from tessera.decision_points import FALLBACK, Candidate, Point

By = Literal["learned", "explored", "control", "nothing_left", "no_consent"]
"""How it was chosen. learned: by what came of earlier ones (Thompson sampling). explored: any that was left, alike. The others
are the fallback: who is in the control group, for whom nothing was left, whose data may not be used."""

Why = Literal["rule", "unknown", "cap", "stock", "no_product"]
"""Why a candidate was dropped. unknown: its rule asks for what is not known of her. no_product: nothing to recommend."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Past(msgspec.Struct):
    """What a person did and was shown lately. viewed: products, the newest first. shown: what and when (microseconds since
    1970), in any order."""

    viewed: list[str] = []
    shown: list[tuple[str, str, int]] = []
    """Each with its decision's name, its arm and its moment."""


class Model(msgspec.Struct):
    """What decisions are made with. stock: by decision, how many are left of each product."""

    learned: Learned = msgspec.field(default_factory=Learned)
    nearby: Nearby = msgspec.field(default_factory=Nearby)
    stock: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that could be shown. expected: the share of outcomes expected of it here. trials, outcomes: what was learned
    of it here. score: the share that was drawn, times its weight; the highest is shown."""

    candidate: str
    product: str
    expected: float
    trials: int
    outcomes: int
    score: float


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """A candidate that could not be shown, and why. said: the rule, or the number it met."""

    candidate: str
    product: str
    why: Why
    said: str = ""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided. id: of the decision, always the same for one event. show: what the caller is given. context: the
    situation, as far as it is learned by."""

    id: str
    decision: str
    at: int
    by: By
    candidate: str
    product: str
    show: Any
    context: str
    scored: tuple[Scored, ...] = ()
    dropped: tuple[Dropped, ...] = ()

    @property
    def arm(self) -> str:
        """The name under which its outcomes are counted."""
        return arm_of(self.candidate, self.product)


def arm_of(candidate: str, product: str) -> str:
    """A candidate, or one product that it stands for."""
    return f"{candidate}:{product}" if product else candidate


class Decider:
    """A point with its rules compiled. Raises BadInput for a rule that cannot be used."""

    def __init__(self, point: Point) -> None:
        self.point = point
        self._rules = [(c, compiled(c.when) if c.when else None) for c in point.candidates]
        self._context = [compiled(text) for text in point.context]

    def decide(
        self, facts: Mapping[str, Any], past: Past, model: Model, *, person: str, event_id: str, at: int, allowed: bool
    ) -> Decision:
        """What to show. facts: what is known of her by the names that rules use (`orders`, `event.channel`, `here.page`).
        person: a lasting name of hers, of whatever form. event_id: of what is answered. at: microseconds since 1970. allowed:
        whether her data may be used for the point's purpose; else it is not looked at."""
        point = self.point
        if not allowed:
            return self._fallen("no_consent", event_id, at)
        row = {**facts, NOW: _EPOCH + timedelta(microseconds=at)}
        context = "|".join(_word(of(row)) for of in self._context)
        if _share(f"{point.name}\0{person}") < point.control:
            return self._fallen("control", event_id, at, context)
        left, dropped = self._left(row, past, model, at)
        if not left:
            return self._fallen("nothing_left", event_id, at, context, tuple(dropped))
        chance = Random(_number(f"{event_id}\0{point.name}"))
        explored = chance.random() < point.explore
        beliefs = model.learned.beliefs(point.name, context)
        scored = [_scored(c, product, beliefs.of(c.id, product, liking), chance) for c, product, liking in left]
        best = chance.randrange(len(scored)) if explored else max(range(len(scored)), key=lambda n: scored[n].score)
        candidate, product, _ = left[best]
        return Decision(
            id=name_of(point.name, event_id), decision=point.name, at=at, by="explored" if explored else "learned",
            candidate=candidate.id, product=product, show=candidate.show, context=context, scored=tuple(scored),
            dropped=tuple(dropped),
        )  # fmt: skip

    # parts

    def _left(
        self, row: Mapping[str, Any], past: Past, model: Model, at: int
    ) -> tuple[list[tuple[Candidate, str, float]], list[Dropped]]:
        """Which candidates may be shown, each with its product and how much it is to her liking (1: as much as others)."""
        left: list[tuple[Candidate, str, float]] = []
        dropped: list[Dropped] = []
        shown, stock = self._shown(past, at), model.stock.get(self.point.name)
        for candidate, rule in self._rules:
            if (no := _ruled(candidate, rule, row)) is not None:
                dropped.append(no)
                continue
            offers: Sequence[tuple[str, float]] = [(candidate.product, 1.0)]
            if candidate.recommend:
                offers = model.nearby.to(past.viewed, candidate.most, stock)
                if not offers:
                    dropped.append(Dropped(candidate=candidate.id, product="", why="no_product"))
            for product, liking in offers:
                if product and stock is not None and stock.get(product, 0) <= 0:
                    dropped.append(Dropped(candidate=candidate.id, product=product, why="stock"))
                elif (cap := self.point.cap) and (times := shown.get(arm_of(candidate.id, product), 0)) >= cap.times:
                    dropped.append(Dropped(candidate=candidate.id, product=product, why="cap", said=str(times)))
                else:
                    left.append((candidate, product, liking))
        return left, dropped

    def _shown(self, past: Past, at: int) -> dict[str, int]:
        """How often each arm was shown to her within the cap's time."""
        told: dict[str, int] = {}
        if (cap := self.point.cap) is not None:
            since, name = at - cap.within_s * 1_000_000, self.point.name
            for decision, arm, when in past.shown:
                if decision == name and since < when <= at:
                    told[arm] = told.get(arm, 0) + 1
        return told

    def _fallen(self, by: By, event_id: str, at: int, context: str = "", dropped: tuple[Dropped, ...] = ()) -> Decision:
        return Decision(
            id=name_of(self.point.name, event_id), decision=self.point.name, at=at, by=by, candidate=FALLBACK, product="",
            show=self.point.fallback, context=context, dropped=dropped,
        )  # fmt: skip


def _scored(candidate: Candidate, product: str, belief: Belief, chance: Random) -> Scored:
    return Scored(
        candidate=candidate.id, product=product, expected=belief.expected, trials=belief.trials, outcomes=belief.outcomes,
        score=drawn(belief, chance) * candidate.weight,
    )  # fmt: skip


def _ruled(candidate: Candidate, rule: Reads | None, row: Mapping[str, Any]) -> Dropped | None:
    met = True if rule is None else rule(row)
    if met is True:
        return None
    why: Why = "unknown" if met is None else "rule"
    return Dropped(candidate=candidate.id, product=candidate.product, why=why, said=candidate.when)


def _word(found: Any) -> str:
    return "?" if found is None else str(found).lower() if isinstance(found, bool) else str(found)


def name_of(decision: str, event_id: str) -> str:
    """The id of what is decided at a point on an event."""
    return blake2b(f"{decision}\0{event_id}".encode(errors="surrogatepass"), digest_size=16).hexdigest()


def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest(), "big")


def _share(text: str) -> float:
    """A number from 0 to under 1 that belongs to a text."""
    return (_number(text) >> 11) / (1 << 53)
