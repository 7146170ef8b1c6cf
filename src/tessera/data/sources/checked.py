"""Whether a source can be reached, and how its columns compare with its contract: for `tessera source check`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tessera.config import Contract
from tessera.data.expressions import compiled
from tessera.data.sources import delimited, door, files, jsonl, parquet, sql, sqltext
from tessera.data.sources.blocks import BadFile, Place
from tessera.data.sources.database import connected
from tessera.data.sources.names import Keeper, shown
from tessera.data.sources.proposed import proposed
from tessera.errors import BadSource
from tessera.lake import engine
from tessera.lake.state import State
from tessera.words import listed

SAMPLE_ROWS = 500
SAMPLE_FILES = 5
"""The newest files that are looked at: one alone may lack what others have."""

_SAMPLE_BYTES = 1 << 20

Samples = dict[str, list[str]]


def check(contract: Contract, root: Path, state: State, secrets: Keeper) -> list[str]:
    """Sentences on the source: reached, its columns, what the contract misses, what it does not name; never a value.

    Looks at the newest files, or at the query's first rows, up to SAMPLE_ROWS. Raises BadSource if it cannot be reached.
    """
    told, samples = looked(contract, root, state, secrets)
    if not samples:
        return [*told, "It has no columns yet."]
    places = {p.dotted for f in contract.fields if f.expression for p in compiled(f.expression).places if p.dotted}
    known = places | {field.where for field in contract.fields if not field.expression}
    found = {name: shown(name, secrets) for name in samples}
    told.append(f"Columns found: {listed(found.values())}.")
    for field in contract.fields:
        if field.where not in samples and not field.expression:
            need = "required" if field.required or field.primary_key else "not required"
            told.append(f"Missing: the contract names {field.where} ({need}), the source has no such column.")
    for name, values in samples.items():
        if name not in known:
            guess = proposed(name, values)
            seems = f"it looks like {guess.pattern}; proposed category: {guess.category}" if guess else "it is empty"
            told.append(f"Not in the contract: {found[name]} ({seems}). It is sealed until the contract names it.")
    if contract.cursor and contract.sync != "snapshot":
        told.append(f"Rows without a value in {contract.cursor} are taken at the first pass only.")
    return told


def looked(contract: Contract, root: Path, state: State, secrets: Keeper) -> tuple[list[str], Samples]:
    """Sentences on whether the source is reached, and samples by column, for whoever judges them; a contract's fields do not
    matter. Raises BadSource."""
    return (_files if contract.kind == "file" else _database)(contract, root, state, secrets)


def waiting(contract: Contract, var: Path, secrets: Keeper) -> list[str]:
    """Sentences on what was accepted and no turn has landed yet."""
    waits = door.segments(var, contract.name, secrets)
    many, size = len(waits.waiting()), waits.bytes_held()
    how = "it is subscribed to at its broker by" if contract.kind == "mqtt" else "it is sent to the door of"
    return [f"Reached: {how} `tessera serve`. Waiting to be landed: {size:,} bytes in {many} closed segments."]


def _files(contract: Contract, root: Path, state: State, secrets: Keeper) -> tuple[list[str], Samples]:
    found = files.matching(contract, root, secrets)
    todo, faults = files.plan(contract, found, state)
    newest = sorted(found, key=lambda f: (f.path.name, f.mtime_ns))[-SAMPLE_FILES:]
    told = [f"Reached: files that match: {len(found)}; to be read: {len(todo)}.", *faults]
    samples: Samples = {}
    for file in reversed(newest):
        try:
            for name, values in _sample(contract, file.path).items():
                samples.setdefault(name, []).extend(values)
        except BadFile as e:
            raise BadSource(contract.name, f"{file.shown}: {e}.", "Mend the file.") from None
        except OSError as e:
            raise BadSource(contract.name, f"{file.shown} could not be read ({type(e).__name__}).") from None
    return told, samples


def _sample(contract: Contract, path: Path) -> Samples:
    if contract.format == "parquet":
        return _parquet(path)
    if contract.format == "json":
        piece = next(jsonl.read(path, Place(), size=_SAMPLE_BYTES, max_rows=SAMPLE_ROWS))
        return _objects(piece.table["line"].to_pylist())
    piece = next(delimited.read(path, Place(), size=_SAMPLE_BYTES, max_rows=SAMPLE_ROWS))
    return {name: [v for v in piece.table[name].to_pylist() if v is not None] for name in piece.columns}


def _parquet(path: Path) -> Samples:
    con = engine.connect(memory="1GB", threads=1, spill=None)
    try:
        footer = parquet.footer(con, path)
        if footer.fault:
            raise BadFile(footer.fault)
        (part, *_) = parquet.parts([(footer, 0)], SAMPLE_ROWS)
        listing = ", ".join(f"{engine.name(c)}::VARCHAR" for c in part.columns)
        rows = engine.rows(con, f"SELECT {listing} FROM {part.relation} LIMIT {SAMPLE_ROWS}")
    finally:
        con.close()
    return _by_column(part.columns, rows)


def _database(contract: Contract, root: Path, state: State, secrets: Keeper) -> tuple[list[str], Samples]:
    with connected(contract, root) as connection:
        result = connection.execute(sql.statement(contract))
        columns = tuple(result.keys())
        rows = [tuple(row) for row in result.fetchmany(SAMPLE_ROWS)]
        result.close()
    known = "its cursor is set" if state.get(sql.SPACE, contract.name) else "nothing was taken yet"
    return [f"Reached: the database answers; {known}."], _by_column(columns, rows)


def _by_column(columns: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Samples:
    texts = [[sqltext.text(value) for value in row] for row in rows]
    return {name: [row[n] or "" for row in texts] for n, name in enumerate(columns)}


def _objects(lines: Iterable[str]) -> Samples:
    """The members of objects, those of objects inside with dots between the names, as contracts name them."""
    samples: Samples = {}
    for line in lines:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            _member(samples, "", found, 4)
    return samples


def _member(samples: Samples, name: str, value: Any, depth: int) -> None:
    if isinstance(value, dict) and value and depth:
        for inner, more in value.items():
            _member(samples, f"{name}.{inner}" if name else inner, more, depth - 1)
    else:
        samples.setdefault(name, []).append("" if value is None or isinstance(value, dict | list) else str(value))
