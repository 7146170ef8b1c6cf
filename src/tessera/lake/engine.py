"""DuckDB, the embedded engine: connections that know their limits, and its errors as ours."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from deltalake.exceptions import DeltaError

from tessera.errors import BadInput, LakeError
from tessera.lake.quoting import literal as literal
from tessera.lake.quoting import name as name

FULL = "the disk is full. Free some space and run it again; nothing was lost"

Connection = duckdb.DuckDBPyConnection


def connect(*, memory: str = "4GB", threads: int | None = None, spill: Path | None = None) -> Connection:
    """A connection for our own work.

    spill: where sorted and joined rows may overflow; None forbids it, for connections that see clear values.
    """
    con = duckdb.connect(":memory:")
    con.execute("SET TimeZone='UTC'")
    con.execute("SET preserve_insertion_order=false")
    con.execute("SET enable_progress_bar=false")
    # What a large question needed goes back to the system some seconds later; else a server keeps the most it ever took.
    con.execute("SET allocator_background_threads=true")
    con.execute(f"SET threads={threads or max(1, os.cpu_count() or 1)}")
    con.execute(f"SET memory_limit={literal(memory)}")
    con.execute(f"SET temp_directory={literal(str(spill) if spill else '')}")
    return con


def rows(con: Connection, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """All rows of a small answer."""
    return con.execute(sql, parameters).fetchall() if parameters is not None else con.execute(sql).fetchall()


def value(con: Connection, sql: str, parameters: Any = None) -> Any:
    """The first cell of the first row; None if there is none."""
    found = rows(con, sql, parameters)
    return found[0][0] if found else None


@contextmanager
def mapped(what: str) -> Iterator[None]:
    """Turns DuckDB's errors into ours, without the text of a value that they may quote."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise LakeError(f"{what}: the engine ran out of memory. Give it more (memory: in tessera.yaml).") from None
    except duckdb.IOException as e:
        full = _full(e)
        raise LakeError(f"{what}: {FULL if full else 'a file failed'}.") from None
    except (duckdb.ConversionException, duckdb.InvalidInputException, duckdb.OutOfRangeException):
        raise BadInput(f"{what}: a value does not fit the type it is turned into.") from None
    except duckdb.SyntaxException:
        raise BadInput(f"{what}: the engine does not take a pattern in it. Look at its LIKE and regexp parts.") from None
    except (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException) as e:
        raise BadInput(f"{what}: {str(e).splitlines()[0]}") from None
    except duckdb.Error as e:
        raise LakeError(f"{what}: the engine failed ({type(e).__name__}).") from None
    except (OSError, sqlite3.OperationalError, DeltaError) as e:
        if not _full(e):
            raise
        raise LakeError(f"{what}: {FULL}.") from None


def _full(error: Exception) -> bool:
    """Whether an error says that the disk, or one's part of it, is full; each library has its own words."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    return any(words in str(error) for words in ("No space left", "disk is full", "quota exceeded", "File too large"))
