"""The live engine: what a door accepts changes what is known of the sender at once, as the next turn will say it.

An event is read by its contract (`data.live_reading`), its identifiers join keys (`LivePeople`), and the declared folds take it
up (`data.live_folds`). All of it can be made anew: from the last turn (`LiveBase`) and what waits in the journal, so nothing
here is ever written down. For one thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from tessera.action.live_base import CODES, LiveBase
from tessera.action.live_people import LivePeople
from tessera.config import Contract
from tessera.data.intake import Intake
from tessera.data.live_folds import Folder, columns_of, values
from tessera.data.live_reading import LiveReading, normalised
from tessera.data.profiles import ADDED
from tessera.data.raw import RAW
from tessera.trust.key_index import SUPPRESSED, KeyIndex
from tessera.words import Erased, Proof

Event = Mapping[str, Any]


class _Source:
    """How one source's events are read."""

    def __init__(self, contract: Contract, salt: str, ranks: Mapping[str, int]) -> None:
        table = RAW[contract.record]
        self.table, self.name = table.name, contract.name
        self.named = table.unique[-1] if table.unique else None
        wanted = columns_of(table.name) | ({self.named} if self.named else set())
        self.reading = LiveReading(Intake(contract=contract, salt=salt), frozenset(wanted))
        self.folder = Folder(table.name, ranks)
        self.joins = self.reading.intake.joining


class Live:
    """What is known of everybody up to the last accepted event. Store among the `Forgets`."""

    name = "live state"

    def __init__(
        self, contracts: Iterable[Contract], *, salt: str, caps: Mapping[str, int], ranks: Mapping[str, int]
    ) -> None:
        """contracts: of the sources that are sent to a door. caps, ranks: the workspace's."""
        self._sources = {c.name: _Source(c, salt, ranks) for c in contracts if RAW[c.record].name in ADDED}
        self._caps = dict(caps)
        self._waiting: deque[tuple[str, int, Sequence[Event]]] = deque()
        self.people: LivePeople | None = None
        self.index: KeyIndex | None = None
        self._returned: dict[int, datetime] = {}
        self._seen: set[tuple[str, str]] = set()
        self._gone: set[int] = set()

    def renew(
        self, base: LiveBase, index: KeyIndex, landed: Mapping[str, int], returned: Mapping[int, datetime] | None = None
    ) -> None:
        """Begins anew from a turn. landed: by source, the last segment of the journal that the turn has taken; what came after
        is folded again. returned: since when rows of those who came back after an erasure are taken."""
        self.people, self.index = LivePeople(base, self._caps), index
        self._returned = dict(returned or {})
        self._seen.clear()
        self._gone.clear()
        self._waiting = deque(one for one in self._waiting if one[1] > landed.get(one[0], 0))
        for source, _, events in self._waiting:
            self._fold(source, events)

    def accept(self, source: str, segment: int, events: Sequence[Event]) -> list[int]:
        """Takes up events that are safe in a segment of a source's journal. Returns the key of whose each is; 0: of nobody,
        or one that will not land."""
        if source not in self._sources:
            return [0] * len(events)
        self._waiting.append((source, segment, events))
        return self._fold(source, events)

    def key(self, kind: str, value: str) -> int:
        """The key of an identifier as a caller writes it; 0 if it is not known, or was erased."""
        spelled = normalised(kind, value)
        if self.index is None or spelled is None:
            return 0
        found = self.index.key(kind, spelled, mint=False)
        return 0 if found == SUPPRESSED or found in self._gone else found

    def values(self, key: int) -> dict[str, Any]:
        """The live fields of the profile of whoever has this key."""
        assert self.people is not None
        return values(self.people.partials(key))

    def forget(self, who: Erased) -> Proof:
        """As `Forgets` asks: from now on nobody is known by these keys."""
        self._gone.update(who.keys)
        removed = self.people.forget(who.keys) if self.people else 0
        return Proof(store=self.name, removed=removed, complete=True, note="in memory alone; it begins anew with the next turn")

    def _fold(self, source: str, events: Sequence[Event]) -> list[int]:
        told, of = [], self._sources[source]
        for event in events:
            told.append(self._one(of, event))
        return told

    def _one(self, of: _Source, event: Event) -> int:
        if self.people is None or self.index is None or (read := of.reading.read(event)) is None:
            return 0
        if of.named and (word := read.columns.get(of.named)) is not None:
            if (of.name, str(word)) in self._seen:
                return 0
            self._seen.add((of.name, str(word)))
        keys = {kind: self.index.key(kind, value) for kind, value in read.ids.items()}
        if not keys or min(keys.values()) < 0 or not self._gone.isdisjoint(keys.values()):
            return 0
        at = read.columns.get("occurred_at")
        for key in keys.values():
            since = self._returned.get(key)
            if since is not None and (not isinstance(at, datetime) or at < since):
                return 0
        firm = [kind for kind in keys if kind in read.firm]
        subject = keys[firm[0] if firm else next(iter(keys))]
        joining = [(keys[kind], CODES[kind]) for kind in firm if kind in of.joins]
        if len(joining) > 1:
            self.people.joined(joining[0], joining[1:])
        of.folder.fold(self.people.fresh(subject), read.columns, of.name)
        return subject
