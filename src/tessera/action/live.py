"""The live engine: what a door accepts changes what is known of the sender at once, as the next turn will say it.

An event is read by its contract (`data.live_reading`), its identifiers join keys (`LivePeople`), and the declared folds take it
up (`data.live_folds`). All of it can be made anew: from the last turn (`LiveBase`) and what waits in the journal, so nothing
here is ever written down. For one thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from tessera.action.facts import SAID
from tessera.action.live_base import CODES
from tessera.action.live_past import Made
from tessera.action.live_state import Noted, Rows, State
from tessera.config import Contract
from tessera.data.intake import Intake
from tessera.data.live_folds import Folder, columns_of, values
from tessera.data.live_reading import LiveReading, normalised
from tessera.data.profiles import ADDED
from tessera.data.raw import RAW
from tessera.data.said_at_door import refusals
from tessera.decision_file import SOURCE as DECISIONS
from tessera.trust.key_index import SUPPRESSED, KeyIndex
from tessera.words import Erased, Proof

Event = Mapping[str, Any]


class Took(msgspec.Struct):
    """What an event has changed. key: of whose it is; 0: of nobody, or of one that will not land. who: the identifier of that
    key, kind and value. event: the columns that it says, by name."""

    key: int = 0
    who: tuple[str, str] = ("", "")
    event: dict[str, Any] = {}


class Source:
    """How one source's events are read."""

    def __init__(self, contract: Contract, salt: str, ranks: Mapping[str, int]) -> None:
        table = RAW[contract.record]
        self.table, self.name = table.name, contract.name
        self.named = table.unique[-1] if table.unique else None
        wanted = columns_of(table.name) | ({self.named} if self.named else set())
        if self.table == "events":
            wanted |= set(SAID)
        self.reading = LiveReading(Intake(contract=contract, salt=salt), frozenset(wanted))
        joins = frozenset(CODES[kind] for kind in self.reading.intake.joining)
        self.rows = Rows(source=contract.name, table=table.name, folder=Folder(table.name, ranks), joins=joins)
        self._refusals = refusals(contract)

    def noted(self, event: Event, index: KeyIndex) -> tuple[Noted, tuple[str, str]] | None:
        """What of an event will land, and its subject, kind and value; None where it goes to quarantine."""
        read = self.reading.read(event)
        if read is None or not read.ids:
            return None
        name = read.columns.get(self.named) if self.named else None
        firm = [n for n, kind in enumerate(read.ids) if kind in read.firm]
        noted = Noted(
            ids=[(CODES[kind], index.blind(kind, value)) for kind, value in read.ids.items()],
            firm=firm,
            columns={c: v for c, v in read.columns.items() if v is not None and c != self.named},
            no=[purpose for purpose, says_no in self._refusals if says_no(dict(event))],
            name=None if name is None else hash((self.name, str(name))),
        )
        return noted, list(read.ids.items())[firm[0] if firm else 0]


class Live:
    """What is known of everybody up to the last accepted event. Store among the `Forgets`."""

    name = "live state"

    def __init__(self, contracts: Iterable[Contract], *, salt: str, ranks: Mapping[str, int]) -> None:
        """contracts: of the sources that are sent to a door. ranks: the workspace's."""
        self._sources = {c.name: Source(c, salt, ranks) for c in contracts if RAW[c.record].name in ADDED}
        self._waiting: list[tuple[str, int, bytes]] = []
        self.state: State | None = None

    def follow(self, other: Live) -> None:
        """Reads events from now on as another engine of the same workspace does: its contracts have changed."""
        self._sources = other._sources

    def accept(self, source: str, segment: int, events: Sequence[Event]) -> list[Took]:
        """Takes up events that are safe in a segment of a source's journal."""
        return [self.accept_one(source, segment, event) for event in events]

    def accept_one(self, source: str, segment: int, event: Event) -> Took:
        """The same of one event."""
        of, state = self._sources.get(source), self.state
        if of is None or state is None or (found := of.noted(event, state.index)) is None:
            return Took()
        noted, who = found
        self._waiting.append((source, segment, _PACK.encode(noted)))
        return Took(state.take(of.rows, noted), who, noted.columns)

    def decided(self, segment: int, state: State, key: int, blind: bytes, made: Made) -> None:
        """Notes a decision that is safe in a segment of the journal of decisions. state: the one that it was made in, which
        has it already. blind: what its key is known by; empty: it was about nobody who is known."""
        self._waiting.append((DECISIONS, segment, _MADE.encode((blind, made))))
        if self.state is not None and self.state is not state:
            self.state.made(self.state.index.of(blind) if blind else 0, made)

    def renewal(self, state: State, landed: Mapping[str, int]) -> Renewal:
        """Begins anew from a turn. landed: by source, the last segment of the journal that the turn has taken."""
        return Renewal(self, state, landed)

    def renew(self, state: State, landed: Mapping[str, int]) -> None:
        """The same in one piece."""
        renewal = self.renewal(state, landed)
        while not renewal.some(10_000):
            pass

    def key(self, kind: str, value: str) -> int:
        """The key of an identifier as a caller writes it; 0 if it is not known, or was erased."""
        spelled = normalised(kind, value)
        if self.state is None or spelled is None:
            return 0
        found = self.state.index.key(kind, spelled, mint=False)
        return 0 if found == SUPPRESSED or found in self.state.gone else found

    def values(self, key: int) -> dict[str, Any]:
        """The live fields of the profile of whoever has this key."""
        assert self.state is not None
        return values(self.state.people.partials(key))

    def forget(self, who: Erased) -> Proof:
        """As `Forgets` asks: from now on nobody is known by these keys."""
        removed = 0
        if (state := self.state) is not None:
            state.gone.update(who.keys)
            removed = state.people.forget(who.keys) + state.past.forget(who.keys)
        return Proof(store=self.name, removed=removed, complete=True, note="in memory alone; it begins anew with the next turn")


class Renewal:
    """A state that catches up, piece by piece, with what came since its turn, while the old one goes on."""

    def __init__(self, live: Live, state: State, landed: Mapping[str, int]) -> None:
        self._live, self._state = live, state
        live._waiting = self._waiting = [one for one in live._waiting if one[1] > landed.get(one[0], 0)]
        self._at = 0

    def some(self, most: int) -> bool:
        """Takes up to so many rows; whether it has caught up and is the state that counts from now on."""
        upto = min(self._at + most, len(self._waiting))
        while self._at < upto:
            source, _, packed = self._waiting[self._at]
            if source == DECISIONS:
                blind, made = _UNMADE.decode(packed)
                if made.decision in self._state.points.deciders:
                    self._state.made(self._state.index.of(blind) if blind else 0, made)
            elif (of := self._live._sources.get(source)) is not None:
                self._state.take(of.rows, _UNPACK.decode(packed))
            self._at += 1
        if self._at < len(self._waiting):
            return False
        self._live.state = self._state
        return True


_PACK, _UNPACK = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(Noted)
_MADE, _UNMADE = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(tuple[bytes, Made])
