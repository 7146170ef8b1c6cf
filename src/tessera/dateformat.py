"""How a contract writes dates (Java's DateTimeFormatter, as ODCS asks) as the strptime format that DuckDB reads."""

from __future__ import annotations

import re

_LETTERS = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "uu": "%y",
    "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m",
    "dd": "%d", "d": "%-d", "EEEE": "%A", "EEE": "%a",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "a": "%p",
    "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S",
    "SSS": "%g", "SSSSSS": "%f", "SSSSSSSSS": "%n",
    "Z": "%z", "VV": "%Z", "z": "%Z",
} | {letter * n: "%z" for letter in "Xx" for n in (1, 2, 3)}  # fmt: skip
_PART = re.compile(r"'(?P<quoted>(?:[^']|'')*)'|(?P<letter>[A-Za-z])(?P=letter)*|(?P<other>[^A-Za-z'])")


def strptime_of(pattern: str) -> str | None:
    """The strptime format of a Java pattern; a text with `%` is one already. None if it has no such format.

    >>> strptime_of("dd/MM/yyyy HH:mm"), strptime_of("yyyy-MM-dd'T'HH:mm:ssX"), strptime_of("qqq")
    ('%d/%m/%Y %H:%M', '%Y-%m-%dT%H:%M:%S%z', None)
    """
    if "%" in pattern:
        return pattern if re.fullmatch(r"(%-?[A-Za-z%]|[^%])+", pattern) else None
    out, at = "", 0
    while at < len(pattern):
        part = _PART.match(pattern, at)
        if part is None:
            return None
        if part["quoted"] is not None:
            out += part["quoted"].replace("''", "'") or "'"
        elif part["letter"]:
            if part.group() not in _LETTERS:
                return None
            out += _LETTERS[part.group()]
        else:
            out += part["other"]
        at = part.end()
    return out if "%" in out else None
