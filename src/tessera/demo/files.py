"""The files of the outside world, written block by block: CSV, SQLite, JSON lines, Parquet; equal byte by byte."""

from __future__ import annotations

import csv
import gzip
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from tessera.demo.tally import Row

_ENCODER = msgspec.json.Encoder(order="sorted")

DATABASE = """
PRAGMA page_size = 4096;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE orders (order_id TEXT PRIMARY KEY, customer_id TEXT, email TEXT, ordered_at TEXT, status TEXT,
  amount_cents INTEGER, currency TEXT, channel TEXT, country TEXT, updated_at TEXT);
CREATE TABLE order_items (order_id TEXT, line_no INTEGER, product_id TEXT, description TEXT, quantity INTEGER,
  amount_cents INTEGER, currency TEXT, ordered_at TEXT, customer_id TEXT, updated_at TEXT,
  PRIMARY KEY (order_id, line_no)) WITHOUT ROWID;
CREATE TABLE payments (payment_id TEXT PRIMARY KEY, order_id TEXT, customer_id TEXT, paid_at TEXT, method TEXT,
  status TEXT, amount_cents INTEGER, currency TEXT, card_last4 TEXT, updated_at TEXT);
CREATE TABLE devices (device_id TEXT PRIMARY KEY, customer_id TEXT, model TEXT, registered_at TEXT);
"""


class Files:
    """Everything under one folder, opened when first written and closed together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._texts: dict[str, tuple[TextIO, Any]] = {}
        self._lines: dict[str, Any] = {}
        self._parquets: dict[str, pq.ParquetWriter] = {}
        self._database = sqlite3.connect(self._path("shop/shop.db"), isolation_level=None)
        self._database.executescript(DATABASE)

    def __enter__(self) -> Files:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for text, _ in self._texts.values():
            text.close()
        for lines in self._lines.values():
            lines.close()
        for parquet in self._parquets.values():
            parquet.close()
        if kind is None:
            self._database.execute("VACUUM")
        self._database.close()

    def _path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path

    def csv(self, name: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Add rows to a CSV file (UTF-8, Unix lines)."""
        if name not in self._texts:
            text = open(self._path(name), "w", encoding="utf-8", newline="")  # noqa: SIM115 - closed in __exit__
            self._texts[name] = (text, csv.writer(text, lineterminator="\n"))
            self._texts[name][1].writerow(columns)
        self._texts[name][1].writerows(row.values() for row in rows)

    def sql(self, table: str, rows: list[Row]) -> None:
        """Add rows to a table of the shop's database."""
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            self._database.execute("BEGIN")
            self._database.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(row.values()) for row in rows])
            self._database.execute("COMMIT")

    def lines(self, name: str, rows: list[Row]) -> None:
        """Add rows to a file of JSON lines with sorted keys; a name in .gz is compressed, without a time in it."""
        if name not in self._lines:
            path = self._path(name)
            raw = open(path, "wb")  # noqa: SIM115 - closed in __exit__
            zipped = name.endswith(".gz")
            self._lines[name] = _Zipped(raw) if zipped else raw
        self._lines[name].write(_ENCODER.encode_lines(rows))

    def parquet(self, name: str, table: pa.Table) -> None:
        """Add rows to a Parquet file, one row group a block."""
        if name not in self._parquets:
            self._parquets[name] = pq.ParquetWriter(self._path(name), table.schema, compression="zstd")
        self._parquets[name].write_table(table)

    def json(self, name: str, facts: Row) -> None:
        """Write one JSON document."""
        made = msgspec.json.format(_ENCODER.encode(facts), indent=2)
        self._path(name).write_bytes(made + b"\n")


class _Zipped:
    """A gzip file whose bytes depend on what is written alone."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._gzip = gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0)

    def write(self, data: bytes) -> None:
        self._gzip.write(data)

    def close(self) -> None:
        self._gzip.close()
        self._raw.close()
