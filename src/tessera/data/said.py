"""One answer that a customer gave at her own door -> CONSENTS: a batch like those of sources, crash-safe in the same way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tessera.data.landing import Landing
from tessera.lake.engine import Connection
from tessera.trust.tables import CONSENTS, DOOR


@dataclass(frozen=True, kw_only=True)
class Said:
    """Her answer to a purpose. key: the identifier by which she came in. state: given, refused or withdrawn. until: when a yes
    of hers ends; None where it does not, or not by the clock."""

    key: int
    purpose: str
    state: str
    wording: str
    language: str
    until: datetime | None = None


def land(landing: Landing, con: Connection, said: Said) -> bool:
    """Lands an answer of this moment; durable when it returns. False if somebody was erased meanwhile, perhaps she: then
    nothing is kept. A kill before the manifest leaves nothing, one after it is finished at the next start."""
    lake, state = landing.lake, landing.lake.state
    erasures = state.get("counter", "erasure")
    number = state.next("batch")
    at = landing.clock().astimezone(UTC)
    row = {
        "key_id": said.key, "purpose": said.purpose, "state": said.state, "occurred_at": at, "until": said.until,
        "wording": said.wording, "language": said.language, "source": DOOR, "batch": number,
    }  # fmt: skip
    state.put("open", str(number), at.isoformat())
    staged = lake.stage_rows(con, CONSENTS.name, [row])
    if state.get("counter", "erasure") != erasures:
        lake.discard(staged)
        state.drop("open", str(number))
        return False
    landing.take(number, f"an answer at {DOOR}, batch {number}", {CONSENTS.name: ("append", staged)})
    return True
