"""The live engine of an open workspace: made from its contracts, and begun anew from what the last turn has written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec
from pyroaring import BitMap

from tessera.action import outcomes
from tessera.action.decide import Model
from tessera.action.leave import Leave
from tessera.action.live import Live
from tessera.action.live_base import READS, LiveBase
from tessera.action.live_past import Made
from tessera.action.live_state import Beginning, State
from tessera.action.live_turned import Turned
from tessera.action.nearby import Nearby
from tessera.action.points import Points
from tessera.config import Contract
from tessera.data.live_folds import micros
from tessera.data.sources import door
from tessera.data.sources.door import SPACE
from tessera.data.steps import ranks
from tessera.decision_points import Point
from tessera.house import MACHINE, House
from tessera.lake.engine import Connection
from tessera.lake.view import View
from tessera.trust import traces
from tessera.trust.entries import Use
from tessera.words import KINDS

OF_A_TURN = ("profiles", "segments")
"""Tables of which rules may ask for facts."""

ASKED = (*outcomes.READS, *OF_A_TURN, outcomes.NEIGHBOURS)
"""Tables that are read for each purpose."""


def made(house: House) -> Live:
    """The engine over all sources of a workspace that are sent to a door; it knows nobody until it is renewed."""
    config = house.config
    return Live([c for c in config.sources if c.kind == "http"], salt=house.landing.salt, ranks=ranks(config))


def state(house: House, points: Points) -> State:
    """What the tables know now. That they were read is an entry of the ledger, for each purpose."""
    con, operate = house.con, house.config.purposes["operate"]
    views = {t: house.gate.for_step(t, operate, upkeep=True) for t in READS}
    house.gate.load(con, views.values())
    index = house.vault.index()
    base = LiveBase(con, views, index.top)
    _told(house, views, "operate", True)
    models, turned, remembered = dict[str, Model](), dict[str, Turned](), list[tuple[int, Made]]()
    for purpose in sorted(points.purposes):
        models[purpose], turned[purpose], some = _of(house, points, purpose)
        remembered += some
    return State(
        Beginning(
            base=base, index=index, caps=house.config.caps, points=points, leaves=leaves(house, points), models=models,
            turned=turned, made=remembered,
            returned={int(k): datetime.fromisoformat(at) for k, at in house.state.items(traces.LIFTED).items()},
        )
    )  # fmt: skip


def leaves(house: House, points: Points) -> dict[str, Leave]:
    """By purpose, for whom may be decided now."""
    told: dict[str, Leave] = {}
    for name in points.purposes:
        purpose, permits = house.config.purposes[name], house.permits
        if purpose.needs_consent:
            yes = permits.ids(purpose, "key")
            no = permits.answered(purpose) - yes
        else:
            yes, no = BitMap(), BitMap()
        no |= permits.blocked_keys | permits.bars(purpose, "key")
        told[name] = Leave(needs_consent=purpose.needs_consent, yes=yes, no=no)
    return told


def standing(house: House) -> tuple[object, ...]:
    """Changes whenever `state` or `landed` may: what the tables and the workspace's files say."""
    versions = tuple(house.lake.version(t) for t in sorted({*READS, *ASKED}))
    config = house.config
    return (versions, config.decisions, config.sources, tuple(config.caps.items()), tuple(sorted(landed(house).items())))


def stamp(house: House, points: Points) -> tuple[object, ...]:
    """Changes whenever `leaves` may."""
    return tuple(house.permits.stamp(house.config.purposes[name], "key") for name in sorted(points.purposes))


def landed(house: House) -> dict[str, int]:
    """By source, the last segment of its journal that lies in the lake."""
    return {c.name: int(house.state.get(SPACE, c.name, 0)) for c in house.config.sources}


def renew(house: House, live: Live) -> None:
    """Begins it anew from the tables as they are now."""
    live.renew(state(house, Points(house.config.decisions)), landed(house))


def replay(house: House, live: Live) -> int:
    """Takes up what waits in the journals and no turn has landed: after a start. Returns how many rows it was."""
    many = 0
    for contract, number, events in waiting(house):
        many += len(events)
        if contract.kind != "decisions":
            live.accept(contract.name, number, events)
            continue
        for event in events:
            again(live, number, event)
    return many


def waiting(house: House) -> Iterator[tuple[Contract, int, list[dict[str, Any]]]]:
    """What waits in the journals and no turn has landed: source, segment, rows.

    Decisions first: what came of them is told by events, which know their own time.
    """
    done = landed(house)
    for contract in sorted(house.config.sources, key=lambda c: c.kind != "decisions"):
        if contract.kind not in ("http", "decisions") or contract.webhook is not None:
            continue
        waits = door.segments(house.config.var, contract.name, house.secrets)
        for number in waits.waiting():
            if number <= done.get(contract.name, 0):
                continue
            for block in waits.read(number):
                yield contract, number, [msgspec.json.decode(e) for e in map(door.event_of, block) if e is not None]


def again(live: Live, segment: int, line: Mapping[str, Any]) -> None:
    """A decision that waits in the journal, as it was noted when it was made."""
    found = live.state
    if found is None or line["decision"] not in found.points.deciders:
        return
    kind = next((k for k in KINDS if line.get(k)), None)
    key = found.index.key(kind, line[kind]) if kind else 0
    blind = found.index.blind(kind, line[kind]) if kind else b""
    one = Made(
        line["decision"], line["candidate"], line.get("product") or "", line.get("context") or "",
        micros(datetime.fromisoformat(line["at"])), by=line["by"],
    )  # fmt: skip
    found.made(max(key, 0), one)
    live.decided(segment, found, max(key, 0), blind, one)


def _of(house: House, points: Points, name: str) -> tuple[Model, Turned, list[tuple[int, Made]]]:
    """What is known for one purpose, of those alone who allow it."""
    con, purpose = house.con, house.config.purposes[name]
    views = {t: house.gate.for_step(t, purpose) for t in sorted(ASKED)}
    house.gate.load(con, views.values())
    read = {t: views[t] for t in outcomes.READS}
    mine: list[Point] = points.of(name)
    model = Model(
        learned=outcomes.learned(con, read, mine),
        nearby=_nearby(con, views) if name in points.recommending else Nearby(),
    )
    turned = Turned(con, views["profiles"], views["segments"], points.turned(name))
    remembered = outcomes.remembered(con, read, mine, house.clock())
    _told(house, views, name, False)
    return model, turned, remembered


def _nearby(con: Connection, views: Mapping[str, View]) -> Nearby:
    found = outcomes.nearby(con, {t: views[t] for t in outcomes.READS})
    found.trained = outcomes.trained(con, views[outcomes.NEIGHBOURS])
    return found


def _told(house: House, views: Mapping[str, View], purpose: str, upkeep: bool) -> None:
    ledger = house.ledger
    ledger.append(
        Use(
            actor=MACHINE, role="machine", act="live", purpose=purpose, tables=tuple(_read(views)),
            categories=tuple(sorted({c for v in views.values() for c in v.categories})),
            keys=ledger.keep(house.permits.ids(house.config.purposes[purpose], "key", upkeep), "key", "at most"),
            note="the live engine begins from the last turn",
        )
    )  # fmt: skip


def _read(views: Mapping[str, View]) -> Iterator[tuple[str, int]]:
    for view in views.values():
        if view.version is not None:
            yield view.table, view.version


