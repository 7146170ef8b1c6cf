"""consent: which answer a person has given, as rows."""

from __future__ import annotations

import pytest

from tessera.config import Purpose
from tessera.lake.engine import connect, rows
from tessera.trust import consent

PURPOSES = [
    Purpose(name=name, data_use="", basis="consent", sentence={}, bit=bit)
    for bit, name in enumerate(("operate", "analytics"))
]


@pytest.mark.parametrize(
    ("choices", "mask"),
    [
        ("('given', '2026-01-01', NULL)", 2),
        ("('given', '2026-01-01', NULL), ('withdrawn', '2026-02-01', NULL)", 0),
        ("('withdrawn', '2026-01-01', NULL), ('given', '2026-02-01', NULL)", 2),
        ("('given', '2026-02-01', NULL), ('refused', '2026-02-01', NULL)", 0),
        ("('given', '2026-01-01', '2026-02-15')", 0),
        ("('given', '2026-01-01', NULL), ('given', '2026-02-01', '2026-02-15')", 0),
        ("('given', '2026-02-01', NULL), ('given', '2026-02-01', '2026-02-15')", 0),
        ("('given', '2026-02-01', '2026-09-01'), ('given', '2026-02-01', NULL)", 2),
        ("('given', '2026-05-01', NULL)", 0),
    ],
)
def test_her_latest_choice_decides_and_of_equally_old_ones_the_strictest(choices: str, mask: int) -> None:
    con = connect()
    con.execute("CREATE TABLE membership AS SELECT 1 AS key_id, 1 AS person_id")
    con.execute(
        f"""CREATE TABLE consents AS SELECT 1 AS key_id, 'analytics' AS purpose, state,
            said::TIMESTAMPTZ AS occurred_at, until::TIMESTAMPTZ AS until FROM (VALUES {choices}) AS t(state, said, until)"""
    )
    made = rows(con, f"WITH nothing AS (SELECT 1) {consent.mask(PURPOSES, '2026-03-01T00:00:00+00:00')}")
    assert made == [(1, 1, mask)]
