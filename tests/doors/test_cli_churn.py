"""`tessera churn`: the model as a whole, one customer for staff and for herself, and what is said where there is nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_orders import handed, hasty, orders

from given_tiny import Tiny
from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "churn.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    tiny = Tiny(tmp_path_factory.mktemp("tiny") / "w", insight=True)
    (tiny.root / "tessera.yaml").write_text((tiny.root / "tessera.yaml").read_text().replace("2026-12-31", "2025-10-27"))
    (tiny.root / "insight.yaml").write_text("churn: {horizon_days: 45, groups: [city]}\n")
    made = orders(330)
    people = sorted({o[0] for o in made})
    tiny.crm([{"id": f"u{p}", "name": "N.", "city": ("Bonn", "Ulm")[p % 2], "updated": "2025-01-01T09:00:00Z"} for p in people])
    handed(tiny, made)
    with pytest.MonkeyPatch.context() as patch, tiny.open() as app:
        hasty(patch)
        app.turn()
    yield tiny.root


def told(root: Path, capsys: Any, *words: str) -> dict[str, Any]:
    assert main(["-w", str(root), "churn", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_the_whole_tells_of_groups_and_one_customer_of_her_reasons(root: Path, capsys: Any) -> None:
    whole = told(root, capsys)
    assert whole["model"]["settings"]["judged_on"] == "later" and whole["model"]["figures"]["auc"]["value"] > 0.6
    assert {b["band"] for b in whole["bands"]} == {"high", "medium", "low"}
    assert {c["label"] for c in whole["fairness"]} == {"Bonn", "Ulm"} and whole["calibration"]
    assert main(["-w", str(root), "churn"]) == 0
    out, _ = capsys.readouterr()
    assert "the time since the last order" in out and "on a later time" in out
    assert (
        main(["-w", str(root), "sql", "SELECT person_id FROM churn ORDER BY 1 LIMIT 1", "--purpose", "analytics", "--json"])
        == 0
    )
    person = str(json.loads(capsys.readouterr().out)[0]["person_id"])
    one = told(root, capsys, "--person", person)
    total = one["average"] * 100 + sum(r["points"] for r in one["reasons"]) + one["rest"]
    assert abs(total - one["score"] * 100) < 1e-9 and one["en"][0].startswith("Risk of leaving: ")
    hers = told(root, capsys, "--person", person, "--customer")
    assert not re.search(r"[\d%]", " ".join(hers["en"] + hers["zh"])) and hers["en"]
    assert main(["-w", str(root), "churn", "--person", person, "--language", "zh"]) == 0
    assert capsys.readouterr().out.startswith("流失风险")
    assert main(["-w", str(root), "churn", "--person", "99999"]) == 3
    assert "is not known" in capsys.readouterr().err


def test_before_the_first_model_it_says_what_is_needed(tmp_path: Path, capsys: Any) -> None:
    tiny = Tiny(tmp_path / "w")
    assert told(tiny.root, capsys)["model"] is None
    assert main(["-w", str(tiny.root), "churn"]) == 0
    assert "No model yet" in capsys.readouterr().err
