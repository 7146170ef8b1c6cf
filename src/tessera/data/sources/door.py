"""Events that the tracking door has accepted: closed segments of the journal, each landed once.

A segment is known in State as (SPACE, source): the number of the last that lies in the lake, stored by whoever lands it in the
transaction that commits its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa

from tessera.config import Contract
from tessera.data.chunk import CHUNK_ROWS, Chunk, Reject
from tessera.data.sources.jsonl import judged
from tessera.data.sources.names import Keeper
from tessera.data.tracking import Body, line_of
from tessera.errors import BadSource, BrokenJournal
from tessera.lake.journal import Journal, Segments
from tessera.lake.state import State

SPACE = "journal"
LABEL = "journal"

_REFUSED = b"!"
"""How a line begins that is no event: no JSON does."""


class _Refused(msgspec.Struct):
    reason: str
    detail: str
    text: str


class Sealed:
    """Seals a source's blocks under the master key; a block of one source opens in no other's journal."""

    def __init__(self, secrets: Keeper, source: str) -> None:
        self._secrets, self._label = secrets, f"{LABEL}/{source}"

    def seal(self, plain: bytes, aad: bytes) -> bytes:
        """As Journal asks."""
        return self._secrets.seal(self._label, plain, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """As Journal asks."""
        return self._secrets.open(self._label, sealed, aad)


def lines_of(body: Body) -> list[bytes]:
    """The lines of a request: its events, and what was refused with the reason, for quarantine."""
    refused = [
        _REFUSED + msgspec.json.encode(_Refused(r.reason, r.detail, r.text.decode("utf-8", "replace"))) for r in body.refused
    ]
    return [*map(line_of, body.events), *refused]


def event_of(line: bytes) -> bytes | None:
    """The event in a line of the journal, as JSON; None where the line is something that was refused."""
    return None if line.startswith(_REFUSED) else line


def folder_of(var: Path, source: str) -> Path:
    """Where the journal of a source lies."""
    return var / "journal" / source


def journal(var: Path, source: str, state: State, secrets: Keeper) -> Journal:
    """A source's journal, for the door that writes it. Raises Conflict if another one does."""
    return Journal(folder_of(var, source), Sealed(secrets, source), int(state.get(SPACE, source, 0)))


def segments(var: Path, source: str, secrets: Keeper) -> Segments:
    """What waits in it, for whoever lands it."""
    return Segments(folder_of(var, source), Sealed(secrets, source))


def read(contract: Contract, var: Path, state: State, secrets: Keeper) -> Iterator[Chunk]:
    """What the door has accepted and is not committed yet, oldest first. What a killed door left under way comes too.

    Raises BadSource at a segment that is damaged, after the last good chunk: those before it were read.
    """
    waits = segments(var, contract.name, secrets)
    waits.mend()
    landed = int(state.get(SPACE, contract.name, 0))
    waits.drop(landed)
    lines, last, damage = list[bytes](), landed, None
    for number in waits.waiting():
        try:
            found = [line for block in waits.read(number) for line in block]
        except BrokenJournal as broken:
            damage = broken
            break
        if lines and len(lines) + len(found) > CHUNK_ROWS:
            yield _chunk(contract, lines, last, done=False)
            lines = []
        lines, last = lines + found, number
    if last > landed:
        yield _chunk(contract, lines, last, done=True)
    waits.drop(int(state.get(SPACE, contract.name, 0)))
    if damage is not None:
        raise BadSource(contract.name, str(damage))


def _chunk(contract: Contract, lines: list[bytes], last: int, *, done: bool) -> Chunk:
    events = [line for line in lines if not line.startswith(_REFUSED)]
    table, rejects = judged(pa.arange(1, len(events) + 1), pa.array(events, pa.binary()))
    refused = [msgspec.json.decode(line[1:], type=_Refused) for line in lines if line.startswith(_REFUSED)]
    told = tuple(Reject(text=r.text.encode(), position=0, reason=r.reason, detail=r.detail) for r in refused)
    return Chunk(
        relation="chunk", rows=table.num_rows, shape="json", columns=("line",), table=table, rejects=(*rejects, *told),
        progress={(SPACE, contract.name): last}, last=done,
    )  # fmt: skip
