from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from tessera.data.sources import delimited, linewise
from tessera.data.sources.blocks import BadFile, Piece, Place


def read(tmp_path: Path, text: bytes, name: str = "a.csv", **more: int) -> list[Piece]:
    (tmp_path / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return list(delimited.read(tmp_path / name, Place(), **more))


def rows(pieces: list[Piece]) -> list[tuple[str | None, ...]]:
    return [row[:-1] for p in pieces for row in zip(*p.table.to_pydict().values(), strict=True)]


def faults(pieces: list[Piece]) -> list[tuple[int, bytes, str]]:
    return [(r.position, r.text, r.reason) for p in pieces for r in p.rejects]


GOOD = [("1", "a", "b"), ("9", "y", "z")]


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (b"2,ab", "Required-Missing"),
        (b"2,ab,c,d,e", "Additional-Properties"),
        (b"2,a\xff\xfeb,c", "Datatype-Mismatch"),
        (b'2,"ab"c,d', "Unknown-Violation"),
        (b'2,"oops,c', "Unknown-Violation"),
        (b'2,"oops,c,"d"', "Unknown-Violation"),
        (b"2,a\rb,c", "Unknown-Violation"),
    ],
)
def test_a_broken_line_is_rejected_with_its_bytes_and_place_and_its_neighbours_are_rows(
    tmp_path: Path, bad: bytes, fault: str
) -> None:
    got = read(tmp_path, b"id,name,x\n1,a,b\n" + bad + b"\n9,y,z\n")
    assert rows(got) == GOOD
    assert faults(got) == [(3, bad, fault)]


def test_a_line_over_the_maximum_is_rejected_and_its_text_bounded(tmp_path: Path) -> None:
    got = read(tmp_path, b"id,name,x\n1,a,b\n2," + b"z" * 3_000_000 + b",c\n9,y,z\n")
    assert rows(got) == GOOD
    assert [(p, len(t), r) for p, t, r in faults(got)] == [(3, 65536, "Unknown-Violation")]


def test_a_line_longer_than_a_block_costs_no_memory_and_only_itself(tmp_path: Path) -> None:
    got = read(tmp_path, b"id,name,x\n1,a,b\n2," + b"z" * 30_000_000 + b",c\n9,y,z\n", size=1 << 20)
    assert rows(got) == GOOD
    assert [(p, r) for p, _, r in faults(got)] == [(3, "Unknown-Violation")]
    assert got[-1].last and got[-1].place.line == 4


@pytest.mark.parametrize("tail", [0, 50_000])
def test_an_unclosed_quote_swallows_nothing(tmp_path: Path, tail: int) -> None:
    lines = [b"%d,some words,b" % n for n in range(tail + 10)]
    got = read(tmp_path, b"id,name,x\n" + b"\n".join([*lines[:5], b'x,"oops,c', *lines[5:]]) + b"\n")
    assert len(rows(got)) == tail + 10
    assert faults(got) == [(7, b'x,"oops,c', "Unknown-Violation")]


def test_two_stray_quotes_do_not_make_one_value_of_the_rows_between(tmp_path: Path) -> None:
    between = [b"%d,n,o" % n for n in range(40)]
    got = read(tmp_path, b"id,name,x\n" + b"\n".join([b'1,"oops,c', *between, b'2,yo",c']) + b"\n")
    assert len(rows(got)) == 40
    assert faults(got) == [(2, b'1,"oops,c', "Unknown-Violation"), (43, b'2,yo",c', "Unknown-Violation")]


def test_the_rest_of_a_broken_value_is_no_row(tmp_path: Path) -> None:
    got = read(tmp_path, b'id,name,x\n1,5" pipe,b\n2,"a"b\nc, d",x\n3,"e",f\n')
    assert rows(got) == [("1", '5" pipe', "b"), ("3", "e", "f")]
    assert [text for _, text, _ in faults(got)] == [b'2,"a"b', b'c, d",x']


@pytest.mark.parametrize("size", [1500, 3000, 7777])
def test_blocks_after_a_broken_quote_cut_no_value_either(tmp_path: Path, size: int) -> None:
    lines = [b'%d,"a\n\nb, c",x' % n for n in range(1000)]
    lines[300], lines[700] = b'300,"oops,x', b'700,oops",x'
    got = read(tmp_path, b"id,n,x\n" + b"\n".join(lines), size=size)
    taken = [str(n) for n in range(1000) if n not in (300, 700)]
    assert [row[0] for row in rows(got) if row[0] != "700"] == taken
    assert faults(got)[0] == (902, b'300,"oops,x', "Unknown-Violation") and len(faults(got)) <= 2


