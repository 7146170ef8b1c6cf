"""An answer as a file."""

from __future__ import annotations

import io
import json
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from tessera.doors import written

TABLE = pa.table({"name": ["Ann", "=1+1", None], "n": [1, 2, 3], "day": [date(2026, 1, 2), None, None]})


def test_csv_has_its_names_and_no_formula() -> None:
    assert written.made(TABLE, "csv").decode() == "name,n,day\nAnn,1,2026-01-02\n'=1+1,2,\n,3,\n"


def test_json_lines_have_an_object_a_row() -> None:
    lines = [json.loads(line) for line in written.made(TABLE, "jsonl").splitlines()]
    assert lines[0] == {"name": "Ann", "n": 1, "day": "2026-01-02"} and len(lines) == 3


def test_parquet_is_the_table() -> None:
    assert pq.read_table(io.BytesIO(written.made(TABLE, "parquet"))).equals(TABLE)
