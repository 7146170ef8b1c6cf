"""Where one person's data went lately: from which of her records, for which purpose, and what her own no has kept back.

Counted in uses, as the ledger has them. Which of her records a use drew on is told by the lineage of its tables, and only
kinds that she has any of count. *Kept back*: a use of many people for a purpose that was closed to her at that moment, whose
set has everybody but her; or a page of hers that was opened for such a purpose and came back empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

from tessera import receipt
from tessera.app import App
from tessera.config import Purpose
from tessera.data.raw import RATES, RAW
from tessera.data.steps import acts
from tessera.lake.engine import literal
from tessera.loop import STEPS
from tessera.trust import consent
from tessera.trust.access import SUBJECT, Reader
from tessera.trust.lately import Done, Part
from tessera.trust.permits import SPARED_BASES
from tessera.trust.requests import Request
from tessera.trust.tables import CONSENTS, MASK, MEMBERSHIP

DAYS = 30
ORIGINS: Mapping[str, tuple[str, ...]] = {
    "account": ("records",), "orders": ("orders", "order_lines", "payments"), "web": ("events",), "posts": ("posts",),
    "devices": ("readings",), "ads": ("touches",), "shown": ("decisions",), "choices": (CONSENTS.name,),
}  # fmt: skip
"""Kinds of her records as she knows them -> the tables that hold them."""

USES = frozenset({"read", "step", "find", "why", "decide", "live", "tail", "stream", "results", "breach"})
"""Acts that use data about people; the others keep the house, or do what she asked for."""

HER_LOOKS = frozenset({"read", "receipt"})
"""Acts of hers at her own door that are no news to her."""

MOMENTS = 200
"""Answers of one purpose within the time told of that are looked at, the newest; a browser may repeat one all day."""

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Held:
    """What one source gave us about her: rows of a table, and the time of the oldest of them."""

    table: str
    source: str
    rows: int
    oldest: datetime | None


@dataclass(frozen=True, kw_only=True)
class Known:
    """What her page is made with. said: her rows of CONSENTS. open_: by purpose, whether it may use her data now. turns: by
    purpose, from when on it was open or closed to her, the first from ever."""

    held: tuple[Held, ...]
    said: tuple[dict[str, Any], ...]
    open_: Mapping[str, bool]
    turns: Mapping[str, Sequence[tuple[datetime, bool]]]

    @property
    def origins(self) -> frozenset[str]:
        """The kinds of records that we have of her."""
        tables = {h.table for h in self.held if h.rows} | ({CONSENTS.name} if self.said else set())
        return frozenset(o for o, among in ORIGINS.items() if tables & {*among})


@dataclass(frozen=True, kw_only=True)
class Flow:
    """So many uses for one purpose that drew on the same kinds of her records; or that her no kept back."""

    purpose: str
    origins: tuple[str, ...]
    uses: int
    blocked: bool


@dataclass(frozen=True, kw_only=True)
class Lately:
    """flows: see there. told: numbers of the entries that she may want to read, newest last; kept_back: those of them that left
    her out."""

    flows: tuple[Flow, ...]
    told: tuple[int, ...]
    kept_back: frozenset[int]

    def uses(self, blocked: bool, purpose: str | None = None) -> int:
        """How many uses, of one purpose or of all."""
        return sum(f.uses for f in self.flows if f.blocked is blocked and purpose in (None, f.purpose))


def known(app: App, her: Reader, requests: Iterable[Request]) -> Known:
    """What is asked of her own rows, once for a page: two entries of the ledger. requests: those that she made."""
    assert her.subject
    said = app.answers.ask(receipt.ASKED.format(person=her.subject.person), her).table.to_pylist()
    tables = [t.name for t in RAW.values() if t is not RATES and app.lake.version(t.name) is not None]
    each = " UNION ALL ".join(
        f"SELECT {literal(t)} AS origin, source, count(*) AS many, min(occurred_at) AS oldest FROM {t} GROUP BY source"
        for t in tables
    )
    found = app.answers.ask(each, her).table.to_pylist() if each else []
    held = tuple(Held(table=r["origin"], source=r["source"], rows=r["many"], oldest=r["oldest"]) for r in found)
    open_, now = is_open(app, her), app.clock().astimezone(UTC)
    asked = list(requests)
    turns = {n: _turns(app, p, said, asked, open_[n], now) for n, p in app.config.purposes.items()}
    return Known(held=held, said=tuple(said), open_=open_, turns=turns)


def is_open(app: App, her: Reader) -> dict[str, bool]:
    """By purpose, whether it may use her data with the next read. No row is read for it."""
    assert her.subject
    keys = BitMap(her.subject.keys)
    return {n: not app.permits.ids(p, "key").isdisjoint(keys) for n, p in app.config.purposes.items()}


def lately(app: App, her: Reader, known: Known) -> Lately:
    """Her part in what was done in the last days. Reads the ledger alone."""
    part = app.ledger.lately(_ids(her), app.clock() - timedelta(days=DAYS))
    kept_back = _kept_back(part, lambda purpose, at: _closed(known.turns.get(purpose, ()), at), known.origins)
    told = _news(part, kept_back)
    used = part.held & ~kept_back & _where(part, lambda d: _draws(d, known.origins))
    flows: dict[tuple[str, tuple[str, ...], bool], int] = {}
    for blocked, among in ((False, used), (True, kept_back)):
        for place, many in enumerate(np.bincount(part.kind[among], minlength=len(part.kinds)).tolist()):
            done = part.kinds[place]
            name = (done.purpose, _hers(done, known.origins), blocked)
            flows[name] = flows.get(name, 0) + many
    return Lately(
        flows=tuple(Flow(purpose=p, origins=o, blocked=b, uses=n) for (p, o, b), n in flows.items() if n),
        told=tuple(part.numbers[told].tolist()), kept_back=frozenset(part.numbers[kept_back].tolist()),
    )  # fmt: skip


class Watched:
    """A customer who looks at her page: what is new to her since she was asked after. key: by which she came in. seen: the
    number of the newest entry that her page knows of; -1: whatever there is when she is asked after first.

    Who she is and what is closed to whom is asked again only where it may have changed; beyond that only entries that are new
    are looked at.
    """

    def __init__(self, key: int, seen: int = -1) -> None:
        self.key, self._seen, self._new = key, seen, seen < 0
        self._stamp: object = None
        self._her: Reader | None = None
        self._open: Mapping[str, bool] = {}

    def new(self, app: App) -> tuple[int, int]:
        """How many entries are news to her that were not yet, and the number of the newest; (0, -1) without any, and for
        whoever is nobody's any more."""
        permits = app.permits
        first, self._new = self._new, False
        stamp = (permits.epoch, *(app.lake.version(t.name) for t in (MEMBERSHIP, CONSENTS, MASK)), app.state)
        if stamp != self._stamp:
            self._stamp, self._her = stamp, app.people.subject(self.key)
            self._open = is_open(app, self._her) if self._her else {}
        if self._her is None:
            return 0, -1
        part = app.ledger.lately(_ids(self._her), app.clock() - timedelta(days=DAYS), self._seen + 1)
        self._seen = len(app.ledger) - 1
        kept_back = _kept_back(part, lambda purpose, at: np.full(len(at), not self._open.get(purpose, True)), None)
        told = part.numbers[_news(part, kept_back)]
        return (0, -1) if first or not len(told) else (len(told), int(told[-1]))


