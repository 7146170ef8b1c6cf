"""How many events came, by source: since the server's start, and in steps of five seconds over the last five minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

STEP_S, STEPS = 5, 60
NOW_S = 10
"""Over how many seconds "now" is a mean."""


@dataclass(slots=True)
class _Stream:
    """Of one source. steps: by number of the step since the clock's zero, how many came in it. last: when one came (the same
    clock)."""

    total: int = 0
    last: float = 0.0
    steps: dict[int, int] = field(default_factory=dict)


class Flow:
    """Counts what passes. Told by the threads that write, one for each source; each tells of its own alone. An addition and a
    look at the clock for each group that is written."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._of = clock, dict[str, _Stream]()
        self._began = clock()

    def written(self, source: str, many: int) -> None:
        """So many lines of a source are safe on disk."""
        stream = self._of.get(source)
        if stream is None:
            stream = self._of.setdefault(source, _Stream())
        now = self._clock()
        step = int(now) // STEP_S
        stream.total += many
        stream.last = now
        if step in stream.steps:
            stream.steps[step] += many
        else:
            # A copy, so that whoever reads meanwhile reads the old one whole.
            stream.steps = {s: n for s, n in stream.steps.items() if s > step - STEPS} | {step: many}

    @property
    def age_s(self) -> float:
        """For how long it has counted."""
        return self._clock() - self._began

    def totals(self) -> dict[str, int]:
        """By source, since the start."""
        return {name: stream.total for name, stream in self._of.copy().items()}

    def steps(self, source: str) -> list[int]:
        """How many came in each step of the last five minutes, oldest first; the last step is not over yet."""
        stream, now = self._of.get(source), int(self._clock()) // STEP_S
        known = stream.steps if stream else {}
        return [known.get(step, 0) for step in range(now - STEPS + 1, now + 1)]

    def rate(self, source: str) -> float:
        """Events a second, of the last ten seconds or so: the steps that are over, and the one under way as far as it is."""
        now = self._clock()
        known = self._of[source].steps if source in self._of else {}
        step = int(now) // STEP_S
        since = max(float((step - NOW_S // STEP_S) * STEP_S), self._began)
        return sum(known.get(s, 0) for s in range(step - NOW_S // STEP_S, step + 1)) / max(now - since, 1.0)

    def rate_of_all(self) -> float:
        """Events a second, of all sources."""
        return sum(self.rate(source) for source in self._of.copy())

    def at(self, source: str) -> datetime | None:
        """When the newest came, in UTC; None before the first."""
        idle_s = self.idle_s(source)
        return None if idle_s is None else datetime.now(UTC) - timedelta(seconds=idle_s)

    def idle_s(self, source: str) -> float | None:
        """For how long nothing has come; None where nothing came yet."""
        stream = self._of.get(source)
        return self._clock() - stream.last if stream else None
