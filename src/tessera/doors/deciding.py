"""The live engine while the server runs: takes up what the door accepts, decides what to show, pushes what was asked for.

Each decision lies sealed on disk before it is answered, in a journal of its own; the next turn lands it in `decisions` and the
ledger. While the workspace is lent to a turn, all goes on from memory. What is decided for somebody whose data may not be used
leaves no trace but a count.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from tessera import liveroom
from tessera.action.decide import Decision, name_of
from tessera.action.live import Event, Live, Renewal
from tessera.action.live_past import Made
from tessera.action.live_state import State
from tessera.action.points import Points
from tessera.action.stock import Stocks
from tessera.app import App
from tessera.data.live_folds import micros
from tessera.doors.callers import Callers
from tessera.doors.grouped import GroupCommit, Overloaded
from tessera.doors.log import Log
from tessera.doors.pushed import Told, Webhooks
from tessera.errors import BadInput, NotFound, TesseraError
from tessera.words import KINDS, Clock

REMEMBERED = 10_000
"""Answers that are given again to a request that comes again under its id."""

PIECE, MOST_QUEUED = 50, 20_000
"""Rows that are taken up at once, some milliseconds, with others answered in between; and rows that wait so. More than that are
taken up before anybody else is answered: whoever sends has to wait for the engine, and memory does not grow."""


class NotYet(TesseraError):
    """The live engine knows nobody yet; ask again in a moment."""

    def __init__(self) -> None:
        super().__init__("The live engine is starting. Ask again in a moment.")


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked: at which point, of whom (identifiers by kind, as a caller writes them), where (what the caller says of the
    place), on which event (its id). again: the request may come again under its id, and has the same answer then."""

    decision: str
    who: Mapping[str, str]
    here: Mapping[str, Any]
    event_id: str
    again: bool = True


@dataclass
class _Coming:
    """Events that wait to be taken up, and how many of them were. done: set once all are."""

    source: str
    segment: int
    events: Sequence[Event]
    done: asyncio.Future[None]
    at: int = 0