@cache
def origins(table: str) -> frozenset[str]:
    """The kinds of records that a table is made from, by the steps that make it; of identifiers and settings none."""
    own = {t: o for o, among in ORIGINS.items() for t in among}
    if table in own:
        return frozenset({own[table]})
    made = {step.writes.name: step.reads for step in STEPS if not step.upkeep or step.writes.name == "activity"}
    return frozenset().union(*(origins(t) for t in made.get(table, ()) if t != table))


def _ids(her: Reader) -> dict[Any, Iterable[int]]:
    assert her.subject
    return {"key": her.subject.keys, "person": [her.subject.person]}


def _draws(done: Done, mine: frozenset[str] | None) -> bool:
    """Whether it is a use of data that can have drawn on what we have of her."""
    drew = frozenset().union(*(origins(t) for t in done.tables))
    ours = done.act in USES and done.verdict == "allowed" and done.role != SUBJECT
    return ours and (mine is None or not drew or not drew.isdisjoint(mine))


def _hers(done: Done, mine: frozenset[str]) -> tuple[str, ...]:
    """The kinds of her records that a use drew on; of identifiers alone it is her account."""
    found = frozenset().union(*(origins(t) for t in done.tables)) & mine
    return tuple(o for o in ORIGINS if o in found) or ("account",)


