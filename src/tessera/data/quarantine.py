"""QUARANTINE: rows that broke their contract: listed, shown to who may see all they hold, landed again when mended.

A replay judges each row by today's contract first: what still breaks it stays where it is. The rest goes through
landing as any chunk does, and the fact that they were replayed is committed with the batch that took them, so that no
kill lands a row twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import pyarrow as pa
from pyroaring import BitMap

from tessera.config import Config, Contract
from tessera.contract_field import UNNAMED
from tessera.data.chunk import Chunk
from tessera.data.intake import Intake
from tessera.data.intake_reading import reading
from tessera.data.landed import Landed
from tessera.data.landing import Landing
from tessera.data.raw import LATEST_WINS, QUARANTINE
from tessera.data.sources import jsonl
from tessera.errors import NotAllowed, NotConsented, NotFound
from tessera.lake.engine import Connection, connect, literal, mapped, name, rows
from tessera.lake.store import Lake
from tessera.trust import access
from tessera.trust.access import Reader
from tessera.trust.permits import Permits
from tessera.words import Progress, silent

ROWS_AT_ONCE = 50_000
SPACE = "replayed"
"""Facts of landed rows whose state in the table still says open; `settle` brings it in line, also after a kill."""

_SHOWN = ", ".join(
    map(name, ("quarantine_id", "source", "reason", "field", "at", "state", "shape", "record_id", "batch"))
)
_KEYS = ", ".join(QUARANTINE.owners)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One row of the quarantine, without what it holds. shape: columns, json or text (a piece that was no row)."""

    id: int
    source: str
    reason: str
    field: str
    at: datetime
    state: str
    shape: str


