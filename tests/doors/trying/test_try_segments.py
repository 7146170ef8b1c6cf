"""`tessera try segments FILE`: a k with its reason, names in both languages, everybody assigned, few customers by rules."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "try-segments.json").read_text("utf-8"))
KINDS = ((5, 12, 75.0), (40, 5, 60.0), (15, 1, 40.0), (250, 1, 50.0))


def purchases(file: Path, customers: int) -> Path:
    """Four plain kinds of customers: days since the last order, orders, amount of each."""
    rng = np.random.default_rng(2)
    lines = ["CustomerID,date,amount", "c0,2024-05-31 09:00:00,"]
    for n in range(customers):
        days, orders, amount = KINDS[n % 4]
        last = np.datetime64("2024-06-01") - int(days * rng.uniform(0.8, 1.2))
        lines += [f"c{n},{last - 9 * i} 10:00:00,{amount * rng.uniform(0.8, 1.2):.2f}" for i in range(orders)]
    file.write_text("\n".join(lines) + "\n")
    return file


def asked(capsys: Any, *words: str) -> dict[str, Any]:
    assert main(["try", "segments", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_kinds_of_customers_are_found_named_and_everybody_is_assigned(tmp_path: Path, capsys: Any) -> None:
    file, out = purchases(tmp_path / "p.csv", 240), tmp_path / "a.csv"
    found = asked(capsys, str(file), "--as-of", "2024-06-01", "--out", str(out))
    assert (found["k"], found["method"], found["customers"]) == (4, "kmeans", 240)
    assert found["stability"] >= 0.85 and "4 segments" in found["why"]["en"] and "4 个群组" in found["why"]["zh"]
    assert [c["k"] for c in found["choices"]] == [2, 3, 4]
    names = {s["label_en"]: s for s in found["segments"]}
    assert set(names) == {"High value", "At risk", "New", "Lapsed"} and all(s["people"] == 60 for s in names.values())
    assert {s["label_zh"] for s in found["segments"]} == {"高价值客户", "流失风险客户", "新客户", "已流失客户"}
    assert names["High value"]["median"]["orders"] == 12 and names["High value"]["centre"]["orders"] == pytest.approx(
        12, abs=0.1
    )
    assert found["left_out"] == {"no amount (a number)": 1}
    with out.open() as lines:
        listed = list(csv.DictReader(lines))
    assert [row["customer"] for row in listed] == sorted(f"c{n}" for n in range(240))
    assert {row["segment"] for row in listed if int(row["customer"][1:]) % 4 == 3} == {names["Lapsed"]["segment"]}


def test_few_customers_are_grouped_by_rules_and_it_is_said(tmp_path: Path, capsys: Any) -> None:
    found = asked(capsys, str(purchases(tmp_path / "p.csv", 40)))
    assert (found["k"], found["method"], found["model"]) == (None, "rules", "rules-1")
    assert "Fewer than 100" in found["why"]["en"] and sum(s["people"] for s in found["segments"]) == 40


def test_a_table_for_people_and_a_k_that_was_asked_for(tmp_path: Path, capsys: Any) -> None:
    file = purchases(tmp_path / "p.csv", 200)
    assert main(["try", "segments", str(file), "--k", "3", "-q"]) == 0
    out, err = capsys.readouterr()
    assert "3 segments were asked for." in out and "found again" in out and err == ""
    for words, says in (
        (["--k", "1"], "no number from 2"),
        (["--as-of", "soon"], "no day"),
        (["--out", "a.doc"], "--out takes"),
    ):
        assert main(["try", "segments", str(file), *words]) == 2
        assert says in capsys.readouterr().err
