"""The copy that a customer gets: a zip with pages that she can read, JSON and CSV for machines, and a manifest.

Written as a stream: a batch of rows is in memory at a time. The manifest has the SHA-256 of every file and the signed head
of the ledger, so that nobody can change a copy unseen, nor claim another state of the log.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from tessera import copy_page
from tessera.config import Config
from tessera.data.raw import QUARANTINE, RAW
from tessera.data.steps import STEPS as DATA_STEPS
from tessera.insight.steps import STEPS as INSIGHT_STEPS
from tessera.lake.table import Table
from tessera.trust.entries import Entry
from tessera.trust.rights_copy import Copy, Hers
from tessera.trust.tables import CONSENTS

GIVEN = frozenset({*(t.name for t in RAW.values()), CONSENTS.name})
"""Tables of what she, or a source about her, told us."""

INFERRED = frozenset(s.writes.name for s in INSIGHT_STEPS)
"""Tables of what we concluded."""

DERIVED = frozenset(s.writes.name for s in DATA_STEPS) - INFERRED
"""Tables of what was put together from what she gave, without a conclusion."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet may run (OWASP, CSV injection)."""

EARLIEST = date(1980, 1, 1)
"""Zip's earliest day: the files carry no time of their own, the manifest says when the copy was made."""


@dataclass(frozen=True, kw_only=True)
class Duty:
    """What a legal duty keeps of her after an erasure: of which tables which columns, how many rows, until when."""

    purpose: str
    sentence: dict[str, str]
    tables: dict[str, tuple[str, ...]]
    rows: int
    until: str


@dataclass(frozen=True, kw_only=True)
class About:
    """What goes with the rows. person: her number. consents: the receipt of her choices. uses: newest first, read anew at
    each call. head: the ledger's signed checkpoint, its size and root. rest: rows of tables that may not be used now."""

    request: int
    person: int | None
    made_at: datetime
    consents: dict[str, Any] | None
    uses: Callable[[], Iterable[Entry]]
    duties: tuple[Duty, ...]
    restricted: tuple[str, ...]
    objections: tuple[str, ...]
    checkpoint: str
    size: int
    root: str


@dataclass(kw_only=True)
class Written:
    """What a copy holds: rows by table, the digest of its manifest, its size, and what its entry of the ledger names."""

    rows: dict[str, int] = field(default_factory=dict)
    manifest: str = ""
    files: int = 0
    versions: tuple[tuple[str, int], ...] = ()
    categories: tuple[str, ...] = ()


def write(
    out: Path, config: Config, copy: Copy | None, about: About, *, language: str, portable: bool = False
) -> Written:
    """Writes a copy to a file (0600), whole or not at all.

    copy: None where we hold nothing. language: "en" or "zh", of the page that opens first. portable: only what she gave
    (GDPR, Art. 20), for machines, without pages.
    """
    part = out.with_name(out.name + ".part")
    held = [h for h in copy.tables() if not portable or h.table.name in GIVEN] if copy else []
    with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            made = _Archive(archive)
            if copy is not None:
                for one in held:
                    _table(made, copy, one)
            facts = facts_of(config, copy, held, about, portable)
            made.document("about.json", facts)
            if not portable:
                if about.consents is not None:
                    made.document("consents.json", about.consents)
                _uses(made, about)
                _pages(made, config, copy, held, about, facts, language)
            manifest = {
                "format": "tessera copy 1",
                "request": about.request,
                "made_at": about.made_at.astimezone(UTC).isoformat(),
                "controller": config.name,
                "ledger": {"size": about.size, "root": about.root, "checkpoint": about.checkpoint},
                "files": made.digests,
            }
            text = json.dumps(manifest, indent=1, ensure_ascii=False)
            with made.open("manifest.json") as stream:
                stream.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, out)
    return Written(
        rows={h.table.name: h.rows for h in held},
        manifest=hashlib.sha256(text.encode()).hexdigest(),
        files=len(made.digests),
        versions=tuple(sorted((h.table.name, h.version) for h in held)),
        categories=tuple(sorted({c.category for h in held for c in h.table.columns})),
    )


def facts_of(config: Config, copy: Copy | None, held: Sequence[Hers], about: About, portable: bool) -> dict[str, Any]:
    """What a machine should know of the rows: each table's columns, sources and keeping; purposes, recipients, duties."""
    return {
        "person": about.person,
        "made_at": about.made_at.astimezone(UTC).isoformat(),
        "kind": "portability" if portable else "access",
        "tables": [
            {
                "name": h.table.name,
                "what": h.table.note,
                "origin": origin(h.table),
                "rows": h.rows,
                "keep_days": keep_days(config, h.table),
                "sources": dict(copy.sources(h.table)) if copy else {},
                "columns": [_column(h.table, c) for c in h.columns],
            }
            for h in held
        ],
        "purposes": [
            {
                "name": p.name,
                "data_use": p.data_use,
                "lawful_basis": p.basis,
                "sentence": p.sentence,
                "keep_days": p.keep_days,
                "recipients": list(p.recipients),
                "restricted": p.name in about.restricted,
                "objected": p.name in about.objections,
            }
            for p in config.purposes.values()
        ],
        "sources": [{"name": c.name, "department": c.department, "keep_days": c.keep_days} for c in config.sources],
        "duties": [
            {
                "purpose": d.purpose,
                "rows": d.rows,
                "until": d.until,
                "tables": {t: list(c) for t, c in d.tables.items()},
            }
            for d in about.duties
        ],
    }


