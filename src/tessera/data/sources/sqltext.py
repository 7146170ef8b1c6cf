"""A database's values as text that says the same: ISO times, exact decimals, base64 bytes; and cursors to and fro."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa


def column(values: Sequence[Any]) -> pa.Array:
    """One column as text; NULL stays NULL. Raises UnicodeEncodeError if a value is text that was not UTF-8."""
    kinds = set(map(type, values))
    if kinds <= {str, type(None)}:
        return pa.array(values, pa.string())
    if kinds == {int}:
        return pa.array(map(str, values), pa.string())
    return pa.array([text(value) for value in values], pa.string())


def text(value: Any) -> str | None:
    """A value as text. A time without a zone counts as UTC; nested values become JSON.

    >>> text(Decimal("1E+2")), text(True), text(1e-7), text(datetime(2024, 1, 31, 8)), text(b"ab")
    ('100', 'true', '0.0000001', '2024-01-31T08:00:00+00:00', 'YWI=')
    """
    match value:
        case None:
            return None
        case str():
            return str(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return format(Decimal(repr(value)), "f") if math.isfinite(value) else None
        case Decimal():
            return format(value, "f") if value.is_finite() else None
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        case date() | time():
            return value.isoformat()
        case timedelta():
            return format(Decimal(value // timedelta(microseconds=1)).scaleb(-6).normalize(), "f")
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, default=text)
        case _:
            return str(value)


def frozen(value: Any) -> bytes:
    """A cursor's value as bytes from which `thawed` makes the same value. Raises TypeError for other kinds."""
    match value:
        case bool():
            raise TypeError("bool")
        case int() | str():
            made: tuple[str, Any] = (type(value).__name__, value)
        case float():
            made = ("float", value.hex())
        case Decimal() | UUID():
            made = (type(value).__name__, str(value))
        case datetime() | date():
            made = (type(value).__name__, value.isoformat())
        case bytes():
            made = ("bytes", value.hex())
        case _:
            raise TypeError(type(value).__name__)
    return json.dumps(made).encode()


def thawed(data: bytes) -> Any:
    """The value that `frozen` was given."""
    kind, value = json.loads(data)
    makers: dict[str, Any] = {
        "int": int,
        "str": str,
        "float": float.fromhex,
        "Decimal": Decimal,
        "UUID": UUID,
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "bytes": bytes.fromhex,
    }
    return makers[kind](value)
