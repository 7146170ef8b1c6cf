"""spans: the files that may hold somebody's rows hold all of them; a footer is read once; what does not tell is always read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.lake.engine import connect, literal, rows
from tessera.lake.spans import Spans


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four files of owners 0 to 399 in order, of two row groups each; one across them all; one whose owner nobody knows."""
    folder, con, made = tmp_path_factory.mktemp("spans"), connect(threads=1), []
    wanted = [f"SELECT i::INTEGER AS key_id, i AS n FROM range({100 * f}, {100 * f + 100}) t(i)" for f in range(4)]
    wanted += ["SELECT i::INTEGER AS key_id, i AS n FROM range(0, 400, 57) t(i)"]
    wanted += ["SELECT NULL::INTEGER AS key_id, 1 AS n FROM range(3)"]
    for number, select in enumerate(wanted):
        made.append(str(folder / f"{number}.parquet"))
        con.execute(f"COPY ({select}) TO {literal(made[-1])} (FORMAT parquet, ROW_GROUP_SIZE 50)")
    return made


@given(ids=st.sets(st.integers(-5, 420), max_size=4))
def test_law_no_row_of_theirs_lies_in_a_file_that_is_left_out(files: list[str], ids: set[int]) -> None:
    some = Spans().holding(files, "key_id", ids)
    left = [f for f in files if f not in some]
    listed = ", ".join(map(str, sorted(ids))) or "-1000"
    with connect(threads=1) as con:
        for file in left:
            assert rows(con, f"SELECT count(*) FROM read_parquet({literal(file)}) WHERE key_id IN ({listed})") == [(0,)]


def test_one_persons_files_are_few(files: list[str]) -> None:
    assert Spans().holding(files[:4], "key_id", {250}) == [files[2]]
    assert Spans().holding(files[:4], "key_id", {99, 100}) == files[:2]
    assert Spans().holding(files, "key_id", {1}) == [files[0], files[4], files[5]]  # of the last nobody can know


def test_a_footer_is_read_once(files: list[str], tmp_path: Path) -> None:
    spans, copy = Spans(), tmp_path / "copy.parquet"
    copy.write_bytes(Path(files[1]).read_bytes())
    assert spans.holding([str(copy)], "key_id", {150}) == [str(copy)]
    copy.unlink()
    assert spans.holding([str(copy)], "key_id", {150}) == [str(copy)] and spans.holding([str(copy)], "key_id", {7}) == []
