"""`tessera try churn`: one document whose sums add up, and mistakes that are said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
from pytest import approx

from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "try-churn.json").read_text("utf-8"))


def given(path: Path, rows: int = 300) -> Path:
    rng = np.random.default_rng(0)
    body = ["id,tenure,MonthlyCharges,Contract,since,Churn"]
    for i in range(rows):
        tenure, charges, contract = rng.integers(1, 72), round(rng.normal(65, 20), 2), ["monthly", "yearly"][rng.integers(2)]
        left = rng.random() < 1 / (1 + np.exp(0.06 * tenure - 0.03 * (charges - 60) - (contract == "monthly")))
        body.append(f"c-{i * 7},{tenure},{charges},{contract},2024-{i % 12 + 1:02d}-03,{'Yes' if left else 'No'}")
    path.write_text("\n".join(body), "utf-8")
    return path


def test_its_document_holds_figures_reasons_and_what_was_left_out(tmp_path: Path, capsys: Any) -> None:
    file = str(given(tmp_path / "telco.csv"))
    words = ["try", "churn", file, "--target", "Churn", "--seeds", "1", "--folds", "3"]
    assert main([*words, "--json", "--change", "MonthlyCharges=down", "--change", "Contract", "--change", "tenure=up"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    jsonschema.validate(told, SCHEMA)
    assert err == "" and (told["rows"], told["positive"], told["folds"]) == (300, "Yes", 3)
    assert 0.6 < told["auc"]["mean"] < 0.95 and told["auc"]["low"] < told["auc"]["mean"] < told["auc"]["high"]
    assert [c["column"] for c in told["left_out"]] == ["id"]
    assert {i["column"] for i in told["importance"]} == {"tenure", "MonthlyCharges", "Contract", "since"}
    assert told["importance"][0]["zh"] == "在网时长"
    high, _, low = told["examples"]
    for example in told["examples"]:
        total = example["average"] * 100 + sum(r["points"] for r in example["reasons"]) + example["rest"]
        assert abs(total - example["score"] * 100) < 1e-9
        for reason, en, zh in zip(example["reasons"], example["en"][1:], example["zh"][1:], strict=False):
            assert (reason["direction"] == "raises") == ("raises" in en) == ("提高" in zh) == (reason["points"] > 0)
    assert high["score"] > low["score"] and low["change"] is None
    assert high["change"]["to"] <= told["rate"] < high["change"]["from"] == approx(high["score"])
    assert {c["column"] for c in high["change"]["changes"]} <= {"MonthlyCharges", "Contract", "tenure"}
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "logistic twin" in out and "Chance of Churn: " in out and "Left out: id: another text" in err


def test_mistakes_are_said_with_their_exit_code(tmp_path: Path, capsys: Any) -> None:
    file = str(given(tmp_path / "telco.csv", 80))
    for words, code, says in (
        ([file, "--target", "Chrun"], 2, "Did you mean 'Churn'?"),
        ([file, "--target", "since"], 2, "must have two values"),
        ([str(tmp_path / "none.csv"), "--target", "x"], 3, "none.csv"),
        ([file, "--target", "Churn", "--folds", "1"], 2, "no whole number from 2 to 20"),
    ):
        assert main(["try", "churn", *words]) == code
        assert says in capsys.readouterr().err