def origin(table: Table) -> str:
    """Whether a table's rows were given, put together from what was given, or concluded; or serve our own bookkeeping."""
    if table.name in GIVEN or table.name == QUARANTINE.name:
        return "given"
    return "inferred" if table.name in INFERRED else "derived" if table.name in DERIVED else "bookkeeping"


def keep_days(config: Config, table: Table) -> int | None:
    """For how long rows of a table are kept, as far as it or every source of it says; None: until she says otherwise."""
    told = {c.keep_days for c in config.sources if RAW[c.record].name == table.name}
    days = [d for d in {table.keep_days, *told} if d is not None]
    return max(days) if days and None not in told else table.keep_days


def safe(value: Any) -> str:
    """A cell of CSV that no spreadsheet runs: a text that begins like a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = plain(value)
    return "'" + text if isinstance(value, str) and text.startswith(FORMULA) else text


def plain(value: Any) -> str:
    """A value as text: times in ISO 8601, in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | timedelta):
        return value.isoformat() if isinstance(value, date) else str(value)
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=plain)
    return str(value)


class _Archive:
    """Files in a zip, each hashed while it is written."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.digests: dict[str, str] = {}

    @contextmanager
    def open(self, path: str) -> Iterator[IO[str]]:
        """A text file of the zip, for the time of a `with`."""
        info = zipfile.ZipInfo(path, (EARLIEST.year, EARLIEST.month, EARLIEST.day, 0, 0, 0))
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        with self.archive.open(info, "w", force_zip64=True) as raw:
            hashed = _Hashed(raw)
            text = io.TextIOWrapper(io.BufferedWriter(hashed, 1 << 16), encoding="utf-8", newline="")
            yield text
            text.flush()
            text.detach()
        self.digests[path] = hashed.digest.hexdigest()

    def document(self, path: str, value: Any) -> None:
        """A JSON document."""
        with self.open(path) as stream:
            json.dump(value, stream, indent=1, ensure_ascii=False, default=plain)


class _Hashed(io.RawIOBase):
    """What is written goes on, and into a digest."""

    def __init__(self, below: IO[bytes]) -> None:
        self.below, self.digest = below, hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.digest.update(data)
        self.below.write(data)
        return len(data)


def _table(made: _Archive, copy: Copy, one: Hers) -> None:
    with made.open(f"data/{one.table.name}.csv") as stream:
        stream.write("\N{BYTE ORDER MARK}")  # without it a spreadsheet takes Chinese for something else
        cells = csv.writer(stream)
        cells.writerow(one.columns)
        for row in copy.rows(one.table):
            cells.writerow([safe(v) for v in row.values()])
    with made.open(f"data/{one.table.name}.json") as stream:
        stream.write("[")
        for i, row in enumerate(copy.rows(one.table)):
            stream.write(("," if i else "") + "\n" + json.dumps(row, ensure_ascii=False, default=plain))
        stream.write("\n]\n")


def _uses(made: _Archive, about: About) -> None:
    with made.open("uses.csv") as stream:
        stream.write("\N{BYTE ORDER MARK}")
        cells = csv.writer(stream)
        cells.writerow(["entry", "at", "actor", "role", "act", "purpose", "tables", "verdict", "reason", "bound"])
        for e in about.uses():
            tables = " ".join(t for t, _ in e.tables)
            bound = e.keys.bound if e.keys else ""
            cells.writerow(map(safe, (e.seq, e.at, e.actor, e.role, e.act, e.purpose, tables, e.verdict, e.reason, bound)))


def _pages(
    made: _Archive, config: Config, copy: Copy | None, held: Sequence[Hers], about: About, facts: dict[str, Any],
    language: str,
) -> None:
    """index.html in her language, and the same in the other."""
    other = "zh" if language == "en" else "en"
    for path, one, link in (("index.html", language, f"index.{other}.html"), (f"index.{other}.html", other, "index.html")):
        with made.open(path) as stream:
            rows = copy.rows if copy is not None else lambda _: iter(())
            for piece in copy_page.page(config, facts, list(held), rows, about.uses(), about.consents, one, link):
                stream.write(piece)


def _column(table: Table, column: str) -> dict[str, str]:
    if column not in table.names:
        return {"name": column, "type": "JSON", "category": "user", "what": "what came in the row and has no column"}
    c = table.column(column)
    return {"name": c.name, "type": c.type, "category": c.category, "what": c.note}
