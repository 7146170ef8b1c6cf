"""Separated values (CSV): parsed by DuckDB block by block, with an account of every line.

DuckDB may lose lines silently once a quote is not closed. So each block is counted: its lines must be its rows, the
line ends inside values, the blank lines and the rejects. If they are not, that block is read again line by line.
"""

from __future__ import annotations

import codecs
import csv
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tessera.data.chunk import CHUNK_ROWS, Reject
from tessera.data.sources import linewise
from tessera.data.sources.blocks import (
    BLOCK_BYTES,
    CUT_OFF,
    MAX_LINE,
    REJECT_BYTES,
    BadFile,
    Block,
    Piece,
    Place,
    blocks,
    count_lines,
    cut,
    opened,
)
from tessera.data.sources.names import unique
from tessera.lake import engine
from tessera.lake.engine import Connection, literal

DELIMITERS = (",", ";", "\t", "|")

_HEADER_LINES = 10
_SLICE_BYTES = 2 << 20

Fault = tuple[int, bytes, str, str]
"""A line that is no row: its place from 0, its bytes, reason and detail."""

_FAULTS = {
    "MISSING COLUMNS": linewise.TOO_FEW,
    "TOO MANY COLUMNS": linewise.TOO_MANY,
    "INVALID ENCODING": linewise.NOT_UTF8,
    "LINE SIZE OVER MAXIMUM": linewise.TOO_LONG,
}


def read(
    path: Path,
    start: Place,
    *,
    memory: str = "1GB",
    threads: int | None = None,
    size: int = BLOCK_BYTES,
    max_rows: int = CHUNK_ROWS,
) -> Iterator[Piece]:
    """The file's rows after `start`, all as text; an empty value is NULL. CRLF counts as one line end, also in values.

    Reject.position is the line in the file, from 1. Raises BadFile if the header cannot be read, OSError if the file
    cannot. An empty file gives one piece without columns.
    """
    names, delimiter, head = header(path)
    columns = unique(names)
    if not columns:
        yield Piece(table=_numbered(_table([], ()), ()), columns=(), rejects=(), place=start, last=True)
        return
    con = _engine(memory, threads).cursor()
    try:
        rows = start.rows
        first = start if start.at else head
        for block in blocks(
            path, first, record=linewise.record(len(columns), delimiter), size=size, max_lines=max_rows
        ):
            made, rejects = _parse(con, block, len(columns), delimiter)
            block = replace(block, data=b"")
            rows += made.num_rows
            yield Piece(
                table=_numbered(made, columns),
                columns=columns,
                rejects=rejects,
                place=Place(at=block.end.at, line=block.end.line, rows=rows),
                last=block.last,
                broken=block.broken,
            )
            del made
    finally:
        con.close()


@cache
def _engine(memory: str, threads: int | None) -> Connection:
    """One engine for all files of all sources, which keeps nothing of them: to make one takes 30 ms."""
    con = engine.connect(memory=memory, threads=threads, spill=None)
    con.execute("SET preserve_insertion_order=true")
    return con


def header(path: Path) -> tuple[list[str], str, Place]:
    """The raw column names, the delimiter (the one of , ; tab | that the header has most), and where the rows begin."""
    with opened(path) as file:
        try:
            start = file.read(MAX_LINE)
        except CUT_OFF:
            raise BadFile("it is not a whole gzip file") from None
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadFile("it is written in UTF-16; save it as UTF-8")
    data = start.removeprefix(codecs.BOM_UTF8).lstrip(b"\r\n")
    lines = data.split(b"\n", _HEADER_LINES)
    if len(lines) == 1 and len(start) == MAX_LINE:
        raise BadFile("its first line does not end within 1 MB")
    delimiter = max(DELIMITERS, key=b"".join(lines[0].split(b'"')[::2]).decode("latin-1").count)
    for many in range(1, len(lines) + 1):
        raw = b"\n".join(lines[:many])
        names = _names(raw, delimiter, strict=True) if many <= _HEADER_LINES else None
        if names is not None:
            break
    else:
        raw, names = lines[0], _names(lines[0], delimiter, strict=False)
    end = len(start) - len(data) + min(len(raw) + 1, len(data))
    return names or [], delimiter, Place(at=end, line=count_lines(start[:end]))


def _names(raw: bytes, delimiter: str, *, strict: bool) -> list[str] | None:
    """The names of a header; None if, being strict, a quote in it is not closed."""
    if b"\0" in raw:
        raise BadFile("its first line holds NUL bytes")
    try:
        text = raw.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadFile("its header is not UTF-8; save it as UTF-8") from None
    if "\r" in text.replace("\r\n", ""):
        raise BadFile("its lines end with CR alone; save it with LF or CRLF")
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=strict), []) if text else []
    except csv.Error:
        return None


