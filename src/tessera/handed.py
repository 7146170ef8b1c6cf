"""What waits in the journals as lines for a stream that is keyed by person, with the setting that it decides with: two files.

For a trial, and for a stream's beginning: an Apache Flink job (doors/stream.py) decides on them as the live engine would have.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
from pyroaring import BitMap

from tessera import liveroom
from tessera.action.facts import CATEGORIES
from tessera.action.handing import Handing, setting
from tessera.action.keyed import Forget, Handed
from tessera.action.live import Live
from tessera.action.points import Points
from tessera.action.stock import Stocks
from tessera.data.live_folds import micros
from tessera.data.raw import RAW
from tessera.data.steps import ranks
from tessera.decided import asking
from tessera.errors import BadInput, NotAllowed
from tessera.house import House
from tessera.trust import access
from tessera.trust.entries import Use

SETTING, EVENTS = "setting.json", "events.jsonl"


@dataclass(frozen=True, kw_only=True)
class Wrote:
    """events: lines of events; people: of how many persons; left_out: events of nobody, or of somebody for whom nothing may be
    decided."""

    setting: str
    events_file: str
    events: int
    people: int
    left_out: int


def write(house: House, folder: Path, role: str | None) -> Wrote:
    """Writes both files into a folder, for their owner's eyes alone, over those that are there. For each event is decided as of
    its own time. Raises BadInput where nothing is decided after events or the folder cannot be written, NotAllowed for a role
    that may not see in clear what the lines tell."""
    points = Points(house.config.decisions)
    if not points.pushed:
        raise BadInput("No decision is made after events: name them under `on` in decisions/*.yaml (docs/decisions.md).")
    readers = {p: asking(house, role, p, points, d.point.name) for d in points.deciders.values() if (p := d.point.purpose)}
    _clear(house, role)
    live, stocks = liveroom.made(house), Stocks()
    liveroom.renew(house, live)
    assert live.state is not None
    stocks.open(house.config.root, house.config.decisions)
    stocks.into(live.state.models, live.state.points)
    keys, people, count, left_out = {p: BitMap() for p in readers}, set[str](), 0, 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _private(folder / SETTING) as file:
            file.write(_JSON.encode(setting(live.state, ranks(house.config))))
        with _private(folder / EVENTS) as file:
            for key, lines in _lines(house, live):
                told = [line for line in lines if isinstance(line, Handed)]
                count, left_out = count + len(told), left_out + (not told)
                people.update(line.person for line in told)
                for purpose in (p for line in told for p in line.may):
                    keys[purpose].add(key)
                for line in lines:
                    file.write(_JSON.encode(line) + b"\n")
    except OSError as refused:
        raise BadInput(f"{folder} cannot be written ({refused.strerror}).") from None
    finally:
        # Also where it was cut short: what was written was written. Who is not in the vault yet has no key there.
        top = live.state.people.base.top
        for purpose, asks in readers.items():
            house.ledger.append(
                Use(
                    actor=asks.actor.name, role=asks.role, act="stream", purpose=purpose, rows=count,
                    categories=tuple(sorted({c for c in CATEGORIES.values() if c.startswith("user")})),
                    keys=house.ledger.keep(BitMap([k for k in keys[purpose] if k < top]), "key"),
                    note="waiting events, handed to a stream of ours",
                )
            )  # fmt: skip
    return Wrote(
        setting=str(folder / SETTING), events_file=str(folder / EVENTS), events=count, people=len(people), left_out=left_out
    )


def _lines(house: House, live: Live) -> Iterator[tuple[int, list[Handed | Forget]]]:
    """Of each event that waits: whose it is, and its lines."""
    assert live.state is not None
    handing, now = Handing(live.state), micros(house.clock())
    for contract, segment, events in liveroom.waiting(house):
        for event in events:
            if contract.kind == "decisions":
                liveroom.again(live, segment, event)
                continue
            (took,) = live.accept(contract.name, segment, [event])
            at = took.event.get("occurred_at")
            yield took.key, list(
                handing.lines(
                    took, event_id=str(event.get("messageId", "")), source=contract.name, table=RAW[contract.record].name,
                    at=micros(at) if isinstance(at, datetime) else now,
                )
            )  # fmt: skip


def _clear(house: House, role: str | None) -> None:
    """Raises NotAllowed for a role that may not see in clear what is known of people live."""
    asks = access.who(house.config, role, "operate", house.me)
    for category in sorted({c for c in CATEGORIES.values() if c.startswith("user")}):
        seen = access.verdict(house.config.access, asks.role, asks.purpose, category)
        if seen.verdict != "clear":
            raise NotAllowed(seen.reason, f"Ask {house.config.access.contact}.")


@contextmanager
def _private(path: Path) -> Iterator[BinaryIO]:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        yield file


_JSON = msgspec.json.Encoder()
