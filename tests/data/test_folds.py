"""folds: which row gives a field its value."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from tessera.data.folds import Fold
from tessera.lake.engine import connect, value

DAY = "TIMESTAMPTZ '2026-01-01'"


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("last", f"('crm', NULL, 'a', 'undated'), ('crm', {DAY}, 'b', 'dated')", "dated"),
        ("first", f"('crm', NULL, 'a', 'undated'), ('crm', {DAY}, 'b', 'dated')", "dated"),
        ("last", f"('crm', {DAY}, NULL, 'nameless'), ('crm', {DAY}, 'a', 'named')", "named"),
        ("last", f"('crm', {DAY}, 'a', 'crm'), ('web', {DAY} + INTERVAL 1 DAY, 'b', 'web')", "crm"),
        ("last", f"('crm', {DAY}, 'a', NULL), ('web', NULL, 'b', 'web')", "web"),
        ("first", f"('web', {DAY}, 'b', 'early'), ('web', {DAY} + INTERVAL 1 DAY, 'a', 'late')", "early"),
    ],
)
def test_rank_then_time_then_name_decide_and_an_unknown_time_loses(
    kind: Literal["first", "last"], given: str, expected: Any
) -> None:
    con = connect()
    con.execute(f"CREATE TABLE r AS SELECT * FROM (VALUES {given}) AS t(source, occurred_at, row_key, city)")
    fold = Fold(field="city", kind=kind, table="r", of="city", type="VARCHAR")
    ranks = {"crm": 5} if kind == "last" else {}
    partials = f"SELECT {fold.partial(ranks, 'row_key')} AS city FROM r GROUP BY row_key"
    assert value(con, f"SELECT {fold.value()} FROM (SELECT {fold.merge()} AS city FROM ({partials}))") == expected
