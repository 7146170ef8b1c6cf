"""What a source hands to landing: one bounded piece of rows, what it could not read, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

CHUNK_ROWS = 1_000_000
"""Rows of one chunk that goes through memory; chunks read in place (Parquet) may hold 4 M."""

PARQUET_ROWS = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Reject:
    """A piece of input that is no row: its text (bounded), where it was, and why in RudderStack's words."""

    text: bytes
    position: int
    reason: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Some rows of one source.

    relation: text for FROM that gives the raw columns and `rn` (BIGINT, the row's number in this chunk); `table`, if
    set, is to be registered under the name in `relation`. shape: "columns" (named columns; any type) or "json" (one
    VARCHAR column `line`). columns: the raw columns' names. progress: facts to remember once the chunk is committed, by
    (space, name); None drops the fact. whole: this chunk is all that the source now has (a snapshot in one piece).
    """

    relation: str
    rows: int
    shape: Literal["columns", "json"] = "columns"
    columns: tuple[str, ...] = ()
    table: pa.Table | None = None
    progress: dict[tuple[str, str], Any] = field(default_factory=dict)
    rejects: tuple[Reject, ...] = ()
    last: bool = True
    """Whether the pass over this source (or this snapshot file) ends with this chunk."""
    replaced: tuple[int, ...] = ()
    """Rows (by rn) that a later row of their name has replaced already: they do not land, only their answers count."""
