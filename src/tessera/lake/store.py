"""The lake: every table as a Delta table; DuckDB writes its Parquet, delta-rs commits it.

A write has two halves, so that several tables can be filled from one batch exactly once: `stage` writes and fsyncs
files that nobody reads yet, `commit` makes them the next version. Files hold no statistics: a minimum of an
identifier-like column would outlive its person in the log.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import AddAction, create_table_with_add_actions

from tessera.errors import Conflict, Expired, NotFound, UnknownTable
from tessera.lake import arrow
from tessera.lake.engine import Connection, literal, mapped, name
from tessera.lake.state import State
from tessera.lake.table import Table
from tessera.words import Clock

BUCKETS = 64
LOOSE = -1
"""The bucket of small batches, which are laid out by key later. Below it are the slices of a table that is written whole,
each a file of a few row groups: an erasure writes only hers anew."""
NOBODY = BUCKETS
BUCKET_FROM_ROWS = 500_000
COMPACT_OVER = 16
"""More files than this in one bucket (or loose) are laid together."""
ROW_GROUP = 30_720
"""Rows in one group: a page about one person reads a group of every table, of one with 23 columns in 6 ms where groups of
122,880 took 13; files are 2 % larger, and reading everybody is as quick."""
SLICE_GROUPS = 16
"""Row groups in one slice: each file costs a question half a millisecond at the engine's lock."""

PARQUET = "FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 1000"
"""Measured on 2 M events: a fifth less CPU than zstd's default level and a tenth less than larger dictionaries, in files
that are hardly larger; version 2 (deltas of numbers and of texts) a fifth less again, to write and to read, in files a
tenth smaller (a map of keys to persons: half)."""

SLICE = re.compile(r"-s(\d+)\.parquet$")

Mode = Literal["append", "overwrite"]