class Deciding:
    """The live engine of a server. callers: who may ask. told: who is told of what is pushed. webhooks: those of the points.
    counts: of decisions, by point and how they were chosen. noted: who is told that one more was counted."""

    def __init__(self, clock: Clock, log: Log | None = None) -> None:
        self._clock, self._log = clock, log or Log()
        self.callers, self.webhooks = Callers(clock), Webhooks(self._log)
        self.told: list[Told] = [self.webhooks.told]
        self.live: Live | None = None
        self.counts: Counter[tuple[str, str]] = Counter()
        self.noted: list[Callable[[], None]] = []
        self._group: GroupCommit | None = None
        self._stocks = Stocks()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stamp: object = None
        self._standing: object = None
        self._points = Points(())
        self._work: set[asyncio.Task[None]] = set()
        self._said = ""
        self._queue: deque[_Coming] = deque()
        self._queued = 0
        self._renewal: Renewal | None = None
        self._answered: OrderedDict[str, tuple[Mapping[str, str], Decision]] = OrderedDict()

    def open(self, app: App, group: GroupCommit | None) -> None:
        """The workspace is open (again): begins anew from its tables. group: of the journal of decisions; None where nothing is
        to be decided: then nobody is known here either."""
        self._group = group
        self.callers.open(app)
        self.webhooks.open(app.config.decisions)
        if group is None:
            self._settle(lambda: setattr(self, "live", None))
            return
        if self.live is not None and liveroom.standing(app) == self._standing:
            app.rights.also(self.live)
            self.worked(app)  # another command has had the workspace: it may have allowed or forbidden something
            return
        points = Points(app.config.decisions)
        self._stocks.open(app.config.root, app.config.decisions)
        made = liveroom.made(app)
        if self.live is not None:
            self.live.follow(made)
        live = self.live or made
        app.rights.also(live)
        state, landed, leaves = liveroom.state(app, points), liveroom.landed(app), liveroom.leaves(app, points)
        self._points, self._stamp, self._standing = points, liveroom.stamp(app, points), liveroom.standing(app)
        if self._loop is None:
            live.renew(state, landed)
            if self.live is None:
                liveroom.replay(app, live)
            self.live = live
        else:
            self._settle(lambda: self._renewed(live, state, landed, leaves))

    def worked(self, app: App) -> None:
        """Something was done in the workspace: what it allows may have changed."""
        if self.callers.refused:
            self.callers.open(app)
        if self.live is None or (stamp := liveroom.stamp(app, self._points)) == self._stamp:
            return
        leaves, self._stamp = liveroom.leaves(app, self._points), stamp
        self._settle(lambda: self._follow(leaves))

    def taken(self, source: str, segment: int, events: Sequence[Event]) -> None:
        """Takes up events that are safe on disk: few at once, many between other requests, for which whoever asks meanwhile
        waits. What fails here fails no event: the next turn knows it all the same."""
        if self.live is None or self.live.state is None:
            return
        if not self._queue and len(events) <= PIECE:
            self._take(source, segment, events)
            return
        loop, idle = asyncio.get_running_loop(), not self._queue
        self._queue.append(_Coming(source, segment, events, loop.create_future()))
        self._queued += len(events)
        while self._queued > MOST_QUEUED:
            self._some()
        if idle:
            self._later(self._drain())

    async def answer(self, asked: Question) -> Decision:
        """Decides, and returns once that is safe on disk. Raises NotFound for a decision that no file names, NotYet,
        Overloaded, or OSError where the disk refuses."""
        if self._queue:
            await asyncio.shield(self._queue[-1].done)
        if self.live is None or (state := self.live.state) is None:
            if self.live is None:
                raise NotFound("Decision", asked.decision)
            raise NotYet
        decider = state.points.deciders.get(asked.decision)
        if decider is None:
            raise NotFound("Decision", asked.decision, state.points.deciders)
        if (again := self._again(asked)) is not None:
            return again
        key, who = 0, ("", "")
        for kind in KINDS:
            if (value := asked.who.get(kind)) is None:
                continue
            found = self.live.key(kind, value)
            if found or not who[0]:
                key, who = found, (kind, value)
            if found:
                break
        self._stocks.into(state.models, state.points)
        made = state.decide(
            decider, key, f"{who[0]} {who[1]}", event={}, here=asked.here, event_id=asked.event_id,
            at=micros(self._clock().astimezone(UTC)),
        )  # fmt: skip
        await self._kept(state, made, self._noted(state, made, key), key, who)
        if asked.again:
            self._answered[made.id] = (asked.who, made)
            if len(self._answered) > REMEMBERED:
                self._answered.popitem(last=False)
        return made

    def tried(self, decision: str, key: int, here: Mapping[str, Any]) -> Decision:
        """What whoever has this key would be shown now. Nothing is shown, kept, counted or learned. In the loop's own thread.
        Raises NotFound, or NotYet."""
        if self.live is None:
            raise NotFound("Decision", decision)
        if (state := self.live.state) is None:
            raise NotYet
        if (decider := state.points.deciders.get(decision)) is None:
            raise NotFound("Decision", decision, state.points.deciders)
        self._stocks.into(state.models, state.points)
        at = micros(self._clock().astimezone(UTC))
        return state.decide(decider, key, "", event={}, here=here, event_id=f"tried {key} {at}", at=at)

    def stock(self, decision: str) -> tuple[dict[str, float] | None, str]:
        """What is left by product where a point goes by stock (None: it does not), and what is wrong with its file."""
        return self._stocks.of(decision)

    def names(self) -> list[str]:
        """The points at which is decided."""
        return list(self._points.deciders)

    def purpose(self, decision: str) -> str:
        """What is decided for at a point. Raises NotFound."""
        if decision not in self._points.deciders:
            raise NotFound("Decision", decision, self._points.deciders)
        return self._points.deciders[decision].point.purpose

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop that all of this runs in from now on; before, whoever opens the workspace does all of it herself."""
        self._loop = loop

    # parts

    def _again(self, asked: Question) -> Decision | None:
        """What was answered to a request that comes again. Raises BadInput where its id has named another one."""
        before = self._answered.get(name_of(asked.decision, asked.event_id))
        if before is None:
            return None
        if before[0] != asked.who:
            raise BadInput("This id has named a request about somebody else. Give each request an id of its own, or none.")
        return before[1]

    def _take(self, source: str, segment: int, events: Sequence[Event]) -> None:
        """One after the other, so that no decision knows of events after the one that it is made on."""
        for event in events:
            try:
                self._take_one(source, segment, event)
            except Exception as error:  # a fault of ours; only its kind is told, for the row may stand in its words
                self._fault("live.failed", error)

    def _take_one(self, source: str, segment: int, event: Event) -> None:
        live = self.live
        if live is None or (state := live.state) is None:
            return
        took = live.accept_one(source, segment, event)
        if not took.key or (name := took.event.get("event")) not in state.points.pushed:
            return
        self._stocks.into(state.models, state.points)
        for decider in state.points.pushed[name]:
            made = state.decide(
                decider, took.key, "", event=took.event, here={}, event_id=str(event["messageId"]),
                at=micros(self._clock().astimezone(UTC)),
            )  # fmt: skip
            self._later(self._push(state, made, self._noted(state, made, took.key), took.key, took.who))

    async def _drain(self) -> None:
        while self._queue:
            self._some()
            await asyncio.sleep(0)

    def _some(self) -> None:
        """Takes up a piece of what waits longest."""
        first = self._queue[0]
        piece = first.events[first.at : first.at + PIECE]
        self._take(first.source, first.segment, piece)
        first.at, self._queued = first.at + len(piece), self._queued - len(piece)
        if first.at >= len(first.events):
            self._queue.popleft()
            first.done.set_result(None)

    def _noted(self, state: State, decision: Decision, key: int) -> Made | None:
        """What is known of a decision from now on; nothing where her data may not be used."""
        self.counts[decision.decision, decision.by] += 1
        for tell in self.noted:
            tell()
        if decision.by == "no_consent":
            return None
        made = Made(decision.decision, decision.candidate, decision.product, decision.context, decision.at, by=decision.by)
        state.made(key, made)
        return made

    async def _kept(self, state: State, decision: Decision, made: Made | None, key: int, who: tuple[str, str]) -> bool:
        """Whether it was written down: it is safe then."""
        if made is None or self._group is None or self.live is None:
            return False
        purpose = state.points.deciders[decision.decision].point.purpose
        segment = await self._group.put([_line(decision, purpose, who)])
        self.live.decided(segment, state, key, state.index.blind_of(key) if key else b"", made)
        return True

    async def _push(self, state: State, decision: Decision, made: Made | None, key: int, who: tuple[str, str]) -> None:
        try:
            if await self._kept(state, decision, made, key, who):
                for tell in self.told:
                    tell(decision, who)
        except (Overloaded, OSError) as error:
            self._fault("push.failed", error)

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _settle(self, act: Callable[[], None]) -> None:
        """Does something in the loop's own thread, where one runs."""
        if self._loop is None or self._loop.is_closed():
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def _follow(self, leaves: Mapping[str, Any]) -> None:
        if self.live is not None and self.live.state is not None:
            self.live.state.leaves.follow(leaves)

    def _renewed(self, live: Live, state: State, landed: Mapping[str, int], leaves: Mapping[str, Any]) -> None:
        """What it no longer allows holds at once; the rest as soon as the new state has caught up."""
        self.live = live
        self._follow(leaves)
        self._later(self._catch_up(live, state, landed))

    async def _catch_up(self, live: Live, state: State, landed: Mapping[str, int]) -> None:
        # Two turns may end one right after the other: the older state must not take the newer one's place.
        renewal = self._renewal = live.renewal(state, landed)
        try:
            while self._renewal is renewal and not renewal.some(PIECE):
                await asyncio.sleep(0)
        except Exception as error:
            self._fault("live.failed", error)

    def _fault(self, what: str, error: Exception) -> None:
        kind = type(error).__name__
        if kind != self._said:
            self._said = kind
            self._log.say("error", what, message=f"{kind}; the events are safe, and the next turn takes them up")


def _line(decision: Decision, purpose: str, who: tuple[str, str]) -> bytes:
    """A decision as it goes into the journal; its fields are those of decision_file.contract."""
    at = datetime.fromtimestamp(decision.at / 1_000_000, UTC).isoformat(timespec="microseconds")
    reason = _JSON.encode({"scored": decision.scored, "dropped": decision.dropped}).decode()
    told = {
        "id": decision.id, "at": at, "decision": decision.decision, "purpose": purpose,
        "candidate": decision.candidate, "product": decision.product or None, "by": decision.by,
        "context": decision.context or None, "reason": reason,
        who[0]: who[1],
    }  # fmt: skip
    return _JSON.encode({name: value for name, value in told.items() if name and value is not None})


_JSON = msgspec.json.Encoder()
