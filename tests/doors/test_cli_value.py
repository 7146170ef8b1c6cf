"""`tessera value`: everybody together with the check in the past, the most valuable, and one customer in two languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_orders import handed, orders

from given_tiny import Tiny
from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "value.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    tiny = Tiny(tmp_path_factory.mktemp("tiny") / "w")
    (tiny.root / "tessera.yaml").write_text((tiny.root / "tessera.yaml").read_text().replace("2026-12-31", "2025-10-27"))
    (tiny.root / "insight.yaml").write_text(
        "without: [attribution, churn, recommend, interests, upkeep]\nvalue: {horizon_days: 90}\n"
    )
    made = orders(150)
    handed(tiny, made)
    with tiny.open() as app:
        app.turn()
    yield tiny.root


def told(root: Path, capsys: Any, *words: str) -> dict[str, Any]:
    assert main(["-w", str(root), "value", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_everybody_is_told_of_with_the_check_in_the_past_and_the_top_in_its_order(root: Path, capsys: Any) -> None:
    whole = told(root, capsys, "--top", "5")
    assert whole["everybody"]["people"] > 100 and whole["everybody"]["horizon_days"] == 90
    assert whole["model"]["figures"]["held_out_expected_over_actual"]["value"] > 0
    worth = [r["expected_value_cents"] for r in whole["top"]]
    assert len(worth) == 5 and worth == sorted(worth, reverse=True)
    assert told(root, capsys)["top"] == []
    assert main(["-w", str(root), "value", "--top", "3"]) == 0
    out = capsys.readouterr().out
    assert "held_out_covered" in out and "still a customer" in out and "within 90 days" in out
    assert main(["-w", str(root), "value", "--top", "0"]) == 2
    assert "no number from 1" in capsys.readouterr().err


def test_one_customer_has_both_intervals_in_two_languages(root: Path, capsys: Any) -> None:
    person = told(root, capsys, "--top", "1")["top"][0]["person_id"]
    one = told(root, capsys, "--person", str(person))
    assert one["expected_purchases_low"] <= one["expected_purchases"] <= one["expected_purchases_high"]
    for language, word in (("en", "Within 90 days: "), ("zh", "90 天内预期有 ")):
        first, worth, alive = one[language]
        assert first.startswith(word) and f"{one['expected_purchases']:.2f}" in first
        assert f"{one['expected_value_cents'] / 100:,.2f} EUR" in worth and f"{one['p_alive'] * 100:.0f} %" in alive
    assert main(["-w", str(root), "value", "--person", str(person), "--language", "zh"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("90 天内") and "NBD" in err
    assert main(["-w", str(root), "value", "--person", "99999"]) == 3
    assert "is not known" in capsys.readouterr().err


def test_before_the_first_model_it_says_what_is_needed(tmp_path: Path, capsys: Any) -> None:
    tiny = Tiny(tmp_path / "w")
    assert told(tiny.root, capsys)["model"] is None
    assert main(["-w", str(tiny.root), "value"]) == 0
    assert "No model yet" in capsys.readouterr().err
