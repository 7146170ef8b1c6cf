"""Values of an answer as JSON has them: times in ISO 8601, decimals and others as text."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from typing import Any


def jsonable(value: Any) -> Any:
    """The value in JSON's words; a number that JSON has no word for (NaN, infinity) is null.

    >>> jsonable({"at": date(2026, 1, 2), "n": [1, float("nan")]})
    {'at': '2026-01-02', 'n': [1, None]}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(v) for v in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
