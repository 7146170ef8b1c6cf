"""Pushed decisions to webhooks: in batches, in a thread of their own, tried again, and given up after an hour.

A decision that could not be delivered is no loss of a record: it lies in the journal and in `decisions`. The address is named
by reference (`${NAME}`), only https, or plain HTTP to this machine, is spoken, and no redirect is followed.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import Any

import msgspec

from tessera.action.decide import Decision
from tessera.decision_points import Point
from tessera.doors.log import Log
from tessera.envtext import filled
from tessera.errors import BadUrl, TesseraError
from tessera.outward import Target, checked, post

BATCH, MOST = 100, 10_000
"""Decisions in one request, and such that wait; beyond, the oldest are left out, and counted."""
FIRST_S, LONGEST_S, GIVEN_UP_S = 1.0, 60.0, 3_600.0

Told = Callable[[Decision, tuple[str, str]], None]
"""Told of a decision that is pushed, and whom it is for: kind and value of the identifier that the event came with."""

_NAMES = {"user_id": "userId", "device_id": "deviceId", "anonymous_id": "anonymousId"}
"""Identifiers that go along. An e-mail or a phone does not: what it may be used for is another purpose's matter."""

Check = Callable[[str], Target]


def shown(decision: Decision) -> dict[str, Any]:
    """What a caller is told of a decision."""
    return {
        "id": decision.id, "decision": decision.decision, "candidate": decision.candidate, "product": decision.product or None,
        "show": decision.show, "by": decision.by,
    }  # fmt: skip


def document(decision: Decision, who: tuple[str, str]) -> dict[str, Any]:
    """A pushed decision, as listeners and webhooks get it."""
    return {**shown(decision), **({_NAMES[who[0]]: who[1]} if who[0] in _NAMES else {})}


class Webhooks:
    """Delivers pushed decisions, for the time of a `with`. counts: delivered, given_up, left_out."""

    def __init__(self, log: Log | None = None, check: Check | None = None) -> None:
        self._log, self._check = log or Log(), check or partial(checked, own_network=True)
        self._named: dict[str, str] = {}
        self._waiting: dict[str, deque[tuple[float, bytes]]] = {}
        self._next: dict[str, tuple[float, float]] = {}
        self._lock, self._wake, self._stop = threading.Lock(), threading.Event(), False
        self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
        self.counts: Counter[str] = Counter()

    def open(self, points: Iterable[Point]) -> None:
        """Follows what the workspace's files say now."""
        self._named = {p.name: p.webhook for p in points if p.webhook}

    def told(self, decision: Decision, who: tuple[str, str]) -> None:
        """Takes a decision that is pushed; returns at once."""
        named = self._named.get(decision.decision)
        if named is None:
            return
        with self._lock:
            waiting = self._waiting.setdefault(named, deque())
            waiting.append((time.monotonic(), msgspec.json.encode(document(decision, who))))
            if len(waiting) > MOST:
                waiting.popleft()
                self.counts["left_out"] += 1
        self._wake.set()

    def __enter__(self) -> Webhooks:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop = True
        self._wake.set()
        self._thread.join(timeout=15)

    def _work(self) -> None:
        while not self._stop:
            self._wake.wait(self._until())
            self._wake.clear()
            for named in list(self._waiting):
                if self._next.get(named, (0.0, 0.0))[0] <= time.monotonic():
                    self._deliver(named)

    def _until(self) -> float | None:
        """Seconds until something is tried again; None while nothing waits."""
        with self._lock:
            due = [self._next.get(named, (0.0, 0.0))[0] for named, waiting in self._waiting.items() if waiting]
        return max(0.01, min(due) - time.monotonic()) if due else None

    def _deliver(self, named: str) -> None:
        while not self._stop:
            with self._lock:
                batch = list(self._waiting[named])[:BATCH]
            if not batch:
                return
            try:
                self._post(named, b'{"decisions":[' + b",".join(body for _, body in batch) + b"]}")
            except TesseraError as no:
                self._later(named, batch, str(no))
                return
            self._next.pop(named, None)
            self._drop(named, batch, "delivered")

    def _post(self, named: str, body: bytes) -> None:
        target = self._check(filled(named, os.environ))
        if target.scheme != "https" and target.address not in ("127.0.0.1", "::1"):
            raise BadUrl("Decisions are posted over https alone.")
        answer = post(target, body, {"Content-Type": "application/json"})
        if not 200 <= answer.status < 300:
            raise BadUrl(f"The webhook answers with {answer.status}.")

    def _later(self, named: str, batch: list[tuple[float, bytes]], why: str) -> None:
        _, before = self._next.get(named, (0.0, 0.0))
        wait = min(LONGEST_S, before * 2 or FIRST_S)
        self._next[named] = (time.monotonic() + wait, wait)
        if not before:
            self._log.say("warning", "webhook.failed", webhook=named, message=why)
        if time.monotonic() - batch[0][0] > GIVEN_UP_S:
            self._drop(named, batch, "given_up")

    def _drop(self, named: str, batch: list[tuple[float, bytes]], what: str) -> None:
        """Takes out a batch, as far as it still waits."""
        done = {id(one) for one in batch}
        with self._lock:
            waiting = self._waiting[named]
            while waiting and id(waiting[0]) in done:
                waiting.popleft()
                self.counts[what] += 1
