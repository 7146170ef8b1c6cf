"""The sources that are sent to us, while `serve` runs: a write key, a journal and a group commit for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tessera.app import App
from tessera.data.sources import door
from tessera.doors import banner
from tessera.doors.collect import Collector, DoorLimits, SourceDoor
from tessera.doors.grouped import GroupCommit
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

    def __init__(self, clock: Clock, limits: DoorLimits | None = None, told: Sequence[Told] = ()) -> None:
        self._told, self._refused_at = tuple(told), float("-inf")
        self._journals: dict[str, Journal] = {}
        self._groups: dict[str, GroupCommit] = {}
        self.collector, self.banner = Collector({}, clock, limits), banner.Banner()

    def open(self, app: App) -> None:
        """Opens the door of each source that has one, and closes that of sources that have none any more.

        Raises Conflict if another process writes one of their journals.
        """
        wanted = {c.name: write_key(app.secrets, c.name) for c in app.config.sources if c.kind == "http"}
        for name in wanted.keys() - self._journals.keys():
            self._journals[name] = door.journal(app.config.var, name, app.state, app.secrets)
            self._groups[name] = GroupCommit(self._writing(name, self._journals[name]))
        self.collector.sources = {
            key: SourceDoor(name=name, lines=door.lines_of, group=self._groups[name]) for name, key in wanted.items()
        }
        asked = {k: banner.settings(app.config, app.contract(name), k) for name, k in wanted.items()}
        self.banner.sources = {key: told for key, told in asked.items() if told is not None}

    def _writing(self, name: str, journal: Journal) -> Callable[[Sequence[bytes]], None]:
        """Appends lines to a journal and tells of them."""

        def write(lines: Sequence[bytes]) -> None:
            started = time.perf_counter()
            try:
                journal.append(lines)
            except OSError:
                self._refused_at = time.monotonic()
                raise
            for tell in self._told:
                tell(name, lines, time.perf_counter() - started)

        return write

    def accepts(self) -> bool:
        """Whether the disk takes what comes. A refusal counts for some seconds: only a new try shows that it takes again."""
        return time.monotonic() - self._refused_at > REFUSED_S

    def roll(self) -> None:
        """From now on all that was accepted can be landed."""
        for journal in self._journals.values():
            journal.roll()

    def close(self) -> None:
        """Lets the journals go, once what is on its way to the disk is there."""
        self.collector.sources = {}
        for name, journal in self._journals.items():
            self._groups[name].close()
            journal.close()
        self._journals.clear()
