"""The contract as SQL: no value that came is lost without a word."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from given_tiny import Tiny, contract
from tessera.lake.engine import rows

WEB = {
    "id": {"required": True, "unique": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"},
    "user": {"identifier": "user_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "price": {"logicalType": "number", "mapsTo": "amount_cents", "physicalName": "properties.price"},
    "many": {"logicalType": "integer", "category": "system.operations", "physicalName": "properties.many"},
}


def web(tiny: Tiny, *lines: str) -> None:
    (tiny.root / "in" / "web").mkdir()
    head = {"path": "in/web/*.jsonl", "format": "json", "record": "event", "sync": "append", "rank": "1"}
    text = contract("web", {k: {n: v for n, v in f.items() if n != "physicalName"} for k, f in WEB.items()}, **head)
    for name, facts in WEB.items():
        if "physicalName" in facts:
            text = text.replace(f'"name": "{name}"', f'"name": "{name}", "physicalName": "{facts["physicalName"]}"')
    tiny.write("web", text)
    tiny.put("web", "\n".join(lines).encode(), "jsonl")


def line(**more: Any) -> str:
    return json.dumps({"id": "m1", "user": "u1", "at": "2026-02-01T10:00:00Z", **more})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (line(properties={"price": 0}).replace("0}", "1e400}"), "Datatype-Mismatch|price"),
        (line(properties={"price": 0}).replace("0}", "NaN}"), "Datatype-Mismatch|price"),
        (line(properties={"price": 123456789012345678901234567890}), "Datatype-Mismatch|price"),
        (line(properties={"price": "twelve"}), "Datatype-Mismatch|price"),
        (line(properties=[1, 2]), "Datatype-Mismatch|properties"),
        (line(properties="none"), "Datatype-Mismatch|properties"),
        (line(properties={"many": 1.5}), "Datatype-Mismatch|many"),
        (line(user={"a": 1}), "Datatype-Mismatch|user"),
        (line(user=["u1"]), "Datatype-Mismatch|user"),
    ],
)
def test_a_value_without_a_place_is_quarantined_with_its_row(tmp_path: Path, text: str, reason: str) -> None:
    tiny = Tiny(tmp_path / "w")
    web(tiny, text, line(id="m2", properties={"price": 12.5, "many": 3}), line(id="m3", properties=None))
    with tiny.open() as app:
        landed = app.sync(["web"])["web"]
        kind, _, place = reason.partition("|")
        assert (landed.kept, landed.reasons) == (2, {kind: 1})
        assert [q.field for q in app.quarantine.listed()] == [place]


@pytest.mark.parametrize(("amount", "kept"), [("99999999999999999", 0), ("12.5000", 1), (None, 1)])
def test_an_amount_of_a_parquet_file_that_no_column_holds_is_quarantined(
    tmp_path: Path, amount: str | None, kept: int
) -> None:
    tiny = Tiny(tmp_path / "w")
    (tiny.root / "in" / "till").mkdir()
    fields = {
        "id": {"required": True, "primaryKey": True, "mapsTo": "order_id"},
        "sum": {"logicalType": "number", "mapsTo": "amount_cents"},
    }
    text = contract("till", fields, path="in/till/*.parquet", format="parquet", record="order", sync="append", rank="1")
    tiny.write("till", text.replace("customProperties:\n", "customProperties:\n  - {property: amounts, value: units}\n", 1))
    cells = pa.array([None if amount is None else Decimal(amount)], pa.decimal128(38, 4))
    pq.write_table(pa.table({"id": ["o1"], "sum": cells}), tiny.root / "in" / "till" / "1.parquet")
    with tiny.open() as app:
        landed = app.sync(["till"])["till"]
        assert (landed.kept, landed.quarantined) == (kept, 1 - kept)
        if kept:
            cents = None if amount is None else 1250
            assert rows(app.con, f"SELECT amount_cents FROM {app.lake.relation('orders')}") == [(cents,)]


def test_a_replay_takes_no_line_that_its_reader_refused(tmp_path: Path) -> None:
    tiny = Tiny(tmp_path / "w")
    deep = line(id="m2", properties={"many": 1})[:-1] + ', "x": ' + "[" * 1500 + "]" * 1500 + "}"
    web(tiny, line(id="m1", properties={"many": 1}), deep)
    bad = line(id="m3", user="ué").replace("\\u00e9", "é").encode("latin-1")
    tiny.put("web", bad, "jsonl")
    with tiny.open() as app:
        landed = app.sync(["web"])["web"]
        assert (landed.kept, landed.quarantined) == (1, 2)
        done = app.replay()
        assert (done.still_bad, sum(made.kept for made in done.landed.values())) == (2, 0)
        assert len(app.quarantine.listed()) == 2
