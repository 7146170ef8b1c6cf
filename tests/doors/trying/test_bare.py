"""doors/commands/trying/bare.py: a file as somebody has it at hand -> typed columns, and what was left out."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tessera.doors.commands.trying.bare import Role, read, told
from tessera.errors import BadInput, NotFound
from tessera.lake.engine import rows

ROLES = (
    Role(known=("customer", "customer_id", "user"), type="VARCHAR"),
    Role(known=("time", "date", "timestamp"), type="TIMESTAMP"),
    Role(known=("amount", "value"), type="DOUBLE", needed=False),
)


def test_a_column_is_found_by_a_name_that_files_use(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("CustomerID;Date;Value\n17;2026-01-02;3.5\n18;2026-01-03 10:00:00;4\n")
    bare = read(str(file), ROLES, {})
    assert bare.columns == {"customer": "CustomerID", "time": "Date", "amount": "Value"}
    assert [(c, t.isoformat(), a) for c, t, a, _ in rows(bare.con, "FROM bare")] == [
        ("17", "2026-01-02T00:00:00", 3.5), ("18", "2026-01-03T10:00:00", 4.0),
    ]  # fmt: skip
    assert (bare.rows, told(bare)) == (2, "")


@pytest.mark.parametrize("ending", ["csv.gz", "jsonl", "parquet"])
def test_other_forms_are_read_as_well(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    if ending == "csv.gz":
        file.write_bytes(gzip.compress(b"user,time\nann,2026-01-02\n"))
    elif ending == "jsonl":
        file.write_text('{"user": "ann", "time": "2026-01-02"}\n')
    else:
        import duckdb

        duckdb.connect().execute(f"COPY (SELECT 'ann' AS user, DATE '2026-01-02' AS time) TO '{file}'")
    assert [r[0] for r in rows(read(str(file), ROLES, {}).con, "FROM bare")] == ["ann"]


def test_what_does_not_fit_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("customer,time\nann,2026-01-02\n,2026-01-03\nbob,soon\ncat,2026-01-04\n")
    bare = read(str(file), ROLES, {})
    assert [r[0] for r in rows(bare.con, "FROM bare")] == ["ann", "cat"]
    assert bare.left_out == {"no customer (text)": 1, "no time (a time)": 1}
    assert told(bare) == "1 row left out: no customer (text); 1 row left out: no time (a time)"


def test_a_named_column_goes_before_a_known_name(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("customer,buyer,time\nx,ann,2026-01-02\n")
    assert read(str(file), ROLES, {"customer": "buyer"}).columns["customer"] == "buyer"
    with pytest.raises(BadInput, match="Did you mean 'buyer'"):
        read(str(file), ROLES, {"customer": "buyr"})


def test_a_missing_column_is_told_with_those_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("who,when\nann,2026-01-02\n")
    with pytest.raises(BadInput, match=r"it has who, when\. Say which one it is: --customer COLUMN"):
        read(str(file), ROLES, {})


def test_a_file_without_a_row_of_use_or_that_is_not_there_says_so(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("customer,time\nann,soon\n")
    with pytest.raises(BadInput, match=r"no row that can be used \(1 rows: no time"):
        read(str(file), ROLES, {})
    file.write_text("")
    with pytest.raises(BadInput):
        read(str(file), ROLES, {})
    with pytest.raises(NotFound):
        read(str(tmp_path / "b.csv"), ROLES, {})


@pytest.mark.parametrize(
    ("written", "is_", "at"),
    [
        ("881250949", "seconds", "1997-12-04T15:55:49"), ("881250949000", "milliseconds", "1997-12-04T15:55:49"),
        ("881250949000000", "microseconds", "1997-12-04T15:55:49"), ("881250949.5", "seconds", "1997-12-04T15:55:49.500000"),
        ("19971204", "a date", "1997-12-04T00:00:00"), ("10199", "days", "1997-12-04T00:00:00"),
    ],
)  # fmt: skip
def test_a_number_is_a_time_by_its_size(tmp_path: Path, written: str, is_: str, at: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"customer,time\nann,{written}\n")
    assert rows(read(str(file), ROLES, {}).con, "FROM bare")[0][1].isoformat() == at, is_
