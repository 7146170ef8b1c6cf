"""`tessera try value FILE`: histories or purchases, a check in the past, predictions in a file, and what was left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from made_buyers import bought, related

from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "try-value.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """histories.csv, with what came later; purchases.csv of a shop."""
    at = tmp_path_factory.mktemp("value")
    con = related(bought(700, 11, later=20.0))
    con.execute(
        f"""COPY (SELECT customer AS CustomerID, frequency AS frequency_cal, recency AS recency_cal, age AS T_cal,
                         monetary_value, later AS frequency_holdout, 20.0 AS duration_holdout FROM buyers)
            TO '{at / "histories.csv"}' (HEADER)"""
    )
    rng = np.random.default_rng(3)
    lines = ["buyer,date,amount"]
    for n in range(300):
        day, rate = rng.uniform(0, 100), rng.gamma(0.9, 0.02)
        while day < 300:
            lines.append(f"b{n},{np.datetime64('2024-01-01') + int(day)},{rng.gamma(4, 5):.2f}")
            day += rng.exponential(1 / rate) if rng.random() > 0.1 else 1000
    (at / "purchases.csv").write_text("\n".join([*lines, "b1,soon,3"]) + "\n")
    return at


def asked(capsys: Any, *words: str) -> dict[str, Any]:
    assert main(["try", "value", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_histories_are_valued_and_checked_against_what_came_later(folder: Path, capsys: Any) -> None:
    found = asked(capsys, str(folder / "histories.csv"), "--out", str(folder / "p.csv"), "--horizon", "20")
    assert (found["model"], found["verdict"], found["horizon"]) == ("bgnbd", "ok", 20.0)
    assert set(found["parameters"]) == {"r", "alpha", "a", "b"} and found["standard_errors"]["r"] > 0
    assert set(found["spend"]["parameters"]) == {"p", "q", "v"}
    assert found["holdout"]["length"] == 20 and found["holdout"]["customers"] == 700 and found["holdout"]["covered"] > 0.9
    lines = (folder / "p.csv").read_text().splitlines()
    assert lines[0].startswith("customer,frequency,recency,T,p_alive,expected_purchases,") and len(lines) == 701
    column = lines[0].split(",").index("expected_value")
    total = sum(float(line.split(",")[column]) for line in lines[1:])
    assert total == pytest.approx(found["customers"]["expected_value"]["expected"])
    assert found["best"][0]["expected_value"] == max(float(line.split(",")[column]) for line in lines[1:])


def test_purchases_become_histories_and_part_of_them_is_held_out(folder: Path, capsys: Any) -> None:
    found = asked(capsys, str(folder / "purchases.csv"), "--holdout", "12")
    assert found["unit"] == "weeks" and found["customers"]["customers"] == 300
    assert found["left_out"] == {"no time (a time)": 1}
    assert found["holdout"]["length"] == 12 and found["holdout"]["value"]["actual"] > 0
    assert asked(capsys, str(folder / "purchases.csv"))["holdout"] is None


def test_a_table_for_people_says_what_holds(folder: Path, capsys: Any) -> None:
    assert main(["try", "value", str(folder / "histories.csv"), "-q"]) == 0
    out, err = capsys.readouterr()
    assert "BG/NBD fits" in out and "expected value" in out and "Held out 20" in out and err == ""


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["none.csv"], "none.csv", 3),
        (["histories.csv", "--out", "x.xls"], "--out takes .csv", 2),
        (["histories.csv", "--out", "none/x.csv"], "no folder", 2),
        (["purchases.csv", "--holdout", "900"], "cannot be held out", 2),
        (["few.csv"], "At least 10 customers", 2),
        (["histories.csv", "--frequency", "frequncy_cal"], "Did you mean 'frequency_cal'", 2),
        (["histories.csv", "--horizon", "-1"], "is no time above 0", 2),
        (["bare.csv", "--holdout"], "Give the purchases instead", 2),
        (["other.csv"], "no column for 'frequency'", 2),
    ],
)
def test_what_cannot_be_done_is_said(folder: Path, words: list[str], says: str, code: int, capsys: Any) -> None:
    (folder / "few.csv").write_text("frequency,recency,T\n1,2,3\n0,0,3\n")
    (folder / "bare.csv").write_text("frequency,recency,T\n" + "1,2,3\n2,2,4\n" * 9)
    (folder / "other.csv").write_text("a,b\n1,2\n")
    at = [str(folder / w) if w.endswith((".csv", ".xls")) else w for w in words]
    assert main(["try", "value", *at]) == code
    out, err = capsys.readouterr()
    assert says in err and out == "" and "Traceback" not in err
