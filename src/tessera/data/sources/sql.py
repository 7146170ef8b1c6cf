"""Rows of a database: streamed as text, whole or from where the cursor stood.

The cursor's last committed value is kept sealed in State as ("cursors", SOURCE). Rows that share it are read again, so
that none is missed; landing knows them by their names.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import sqlalchemy as sa

from tessera.config import Contract
from tessera.data.chunk import CHUNK_ROWS, Chunk, Reject
from tessera.data.sources import sqltext
from tessera.data.sources.blocks import BLOCK_BYTES, REJECT_BYTES
from tessera.data.sources.database import BATCH_ROWS, connected
from tessera.data.sources.names import Keeper, unique
from tessera.errors import BadSource, nearest
from tessera.lake.state import State

SPACE = "cursors"

Rows = Sequence[Sequence[Any]]
T = TypeVar("T")


def read(
    contract: Contract,
    root: Path,
    state: State,
    secrets: Keeper,
    *,
    max_rows: int = CHUNK_ROWS,
    max_bytes: int = BLOCK_BYTES,
) -> Iterator[Chunk]:
    """The rows of the contract's query, every value as text (see `sqltext.text`).

    With a cursor: at first the rows without a value in it (only then), and then those from its last value on, in its
    order; nothing if none is new. Else the whole query, each time: as a snapshot, or for rows that have a key.
    Raises BadSource: no connection, no such column, rows without a key or cursor, a database's refusal.
    """
    with connected(contract, root) as connection:
        if contract.cursor and contract.sync != "snapshot":
            yield from _moved(contract, connection, state, secrets, max_rows, max_bytes)
        else:
            if contract.sync != "snapshot" and not any(f.primary_key or f.unique for f in contract.fields):
                mend = "Name a primary key or a cursor in its contract, or say sync: snapshot."
                raise BadSource(contract.name, "its rows have no key to tell new from old.", mend)
            yield from _whole(contract, connection, max_rows, max_bytes)


def statement(contract: Contract) -> sa.TextClause:
    """The owner's query as SQLAlchemy takes it: its colons are colons, no parameters."""
    return sa.text(contract.query.strip().rstrip(";").replace(":", "\\:") + "\n")


def columns_of(contract: Contract, connection: sa.Connection) -> tuple[str, ...]:
    """The names of the query's columns, as the database gives them; no row is read."""
    inner = statement(contract).columns().subquery("taken")
    nothing: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(inner).where(sa.false())
    found = connection.execute(nothing)
    return tuple(found.keys())


@dataclass
class _Held:
    """Rows on their way into a chunk."""

    columns: tuple[str, ...]
    max_rows: int
    max_bytes: int
    seen: int = 0
    tables: list[pa.Table] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        try:
            made = [sqltext.column(values) for values in zip(*rows, strict=True)]
        except UnicodeEncodeError:
            good = [row for row in rows if _is_text(row)]
            self.rejects += [
                Reject(text=_bytes(row), position=self.seen + place, reason="Datatype-Mismatch", detail="not UTF-8")
                for place, row in enumerate(rows, 1)
                if not _is_text(row)
            ]
            made = [sqltext.column(values) for values in zip(*good, strict=True)] or [[] for _ in self.columns]
        self.seen += len(rows)
        arrays = [pa.array(values, pa.string()) if isinstance(values, list) else values for values in made]
        self.tables.append(pa.table(dict(zip(self.columns, arrays, strict=True))))

    @property
    def batch(self) -> int:
        return min(BATCH_ROWS, self.max_rows)

    @property
    def full(self) -> bool:
        rows = sum(t.num_rows for t in self.tables)
        return bool(rows + self.batch > self.max_rows or sum(t.nbytes for t in self.tables) >= self.max_bytes)

    def chunk(self, progress: dict[tuple[str, str], Any], last: bool) -> Chunk:
        schema = pa.schema([(name, pa.string()) for name in self.columns])
        table = pa.concat_tables(self.tables) if self.tables else schema.empty_table()
        made = Chunk(
            relation="chunk",
            rows=table.num_rows,
            columns=self.columns,
            table=table.append_column("rn", pa.arange(0, table.num_rows)),
            progress=progress,
            rejects=tuple(self.rejects),
            last=last,
        )
        self.tables, self.rejects = [], []
        return made