@dataclass(frozen=True, kw_only=True)
class Reason:
    """How many rows of a source wait for one reason, since when. field: empty where the row as a whole is broken."""

    source: str
    field: str
    reason: str
    rows: int
    first: datetime
    last: datetime


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A row as it came. categories: those that its reader may see, all of them in clear."""

    kept: Kept
    row: Any = field(repr=False)
    categories: tuple[str, ...] = ()
    keys: tuple[int, ...] = ()


@dataclass(kw_only=True)
class Replayed:
    """What became of the rows of a replay.

    still_bad: break the contract still and stay. older: their source has sent the same row
    anew since, so they are marked and not landed; what they answered to purposes is noted.
    unreadable: pieces that were no row, which only their source can
    send again. gone: erased.
    """

    landed: dict[str, Landed] = field(default_factory=dict)
    still_bad: int = 0
    older: int = 0
    unreadable: int = 0
    gone: int = 0


class Vault(Protocol):
    """What the quarantine asks of the vault."""

    def unseal(self, record_ids: Iterable[int]) -> dict[int, bytes]: ...
    def erase(self, key_ids: Iterable[int], record_ids: Iterable[int]) -> object: ...


@dataclass(frozen=True, kw_only=True)
class _Found:
    kept: Kept
    record: int | None
    keys: tuple[int, ...]
    batch: int


class Quarantine:
    """One of the closed list that reads without a view: what lies here is no data yet, and is kept for repair."""

    def __init__(
        self, config: Config, lake: Lake, vault: Vault, permits: Permits, landing: Landing, con: Connection
    ) -> None:
        self.config, self.lake, self.vault, self.permits = config, lake, vault, permits
        self.landing, self.con, self.state = landing, con, lake.state

    def listed(self, source: str | None = None, state: str | None = "open", limit: int | None = None) -> list[Kept]:
        """Its rows, newest first. source, state, limit: None for all."""
        wanted = [f"source = {literal(source)}"] if source else []
        wanted += [f"state = {literal(state)}"] if state else []
        found = self._found(" AND ".join(wanted) or "TRUE", f"LIMIT {int(limit)}" if limit is not None else "")
        return [f.kept for f in found]

    def waiting(self) -> dict[str, int]:
        """How many rows wait for repair, by source; a count, of nobody."""
        if self.lake.version(QUARANTINE.name) is None:
            return {}
        with mapped("the quarantine"):
            select = f"SELECT source, count(*) FROM {self.lake.relation(QUARANTINE.name)} WHERE state = 'open' GROUP BY source"
            return {str(source): int(many) for source, many in rows(self.con, select)}

    def reasons(self) -> list[Reason]:
        """Why rows wait for repair, most first: counts by source, field and reason, of nobody."""
        if self.lake.version(QUARANTINE.name) is None:
            return []
        with mapped("the quarantine"):
            found = rows(
                self.con,
                f"""SELECT source, coalesce(field, ''), reason, count(*), min("at"), max("at")
                    FROM {self.lake.relation(QUARANTINE.name)} WHERE state = 'open' GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3""",
            )
        return [Reason(source=s, field=f, reason=r, rows=int(n), first=a, last=z) for s, f, r, n, a, z in found]

    def show(self, number: int, reader: Reader) -> Opened:
        """One row as it came, for a reader who may see in clear all that it may hold.

        Raises NotFound, NotAllowed with the category that is closed, or NotConsented.
        """
        found = self._found(f"quarantine_id = {int(number)}", "")
        record = found[0].record if found else None
        blob = self.vault.unseal([record]).get(record) if record is not None else None
        if blob is None:
            raise NotFound("Quarantined row", str(number))
        kept, keys = found[0].kept, found[0].keys
        row = _row(blob, kept.shape)
        categories = self._categories(kept, row)
        for category in categories:
            seen = access.verdict(self.config.access, reader.role, reader.purpose, category)
            if seen.verdict != "clear":
                raise NotAllowed(f"This row may hold {category}. {seen.reason}", f"Ask {self.config.access.contact}.")
        if self.permits.bars(reader.purpose, "key") & BitMap(keys):
            raise NotAllowed("Somebody in this row is restricted at her own request, or objected to this purpose.")
        if reader.purpose.needs_consent and not set(keys) <= set(self.permits.ids(reader.purpose, "key")):
            raise NotConsented(reader.purpose.name)
        return Opened(kept=kept, row=row, categories=categories, keys=keys)

    def replay(
        self, numbers: Iterable[int] | None = None, source: str | None = None, progress: Progress = silent
    ) -> Replayed:
        """Lands open rows again that keep their contract now: those named, those of a source, or all."""
        self.settle()
        done = Replayed()
        wanted = ["state = 'open'"]
        if numbers is not None:
            asked = sorted({int(n) for n in numbers})
            wanted.append(f"quarantine_id IN ({', '.join(map(str, asked)) or 'NULL'})")
        if source is not None:
            wanted.append(f"source = {literal(source)}")
        found = self._found(" AND ".join(wanted), "")
        if numbers is not None and (missing := set(asked) - {f.kept.id for f in found}):
            raise NotFound("Quarantined row", str(min(missing)))
        contracts = {c.name: c for c in self.config.sources}
        for (source_name, shape), group in _grouped(found).items():
            contract = contracts.get(source_name)
            if contract is None or (shape == "text" and contract.format != "json"):
                done.unreadable += len(group)
                continue
            landed = self.landing.land(
                replace(contract, sync="append"), self._chunks(contract, shape, group, done), progress
            )
            done.landed.setdefault(source_name, Landed(source=source_name)).add(landed)
        self.settle()
        return done

    def settle(self) -> int:
        """Marks the rows that were landed as replayed, and forgets their sealed text; returns how many."""
        numbers = sorted(int(n) for n in self.state.items(SPACE))
        if not numbers:
            return 0
        listed = f"quarantine_id IN ({', '.join(map(str, numbers))})"
        relation = self.lake.relation(QUARANTINE.name)
        records = [r[0] for r in rows(self.con, f"SELECT record_id FROM {relation} WHERE {listed}") if r[0] is not None]
        self.lake.write(
            self.con,
            QUARANTINE.name,
            f"""SELECT * REPLACE (CASE WHEN {listed} THEN 'replayed' ELSE state END AS state,
                CASE WHEN {listed} THEN NULL ELSE record_id END AS record_id) FROM {relation}""",
            what=f"replay of {len(numbers)} rows",
        )
        self.vault.erase((), records)
        with self.state.together():
            for number in numbers:
                self.state.drop(SPACE, str(number))
        return len(numbers)

    # parts

    def _found(self, where: str, limit: str) -> list[_Found]:
        """Rows that are nobody's whose erasure is under way, newest first, with their records and keys."""
        blocked = set(self.permits.blocked_keys)
        with mapped("the quarantine"):
            found = rows(
                self.con,
                f"""SELECT {_SHOWN}, {_KEYS}
                    FROM {self.lake.relation(QUARANTINE.name)} WHERE {where} ORDER BY quarantine_id DESC {limit}""",
            )
        listed = []
        for number, source, reason, at_field, at, state, shape, record, batch, *keys in found:
            mine = tuple(int(k) for k in keys if k is not None)
            if blocked.isdisjoint(mine):
                kept = Kept(
                    id=int(number),
                    source=source,
                    reason=reason,
                    field=at_field or "",
                    at=at,
                    state=state,
                    shape=shape,
                )
                listed.append(_Found(kept=kept, record=record, keys=mine, batch=int(batch)))
        return listed

    def _categories(self, kept: Kept, row: Any) -> tuple[str, ...]:
        """All that the row may hold: what its contract names, and anybody's data where it names too little."""
        contract = next((c for c in self.config.sources if c.name == kept.source), None)
        if contract is None:
            return (UNNAMED,)
        found = {f.category for f in contract.fields}
        known = {f.where.partition(".")[0] for f in contract.fields}
        if contract.record != "rate" and (not isinstance(row, dict) or set(row) - known):
            found.add(UNNAMED)
        return tuple(sorted(found))

    def _chunks(self, contract: Contract, shape: str, group: list[_Found], done: Replayed) -> Iterator[Chunk]:
        """The rows of one source and shape that keep their contract now, as chunks that remember whom they replayed."""
        for start in range(0, len(group), ROWS_AT_ONCE):
            part = sorted(group[start : start + ROWS_AT_ONCE], key=lambda f: f.kept.id)
            blobs = self.vault.unseal(f.record for f in part if f.record is not None)
            held = [f for f in part if f.record in blobs]
            done.gone += len(part) - len(held)
            if shape != "columns":
                # What its reader refused, no contract has mended: bytes that are no text, brackets without end.
                texts = pa.array([blobs[f.record] for f in held if f.record is not None], pa.binary())
                _, refused = jsonl.judged(pa.array(range(len(held)), pa.int64()), texts)
                bad = {reject.position for reject in refused}
                done.still_bad += len(bad)
                held = [f for place, f in enumerate(held) if place not in bad]
            if not held:
                continue
            rows_as_came = [blobs[f.record] for f in held if f.record is not None]
            good, older = self._judged(contract, _chunk(shape, rows_as_came), held, done)
            taken = [*good, *older]
            if taken:
                facts = {(SPACE, str(held[i].kept.id)): True for i in taken}
                chunk = _chunk(shape, [rows_as_came[i] for i in taken])
                yield replace(chunk, progress=facts, replaced=tuple(range(len(good), len(taken))))

    def _judged(self, contract: Contract, chunk: Chunk, held: list[_Found], done: Replayed) -> tuple[list[int], list[int]]:
        """The places of the rows that keep their contract: those that land, and those that their source has sent anew
        since, of which only the answers to purposes are still news."""
        intake = Intake(contract=contract, salt=self.landing.salt)
        con = connect(memory=self.config.memory, threads=self.config.threads)
        try:
            con.register(chunk.relation, chunk.table)
            types = {r[0]: str(r[1]) for r in rows(con, f"DESCRIBE SELECT * FROM {chunk.relation}")}
            with mapped(f"replaying {contract.name}"):
                con.execute(f"CREATE TEMP TABLE reading AS {reading(intake, chunk, types)}")
                judged = rows(con, "SELECT rn, _violation IS NULL, _uniq FROM reading ORDER BY rn")
                landed = self._landed(con, intake) if intake.table.name in LATEST_WINS else {}
        finally:
            con.close()
        good: list[int] = []
        older: list[int] = []
        for rn, keeps, uniq in judged:
            if not keeps:
                done.still_bad += 1
            elif landed.get(uniq, -1) > held[rn].batch:
                older.append(int(rn))
            else:
                good.append(int(rn))
        done.older += len(older)
        return good, older

    def _landed(self, con: Connection, intake: Intake) -> dict[str, int]:
        """Row name -> the batch in which its source sent it, for rows that the raw table has already."""
        table = intake.table
        named = " || chr(31) || ".join(f"{name(c)}::VARCHAR" for c in table.unique if c != "source")
        own = f"source = {literal(intake.contract.name)}" if "source" in table.unique else "TRUE"
        found = rows(
            con,
            f"""SELECT {named} AS u, max(batch) FROM {self.lake.relation(table.name)}
                WHERE {own} AND {named} IN (SELECT _uniq FROM reading) GROUP BY u""",
        )
        return {str(u): int(batch) for u, batch in found}


def _chunk(shape: str, blobs: Sequence[bytes]) -> Chunk:
    numbers = pa.array(range(len(blobs)), pa.int64())
    if shape != "columns":
        lines = pa.array([b.decode("utf-8", "replace") for b in blobs], pa.string())
        table = pa.table({"rn": numbers, "line": lines})
        return Chunk(relation="replayed", rows=len(blobs), shape="json", columns=("line",), table=table)
    listed = [json.loads(b) for b in blobs]
    columns = tuple(dict.fromkeys(c for row in listed for c in row))
    cells = {c: pa.array([_text(row.get(c)) for row in listed], pa.string()) for c in columns}
    table = pa.table({"rn": numbers, **cells})
    return Chunk(relation="replayed", rows=len(blobs), columns=columns, table=table)


def _grouped(found: list[_Found]) -> dict[tuple[str, str], list[_Found]]:
    groups: dict[tuple[str, str], list[_Found]] = {}
    for item in found:
        groups.setdefault((item.kept.source, item.kept.shape), []).append(item)
    return groups


def _row(blob: bytes, shape: str) -> Any:
    text = blob.decode("utf-8", "replace")
    if shape == "text":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
