from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from given_sources import Keys, commit, contract, landed, values

from tessera.data.sources import delimited, files
from tessera.data.sources.names import shown
from tessera.errors import BadSource
from tessera.lake.state import State

KEYS = Keys()


def read(root: Path, state: State, path: str = "in/*", format: str = "csv", **more: Any) -> list[tuple[Any, ...]]:
    return landed(files.read(contract(path, format, **more), root, state, KEYS), state)


def write(root: Path, name: str, text: str) -> None:
    path = root / "in" / name
    path.write_text(text)
    many = len(list(path.parent.iterdir()))
    os.utime(path, ns=(many * 10**9 + len(text), many * 10**9 + len(text)))


def test_new_files_are_read_once_in_the_order_of_names(root: Path, state: State) -> None:
    write(root, "b.csv", "id\n2\n")
    write(root, "a.csv", "id\n1\n")
    assert read(root, state) == [("1",), ("2",)]
    assert read(root, state) == []
    write(root, "0.csv", "id\n0\n")
    assert read(root, state) == [("0",)]


def test_the_state_holds_no_file_name(root: Path, state: State) -> None:
    write(root, "anna@example.com.csv", "id\n1\n")
    read(root, state)
    assert "anna" not in str(state.items("files"))


def test_a_crash_gives_exactly_what_was_not_committed(
    root: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delimited.read, "__kwdefaults__", {**delimited.read.__kwdefaults__, "max_rows": 10})
    write(root, "a.csv", "id\n" + "".join(f"{n}\n" for n in range(25)))
    write(root, "b.csv", "id\nlast\n")
    seen: list[Any] = []
    for _ in range(4):
        for place, chunk in enumerate(files.read(contract(), root, state, KEYS)):
            if place == 1:
                break
            seen += values(chunk)
            commit(state, chunk)
    assert seen == [*[(str(n),) for n in range(25)], ("last",)]
    assert read(root, state) == []


def test_a_changed_file_is_read_again_if_rows_have_a_key(root: Path, state: State) -> None:
    write(root, "a.csv", "id\n1\n")
    read(root, state, key=True)
    write(root, "a.csv", "id\n1\n2\n")
    assert read(root, state, key=True) == [("1",), ("2",)]


def test_a_changed_file_without_a_key_is_named_and_the_others_are_read(root: Path, state: State) -> None:
    write(root, "a.csv", "id\n1\n")
    read(root, state)
    write(root, "a.csv", "id\n1\n2\n")
    write(root, "b.csv", "id\n3\n")
    got = files.read(contract(), root, state, KEYS)
    assert values(next(got)) == [("3",)]
    with pytest.raises(BadSource, match=r"in/a\.csv changed .* primary key"):
        next(got)


def test_a_snapshot_is_the_newest_file_only(root: Path, state: State) -> None:
    write(root, "2024-01.csv", "id\n1\n")
    write(root, "2024-02.csv", "id\n2\n")
    assert read(root, state, sync="snapshot") == [("2",)]
    assert read(root, state, sync="snapshot") == []
    write(root, "2024-02.csv", "id\n2\n3\n")
    assert read(root, state, sync="snapshot") == [("2",), ("3",)]


@pytest.mark.parametrize(("name", "text"), [("a.csv", b""), ("a.csv.gz", b"\x1f\x8b\x08\0")])
@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_an_empty_or_broken_snapshot_is_never_taken_for_the_truth(
    root: Path, state: State, name: str, text: bytes, format: str
) -> None:
    (root / "in" / name).write_bytes(text)
    with pytest.raises(BadSource):
        list(files.read(contract("in/*", format, sync="snapshot"), root, state, KEYS))


def test_an_empty_file_is_remembered(root: Path, state: State) -> None:
    write(root, "a.csv", "")
    assert read(root, state) == [] and len(state.items("files")) == 1
    write(root, "a.csv", "id\n1\n")
    assert read(root, state) == [("1",)]


def test_a_file_with_a_bad_head_stops_no_other(root: Path, state: State) -> None:
    (root / "in" / "a-436601234567.csv").write_bytes("größe\n1\n".encode("latin-1"))
    write(root, "b.csv", "id\n1\n")
    got = files.read(contract(), root, state, KEYS)
    assert values(next(got)) == [("1",)]
    with pytest.raises(BadSource, match="UTF-8") as caught:
        next(got)
    assert "436601234567" not in str(caught.value)