def _whole(contract: Contract, connection: sa.Connection, max_rows: int, max_bytes: int) -> Iterator[Chunk]:
    result = connection.execute(statement(contract))
    held = _Held(unique(result.keys()), max_rows, max_bytes)
    for rows, final in _ahead(result.partitions(held.batch)):
        held.add(rows)
        if final or held.full:
            yield held.chunk({}, final)
    if not held.seen:
        yield held.chunk({}, True)


def _moved(
    contract: Contract, connection: sa.Connection, state: State, secrets: Keeper, max_rows: int, max_bytes: int
) -> Iterator[Chunk]:
    known = state.get(SPACE, contract.name)
    before = value = _open(known, secrets)
    columns = columns_of(contract, connection)
    cursor = _named(contract, columns)
    place = columns.index(cursor)
    held = _Held(unique(columns), max_rows, max_bytes)
    same = 0
    for (without, rows), final in _ahead(_phases(contract, connection, cursor, known, before, held.batch)):
        if not without:
            value, same = _followed([row[place] for row in rows], value, same)
            if final and not held.seen and known and value == before and same == known["same"]:
                return
        held.add(rows)
        if final or held.full:
            done = final or not without
            yield held.chunk({(SPACE, contract.name): _seal(contract, value, same, secrets)} if done else {}, final)


def _phases(
    contract: Contract, connection: sa.Connection, cursor: str, known: Any, last: Any, batch: int
) -> Iterator[tuple[bool, Rows]]:
    """Batches of rows without a cursor's value (True), once; then those from the last value on (False), in order."""
    taken = statement(contract).columns(sa.column(cursor)).subquery("taken")
    every: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(taken)
    at = taken.c[cursor]
    later = every.where(at.is_not(None) if last is None else at >= sa.bindparam("last", last)).order_by(at)
    for without, query in ((True, every.where(at.is_(None))), (False, later)):
        if known is None or not without:
            for rows in connection.execute(query).partitions(batch):
                yield without, rows


def _followed(values: list[Any], value: Any, same: int) -> tuple[Any, int]:
    """The last value, and how many rows in a row have it."""
    last = values[-1]
    many = 0
    while many < len(values) and values[-1 - many] == last:
        many += 1
    return last, many + (same if many == len(values) and last == value else 0)


def _named(contract: Contract, columns: tuple[str, ...]) -> str:
    """The cursor's column, by its name or but for its case."""
    wanted = contract.cursor or ""
    found = [c for c in columns if c == wanted] or [c for c in columns if c.casefold() == wanted.casefold()]
    if len(found) != 1:
        raise BadSource(
            contract.name, f"its query gives no column {wanted!r} for the cursor.", nearest(wanted, columns)
        )
    return found[0]


def _seal(contract: Contract, value: Any, same: int, secrets: Keeper) -> dict[str, Any]:
    if value is None:
        return {"value": None, "same": 0}
    try:
        sealed = secrets.seal("cursor", sqltext.frozen(value))
    except TypeError as e:
        mend = "Choose one of numbers, text, dates or times."
        raise BadSource(contract.name, f"a column of type {e} cannot be its cursor.", mend) from None
    return {"value": base64.b64encode(sealed).decode(), "same": same}


def _open(known: Any, secrets: Keeper) -> Any:
    if not known or known["value"] is None:
        return None
    return sqltext.thawed(secrets.open("cursor", base64.b64decode(known["value"])))


def _ahead(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each item, and whether it is the last."""
    source = iter(items)
    missing = object()
    held: Any = next(source, missing)
    while held is not missing:
        following = next(source, missing)
        yield held, following is missing
        held = following


def _is_text(row: Sequence[Any]) -> bool:
    return not any(isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value) for value in row)


def _bytes(row: Sequence[Any]) -> bytes:
    told = "\t".join("" if value is None else str(sqltext.text(value)) for value in row)
    return told.encode("utf-8", "surrogateescape")[:REJECT_BYTES]