@dataclass(frozen=True, kw_only=True)
class Staged:
    """One Parquet file that lies in a table's folder and belongs to no version yet."""

    path: str
    rows: int
    size: int
    partition: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of a table, and what made it."""

    number: int
    at: datetime
    rows: int | None
    what: str
    readable: bool


class Lake:
    """All declared tables under one folder. One process writes (the owner); the first commit of a table is version 0."""

    def __init__(self, root: Path, tables: Iterable[Table], state: State, clock: Clock) -> None:
        self.root, self.state, self.clock = root, state, clock
        self.tables = {t.name: t for t in tables}
        self._handles: dict[str, DeltaTable] = {}
        self._layouts: dict[str, tuple[int, list[tuple[str, int, int]]]] = {}
        self._written: dict[str, tuple[int, datetime | None]] = {}
        root.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def personal_tables(self) -> list[Table]:
        """Every table with rows about people; erasure, expiry and her own page walk this list."""
        return [t for t in self.tables.values() if t.reason != "nobody"]

    @property
    def forgetting_tables(self) -> list[Table]:
        """Tables of which a sweep takes rows that remember somebody."""
        return [t for t in self.tables.values() if t.forgets]

    def table(self, table: str) -> Table:
        """The declaration; UnknownTable if nobody declared it."""
        try:
            return self.tables[table]
        except KeyError:
            raise UnknownTable(table, self.tables) from None

    def folder(self, table: str) -> Path:
        """Where the table lies."""
        return self.root / self.table(table).name

    # reading

    def version(self, table: str) -> int | None:
        """The newest version; None before the first write."""
        handle = self._handle(table)
        return handle.version() if handle else None

    def files(self, table: str, version: int | None = None, buckets: Iterable[int] | None = None) -> list[str]:
        """The Parquet files of a version, absolute; only those of some buckets if asked (loose ones always come)."""
        handle = self._handle(table)
        if handle is None:
            if version is not None:
                raise NotFound("Version", f"{table} {version}")
            return []
        if version is not None and version != handle.version():
            self._check_kept(table, version, handle)
            handle = DeltaTable(str(self.folder(table)), version=version)
        if buckets is None or not self.table(table).bucketed:
            return [u.removeprefix("file://") for u in handle.file_uris()]
        wanted = {*buckets}
        return [path for path, bucket, _ in self._layout(table, handle) if bucket < 0 or bucket in wanted]

    def relation(self, table: str, version: int | None = None, buckets: Iterable[int] | None = None) -> str:
        """The table as DuckDB text for a FROM clause; empty with the right columns before the first write."""
        return self.relation_of(table, self.files(table, version, buckets))

    def relation_of(self, table: str, files: Sequence[str]) -> str:
        """Some files of the table as DuckDB text for a FROM clause."""
        if not files:
            nulls = ", ".join(f"NULL::{c.lake_type} AS {name(c.name)}" for c in self.table(table).columns)
            return f"(SELECT {nulls} WHERE FALSE)"
        listed = ", ".join(literal(f) for f in files)
        return f"read_parquet([{listed}], hive_partitioning=false, union_by_name=false)"

    def buckets(self, table: str) -> list[int]:
        """The buckets in which the newest version has files; what is not laid out by key is left out."""
        handle = self._handle(table)
        if handle is None or not self.table(table).bucketed:
            return []
        return sorted({bucket for _, bucket, _ in self._layout(table, handle) if bucket >= 0})

    def bucket(self, table: str, number: int) -> str:
        """The rows of one bucket as DuckDB text for a FROM clause, wherever they lie."""
        handle, mine = self._handle(table), f"coalesce({name(self.table(table).owners[0])} % {BUCKETS}, {NOBODY}) = {number}"
        files = [(path, bucket) for path, bucket, _ in self._layout(table, handle)] if handle is not None else []
        laid = self.relation_of(table, [path for path, bucket in files if bucket == number])
        loose = [path for path, bucket in files if bucket < 0]
        if not loose:
            return laid
        return f"(SELECT * FROM {laid} UNION ALL SELECT * FROM {self.relation_of(table, loose)} WHERE {mine})"

    def rows(self, table: str, version: int | None = None) -> int:
        """How many rows a version has, from the log alone."""
        handle = self._handle(table)
        if handle is None:
            return 0
        if version is not None and version != handle.version():
            handle = DeltaTable(str(self.folder(table)), version=version)
        counts = pa.table(handle.get_add_actions(flatten=True)).column("num_records").to_pylist()
        return sum(c or 0 for c in counts)

    def kept(self, table: str, version: int) -> bool:
        """Whether that version can still be read."""
        newest = self.version(table)
        return newest is not None and self._kept_from(table) <= version <= newest

    def versions(self, table: str) -> list[Version]:
        """All versions, newest first; those before the window are listed as not readable."""
        handle = self._handle(table)
        if handle is None:
            return []
        kept = self._kept_from(table)
        found = []
        for entry in handle.history():
            number = int(entry["version"])
            found.append(
                Version(
                    number=number,
                    at=_moment(entry),
                    rows=int(entry["tessera.rows"]) if "tessera.rows" in entry else None,
                    what=str(entry.get("tessera.what", entry.get("operation", ""))),
                    readable=number >= kept,
                )
            )
        return sorted(found, key=lambda v: -v.number)

    def written(self, table: str) -> datetime | None:
        """When the newest version was made; None before the first write."""
        handle = self._handle(table)
        if handle is None:
            return None
        number, moment = self._written.get(table, (-1, None))
        if number != handle.version():
            number, moment = handle.version(), _moment(handle.history(1)[0])
            self._written[table] = number, moment
        return moment

    def as_of(self, table: str, moment: datetime) -> int:
        """The version that was the newest at that moment; NotFound before the first."""
        for v in self.versions(table):
            if v.at <= moment:
                return v.number
        raise NotFound("Version", f"{table} as of {moment.isoformat()}")

    # writing

    def stage(
        self, con: Connection, table: str, select: str, *, rows_hint: int = 0, bucket: int | None = None
    ) -> list[Staged]:
        """Writes the rows of a SELECT (with the declared columns, by name) as files that no version has yet.

        bucket: the one that all these rows lie in.
        """
        declared = self.table(table)
        folder = self.folder(table)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        columns = ", ".join(f"{name(c.name)}::{c.lake_type} AS {name(c.name)}" for c in declared.columns)
        stem = f"t-{uuid.uuid4().hex}"
        options = f"{PARQUET}, ROW_GROUP_SIZE {ROW_GROUP}"
        with mapped(f"writing {table}"):
            if bucket is None and declared.bucketed and not declared.whole and rows_hint >= BUCKET_FROM_ROWS:
                owner = name(declared.owners[0])
                place = f"coalesce({owner} % {BUCKETS}, {NOBODY})::INTEGER"
                con.execute(
                    f"COPY (SELECT {columns}, {place} AS bucket FROM ({select})) TO {literal(str(folder))} ({options}, "
                    f"PARTITION_BY (bucket), FILENAME_PATTERN {literal(stem + '-{i}')}, OVERWRITE_OR_IGNORE true)"
                )
                paths = sorted(folder.glob(f"bucket=*/{stem}-*.parquet"))
            elif bucket is None and declared.whole and declared.bucketed:
                # By owner: a page about one person then reads one row group of each such table, and not all of them.
                rows = f"SELECT {columns} FROM ({select}) ORDER BY {name(declared.owners[0])}"
                con.execute(
                    f"COPY ({rows}) TO {literal(str(folder))} ({options}, "
                    f"ROW_GROUPS_PER_FILE {SLICE_GROUPS}, FILENAME_PATTERN {literal(stem + '-s{i}')}, OVERWRITE_OR_IGNORE true)"
                )
                paths = sorted(folder.glob(f"{stem}-s*.parquet"))
            else:
                path = folder / _file(stem, LOOSE if bucket is None else bucket)
                path.parent.mkdir(exist_ok=True, mode=0o700)
                con.execute(f"COPY (SELECT {columns} FROM ({select})) TO {literal(str(path))} ({options})")
                paths = [path]
        return [s for s in (self._staged(declared, p) for p in paths) if s is not None]

    def stage_rows(self, con: Connection, table: str, made: Sequence[Mapping[str, Any]]) -> list[Staged]:
        """The same for a few rows at hand, by column; columns that are not named are NULL."""
        schema = arrow.schema(self.table(table))
        with con.cursor() as own:
            own.register("made", pa.Table.from_pylist(list(made), schema))
            return self.stage(own, table, "SELECT * FROM made")

    def commit(
        self,
        table: str,
        staged: Sequence[Staged],
        *,
        what: str,
        mode: Mode = "append",
        number: int | None = None,
        app: str | None = None,
        only_buckets: Iterable[int] | None = None,
    ) -> int:
        """Makes staged files the table's next version and returns its number.

        number: the batch; a batch that the table already has is not committed again (exactly once). only_buckets: with
        overwrite, replaces those buckets alone.
        """
        declared, folder = self.table(table), self.folder(table)
        handle = self._handle(table)
        app = app or table
        if handle is not None and number is not None and (handle.transaction_version(app) or -1) >= number:
            return int(handle.version())
        at = self._next_moment(handle)
        total = sum(s.rows for s in staged)
        if mode == "append":
            total += self.rows(table)
        elif only_buckets is not None and handle is not None:
            replaced = set(only_buckets)
            total += sum(rows for _, bucket, rows in self._layout(table, handle) if bucket not in replaced)
        properties = CommitProperties(
            custom_metadata={"tessera.at": at.isoformat(), "tessera.what": what, "tessera.rows": str(total)},
            app_transactions=[Transaction(app, number)] if number is not None else None,
        )
        adds = [
            AddAction(
                path=os.path.relpath(s.path, folder),
                size=s.size,
                partition_values=s.partition,
                modification_time=int(at.timestamp() * 1000),
                data_change=True,
                stats=json.dumps({"numRecords": s.rows}),
            )
            for s in staged
        ]
        columns = arrow.schema(declared)
        schema = Schema.from_arrow(columns.append(pa.field("bucket", pa.int32())) if declared.bucketed else columns)
        partition_by = ["bucket"] if declared.bucketed else []
        if handle is None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            create_table_with_add_actions(
                str(folder),
                schema,
                adds,
                mode="append",
                partition_by=partition_by,
                configuration={"delta.dataSkippingNumIndexedCols": "0", "delta.logRetentionDuration": "interval 0 days"},
                commit_properties=properties,
            )
            self.state.put("written", table, at.isoformat())
        elif only_buckets is not None:
            wanted = [str(b) for b in sorted(set(only_buckets))]
            handle.create_write_transaction(
                [*adds], "overwrite", schema, partition_by, [("bucket", "in", wanted)], commit_properties=properties
            )
        else:
            handle.create_write_transaction([*adds], mode, schema, partition_by, commit_properties=properties)
        self._handles.pop(table, None)
        version = self.version(table)
        if version is None:
            raise Conflict(f"{table}: the commit is not there.")
        return version

    def write(
        self, con: Connection, table: str, select: str, *, what: str, mode: Mode = "overwrite", number: int | None = None
    ) -> int:
        """Stages and commits in one go; returns the new version."""
        return self.commit(table, self.stage(con, table, select), what=what, mode=mode, number=number)

    def discard(self, staged: Iterable[Staged]) -> None:
        """Removes staged files that will not be committed."""
        for s in staged:
            Path(s.path).unlink(missing_ok=True)

    # keeping

    def lost(self) -> list[str]:
        """Tables that were written once and whose folder or log is gone."""
        return [t for t in self.state.items("written") if t in self.tables and not (self.folder(t) / "_delta_log").is_dir()]

    def missing(self, table: str) -> list[str]:
        """Files of the newest version that are not there."""
        return [f for f in self.files(table) if not os.path.exists(f)]

    def compact(self, con: Connection, table: str) -> int:
        """Lays many small files together: loose ones (into buckets, once they are many rows), and buckets of many files.
        Returns how many files were read; the rows and the readable versions stay as they are."""
        by_bucket: dict[int, list[str]] = {}
        for file in self.files(table):
            by_bucket.setdefault(bucket_of(file), []).append(file)
        full = {b: files for b, files in by_bucket.items() if len(files) > COMPACT_OVER}
        if not full:
            return 0
        files = [f for some in full.values() for f in some]
        many = sum(pq.read_metadata(f).num_rows for f in files)
        hint = many if LOOSE in full else BUCKET_FROM_ROWS
        columns = ", ".join(name(c) for c in self.table(table).names)
        staged = self.stage(con, table, f"SELECT {columns} FROM {self.relation_of(table, files)}", rows_hint=hint)
        self.commit(table, staged, what="compaction", mode="overwrite", only_buckets=self._partitions(table, full))
        return len(files)

    def _partitions(self, table: str, buckets: Iterable[int]) -> Iterable[int] | None:
        return set(buckets) if self.table(table).bucketed else None

    def vacuum(self, table: str, keep: timedelta) -> int:
        """Drops versions older than `keep` (their newest excepted), which then answer Expired. Returns files removed."""
        handle = self._handle(table)
        if handle is None:
            return 0
        horizon, kept = self._now() - keep, self._kept_from(table)
        oldest = int(handle.version()) if keep <= timedelta(0) else kept
        if keep > timedelta(0):
            oldest = max([kept, *(v.number for v in self.versions(table) if v.at <= horizon)])
        if oldest > kept:
            self.state.put("kept", table, {"from": oldest, "at": self._now().isoformat()})
        return self.clean(table)

    def clean(self, table: str) -> int:
        """Removes files that no readable version has (left by a kill, or by versions that are gone). Returns how many."""
        alive, folder, gone = self._alive(table), self.folder(table), 0
        for path in folder.rglob("*.parquet"):
            if "_delta_log" not in path.parts and path.relative_to(folder).as_posix() not in alive:
                path.unlink()
                gone += 1
        return gone

    def _alive(self, table: str) -> set[str]:
        """The files of all readable versions, below the table's folder: those of the oldest, and what each later one
        added by its entry in the log (a turn comes by for every table, and opening a version takes milliseconds)."""
        handle, folder = self._handle(table), self.folder(table)
        alive: set[str] = set()
        if handle is None:
            return alive
        oldest = self._kept_from(table)
        for number in range(oldest, handle.version() + 1):
            entry = folder / "_delta_log" / f"{number:020}.json"
            if number > oldest and entry.exists():
                actions = map(json.loads, entry.read_text().splitlines())
                alive |= {unquote(a["add"]["path"]) for a in actions if "add" in a}
            else:
                adds = pa.table(DeltaTable(str(folder), version=number).get_add_actions())
                alive |= {unquote(p) for p in adds.column("path").to_pylist()}
        return alive

    def drop(self, table: str) -> None:
        """Removes the table with all its versions."""
        self.state.drop("written", table)
        shutil.rmtree(self.folder(table), ignore_errors=True)
        self._handles.pop(table, None)

    # parts

    def _handle(self, table: str) -> DeltaTable | None:
        folder = self.folder(table)
        handle = self._handles.get(table)
        if handle is None:
            if not (folder / "_delta_log").is_dir():  # most tables are not there at first, and delta-rs says so slowly
                return None
            try:
                handle = DeltaTable(str(folder))
            except TableNotFoundError:
                return None
            self._handles[table] = handle
        return handle

    def _layout(self, table: str, handle: DeltaTable) -> list[tuple[str, int, int]]:
        """A bucketed table's files: path, bucket and rows; read once per version."""
        known = self._layouts.get(table)
        if known is None or known[0] != handle.version():
            adds = pa.table(handle.get_add_actions(flatten=True))
            paths, buckets, counts = (adds.column(c).to_pylist() for c in ("path", "partition.bucket", "num_records"))
            folder = str(self.folder(table))
            files = [(f"{folder}/{p}", int(b), int(n or 0)) for p, b, n in zip(paths, buckets, counts, strict=True)]
            known = self._layouts[table] = (int(handle.version()), files)
        return known[1]

    def _staged(self, table: Table, path: Path) -> Staged | None:
        rows = pq.read_metadata(path).num_rows
        if rows == 0:
            path.unlink()
            return None
        with open(path, "rb") as f:
            os.fsync(f.fileno())
        partition = {}
        if table.bucketed:
            partition = {"bucket": str(bucket_of(str(path)))}
        return Staged(path=str(path), rows=rows, size=path.stat().st_size, partition=partition)

    def _check_kept(self, table: str, version: int, handle: DeltaTable) -> None:
        if version > handle.version() or version < 0:
            raise NotFound("Version", f"{table} {version}", [f"0 to {handle.version()}"])
        if version < self._kept_from(table):
            since = self.state.get("kept", table)["at"]
            raise Expired(table, f"version {version}", since)

    def _kept_from(self, table: str) -> int:
        return int(self.state.get("kept", table, {"from": 0})["from"])

    def _now(self) -> datetime:
        return self.clock().astimezone(UTC)

    def _next_moment(self, handle: DeltaTable | None) -> datetime:
        now = self._now()
        if handle is None:
            return now
        last = _moment(handle.history(1)[0])
        return max(now, last + timedelta(microseconds=1))


def bucket_of(path: str) -> int:
    """The bucket that a file of the lake lies in: its folder says so, or the number of its slice."""
    *_, parent, file = path.split("/")
    if parent.startswith("bucket="):
        return int(parent.removeprefix("bucket="))
    slice_ = SLICE.search(file)
    return LOOSE - 1 - int(slice_[1]) if slice_ else LOOSE


def _file(stem: str, bucket: int) -> str:
    """Where a file of one bucket lies within its table's folder; see `bucket_of`."""
    if bucket >= 0:
        return f"bucket={bucket}/{stem}.parquet"
    return f"{stem}.parquet" if bucket == LOOSE else f"{stem}-s{LOOSE - 1 - bucket}.parquet"


def _moment(entry: dict[str, Any]) -> datetime:
    if "tessera.at" in entry:
        return datetime.fromisoformat(entry["tessera.at"])
    return datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
