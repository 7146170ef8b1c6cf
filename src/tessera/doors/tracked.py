"""The sources that come by themselves, while `serve` runs: a journal for each, and its write key or its broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tessera.app import App
from tessera.config import SENT, Contract
from tessera.data import message_ids
from tessera.data.plans import Plan
from tessera.data.sources import door
from tessera.decision_file import SOURCE as DECISIONS
from tessera.doors import banner
from tessera.doors.collect import Collector, DoorLimits, SourceDoor
from tessera.doors.deciding import Deciding
from tessera.doors.grouped import GroupCommit
from tessera.doors.mqtt import Listener, Subscription
from tessera.doors.policy import Policy
from tessera.doors.seen import Seen
from tessera.doors.webhook import hook
from tessera.lake.journal import Journal
from tessera.trust.secrets import Secrets
from tessera.words import Clock


def write_key(secrets: Secrets, source: str) -> str:
    """The write key of a source. It is no secret: a browser sends it, and it opens nothing but this source's door."""
    return secrets.name_of(f"write-key/{source}")


Told = Callable[[str, Sequence[bytes], float], None]
"""Told of each group of lines that is safe on disk: the source, the lines, and how many seconds the disk took."""

REFUSED_S = 10.0


class Tracked:
    """The tracking door of a workspace. Its journals stay open while the workspace is lent: they are the door's own."""

    def __init__(
        self, clock: Clock, limits: DoorLimits | None = None, told: Sequence[Told] = (), deciding: Deciding | None = None
    ) -> None:
        self._told, self._refused_at = tuple(told), float("-inf")
        self._journals: dict[str, Journal] = {}
        self._groups: dict[str, GroupCommit] = {}
        self._policies: dict[str, Policy] = {}
        self._listeners: dict[str, Listener] = {}
        self._clock = clock
        self.collector, self.banner = Collector({}, clock, limits), banner.Banner()
        self.deciding = deciding or Deciding(clock)
        self.collector.live = self.deciding.taken

    def open(self, app: App) -> None:
        """Opens the door of each source that has one, and closes that of sources that have none any more.

        Raises Conflict if another process writes one of their journals.
        """
        sent = {c.name: c for c in app.config.sources if c.kind in SENT}
        for name in sent.keys() - self._journals.keys():
            hours = sent[name].door.dedupe_hours
            self._journals[name] = door.journal(app.config.var, name, app.state, app.secrets, hours)
            self._groups[name] = GroupCommit(self._writing(name, self._journals[name]))
        keyed = [(write_key(app.secrets, c.name), c) for c in sent.values() if c.kind == "http"]
        for _, contract in keyed:
            if contract.webhook is None:
                self._policies[contract.name] = self._policy(app, contract)
        self.collector.sources = {
            key: SourceDoor(name=c.name, lines=door.lines_of, group=self._groups[c.name], policy=self._policies[c.name])
            for key, c in keyed if c.webhook is None
        }  # fmt: skip
        self.collector.hooks = {
            key: hook(c, c.webhook, self._groups[c.name], self.collector.clock) for key, c in keyed if c.webhook
        }
        asked = {key: banner.settings(app.config, c, key) for key, c in keyed if c.webhook is None}
        self.banner.sources = {key: told for key, told in asked.items() if told is not None}
        self._listen(app, [c for c in sent.values() if c.kind == "mqtt"])
        self.deciding.open(app, self._groups[DECISIONS] if DECISIONS in sent else None)

    def worked(self, app: App) -> None:
        """Something was done in the workspace."""
        self.deciding.worked(app)

    def _policy(self, app: App, contract: Contract) -> Policy:
        """The rules of a source as its files say now; what its door remembers stays."""
        hashes, plan, hours = door.hashes(contract.name, app.secrets), contract.door.plan, contract.door.dedupe_hours
        made = Policy(contract, hashes, plan=Plan(app.config.plans[plan]) if plan else None, hour=self._hour)
        if (before := self._policies.get(contract.name)) is not None:
            made.follow(before)
        if hours and made.seen is None:
            self._journals[contract.name].roll()
            waits = door.segments(app.config.var, contract.name, app.secrets)
            made.seen = Seen(hours)
            made.seen.load(message_ids.known(waits, hashes, self._hour() - hours), self._hour())
        return made

    def _hour(self) -> int:
        return int(self._clock().timestamp() // 3600)

    def _listen(self, app: App, wanted: list[Contract]) -> None:
        """Subscribes each source as its contract says now; a connection that is as it should be stays."""
        told = {c.name: Subscription.of(c, app.config.root, app.secrets) for c in wanted}
        for name in [n for n, listener in self._listeners.items() if told.get(n) != listener.told]:
            self._listeners.pop(name).stop()
        for name in told.keys() - self._listeners.keys():
            append, clock = self._writing(name, self._journals[name]), self.collector.clock
            self._listeners[name] = Listener(told[name], append, app.secrets, clock)

    def _writing(self, name: str, journal: Journal) -> Callable[[Sequence[bytes]], int]:
        """Appends lines to a journal and tells of them; returns the number of their segment."""

        def write(lines: Sequence[bytes]) -> int:
            started = time.perf_counter()
            try:
                number = journal.append(lines)
            except OSError:
                self._refused_at = time.monotonic()
                raise
            for tell in self._told:
                tell(name, lines, time.perf_counter() - started)
            return number

        return write

    def counts(self) -> dict[str, dict[str, int]]:
        """By source what became of its events since the start, as its rules count them (`Policy.counts`)."""
        return {name: dict(policy.counts) for name, policy in self._policies.items()}

    def accepts(self) -> bool:
        """Whether the disk takes what comes. A refusal counts for some seconds: only a new try shows that it takes again."""
        return time.monotonic() - self._refused_at > REFUSED_S

    def roll(self) -> None:
        """From now on all that was accepted can be landed."""
        for journal in self._journals.values():
            journal.roll()

    def close(self) -> None:
        """Lets the journals go, once what is on its way to the disk is there."""
        self.collector.sources, self.collector.hooks = {}, {}
        for listener in self._listeners.values():
            listener.stop()
        for name, journal in self._journals.items():
            self._groups[name].close()
            journal.close()
        self._journals.clear()
        self._policies.clear()