def _parse(con: Connection, block: Block, columns: int, delimiter: str) -> tuple[pa.Table, tuple[Reject, ...]]:
    if block.torn:
        torn = Reject(text=block.torn, position=block.start.line + 1, reason=linewise.TOO_LONG[0])
        return _table([], _plain(columns)), (torn,)
    data = block.data.replace(b"\r\n", b"\n") if b"\r" in block.data else block.data
    if data.count(b"\n") == len(data):
        return _table([], _plain(columns)), ()
    table, faults = _sliced(con, data, columns, delimiter)
    rejects = tuple(
        Reject(text=raw[:REJECT_BYTES], position=block.start.line + place + 1, reason=reason, detail=detail)
        for place, raw, reason, detail in faults
    )
    return table, rejects


def _sliced(con: Connection, data: bytes, columns: int, delimiter: str) -> tuple[pa.Table, list[Fault]]:
    """Rows and faults: all at once if that loses nothing, else by slices, and the slices that do line by line."""
    fast = _fast(con, data, columns, delimiter)
    if fast is not None:
        return fast
    if len(data) <= 2 * _SLICE_BYTES:
        slow = linewise.parse(data, columns, delimiter)
        return _table(list(zip(*slow.rows, strict=True)), _plain(columns)), slow.rejects
    tables, faults, at, line = [], [], 0, 0
    record = linewise.record(columns, delimiter)
    while at < len(data):
        piece = data[at : at + _SLICE_BYTES]
        piece = piece[: cut(piece, at + len(piece) == len(data), record) or len(piece)]
        if at + len(piece) < len(data) and not piece.endswith(b"\n"):
            piece = data[at : data.find(b"\n", at) + 1 or len(data)]
        table, found = _sliced(con, piece, columns, delimiter)
        tables.append(table)
        faults += [(line + place, raw, reason, detail) for place, raw, reason, detail in found]
        at, line = at + len(piece), line + count_lines(piece)
    return pa.concat_tables(tables), faults


def _fast(con: Connection, data: bytes, columns: int, delimiter: str) -> tuple[pa.Table, list[Fault]] | None:
    """DuckDB's rows and rejects; None if a line is not accounted for."""
    names = ", ".join(f"'{name}': 'VARCHAR'" for name in _plain(columns))
    with _as_path(data) as path:
        try:
            table = con.sql(
                f"SELECT * FROM read_csv({literal(path)}, columns={{{names}}}, auto_detect=false, header=false, "
                f"delim={literal(delimiter)}, quote='\"', escape='\"', comment='', new_line='\\n', nullstr='', "
                f"compression='none', parallel=false, strict_mode=true, max_line_size={MAX_LINE}, store_rejects=true, "
                "rejects_table='faults', rejects_scan='scans', rejects_limit=0)"
            ).to_arrow_table()
            found = engine.rows(
                con, "SELECT DISTINCT ON (1) line_byte_position, error_type FROM faults ORDER BY line_byte_position"
            )
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            return None
        except duckdb.OutOfMemoryException:
            raise BadFile("the engine ran out of memory; give it more (memory: in tessera.yaml)") from None
        finally:
            con.execute("DROP TABLE IF EXISTS faults; DROP TABLE IF EXISTS scans")
    faults = []
    place = seen = 0
    for position, kind in found:
        at = position - 1
        end = data.find(b"\n", at)
        raw = data[at : end if end >= 0 else len(data)]
        if (at and data[at - 1 : at] != b"\n") or kind == "UNQUOTED VALUE":
            return None
        place += data.count(b"\n", seen, at)
        seen = at
        faults.append((place, raw, *_FAULTS.get(str(kind), ("Unknown-Violation", "not a row"))))
    return (table, faults) if _accounted(data, table, len(faults), columns, delimiter) else None


def _accounted(data: bytes, table: pa.Table, rejects: int, columns: int, delimiter: str) -> bool:
    """Whether every line is a row, a reject, blank, or inside a value; and no value looks like swallowed rows."""
    missing = count_lines(data) - table.num_rows - rejects
    if not missing:
        return True
    inside = blank_inside = 0
    for column in table.columns:
        for value in column.filter(pc.match_substring(column, "\n")).to_pylist():
            inside += value.count("\n")
            blank_inside += sum(not line for line in value.split("\n")[1:-1])
            if linewise.swallowed(value, columns, delimiter):
                return False
    blank = sum(not line for line in data.split(b"\n")[:-1]) if missing != inside else blank_inside
    return bool(missing == inside + blank - blank_inside)


@contextmanager
def _as_path(data: bytes) -> Iterator[str]:
    """The bytes under a path that DuckDB can open: anonymous memory, or where there is none a file without a name."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("block"), "wb", buffering=0) as memory:
            _write(memory.fileno(), data)
            yield f"/proc/self/fd/{memory.fileno()}"
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            _write(file.fileno(), data)
            yield f"/dev/fd/{file.fileno()}"


def _write(number: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(number, rest) :]


def _plain(columns: int) -> tuple[str, ...]:
    return tuple(f"c{place}" for place in range(columns))


def _table(by_column: list[tuple[str | None, ...]], names: tuple[str, ...]) -> pa.Table:
    values = by_column or [() for _ in names]
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, values, strict=True)})


def _numbered(table: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    return table.rename_columns(list(columns)).append_column("rn", pa.arange(0, table.num_rows))
