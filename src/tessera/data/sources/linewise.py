"""Separated values line by line: slow and exact, for a block in which the fast parser met broken quotes."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field

from tessera.data.sources.blocks import MAX_LINE

MAX_JOIN = 1000
"""Over how many lines a quoted value may go here."""

UNCLOSED = ("Unknown-Violation", "a quote is not closed, or text follows it")
TOO_LONG = ("Unknown-Violation", f"a line of more than {MAX_LINE} bytes")
NOT_UTF8 = ("Datatype-Mismatch", "not UTF-8")
TOO_FEW = ("Required-Missing", "fewer columns than the header")
TOO_MANY = ("Additional-Properties", "more columns than the header")


@dataclass
class Parsed:
    """rows: one list per row (None for an empty value); rejects: (place of the line from 0, bytes, reason, detail)."""

    rows: list[list[str | None]] = field(default_factory=list)
    rejects: list[tuple[int, bytes, str, str]] = field(default_factory=list)


def parse(data: bytes, columns: int, delimiter: str) -> Parsed:
    """The rows of whole lines. A line whose quote stays open is joined with those after it if that gives one row that
    does not look like swallowed rows; else it alone is rejected, and the next line is a row again. After such a reject
    a line with a quote inside a plain value is rejected too: it may be the rest of the broken one.

    >>> parse(b'1,"a\\n2,b\\n', 2, ",").rows
    [['2', 'b']]
    """
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    made, tidy, unclosed = Parsed(), record(columns, delimiter), False
    lines = data.split(b"\n")
    place = 0
    while place < len(lines):
        raw = lines[place]
        taken = 1
        if raw.strip(b"\r"):
            row, fault = _row(raw, columns, delimiter)
            if row is None and fault is None:
                row, taken = _joined(lines, place, columns, delimiter)
                fault = None if row else UNCLOSED
            if row is not None and unclosed and not tidy.match(b"\n".join(lines[place : place + taken]) + b"\n"):
                row, fault = None, UNCLOSED
            unclosed = unclosed or fault == UNCLOSED
            if row is not None:
                made.rows.append([value or None for value in row])
            elif fault:
                made.rejects.append((place, raw, *fault))
        place += taken
    return made


def record(columns: int, delimiter: str) -> re.Pattern[bytes]:
    """A whole record with its line end: quotes only around values, or doubled inside."""
    sign = re.escape(delimiter.encode())
    value = rb'(?:"(?:[^"]|"")*+"|[^"\r\n' + sign + rb"]*+)"
    return re.compile(value + rb"(?:%s%s){%d}\r?\n" % (sign, value, columns - 1))


def swallowed(value: str, columns: int, delimiter: str) -> bool:
    """Whether a value over several lines looks like rows that an unclosed quote took in.

    So it does if every line between its first and last has as many delimiters as a row: of two such lines in a file of
    three columns or more, of one in a file of five or more.
    """
    inner = value.split("\n")[1:-1]
    enough = 1 if columns >= 5 else 2
    return columns >= 3 and len(inner) >= enough and all(line.count(delimiter) == columns - 1 for line in inner)


def _row(raw: bytes, columns: int, delimiter: str) -> tuple[list[str] | None, tuple[str, str] | None]:
    """The row, or the fault; neither if its quote is still open."""
    if len(raw) > MAX_LINE:
        return None, TOO_LONG
    try:
        if b'"' not in raw and b"\r" not in raw:
            row = raw.decode().split(delimiter)
        else:
            row = next(csv.reader([raw.decode()], delimiter=delimiter, strict=True))
    except UnicodeDecodeError:
        return None, NOT_UTF8
    except csv.Error as e:
        return None, None if "unexpected end" in str(e) else UNCLOSED
    if len(row) == columns:
        return row, None
    return None, TOO_FEW if len(row) < columns else TOO_MANY


def _joined(lines: list[bytes], place: int, columns: int, delimiter: str) -> tuple[list[str] | None, int]:
    size = len(lines[place])
    for end in range(place + 1, min(len(lines), place + MAX_JOIN)):
        size += len(lines[end]) + 1
        if size > MAX_LINE:
            break
        if b'"' not in lines[end]:
            continue
        row, fault = _row(b"\n".join(lines[place : end + 1]), columns, delimiter)
        if fault:
            break
        if row is not None:
            if any(swallowed(value, columns, delimiter) for value in row if "\n" in value):
                break
            return row, end + 1 - place
    return None, 1
