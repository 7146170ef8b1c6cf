"""dateformat.py: Java's date patterns as DuckDB reads them."""

from __future__ import annotations

import duckdb
import pytest

from tessera.dateformat import strptime_of


@pytest.mark.parametrize(
    ("pattern", "written", "meant"),
    [
        ("yyyy-MM-dd", "2026-03-01", "2026-03-01 00:00:00"),
        ("d.M.yy", "1.3.26", "2026-03-01 00:00:00"),
        ("MM/dd/yyyy hh:mm a", "03/01/2026 11:05 PM", "2026-03-01 23:05:00"),
        ("dd MMM yyyy HH:mm:ss.SSS", "01 Mar 2026 05:06:07.250", "2026-03-01 05:06:07.250000"),
        ("yyyy-MM-dd'T'HH:mm:ss", "2026-03-01T05:06:07", "2026-03-01 05:06:07"),
        ("%d/%m/%Y", "01/03/2026", "2026-03-01 00:00:00"),
    ],
)
def test_duckdb_reads_the_converted_format(pattern: str, written: str, meant: str) -> None:
    rows = duckdb.connect().execute("SELECT strptime(?, ?)", [written, strptime_of(pattern)]).fetchall()
    assert [str(at) for (at,) in rows] == [meant]


@pytest.mark.parametrize("pattern", ["", "hello", "QQ yyyy", "'open yyyy", "iso", "100%", "%Y %"])
def test_what_is_no_format_is_none(pattern: str) -> None:
    assert strptime_of(pattern) is None
