"""Parquet files, read in place: relations over files of one schema, or over a range of rows of a large one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tessera.data.sources.names import unique
from tessera.lake import engine
from tessera.lake.engine import Connection, literal

_VIRTUAL = frozenset({"file_row_number", "file_index"})


@dataclass(frozen=True, kw_only=True)
class Footer:
    """What a file says of itself; fault, if it cannot be read (then it has no rows)."""

    path: Path
    rows: int = 0
    schema: tuple[tuple[str, str], ...] = ()
    fault: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A relation with the columns and `rn`; done: for each file in it, how many of its rows are given after it."""

    relation: str
    rows: int
    columns: tuple[str, ...]
    done: tuple[tuple[Footer, int], ...]


def footer(con: Connection, path: Path) -> Footer:
    """What the file says of itself; cut off, encrypted or no Parquet, it has a fault. Raises OSError if it is gone."""
    path.stat()
    source = _source([path])
    try:
        schema = tuple((str(r[0]), str(r[1])) for r in engine.rows(con, f"DESCRIBE SELECT * FROM {source}"))
        rows = engine.value(con, f"SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata([{_literal(path)}])")
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error:
        path.stat()
        return Footer(path=path, fault="no readable Parquet: cut off, encrypted or of another format")
    if _VIRTUAL & {name.casefold() for name, _ in schema}:
        return Footer(path=path, fault="a column is named file_row_number or file_index; rename it")
    return Footer(path=path, rows=int(rows), schema=schema)


def parts(files: list[tuple[Footer, int]], max_rows: int) -> Iterator[Part]:
    """Relations of at most `max_rows` rows over readable files, each from its given row on.

    rn: (file << 40) + the row's number in its file, for files in the order of the relation.
    """
    held: list[Footer] = []
    for file, start in files:
        cut = start > 0 or file.rows > max_rows
        if held and (cut or file.schema != held[0].schema or sum(f.rows for f in held) + file.rows > max_rows):
            yield _part(held)
            held = []
        if not cut:
            held.append(file)
            continue
        for first in range(start, file.rows, max_rows):
            yield _part([file], first, min(first + max_rows, file.rows))
    if held:
        yield _part(held)


def _part(files: list[Footer], first: int = 0, end: int | None = None) -> Part:
    raw = [name for name, _ in files[0].schema]
    columns = unique(raw)
    listed = ", ".join(f"{engine.name(a)} AS {engine.name(b)}" for a, b in zip(raw, columns, strict=True))
    where = "" if end is None else f" WHERE file_row_number >= {first} AND file_row_number < {end}"
    source = _source([f.path for f in files])
    return Part(
        relation=f"(SELECT {listed}, (file_index::BIGINT << 40) + file_row_number AS rn FROM {source}{where})",
        rows=sum(f.rows for f in files) if end is None else end - first,
        columns=columns,
        done=tuple((f, f.rows if end is None else end) for f in files),
    )


def _source(paths: list[Path]) -> str:
    return f"read_parquet([{', '.join(map(_literal, paths))}], hive_partitioning=false)"


def _literal(path: Path) -> str:
    """A path that the engine takes as it is, though it may hold the signs of a pattern."""
    return literal("".join(f"[{c}]" if c in "[*?" else c for c in str(path)))
