"""An answer as a file: CSV that a spreadsheet may open, JSON (a list, or a line a row), Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from tessera.doors import csvtext
from tessera.doors.show import plain

if TYPE_CHECKING:
    import pyarrow as pa

BATCH = 10_000
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
"""Forms that a page gives away, and how each is called."""


def made(table: pa.Table, form: str) -> bytes:
    """A whole answer in one of TYPES."""
    if form == "parquet":
        import pyarrow.parquet as pq

        packed = io.BytesIO()
        pq.write_table(table, packed, compression="zstd")
        return packed.getvalue()
    out = io.StringIO(newline="")
    (as_csv if form == "csv" else as_lines)(out, table)
    return out.getvalue().encode()


def as_csv(out: TextIO, table: pa.Table) -> None:
    """With a line of names; no cell is a formula."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([csvtext.cell(c) for c in table.column_names])
    for row in rows(table):
        writer.writerow([csvtext.cell(v) for v in row])


def as_lines(out: TextIO, table: pa.Table) -> None:
    """An object a line."""
    out.writelines(line + "\n" for line in _objects(table))


def as_json(out: TextIO, table: pa.Table) -> None:
    """A list of objects, a row a line, so that any size streams."""
    separator = "[\n"
    for line in _objects(table):
        out.write(separator + line)
        separator = ",\n"
    out.write("[]\n" if separator == "[\n" else "\n]\n")


def rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Its rows, some thousands at a time."""
    for batch in table.to_batches(max_chunksize=BATCH):
        yield from zip(*(c.to_pylist() for c in batch.columns), strict=True)


def _objects(table: pa.Table) -> Iterator[str]:
    for row in rows(table):
        yield json.dumps(dict(zip(table.column_names, row, strict=True)), ensure_ascii=False, default=plain)
