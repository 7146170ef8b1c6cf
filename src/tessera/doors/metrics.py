"""What is measured while the server runs, in Prometheus' form: names of sources and counts; no person, no key, no address."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from tessera.data.sources.door import event_of
from tessera.lake.journal import size_of

TYPE = "text/plain; version=0.0.4; charset=utf-8"

WRITE_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
TURN_S = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
LANDED = ("kept", "unchanged", "doubles", "quarantined", "suppressed")
"""What becomes of rows that come in, as `tessera turn --json` counts them."""


class Metrics:
    """The counts of one server. var: of the workspace, whose journals and disk are looked at when somebody asks."""

    def __init__(self, var: Path) -> None:
        self._registry = CollectorRegistry()
        made: dict[str, Any] = {"registry": self._registry}
        self._events = Counter(
            "tessera_events", "Lines that the tracking door has on disk: events, and what is none", ["source", "result"], **made
        )
        self._writes = Histogram(
            "tessera_journal_write_seconds", "A group of events, to the end of its fsync", ["source"], buckets=WRITE_S, **made
        )
        self._answered: dict[tuple[str, int], int] = {}
        self._landed = Counter("tessera_landed_rows", "Rows that turns of this server brought in", ["source", "result"], **made)
        self._turns = Counter("tessera_turns", "Turns on the server's schedule", ["result"], **made)
        self._turn_s = Histogram("tessera_turn_seconds", "How long they took", buckets=TURN_S, **made)
        self._turned = Gauge("tessera_turn_last_success_timestamp_seconds", "When the last one ended well; 0: none yet", **made)
        self._quarantine = Gauge("tessera_quarantine_rows", "Rows that wait in quarantine", ["source"], **made)
        self._registry.register(_Answered(self._answered))
        self._registry.register(_Disk(var))
        for result in ("ok", "failed"):
            self._turns.labels(result)

    def written(self, source: str, lines: Sequence[bytes], seconds: float) -> None:
        """A group of lines is safe on disk."""
        good = sum(event_of(line) is not None for line in lines)
        self._events.labels(source, "accepted").inc(good)
        if good < len(lines):
            self._events.labels(source, "refused").inc(len(lines) - good)
        self._writes.labels(source).observe(seconds)

    def answered(self, door: str, status: int) -> None:
        """A request has its answer. Told by the thread of the event loop alone, as this is the hot path: an int in a dict."""
        self._answered[door, status] = self._answered.get((door, status), 0) + 1

    @property
    def answers(self) -> dict[tuple[str, int], int]:
        """How many requests each door answered with each status."""
        return self._answered.copy()

    def deciding(self, counts: Mapping[tuple[str, str], int]) -> None:
        """From now on tells of decisions, by point and how they were chosen, as they are counted there."""
        self._registry.register(_Decided(counts))

    def turned(self, seconds: float, landed: Iterable[Mapping[str, Any]], at: float | None) -> None:
        """A turn has ended. landed: counts by source, as its document has them. at: its end (seconds since 1970) if it ended
        well, None if it failed."""
        self._turn_s.observe(seconds)
        self._turns.labels("failed" if at is None else "ok").inc()
        if at is not None:
            self._turned.set(at)
        for one in landed:
            for result in LANDED:
                if many := int(one.get(result, 0)):
                    self._landed.labels(str(one["name"]), result).inc(many)

    def quarantined(self, waiting: Mapping[str, int]) -> None:
        """How many rows wait in quarantine, by source."""
        self._quarantine.clear()
        for source, many in waiting.items():
            self._quarantine.labels(source).set(many)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it (TYPE)."""
        made: bytes = generate_latest(self._registry)
        return made

    @property
    def registry(self) -> CollectorRegistry:
        """For a listener of Prometheus' own."""
        return self._registry


class _Answered(Collector):
    """The requests that were answered."""

    def __init__(self, answered: dict[tuple[str, int], int]) -> None:
        self._counts = answered

    def collect(self) -> Iterator[CounterMetricFamily]:
        made = CounterMetricFamily("tessera_requests", "Requests answered, by door (tracking, api)", labels=["door", "status"])
        for (door, status), many in sorted(self._counts.copy().items()):
            made.add_metric([door, str(status)], many)
        yield made


class _Decided(Collector):
    """The decisions that were made."""

    def __init__(self, counts: Mapping[tuple[str, str], int]) -> None:
        self._counts = counts

    def collect(self) -> Iterator[CounterMetricFamily]:
        said = "Decisions, by point and how they were chosen"
        made = CounterMetricFamily("tessera_decisions", said, labels=["decision", "by"])
        for (decision, by), many in sorted(dict(self._counts).items()):
            made.add_metric([decision, by], many)
        yield made


class _Disk(Collector):
    """What lies on the disk now."""

    def __init__(self, var: Path) -> None:
        self._var = var

    def collect(self) -> Iterator[GaugeMetricFamily]:
        waiting = GaugeMetricFamily("tessera_journal_bytes", "Bytes that are accepted and not landed yet", labels=["source"])
        for folder in sorted((self._var / "journal").glob("*")):
            if folder.is_dir():
                waiting.add_metric([folder.name], size_of(folder))
        yield waiting
        usage = shutil.disk_usage(self._var)
        yield GaugeMetricFamily("tessera_disk_free_bytes", "Free on the disk of var/", value=usage.free)
        yield GaugeMetricFamily("tessera_disk_bytes", "Size of the disk of var/", value=usage.total)
