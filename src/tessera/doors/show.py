"""Output of the command line: data on stdout, all else on stderr; tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WIDEST = 60
_GAP = "  "


class Show:
    """Where one command writes. json: one document instead of tables, and no notes. quiet: no notes."""

    def __init__(self, *, json: bool = False, quiet: bool = False, color: bool = True) -> None:
        self.json, self.quiet = json, quiet or json
        self.color = color and not os.environ.get("NO_COLOR")

    def answer(self, document: Any, draw: Callable[[], None]) -> None:
        """The command's data: `document` as JSON if it was asked for, else whatever `draw` draws."""
        if self.json:
            self.document(document)
        else:
            draw()

    def document(self, value: Any) -> None:
        """One JSON document on stdout; times in ISO 8601."""
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=plain) + "\n")

    def line(self, text: str = "") -> None:
        """One line of data."""
        sys.stdout.write(text + "\n")

    def note(self, text: str) -> None:
        """A line about the work, on stderr; not with --quiet or --json."""
        if not self.quiet:
            sys.stderr.write(text + "\n")

    def table(
        self, columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "", red: Collection[int] = ()
    ) -> None:
        """Rows under their columns: drawn on a terminal, aligned by spaces elsewhere. Numbers stand to the right.

        red: the places of rows that are urgent; the colour only repeats what the row says."""
        listed = [list(row) for row in rows]
        right = [
            any(_number(r[i]) for r in listed) and all(r[i] is None or _number(r[i]) for r in listed)
            for i in range(len(columns))
        ]
        cells = [[cell(v) for v in row] for row in listed]
        if sys.stdout.isatty():
            self._drawn(columns, cells, right, title, red)
            return
        if title:
            self.line(title)
        widths = [max(len(c), *(len(r[i]) for r in cells), 0) for i, c in enumerate(columns)]
        for row in [list(columns), *cells]:
            parts = (t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True))
            self.line(_GAP.join(parts).rstrip())

    def facts(self, pairs: Mapping[str, Any], title: str = "") -> None:
        """Names and their values, one a line."""
        if title:
            self.line(title)
        width = max((len(k) for k in pairs), default=0)
        for key, value in pairs.items():
            self.line(f"{_GAP if title else ''}{key.ljust(width)}{_GAP}{cell(value)}".rstrip())

    def _drawn(
        self, columns: Sequence[str], cells: list[list[str]], right: list[bool], title: str, red: Collection[int]
    ) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        drawn = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column, is_number in zip(columns, right, strict=True):
            drawn.add_column(Text(column), justify="right" if is_number else "left", overflow="fold")
        for place, row in enumerate(cells):
            drawn.add_row(*(Text(c) for c in row), style="bold red" if place in red else None)
        Console(file=sys.stdout, no_color=not self.color, highlight=False).print(drawn)


def cell(value: Any) -> str:
    """A value as a table shows it: on one line, without anything that a terminal would obey."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple | dict):
        value = json.dumps(value, ensure_ascii=False, default=plain)
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(value))


def short(text: str, most: int = _WIDEST) -> str:
    """A text of at most `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def plain(value: Any) -> Any:
    """What JSON has no word for, as text or number: times in ISO 8601, decimals as they are written."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def many(number: int, noun: str, plural: str = "") -> str:
    """A number and its noun: "1 row", "2,000 rows"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
