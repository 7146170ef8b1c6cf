"""CSV that a spreadsheet may open: a text that it would take for a formula begins with an apostrophe.

Source: OWASP, CSV Injection. What begins with = + - @, a tab or a line end (also in their full-width forms) is a formula to
Excel, LibreOffice or Google Sheets, and may send the sheet's cells away. Plain numbers and phone numbers stay as they are.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tessera.doors.show import plain

_FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠|%]")
_NUMBER = re.compile(r"[+-]?\d[\d ]*(\.\d+)?([eE][+-]?\d+)?")


def safe(text: str) -> str:
    """The text as a cell.

    >>> safe("=HYPERLINK(A1)"), safe("+41 79 123"), safe("-3.5"), safe("Ann")
    ("'=HYPERLINK(A1)", '+41 79 123', '-3.5', 'Ann')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def cell(value: Any) -> Any:
    """A value as the csv module is to write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, str):
        return safe(value)
    return safe(json.dumps(value, ensure_ascii=False, default=plain) if isinstance(value, list | dict) else plain(value))
