"""JSON lines, or one JSON array of objects: each object's text as one value, nothing parsed that could explode."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tessera.data.chunk import CHUNK_ROWS, Reject
from tessera.data.sources.blocks import BLOCK_BYTES, CUT_OFF, MAX_LINE, REJECT_BYTES, Piece, Place, blocks, opened

MAX_DEPTH = 1000
"""How deep objects and arrays may be nested; DuckDB's JSON functions were tried to 5000."""

_BOM = b"\xef\xbb\xbf"
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_WINDOW = 1 << 20


def read(path: Path, start: Place, *, size: int = BLOCK_BYTES, max_rows: int = CHUNK_ROWS) -> Iterator[Piece]:
    """The file's objects after `start`: one column `line` (VARCHAR), and `rn`. Blank lines are passed over.

    Rejects: lines of more than MAX_LINE bytes, not UTF-8, or nested deeper than MAX_DEPTH. Whether a line is JSON is
    for landing to see. A file that begins with "[" and "{" is one array: Reject.position is then the element's number,
    else the line's. Raises OSError if the file cannot be read.
    """
    yield from _array(path, start, size, max_rows) if _is_array(path) else _lines(path, start, size, max_rows)


def depth_over(text: bytes, limit: int = MAX_DEPTH) -> bool:
    """Whether brackets are nested deeper than the limit, strings left out.

    >>> depth_over(b'[[[1]]]', 2), depth_over(b'["[[["]', 2)
    (True, False)
    """
    if text.count(b"[") + text.count(b"{") <= limit:
        return False
    depth = 0
    for mark in _MARKS.finditer(text):
        first = mark.group()[:1]
        if first in b"[{":
            depth += 1
            if depth > limit:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def _lines(path: Path, start: Place, size: int, max_rows: int) -> Iterator[Piece]:
    rows = start.rows
    for block in blocks(path, start, size=size, max_lines=max_rows):
        if block.torn:
            texts = pa.array([block.torn + b" " * MAX_LINE], pa.binary())
        else:
            texts = _split(block.data if block.start.at else block.data.removeprefix(_BOM))
        numbers = pa.arange(block.start.line + 1, block.start.line + 1 + len(texts))
        filled = pc.greater(pc.binary_length(texts), 0)
        table, rejects = judged(numbers.filter(filled), texts.filter(filled))
        del texts, filled
        rows += table.num_rows
        place = Place(at=block.end.at, line=block.end.line, rows=rows)
        yield Piece(table=table, columns=("line",), rejects=rejects, place=place, last=block.last, broken=block.broken)


def judged(numbers: pa.Array, texts: pa.Array) -> tuple[pa.Table, tuple[Reject, ...]]:
    """Texts (binary, with their numbers) as rows, and those that are no row: too long, too deep or not UTF-8."""
    opened_in = pc.add(pc.count_substring(texts, b"["), pc.count_substring(texts, b"{"))
    unsure = pc.or_(pc.greater(pc.binary_length(texts), MAX_LINE), pc.greater(opened_in, MAX_DEPTH))
    places = pc.indices_nonzero(unsure).to_pylist()
    faults = {place: fault for place in places if (fault := _fault(texts[place].as_py()))}
    try:
        lines = texts.cast(pa.string())
    except pa.ArrowInvalid:
        lines = None
        for place, text in enumerate(texts.to_pylist()):
            if place not in faults and not _is_utf8(text):
                faults[place] = ("Datatype-Mismatch", "not UTF-8")
    if faults:
        kept = pa.array([place for place in range(len(texts)) if place not in faults], pa.int64())
        lines = texts.take(kept).cast(pa.string())
    rejects = tuple(
        Reject(text=texts[n].as_py()[:REJECT_BYTES], position=numbers[n].as_py(), reason=reason, detail=detail)
        for n, (reason, detail) in sorted(faults.items())
    )
    return pa.table({"line": lines, "rn": pa.arange(0, len(lines))}), rejects


def _split(data: bytes) -> pa.Array:
    """Lines as binary values, without space around them; the bytes are not copied one by one."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1
    rest = [len(data)] if data and not data.endswith(b"\n") else []
    edges = np.concatenate(([0], ends, rest)).astype(np.int64)
    buffers = [None, pa.py_buffer(edges), pa.py_buffer(data)]
    lines = pa.Array.from_buffers(pa.large_string(), len(edges) - 1, buffers)
    return pc.ascii_trim_whitespace(lines).view(pa.large_binary()).cast(pa.binary())


def _fault(text: bytes) -> tuple[str, str] | None:
    if len(text) > MAX_LINE:
        return "Unknown-Violation", f"more than {MAX_LINE} bytes"
    if depth_over(text):
        return "Unknown-Violation", f"nested deeper than {MAX_DEPTH}"
    return None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_array(path: Path) -> bool:
    with opened(path) as file:
        try:
            head = file.read(1 << 16).removeprefix(_BOM).lstrip()
        except CUT_OFF:
            return False
    return head.startswith(b"[") and head[1:].lstrip()[:1] in (b"{", b"]")


def _array(path: Path, start: Place, size: int, max_rows: int) -> Iterator[Piece]:
    """Elements in pieces; Place.line counts them. What cannot be read breaks the file off there."""
    found: list[tuple[int, bytes]] = []
    rows, held, number, broken = start.rows, 0, 0, False
    for number, text in enumerate(_elements(path), 1):
        if text is None:
            number, broken = number - 1, True
            break
        if number <= start.line:
            continue
        if held and (len(found) >= max_rows or held + len(text) > size):
            table, rejects = _judged(found)
            rows += table.num_rows
            place = Place(line=number - 1, rows=rows)
            yield Piece(table=table, columns=("line",), rejects=rejects, place=place, last=False)
            found, held = [], 0
        found.append((number, text))
        held += len(text)
    table, rejects = _judged(found)
    place = Place(line=number, rows=rows + table.num_rows)
    yield Piece(table=table, columns=("line",), rejects=rejects, place=place, last=True, broken=broken)


def _judged(found: list[tuple[int, bytes]]) -> tuple[pa.Table, tuple[Reject, ...]]:
    numbers = pa.array([number for number, _ in found], pa.int64())
    return judged(numbers, pa.array([text for _, text in found], pa.binary()))


def _elements(path: Path) -> Iterator[bytes | None]:
    """Each element's text; None at the end if the array does not end as it should."""
    decoder, bytes_in = json.JSONDecoder(), codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
    with opened(path) as file:
        text, at, ended = "", 0, False
        wanted = "["
        while True:
            while at < len(text) and text[at] in " \t\r\n":
                at += 1
            if at < len(text) and wanted:
                if text[at] == "]" and wanted == ",":
                    return
                if text[at] != wanted:
                    yield None
                    return
                at, wanted = at + 1, ""
                continue
            if at < len(text):
                if text[at] == "]":
                    return
                try:
                    _, end = decoder.raw_decode(text, at)
                    if end < len(text) or ended:
                        yield text[at:end].encode("utf-8", "surrogateescape")
                        at, wanted = end, ","
                        continue
                except RecursionError:
                    yield None
                    return
                except json.JSONDecodeError:
                    if ended or len(text) - at > 2 * MAX_LINE:
                        yield None
                        return
            if ended:
                yield None
                return
            try:
                more = file.read(_WINDOW)
            except CUT_OFF:
                more = b""
            text, at, ended = text[at:] + bytes_in.decode(more, final=not more), 0, not more
