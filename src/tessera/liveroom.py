"""The live engine of an open workspace: made from its contracts, and begun anew from what the last turn has written."""

from __future__ import annotations

from datetime import datetime

from tessera.action.live import Live
from tessera.action.live_base import READS, LiveBase
from tessera.data.sources.door import SPACE
from tessera.data.steps import ranks
from tessera.house import MACHINE, House
from tessera.trust import traces
from tessera.trust.entries import Use


def made(house: House) -> Live:
    """The engine over all sources of a workspace that are sent to a door; it knows nobody until it is renewed."""
    config = house.config
    contracts = [c for c in config.sources if c.kind == "http"]
    return Live(contracts, salt=house.landing.salt, caps=config.caps, ranks=ranks(config))


def renew(house: House, live: Live) -> None:
    """Begins it anew from the tables as they are now. That they were read is an entry of the ledger."""
    config, ledger = house.config, house.ledger
    purpose = config.purposes["operate"]
    views = {t: house.gate.for_step(t, purpose, upkeep=True) for t in READS}
    house.gate.load(house.con, views.values())
    index = house.vault.index()
    base = LiveBase(house.con, views, index.top)
    ledger.append(
        Use(
            actor=MACHINE, role="machine", act="live", purpose="operate",
            tables=tuple((v.table, v.version) for v in views.values() if v.version is not None),
            categories=tuple(sorted({c for v in views.values() for c in v.categories})),
            keys=ledger.keep(house.permits.ids(purpose, "key", True), "key", "at most"),
            note="the live engine begins from the last turn",
        )
    )  # fmt: skip
    landed = {c.name: int(house.state.get(SPACE, c.name, 0)) for c in config.sources if c.kind == "http"}
    since = {int(k): datetime.fromisoformat(at) for k, at in house.state.items(traces.LIFTED).items()}
    live.renew(base, index, landed, since)
