"""lake.traced: a SELECT is traced once, and again when it, its columns or the tracer change."""

from __future__ import annotations

from pathlib import Path

import pytest

from tessera.errors import BadQuestion
from tessera.lake import traced as room
from tessera.lake.lineage import trace
from tessera.lake.traced import traced

SQL = "SELECT sum(amount) AS spent, max(paid) AS paid FROM orders WHERE paid"
SCHEMA = {"orders": {"amount": "BIGINT", "paid": "BOOLEAN"}}


@pytest.fixture(autouse=True)
def another_process() -> None:
    """What was traced before is in files alone."""
    room._found.cache_clear()


def test_what_was_traced_is_read_again_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert traced(SQL, SCHEMA, tmp_path) == trace(SQL, SCHEMA)
    room._found.cache_clear()
    monkeypatch.setattr(room, "trace", lambda *_: pytest.fail("traced again"))
    assert traced(SQL, SCHEMA, tmp_path) == trace(SQL, SCHEMA)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_process_traces_once_for_all_its_workspaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders[:2]:
        folder.mkdir()
    assert traced(SQL, SCHEMA, folders[0]) == trace(SQL, SCHEMA)
    monkeypatch.setattr(room, "trace", lambda *_: pytest.fail("traced again"))
    assert traced(SQL, SCHEMA, folders[1]) == traced(SQL, SCHEMA, folders[2]) == trace(SQL, SCHEMA)
    assert [f.name for f in folders[0].iterdir()] == [f.name for f in folders[1].iterdir()]


def test_another_select_another_column_and_other_code_are_traced_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wider = {"orders": [*SCHEMA["orders"], "tax"]}
    for number, (sql, schema) in enumerate([(SQL, SCHEMA), (SQL + " AND amount > 0", SCHEMA), (SQL, wider)], 1):
        traced(sql, schema, tmp_path)
        assert len(list(tmp_path.iterdir())) == number
    monkeypatch.setattr(room, "_code", lambda: "another")
    traced(SQL, SCHEMA, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("text", ["", "{}", '{"direct": 1, "indirect": {}}', '{"direct": {"a": [1]}, "indirect": {}}'])
def test_a_damaged_file_is_traced_and_written_again(tmp_path: Path, text: str) -> None:
    traced(SQL, SCHEMA, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_text(text)
    room._found.cache_clear()
    assert traced(SQL, SCHEMA, tmp_path) == trace(SQL, SCHEMA)
    assert path.read_text() != text


def test_no_folder_is_no_hindrance_and_no_select_is_an_error(tmp_path: Path) -> None:
    assert traced(SQL, SCHEMA, tmp_path / "none") == trace(SQL, SCHEMA)
    with pytest.raises(BadQuestion):
        traced("SELECT FROM", SCHEMA, tmp_path)
