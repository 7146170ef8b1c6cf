"""What an editor offers: every function is taken by the wall as it is offered."""

from __future__ import annotations

import pytest

from tessera.errors import BadInput, Refused
from tessera.lake.functions import SPELLED
from tessera.lake.table import Column, Table
from tessera.trust import wall

TYPES = {"n": "INTEGER", "w": "VARCHAR", "d": "DATE"}
T = Table(name="t", whose="nobody", columns=tuple(Column(name=name, type=type_) for name, type_ in TYPES.items()))
CALLS = (
    "{f}(n)", "{f}(n, n)", "{f}(w)", "{f}(w, 'a')", "{f}(w, 'a', 1)", "{f}(w, 1, 'a')", "{f}(w, 'a', 'b')", "{f}('day', d)",
    "{f}('day', d, d)", "{f}()", "{f}(*)", "{f}() OVER (ORDER BY n)", "{f}(n) OVER (ORDER BY n)", "{f}(2) OVER (ORDER BY n)",
    "{f}(n AS BIGINT)", "{f}(year FROM d)", "{f}(d, '%Y')", "{f}(n > 1, 1, 2)", "{f}(n > 1)", "{f}", "{f}(w, 2)",
)  # fmt: skip


def taken(call: str) -> bool:
    try:
        wall.read(f"SELECT {call} AS x FROM t", {"t": T})
    except (BadInput, Refused):
        return False
    return True


@pytest.mark.parametrize("function", SPELLED)
def test_the_wall_takes_what_the_editor_offers(function: str) -> None:
    calls = [c.format(f=function) for c in CALLS]
    if function == "grouping":
        assert wall.read("SELECT grouping(n) AS x FROM t GROUP BY ROLLUP (n)", {"t": T}).names == ("x",)
    else:
        assert any(map(taken, calls))
