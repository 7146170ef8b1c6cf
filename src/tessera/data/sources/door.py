"""What came by itself and was accepted (tracking, webhooks, devices): closed segments of the journal, each landed once.

A segment is known in State as (SPACE, source): the number of the last that lies in the lake, stored by whoever lands it in the
transaction that commits its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from tessera.config import Contract, Door
from tessera.data import message_ids
from tessera.data.chunk import CHUNK_ROWS, Chunk, Reject
from tessera.data.sources.jsonl import judged
from tessera.data.sources.names import Keeper
from tessera.data.sources.posted import Posted
from tessera.data.tracking import Body, Refused, line_of
from tessera.errors import BadSource, BrokenJournal
from tessera.lake.journal import Journal, Segments
from tessera.lake.state import State

SPACE = "journal"
LABEL = "journal"
IDS_LABEL = "message-ids"

_REFUSED = b"!"
"""How a line begins that is no event: no JSON does."""


_MARK, _MARK_BYTES = b"~", 21
"""How a line begins whose delivery is known by a mark of so many bytes; behind it stands what any other line has."""

DELIVERED = "delivered"
"""In State by source: the marks of what was landed last, by which a delivery that comes again is known."""
WINDOW = 1_000
"""How many of them; a broker sends again at most what it has in flight."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message that its sender may send again until it is acknowledged (MQTT, QoS 1). number: its packet identifier.
    digest: 16 hex digits of what it holds. again: whether the sender says that it is not the first time."""

    number: int
    digest: str
    again: bool

    @property
    def mark(self) -> bytes:
        """As it stands before a line: 21 bytes."""
        return f"{self.number:04x}{self.digest}{'+' if self.again else '-'}".encode()


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
    lines = [line_of(event) for event in body.events]
    return lines + _refused(body.refused) if body.refused else lines


def lines_posted(posted: Posted, came: Delivery | None = None) -> list[bytes]:
    """The same of what a webhook or a device sent; came: how, where it may come again."""
    lines = [*posted.lines, *_refused(posted.refused)]
    return [_MARK + came.mark + line for line in lines] if came else lines


def _refused(refused: Iterable[Refused]) -> list[bytes]:
    return [_REFUSED + msgspec.json.encode(_Refused(r.reason, r.detail, r.text.decode("utf-8", "replace"))) for r in refused]


def event_of(line: bytes) -> bytes | None:
    """The event in a line of the journal, as JSON; None where the line is something that was refused."""
    if line.startswith(_MARK):
        line = line[1 + _MARK_BYTES :]
    return None if line.startswith(_REFUSED) else line


def folder_of(var: Path, source: str) -> Path:
    """Where the journal of a source lies."""
    return var / "journal" / source


def journal(var: Path, source: str, state: State, secrets: Keeper, dedupe_hours: int = Door.dedupe_hours) -> Journal:
    """A source's journal, for the door that writes it. Raises Conflict if another one does."""
    landed = int(state.get(SPACE, source, 0))
    _note(segments(var, source, secrets), source, landed, secrets, dedupe_hours)
    return Journal(folder_of(var, source), Sealed(secrets, source), landed)


def hashes(source: str, secrets: Keeper) -> message_ids.Hashes:
    """How a source's message ids are hashed."""
    return message_ids.Hashes(secrets.derive(f"{IDS_LABEL}/{source}"))


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
    _drop(contract, waits, landed, secrets)
    once = _Once(state.get(DELIVERED, contract.name, []))
    lines, last, damage, told = list[bytes](), landed, None, dict[tuple[str, str], Any]()
    for number in waits.waiting():
        try:
            found = [line for block in waits.read(number) for line in once.new(block)]
        except BrokenJournal as broken:
            damage = broken
            break
        if lines and len(lines) + len(found) > CHUNK_ROWS:
            yield _chunk(contract, lines, {**told, (SPACE, contract.name): last}, done=False)
            lines = []
        # Of deliveries whose rows are in no chunk yet nothing is remembered: they would be lost to a kill.
        lines, last, told = lines + found, number, once.facts(contract.name)
    if last > landed:
        yield _chunk(contract, lines, {**told, (SPACE, contract.name): last}, done=True)
    _drop(contract, waits, int(state.get(SPACE, contract.name, 0)), secrets)
    if damage is not None:
        raise BadSource(contract.name, str(damage))


def _drop(contract: Contract, waits: Segments, landed: int, secrets: Keeper) -> None:
    """Removes what lies in the lake, once its message ids are noted."""
    _note(waits, contract.name, landed, secrets, contract.door.dedupe_hours)
    waits.drop(landed)


def _note(waits: Segments, source: str, landed: int, secrets: Keeper, hours: int) -> None:
    if not hours:
        return
    try:
        message_ids.note(waits, landed, hashes(source, secrets), hours)
    except OSError as refused:
        reason = f"The message ids of what was landed could not be written down ({refused.strerror})."
        raise BadSource(source, reason, "Free some space; nothing is lost, and nothing is landed twice.") from None


class _Once:
    """Tells deliveries that came again from new ones, and takes the marks off."""

    def __init__(self, marks: Sequence[str]) -> None:
        self._marks = dict.fromkeys(mark.encode() for mark in marks)

    def new(self, block: Sequence[bytes]) -> list[bytes]:
        """The lines of a block that were not there before."""
        found, seen = list[bytes](), dict[bytes, None]()
        for line in block:
            if not line.startswith(_MARK):
                found.append(line)
                continue
            mark, again = line[1:_MARK_BYTES], line[_MARK_BYTES : _MARK_BYTES + 1] == b"+"
            if not (again and mark in self._marks):
                found.append(line[1 + _MARK_BYTES :])
                seen[mark] = None
        # A message of several rows has one mark, so that marks count from the next block on.
        self._marks |= seen
        for mark in list(self._marks)[: max(0, len(self._marks) - WINDOW)]:
            del self._marks[mark]
        return found

    def facts(self, source: str) -> dict[tuple[str, str], Any]:
        """What State must remember."""
        return {(DELIVERED, source): [mark.decode() for mark in self._marks]} if self._marks else {}


def _chunk(contract: Contract, lines: list[bytes], progress: dict[tuple[str, str], Any], *, done: bool) -> Chunk:
    events = [line for line in lines if not line.startswith(_REFUSED)]
    table, rejects = judged(pa.arange(1, len(events) + 1), pa.array(events, pa.binary()))
    refused = [msgspec.json.decode(line[1:], type=_Refused) for line in lines if line.startswith(_REFUSED)]
    told = tuple(Reject(text=r.text.encode(), position=0, reason=r.reason, detail=r.detail) for r in refused)
    return Chunk(
        relation="chunk", rows=table.num_rows, shape="json", columns=("line",), table=table, rejects=(*rejects, *told),
        progress=progress, last=done,
    )  # fmt: skip