def test_values_over_several_lines_stay_whole_also_beside_a_broken_line(tmp_path: Path) -> None:
    text = b'id,name,x\n1,"l1\n\nl3, with comma\n",b\n\n2,"say ""hi""",c\n'
    whole = [("1", "l1\n\nl3, with comma\n", "b"), ("2", 'say "hi"', "c")]
    assert rows(read(tmp_path, text)) == whole and faults(read(tmp_path, text)) == []
    broken = read(tmp_path, text + b'3,"oops,c\n')
    assert rows(broken) == whole and faults(broken) == [(8, b'3,"oops,c', "Unknown-Violation")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_line_ends_a_byte_order_mark_and_nul_bytes_are_taken(tmp_path: Path, end: bytes, last: bytes) -> None:
    got = read(tmp_path, b"\xef\xbb\xbf" + end.join([b"id,name", b"1,a\0b", b'2,"x' + end + b'y"', b',""']) + last)
    assert got[0].columns == ("id", "name")
    assert rows(got) == [("1", "a\0b"), ("2", "x\ny"), (None, None)] and not faults(got)


def test_mixed_line_ends_are_taken(tmp_path: Path) -> None:
    assert rows(read(tmp_path, b"id,n\r\n1,a\n2,b\r\n3,c\n")) == [("1", "a"), ("2", "b"), ("3", "c")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_of_the_header(tmp_path: Path, delimiter: str) -> None:
    text = f'"a, b; c",d{delimiter}e\n'.replace(",d", f"{delimiter}d").encode() + delimiter.join("123").encode()
    got = read(tmp_path, text)
    assert got[0].columns == ("a, b; c", "d", "e") and rows(got) == [("1", "2", "3")]


def test_names_are_kept_as_they_are_and_made_unique(tmp_path: Path) -> None:
    got = read(tmp_path, b'id,ID,a.b,"say ""x""",anna@example.com,,rn,id\n1,2,3,4,5,6,7,8\n')
    assert got[0].columns == ("id", "ID_2", "a.b", 'say "x"', "anna@example.com", "column_6", "rn_2", "id_3")
    assert rows(got) == [tuple("12345678")]


@pytest.mark.parametrize("text", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_one_piece_without_columns(tmp_path: Path, text: bytes) -> None:
    (got,) = read(tmp_path, text)
    assert got.last and got.columns == () and got.table.num_rows == 0


@pytest.mark.parametrize("text", [b"id,name", b"id,name\n", b"\n\nid,name\n"])
def test_a_header_alone_has_columns_and_no_rows(tmp_path: Path, text: bytes) -> None:
    (got,) = read(tmp_path, text)
    assert got.last and got.columns == ("id", "name") and got.table.num_rows == 0


def test_one_column_is_a_table_too(tmp_path: Path) -> None:
    got = read(tmp_path, b"email\na\n\nb\n")
    assert [row for row in rows(got) if row != (None,)] == [("a",), ("b",)] and not faults(got)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("größe,b\n1,2\n".encode("latin-1"), "UTF-8"),
        (b"a,b\r1,2\r", "CR alone"),
        (b"a\0,b\n1,2\n", "NUL"),
        (b"a" * 2_000_000, "1 MB"),
    ],
)
def test_a_head_that_is_no_header_is_named(tmp_path: Path, text: bytes, why: str) -> None:
    with pytest.raises(BadFile, match=why):
        read(tmp_path, text)


def test_a_cut_gzip_gives_what_it_holds_and_says_so(tmp_path: Path) -> None:
    body = b"id,n\n" + b"".join(b"%d,%d\n" % (n, random.Random(n).getrandbits(60)) for n in range(50_000))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(body)[:-20_000])
    got = list(delimited.read(tmp_path / "a.csv.gz", Place()))
    assert got[-1].broken and got[-1].last and 10_000 < len(rows(got)) < 50_000


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_blocks_cut_no_value_and_every_place_is_one_to_go_on_from(tmp_path: Path, name: str) -> None:
    dice = random.Random(3)
    text = b"id,n\n" + b"".join(b'%d,"%s"\n' % (n, b"x, y\n" * dice.randrange(4)) for n in range(1500))
    whole = rows(read(tmp_path, text, name))
    pieces = read(tmp_path, text, name, size=16384, max_rows=100)
    assert len(whole) == 1500 and rows(pieces) == whole and not faults(pieces)
    assert len(pieces) > 14 and all(p.table.num_rows <= 100 for p in pieces)
    for piece in pieces[::7]:
        rest = list(delimited.read(tmp_path / name, piece.place, size=4096))
        assert rows(rest) == whole[piece.place.rows :]


def test_only_the_slices_with_a_broken_quote_are_read_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delimited, "_SLICE_BYTES", 2000)
    slow: list[int] = []
    parse = linewise.parse
    monkeypatch.setattr(linewise, "parse", lambda data, *more: slow.append(len(data)) or parse(data, *more))
    lines = [b'%d,"a\n\nb, c",x' % n for n in range(1000)]
    lines[300], lines[700] = b'300,"oops,x', b"700,\xff,x"
    got = read(tmp_path, b"id,n,x\n" + b"\n".join(lines))
    assert [row[0] for row in rows(got)] == [str(n) for n in range(1000) if n not in (300, 700)]
    assert faults(got) == [(902, b'300,"oops,x', "Unknown-Violation"), (2100, b"700,\xff,x", "Datatype-Mismatch")]
    assert 0 < sum(slow) <= 8000


def test_no_line_of_any_garbage_vanishes(tmp_path: Path) -> None:
    dice = random.Random(11)
    for _ in range(40):
        lines = [bytes(dice.choices(b'ab,"\xc3\r ', k=dice.randrange(1, 12))) for _ in range(dice.randrange(1, 12))]
        got = read(tmp_path, b"a,b\n" + b"\n".join(lines) + b"\n")
        inside = sum((value or "").count("\n") for row in rows(got) for value in row)
        blank = sum(not line.strip(b"\r") for line in lines)
        told = len(rows(got)) + len(faults(got)) + inside
        assert len(lines) - blank <= told <= len(lines)
