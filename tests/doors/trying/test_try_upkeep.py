"""`tessera try upkeep`: telemetry until failure, failures that are marked, units that still run; mistakes are said."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from made_fleet import fleet

from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "try-upkeep.json").read_text("utf-8"))


def written(path: Path, units: int, *, seed: int = 0, cut: int = 0, marked: bool = False, lives: int = 1) -> Path:
    """A fleet as a file; cut: rows that are missing at each unit's end; marked: with a column that says which row failed."""
    t = fleet(units, life=30, seed=seed)
    last = np.isin(np.arange(len(t.unit)), t.last)
    keep = t.place < np.repeat(t.sizes, t.sizes) - cut
    rows = [["unit", "cycle", *t.sensors, *(["failed"] if marked else [])]]
    for i in np.flatnonzero(keep).tolist():
        cycle = t.cycle[i] + (t.unit[i] % lives) * 1000
        flag = ["yes" if last[i] and t.unit[i] < units - 2 else "no"] if marked else []
        rows.append([f"u{t.unit[i] // lives}", cycle, *np.round(t.values[i], 3), *flag])
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def told(words: list[str], capsys: Any) -> dict[str, Any]:
    assert main(["try", "upkeep", *words, "--json"]) == 0
    out, err = capsys.readouterr()
    document: dict[str, Any] = json.loads(out)
    jsonschema.validate(document, SCHEMA)
    assert err == ""
    return document


def test_units_that_still_run_are_told_what_is_left_of_them_and_how_sure_that_is(tmp_path: Path, capsys: Any) -> None:
    train, test = written(tmp_path / "train.csv", 24), written(tmp_path / "test.csv", 12, seed=3, cut=6)
    truth = tmp_path / "truth.csv"
    truth.write_text("6\n" * 12)
    out = tmp_path / "left.csv"
    words = [str(train), "--unit", "unit", "--cycle", "cycle", "--test", str(test), "--truth", str(truth), "--folds", "2"]
    found = told([*words, "--out", str(out)], capsys)
    assert (found["kind"], found["units"], found["failed"], found["folds"]) == ("remaining_life", 24, 24, 2)
    assert found["rmse"]["low"] < found["rmse"]["value"] < found["baseline_rmse"]["cycle_only"]
    assert found["test"]["rmse"]["value"] < 5 and len(found["latest"]) == 12
    for unit in found["latest"]:
        assert unit["low"] <= unit["remaining"] and (unit["high"] is None or unit["remaining"] <= unit["high"])
        assert 0 <= unit["risk"] <= 1 and unit["reason"]["zh"][0].startswith("剩余寿命：")
    assert {"column": "still", "reason": "it never moves"} in found["left_out"]
    with out.open(encoding="utf-8") as file:
        assert [r["unit"] for r in csv.DictReader(file)] == [u["unit"] for u in found["latest"]]


def test_marked_failures_end_lives_and_the_unmarked_still_run(tmp_path: Path, capsys: Any) -> None:
    file = written(tmp_path / "fleet.csv", 26, marked=True, lives=2)
    words = [str(file), "--unit", "unit", "--cycle", "cycle", "--failed", "failed", "--folds", "2"]
    found = told(words, capsys)
    assert (found["units"], found["lives"], found["failed"]) == (13, 26 - 1, 24)
    running = [u for u in found["latest"] if not u["failed"]]
    assert [u["unit"] for u in running] == ["u12"]
    assert main(["try", "upkeep", *words]) == 0
    out, err = capsys.readouterr()
    assert "error (RMSE)" in out and "u12" in out and "still: it never moves" in err


def test_rows_that_failed_or_not_are_ranked(tmp_path: Path, capsys: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 10, (700, 2))
    failed = x[:, 0] * x[:, 1] > 60
    kind = rng.choice(["a", "b"], 700)
    body = ["serial,torque,speed,kind,cause,broke"]
    body += [
        f"{i * 3},{a:.3f},{b:.3f},{k},{int(f and i % 2)},{int(f)}"
        for i, ((a, b), k, f) in enumerate(zip(x, kind, failed, strict=True))
    ]
    file = tmp_path / "machines.csv"
    file.write_text("\n".join(body), "utf-8")
    found = told([str(file), "--failed", "broke", "--folds", "2"], capsys)
    assert (found["kind"], found["failed"]) == ("failure", int(failed.sum()))
    assert found["average_precision"]["value"] > 0.9 > found["baseline_average_precision"]
    assert [c["column"] for c in found["left_out"]] == ["serial", "cause"]
    assert found["latest"][0]["reason"]["en"][0].startswith("Risk of failure: ")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--unit", "unit"], 2, "--cycle is missing"),
        ([], 2, "Name --unit and --cycle"),
        (["--unit", "unti", "--cycle", "cycle"], 2, "Did you mean 'unit'?"),
        (["--unit", "unit", "--cycle", "cycle"], 2, "at least 10"),
        (["--unit", "unit", "--cycle", "cycle", "--truth", "x"], 2, "name that file too"),
        (["--failed", "heat", "--test", "x"], 2, "--test is for telemetry"),
    ],
)
def test_mistakes_are_said(tmp_path: Path, capsys: Any, words: list[str], code: int, says: str) -> None:
    file = written(tmp_path / "few.csv", 3)
    assert main(["try", "upkeep", str(file), *words]) == code
    assert says in capsys.readouterr().err


def test_columns_that_spaces_set_apart_are_read(tmp_path: Path, capsys: Any) -> None:
    file = written(tmp_path / "fleet.csv", 12)
    lines = file.read_text("utf-8").splitlines()[1:]
    spaced = tmp_path / "fleet.txt"
    spaced.write_text("".join(line.removeprefix("u").replace(",", " ") + "  \n" for line in lines))
    found = told([str(spaced), "--unit", "column0", "--cycle", "column1", "--folds", "2"], capsys)
    assert found["units"] == 12