def _kept_back(part: Part, closed: Any, mine: frozenset[str] | None) -> Bools:
    """Which entries left her out for a purpose that was closed to her. mine: the kinds of her records (None: any may be)."""

    wide, empty = _where(part, lambda d: d.wide), _where(part, lambda d: d.empty)
    found = _where(part, lambda d: _draws(d, mine)) & part.set_ & ((~part.held & wide) | (part.held & ~wide & empty))
    for purpose in {d.purpose for d in part.kinds}:
        of = np.flatnonzero(found & _where(part, lambda d, purpose=purpose: d.purpose == purpose))
        found[of] = closed(purpose, part.at[of])
    return found


def _news(part: Part, kept_back: Bools) -> Bools:
    return (part.held & ~_where(part, lambda d: d.role == SUBJECT and d.act in HER_LOOKS)) | kept_back


def _where(part: Part, says: Any) -> Bools:
    """The entries whose kind is so."""
    told = np.array([says(d) for d in part.kinds], dtype=np.bool_)
    return told[part.kind] if len(told) else np.zeros(0, dtype=np.bool_)


def _closed(turns: Sequence[tuple[datetime, bool]], at: npt.NDArray[np.float64]) -> Bools:
    """Whether a purpose was closed to her at these moments."""
    if not turns:
        return np.ones(len(at), dtype=np.bool_)
    when = np.array([t.timestamp() for t, _ in turns[1:]])
    return ~np.array([o for _, o in turns], dtype=np.bool_)[np.searchsorted(when, at, side="right")]


def _turns(
    app: App, purpose: Purpose, said: Sequence[Mapping[str, Any]], requests: Sequence[Request], now_open: bool, now: datetime
) -> list[tuple[datetime, bool]]:
    """From when on a purpose was open or closed to her, as far as it matters for the time that is told of."""
    since, kinds = now - timedelta(days=DAYS), acts(app.config)
    mine = [row for row in said if row["purpose"] == purpose.name]
    shut = [
        datetime.fromisoformat(r.opened_at)
        for r in requests
        if r.status == "done" and not r.outcome.get("lifted") and _closes(r, purpose)
    ]
    ends = {row["until"] for row in mine if row["until"]} | set(shut)
    moments = sorted({m for m in ({row["occurred_at"] for row in mine} | ends) if since < m <= now})[-MOMENTS:]

    def open_at(moment: datetime) -> bool:
        if any(s <= moment for s in shut):
            return False
        if not purpose.needs_consent:
            return True
        deciding = consent.choices([r for r in mine if r["occurred_at"] <= moment], kinds).get(purpose.name)
        return bool(deciding and deciding["state"] == "given" and not (deciding["until"] and deciding["until"] <= moment))

    turns = [(m, open_at(m)) for m in (since, *moments)]
    # What ended with its first use, or holds from the next turn on, is known to the permissions alone.
    return turns if turns[-1][1] == now_open else [*turns, (now, now_open)]


def _closes(request: Request, purpose: Purpose) -> bool:
    if request.kind == "objection":
        return request.purpose == purpose.name
    return request.kind == "restriction" and purpose.basis not in SPARED_BASES and purpose.name not in request.spared
