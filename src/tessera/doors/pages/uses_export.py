"""Entries of the ledger as files: CSV that a spreadsheet may open, or JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from tessera.doors.csvtext import cell
from tessera.doors.entries import facts
from tessera.trust.entries import Entry

COLUMNS = (
    "seq", "at", "actor", "role", "act", "purpose", "verdict", "reason", "tables", "categories", "rows", "people", "held",
    "note",
)  # fmt: skip
"""people: how many a use held; held: whether exactly those, or at most."""


def as_csv(entries: Iterable[Entry]) -> bytes:
    """One line an entry."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    for entry in entries:
        told = _flat(entry)
        lines.writerow([cell(told[column]) for column in COLUMNS])
    return out.getvalue().encode()


def as_json(entries: Iterable[Entry]) -> bytes:
    """A list of them, as the API gives them."""
    return msgspec.json.encode([facts(entry) for entry in entries])


def _flat(entry: Entry) -> dict[str, Any]:
    keys = entry.keys
    return {
        "seq": entry.seq, "at": entry.at, "actor": entry.actor, "role": entry.role, "act": entry.act, "purpose": entry.purpose,
        "verdict": entry.verdict, "reason": entry.reason, "tables": " ".join(f"{t}@{v}" for t, v in entry.tables),
        "categories": " ".join(entry.categories), "rows": entry.rows, "people": keys.size if keys else None,
        "held": keys.bound if keys else None, "note": entry.note,
    }  # fmt: skip


FORMS: dict[str, Callable[[Iterable[Entry]], bytes]] = {"csv": as_csv, "json": as_json}
TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
