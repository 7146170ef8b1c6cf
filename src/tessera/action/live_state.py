"""What the live engine knows, as of one turn and since: who is who, what each did, what was learned of what was shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from tessera.action.decide import Decider, Decision, Model, Past
from tessera.action.leave import Leave, Leaves
from tessera.action.live_base import LiveBase
from tessera.action.live_past import LivePast, Made
from tessera.action.live_people import LivePeople
from tessera.action.live_turned import Turned
from tessera.action.outcomes import APART_S, VIEW
from tessera.action.points import Points
from tessera.data.live_folds import Folder, empty, micros, values
from tessera.decision_points import FALLBACK
from tessera.trust.key_index import KeyIndex


class Noted(msgspec.Struct, array_like=True):
    """A row that will land, without what it says of anybody else. ids: kind and keyed hash of each identifier, the strongest
    first. firm: how many of them may join others, as places. no: purposes that it refuses. name: a hash of its own name."""

    ids: list[tuple[int, bytes]]
    firm: list[int]
    columns: dict[str, Any]
    no: list[str]
    name: int | None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How the rows of one source change what is known. joins: kinds of identifiers that join others."""

    source: str
    table: str
    folder: Folder
    joins: frozenset[int]


@dataclass(frozen=True, kw_only=True)
class Beginning:
    """What a state begins with: all that a turn has said. leaves, models, turned: by purpose. made: decisions that still
    matter, by key. returned: since when rows of those who came back after an erasure are taken."""

    base: LiveBase
    index: KeyIndex
    caps: Mapping[str, int]
    points: Points
    leaves: Mapping[str, Leave]
    models: Mapping[str, Model] = field(default_factory=dict)
    turned: Mapping[str, Turned] = field(default_factory=dict)
    made: Sequence[tuple[int, Made]] = ()
    returned: Mapping[int, datetime] = field(default_factory=dict)


class State:
    """What is known as of one turn and what came since."""

    def __init__(self, begins: Beginning) -> None:
        self.index, self.points, self.models = begins.index, begins.points, begins.models
        self.people, self.leaves, self.past = LivePeople(begins.base, begins.caps), Leaves(begins.leaves), LivePast(begins.made)
        self._turned, self._returned = begins.turned, begins.returned
        self._names: set[int] = set()
        self.gone: set[int] = set()

    def take(self, of: Rows, noted: Noted) -> int:
        """Takes up a row; returns the key of whose it is, or 0."""
        if noted.name is not None:
            if noted.name in self._names:
                return 0
            self._names.add(noted.name)
        keys = [self.index.of(blind) for _, blind in noted.ids]
        if min(keys) < 0 or not self.gone.isdisjoint(keys):
            return 0
        at = noted.columns.get("occurred_at")
        for key in keys if self._returned else ():
            since = self._returned.get(key)
            if since is not None and (not isinstance(at, datetime) or at < since):
                return 0
        subject = keys[noted.firm[0] if noted.firm else 0]
        if len(noted.firm) > 1:
            joining = [(keys[n], code) for n in noted.firm if (code := noted.ids[n][0]) in of.joins]
            if len(joining) > 1:
                self.people.joined(joining[0], joining[1:])
        if noted.no:
            self.leaves.refuse(noted.no, keys)
        of.folder.fold(self.people.fresh(subject), noted.columns, of.source)
        if of.table == "events" and isinstance(at, datetime):
            self._counted(subject, noted.columns, micros(at))
        return subject

    def made(self, key: int, made: Made) -> None:
        """Takes up a decision about somebody (0: about an unknown)."""
        point = self.points.deciders[made.decision].point
        if key:
            self.past.shown(key, made, point.memory_s)
        self._learned(made, 1, 0)

    def decide(
        self, decider: Decider, key: int, stranger: str, *, event: Mapping[str, Any], here: Mapping[str, Any], event_id: str,
        at: int ) -> Decision:
        """Decides for whoever has this key (0: nobody who is known). stranger: a lasting name of hers in that case. event:
        columns of the event that is decided on; here: what the caller says of the place. at: microseconds since 1970."""
        keys = self.people.keys(key) if key else ()
        purpose = decider.point.purpose
        allowed = self.leaves.given(purpose, keys)
        facts: dict[str, Any] = {}
        past = Past()
        if allowed:
            facts = values(self.people.partials(key) if key else empty())
            if (turned := self._turned.get(purpose)) is not None:
                facts |= turned.of(self.people.persons(keys))
            facts |= {f"event.{c}": v for c, v in event.items()} | {f"here.{c}": v for c, v in here.items()}
            now_at = here.get("product_id")
            past = self.past.of(keys, facts["last_product_id"], now_at if isinstance(now_at, str) else None)
        person = min((b for k in keys if (b := self.index.blind_of(k))), default=b"").hex() or stranger
        model = self.models[purpose]
        return decider.decide(facts, past, model, person=person, event_id=event_id, at=at, allowed=allowed)

    # parts

    def _counted(self, subject: int, columns: Mapping[str, Any], at: int) -> None:
        """What an event is besides a row: the outcome of something shown, or a look at a product."""
        event, product = columns.get("event"), columns.get("product_id")
        points = self.points.outcomes.get(event, ()) if event else ()
        if not points and event != VIEW:
            return
        keys = self.people.keys(subject)
        for point in points:
            assert point.outcome is not None
            within, same = point.outcome.within_s * 1_000_000, point.outcome.same_product
            for made in self.past.made(keys):
                open_ = made.decision == point.name and not made.done and made.at <= at <= made.at + within
                if open_ and (not same or made.product == product):
                    made.done = True
                    self._learned(made, 0, 1)
        if event == VIEW and product:
            before = self.past.last_viewed(keys, at - APART_S * 1_000_000, at)
            for purpose in self.points.recommending:
                if self.leaves.given(purpose, keys):
                    self.models[purpose].nearby.seen(product, before)
            self.past.viewed(subject, at, product)

    def _learned(self, made: Made, trials: int, outcomes: int) -> None:
        learned = self.models[self.points.deciders[made.decision].point.purpose].learned
        if made.candidate == FALLBACK:
            learned.fell(made.decision, made.by, trials, outcomes)
        else:
            learned.add(made.decision, made.candidate, made.product, made.context, trials, outcomes)
