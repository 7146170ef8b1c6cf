"""What customers asked for: each request with its due day, identity check, status and history, kept until it is done.

A request names nobody in clear: it has a key and a person by number, and every free text lies sealed in the vault. Each
change is durable before its entry of the ledger is written; a kill between the two leaves the entry owing, and `recover`
writes it, once. An erasure destroys the texts of all her requests; what was asked and when stays, as the law wants proof.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from threading import RLock
from typing import Any, Literal, Protocol

import msgspec
import numpy as np

from tessera.config import RequestsConfig
from tessera.errors import NotFound
from tessera.lake.state import State
from tessera.trust.entries import Entry, Keys, Use
from tessera.words import Clock, Erased, Proof

Kind = Literal["access", "portability", "correction", "restriction", "objection", "erasure"]
Status = Literal["received", "verifying", "in progress", "done", "refused"]
How = Literal["signed link", "owner's token", "account", "document", "in person", "call back", "court order"]

SPACE, SEALING = "request", "sealing"
URGENT_DAYS = 5
"""Fewer days left than these are urgent."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How it was made sure that the customer is who she says."""

    state: Literal["unverified", "verified"] = "unverified"
    how: How | None = None
    by: str = ""
    at: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a request's history. entry: its number in the ledger; None while it is owing."""

    at: str
    act: str
    by: str
    role: str = ""
    entry: int | None = None
    since: int = 0
    keys: Keys | None = None
    tables: tuple[tuple[str, int], ...] = ()
    categories: tuple[str, ...] = ()


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request.

    key, person: whose it is, by number (None: nobody whom we know, or nobody any more). due: a day. purpose: what an
    objection is to. spared: the purposes that a restriction leaves open. texts: by name the vault's record with a sealed
    text. running: its act has begun and is finished by the next run. erasure: the number of the erasure that it began.
    outcome: what came of it, in numbers and names of tables and purposes.
    """

    id: int
    kind: Kind
    opened_at: str
    channel: str
    due: str
    key: int | None = None
    person: int | None = None
    status: Status = "received"
    check: Check = Check()
    extended: bool = False
    purpose: str | None = None
    spared: tuple[str, ...] = ()
    texts: dict[str, int] = {}
    running: bool = False
    erasure: str | None = None
    outcome: dict[str, Any] = {}
    history: tuple[Event, ...] = ()

    @property
    def open(self) -> bool:
        """Whether somebody still waits for it."""
        return self.status not in ("done", "refused")

    def days_left(self, today: date) -> int:
        """Until it is due; negative once it is late."""
        return (date.fromisoformat(self.due) - today).days


class Vault(Protocol):
    """What is asked of the vault."""

    def seal(self, blobs: list[bytes], batch: int) -> np.ndarray[Any, Any]: ...
    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...
    def erase(self, key_ids: Iterable[int], record_ids: Iterable[int] = ()) -> Proof: ...
    def drop_batch(self, batch: int) -> object: ...


class Ledger(Protocol):
    """What is asked of the ledger."""

    def __len__(self) -> int: ...
    def append(self, use: Use) -> Entry: ...
    def entries(self, start: int = 0) -> Iterator[Entry]: ...


class Requests:
    """The requests of one workspace. A store that forgets: an erasure takes what the person wrote."""

    name = "requests"

    def __init__(self, state: State, vault: Vault, ledger: Ledger, clock: Clock) -> None:
        self.state, self.vault, self.ledger, self.clock = state, vault, ledger, clock
        self._lock = RLock()

    def get(self, number: int) -> Request:
        """The request; NotFound if there is none."""
        found = self.state.get(SPACE, str(number))
        if found is None:
            raise NotFound("Request", str(number))
        return msgspec.convert(found, Request)

    def all(self) -> list[Request]:
        """All requests, the one that is due first first; those that are closed last, newest first."""
        found = [msgspec.convert(r, Request) for r in self.state.items(SPACE).values()]
        return sorted(found, key=lambda r: (not r.open, r.due if r.open else "", r.id if r.open else -r.id))

    def put(self, request: Request) -> None:
        """Keeps a request as it is now, durably."""
        self.state.put(SPACE, str(request.id), msgspec.to_builtins(request))

    def texts(self, request: Request) -> dict[str, str]:
        """What was written to a request, in clear; empty once she is erased."""
        blobs = self.vault.unseal(request.texts.values())
        return {name: json.loads(blobs[r])["text"] for name, r in request.texts.items() if r in blobs}

    def note(
        self, request: Request, act: str, by: str, role: str = "", texts: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> Request:
        """Keeps the request as it is now with one more line of history, and then writes its entry of the ledger.

        texts: to be sealed with it. facts: keys, tables, categories of the entry.
        """
        with self._lock:
            at = self.clock().astimezone(UTC).isoformat()
            event = Event(at=at, act=act, by=by, role=role, since=len(self.ledger), **facts)
            with self._sealed(texts or {}) as records:
                history, named = (*request.history, event), {**request.texts, **records}
                request = msgspec.structs.replace(request, history=history, texts=named)
                self.put(request)
            return self._settled(request)

    def recover(self) -> None:
        """Writes the entries that a kill left owing, and destroys sealed texts that belong to no request."""
        for request in self.all():
            self._settled(request)
        for batch in self.state.items(SEALING):
            self.vault.drop_batch(int(batch))
            self.state.drop(SEALING, batch)

    def forget(self, who: Erased) -> Proof:
        """Destroys what was written to the requests of erased people; see words.Forgets."""
        gone = 0
        for request in self.all():
            if request.texts and (request.key in who.keys or request.person in who.persons):
                self.vault.erase((), request.texts.values())
                gone += len(request.texts)
                self.put(msgspec.structs.replace(request, texts={}))
        return Proof(store=self.name, removed=gone, complete=True, note=f"{gone} texts")

    @contextmanager
    def _sealed(self, texts: Mapping[str, str]) -> Iterator[dict[str, int]]:
        """Seals texts for a request that is put within the `with`: records that no request came to name are destroyed."""
        said = {name: text for name, text in texts.items() if text}
        if not said:
            yield {}
            return
        batch = self.state.next("batch")
        self.state.put(SEALING, str(batch), 1)
        blobs = [json.dumps({"text": text}, ensure_ascii=False).encode() for text in said.values()]
        records = dict(zip(said, map(int, self.vault.seal(blobs, batch)), strict=True))
        with self.state.together():
            yield records
            self.state.drop(SEALING, str(batch))

    def _settled(self, request: Request) -> Request:
        """The request with no entry owing. An entry is found again by its note, so that it is never written twice."""
        history = list(request.history)
        for place, event in enumerate(history):
            if event.entry is not None:
                continue
            note = f"request {request.id}: {event.act}"
            there = (e.seq for e in self.ledger.entries(event.since) if e.act == "request" and e.note == note)
            seq = next(there, None)
            if seq is None:
                use = Use(
                    actor=event.by, role=event.role, act="request", purpose="operate", keys=event.keys,
                    tables=event.tables, categories=event.categories, note=note,
                )  # fmt: skip
                seq = self.ledger.append(use).seq
            history[place] = msgspec.structs.replace(event, entry=seq, keys=None, tables=(), categories=())
        settled = msgspec.structs.replace(request, history=tuple(history))
        if settled != request:
            self.put(settled)
        return settled


def due(opened: datetime, rule: RequestsConfig) -> date:
    """The day by which a request is answered.

    Of up to a month's days, never later than the same day of the next month (GDPR, Art. 12(3); Regulation 1182/71). Days
    of work are Monday to Friday; a public holiday is not known, so the day may be earlier than the law's, never later.
    """
    day = opened.date()
    if rule.working:
        left = rule.days
        while left:
            day += timedelta(days=1)
            left -= day.weekday() < 5
        return day
    later = day + timedelta(days=rule.days)
    return min(later, a_month_after(day)) if rule.days <= 31 else later


def a_month_after(day: date) -> date:
    """The same day of the next month, or that month's last.

    >>> a_month_after(date(2027, 1, 31))
    datetime.date(2027, 2, 28)
    """
    first = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(day.day, last.day))