@pytest.mark.parametrize("path", ["nowhere/*.csv", "in/*.nothing", "in/anna@example.com.csv"])
def test_a_path_without_a_match_says_what_to_do_and_no_value(root: Path, state: State, path: str) -> None:
    with pytest.raises(BadSource, match="mend 'path'") as caught:
        list(files.read(contract(path), root, state, KEYS))
    assert "anna" not in str(caught.value)


def test_a_file_that_vanishes_is_named(root: Path, state: State) -> None:
    for format in ("csv", "json", "parquet"):
        write(root, "a.csv", "id\n1\n")
        write(root, "b.csv", "id\n2\n")
        found = files.matching(contract(), root, KEYS)
        (root / "in" / "a.csv").unlink()
        with pytest.MonkeyPatch.context() as patched, pytest.raises(BadSource, match=r"in/a\.csv: it vanished"):
            patched.setattr(files, "matching", lambda *_, found=found: found)
            list(files.read(contract("in/*", format), root, state, KEYS))


def test_names_that_hold_a_value_are_shown_as_keyed_names() -> None:
    assert shown("in/anna@example.com.csv", KEYS) == f"in/{KEYS.name_of('anna@example.com.csv')}"
    assert "4366" not in shown("in/+43 660 123 45 67.csv", KEYS)
    assert shown("in/orders-20240131.csv", KEYS) == "in/orders-20240131.csv"


def test_parquet_files_of_one_schema_are_one_chunk_read_in_place(root: Path, state: State) -> None:
    for n, name in enumerate(["a[1].parquet", "b*.parquet"]):
        pq.write_table(pa.table({"id": [n * 10, n * 10 + 1], "rn": ["x", "y"]}), root / "in" / name)
    pq.write_table(pa.table({"id": ["c"], "Day": ["d"]}), root / "in" / "c.parquet")
    chunks = list(files.read(contract("in/*", "parquet"), root, state, KEYS))
    assert [c.columns for c in chunks] == [("id", "rn_2"), ("id", "Day")]
    assert [c.last for c in chunks] == [False, True] and all(c.table is None for c in chunks)
    assert [values(c) for c in chunks] == [[(0, "x"), (1, "y"), (10, "x"), (11, "y")], [("c", "d")]]
    assert len(read(root, state, "in/*", "parquet")) == 5 and read(root, state, "in/*", "parquet") == []


def test_a_large_parquet_file_is_cut_and_goes_on_where_it_stopped(
    root: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK_ROWS", 10)
    pq.write_table(pa.table({"id": list(range(25))}), root / "in" / "a.parquet", row_group_size=7)
    pq.write_table(pa.table({"id": [99]}), root / "in" / "b.parquet")
    first = next(files.read(contract("in/*", "parquet"), root, state, KEYS))
    assert values(first) == [(n,) for n in range(10)] and not first.last
    commit(state, first)
    assert read(root, state, "in/*", "parquet") == [*[(n,) for n in range(10, 25)], (99,)]


def test_a_broken_parquet_file_is_a_reject_and_is_retried_when_it_changes(root: Path, state: State) -> None:
    pq.write_table(pa.table({"id": [1]}), root / "in" / "good.parquet")
    whole = (root / "in" / "good.parquet").read_bytes()
    (root / "in" / "bad.parquet").write_bytes(whole[:-9])
    chunks = list(files.read(contract("in/*", "parquet"), root, state, KEYS))
    assert [(c.rows, c.last, len(c.rejects)) for c in chunks] == [(0, False, 1), (1, True, 0)]
    for chunk in chunks:
        commit(state, chunk)
    assert [fact.get("error", "")[:19] for fact in state.items("files").values()].count("no readable Parquet") == 1
    assert read(root, state, "in/*", "parquet") == []
    shutil.copy(root / "in" / "good.parquet", root / "in" / "bad.parquet")
    assert read(root, state, "in/*", "parquet") == [(1,)]


def test_a_broken_file_among_text_files_is_told_and_remembered(root: Path, state: State) -> None:
    (root / "in" / "a.json").write_bytes(b'[{"a":1},{"a":')
    (chunk,) = files.read(contract("in/*", "json"), root, state, KEYS)
    assert values(chunk) == [('{"a":1}',)] and chunk.shape == "json" and chunk.columns == ("line",)
    assert [(r.text, r.detail) for r in chunk.rejects] == [(b"in/a.json", "it breaks off before its end")]
    commit(state, chunk)
    assert read(root, state, "in/*", "json") == []
