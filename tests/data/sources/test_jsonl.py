from __future__ import annotations

import gzip
import time
from pathlib import Path

import duckdb
import pytest

from tessera.data.sources import jsonl
from tessera.data.sources.blocks import Piece, Place


def read(tmp_path: Path, text: bytes, name: str = "a.json", **more: int) -> list[Piece]:
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return list(jsonl.read(tmp_path / name, Place(), **more))


def rows(pieces: list[Piece]) -> list[str]:
    return [line for p in pieces for line in p.table["line"].to_pylist()]


def faults(pieces: list[Piece]) -> list[tuple[int, str]]:
    return [(r.position, r.reason) for p in pieces for r in p.rejects]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl.gz"])
def test_each_line_is_a_row_and_blank_ones_are_passed_over(tmp_path: Path, name: str) -> None:
    got = read(tmp_path, b'\xef\xbb\xbf{"a":1}\n\n  \r\n{"b":"\xc3\xa4"}\r\nno json', name)
    assert [r.strip() for r in rows(got)] == ['{"a":1}', '{"b":"ä"}', "no json"] and not faults(got)
    assert got[0].columns == ("line",) and got[-1].last


def test_what_is_too_long_or_not_utf8_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    got = read(tmp_path, b'{"a":1}\n{"a":"' + b"z" * 1_100_000 + b'"}\n{"a":"\xff"}\n{"a":2}\n')
    assert rows(got) == ['{"a":1}', '{"a":2}']
    assert faults(got) == [(2, "Unknown-Violation"), (3, "Datatype-Mismatch")]
    assert all(len(r.text) <= 65536 for r in got[0].rejects)


@pytest.mark.parametrize("bomb", [b"[" * 1_000_000, b'{"a":' * 200_000, b"[" * 100_000 + b"]" * 100_000])
def test_deep_nesting_is_rejected_before_any_parser_sees_it(tmp_path: Path, bomb: bytes) -> None:
    began = time.monotonic()
    got = read(tmp_path, bomb + b'\n{"a":1}\n' + bomb)
    assert rows(got) == ['{"a":1}'] and faults(got) == [(1, "Unknown-Violation"), (3, "Unknown-Violation")]
    assert time.monotonic() - began < 10


def test_wide_is_not_deep_and_the_deepest_taken_is_read_by_the_engine(tmp_path: Path) -> None:
    wide = b'{"lines":[' + b",".join([b'{"a":"[[[\\"["}'] * 5000) + b"]}"
    deep = b'{"a":' * jsonl.MAX_DEPTH + b"1" + b"}" * jsonl.MAX_DEPTH
    got = read(tmp_path, wide + b"\n" + deep + b"\n")
    assert len(rows(got)) == 2
    for line in rows(got):
        sql = "SELECT json_valid($1), json_type($1), json_keys($1), json_extract_string($1, '$.a')"
        assert duckdb.connect().execute(sql, [line]).fetchall()[0][0]


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_one_array_of_objects_is_taken_element_by_element(tmp_path: Path, name: str) -> None:
    body = ",\n ".join('{"n":' + str(n) + ',"t":"ä, ]}","more":[{"x":1}]}' for n in range(500))
    got = read(tmp_path, f" [ {body}\n]\n".encode(), name, max_rows=70)
    assert len(rows(got)) == 500 and rows(got)[7] == '{"n":7,"t":"ä, ]}","more":[{"x":1}]}'
    assert len(got) == 8 and got[-1].last and not got[-1].broken
    rest = list(jsonl.read(tmp_path / name, got[3].place))
    assert rows(rest) == rows(got)[280:] and rest[-1].place == got[-1].place


def test_an_empty_array_and_an_empty_file_have_no_rows(tmp_path: Path) -> None:
    for text in (b"[]", b"[ ]\n", b"", b"\n"):
        (got,) = read(tmp_path, text)
        assert got.last and not got.broken and rows([got]) == []


@pytest.mark.parametrize(
    "text", [b'[{"a":1},{"a":2', b'[{"a":1},{"a":2,]', b'[{"a":1} {"a":2}]', b'[{"a":1},' + b"[" * 400_000]
)
def test_an_array_that_breaks_off_says_so_and_gives_what_was_before(tmp_path: Path, text: bytes) -> None:
    got = read(tmp_path, text)
    assert rows(got) == ['{"a":1}'] and got[-1].broken


def test_an_array_keeps_bytes_that_are_not_utf8_as_rejects(tmp_path: Path) -> None:
    got = read(tmp_path, b'[{"a":"\xff"},{"a":1}]')
    assert rows(got) == ['{"a":1}'] and faults(got) == [(1, "Datatype-Mismatch")]
    assert got[0].rejects[0].text == b'{"a":"\xff"}'


def test_blocks_lose_no_line(tmp_path: Path) -> None:
    text = b"".join(b'{"n":%d}\n' % n for n in range(5000))
    got = read(tmp_path, text, size=4096, max_rows=100)
    assert rows(got) == text.decode().splitlines() and len(got) >= 50
    assert rows(list(jsonl.read(tmp_path / "a.json", got[20].place))) == rows(got)[got[20].place.rows :]
