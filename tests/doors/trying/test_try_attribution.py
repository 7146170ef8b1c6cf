"""`tessera try attribution`: a file of paths in, credits by every model out; odd files are told, never a crash."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import pytest

from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schemas/try-attribution.json").read_text("utf-8"))
PATHS = """path,total_conversions,total_conversion_value,total_null
search > email > direct,5,100.5,10
search,1,20,50
display > search > search,3,33.33,12
"邮件 > direct",2,10,0
"""


def asked(tmp_path: Path, capsys: Any, text: str, *more: str) -> dict[str, Any]:
    """The command's document for a file of this text."""
    (tmp_path / "paths.csv").write_text(text, "utf-8")
    assert main(["try", "attribution", str(tmp_path / "paths.csv"), "--json", *more]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    return document


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_each_column_sums_to_what_the_file_has(tmp_path: Path, capsys: Any, order: int) -> None:
    made = asked(tmp_path, capsys, PATHS, "--order", str(order), "--resamples", "20")
    assert made["order"] == order and made["left_out"] == {}
    assert [c["channel"] for c in made["channels"]] == ["direct", "display", "email", "search", "邮件"]
    for model in ("markov", "first", "last", "linear", "position", "time_decay", "shapley"):
        assert sum(c[f"{model}_conversions"] for c in made["channels"]) == 11
        assert sum(c[f"{model}_value"] for c in made["channels"]) == made["totals"]["value"] == pytest.approx(163.83)
    for c in made["channels"]:
        assert c["markov_conversions_low"] <= c["markov_conversions"] <= c["markov_conversions_high"]


def test_parquet_json_and_csv_say_the_same(tmp_path: Path, capsys: Any) -> None:
    document = asked(tmp_path, capsys, PATHS)
    for ending in ("parquet", "json"):
        file = tmp_path / f"paths.{ending}"
        with duckdb.connect() as con:
            con.execute(f"COPY (FROM read_csv('{tmp_path}/paths.csv')) TO '{file}'")
        assert main(["try", "attribution", str(file), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == document


def test_only_paths_and_conversions_are_needed(tmp_path: Path, capsys: Any) -> None:
    made = asked(tmp_path, capsys, "journey;conversions\na>b;2\nb;0.5\nc;0\n")
    assert made["totals"] == {"conversions": 2.5, "value": 0.0}
    assert made["left_out"] == {"paths that nobody went (neither a conversion nor a null)": 1}


def test_what_cannot_be_used_is_left_out_and_said(tmp_path: Path, capsys: Any) -> None:
    made = asked(tmp_path, capsys, PATHS + "email,-3,1,1\n,1,1,1\nemail > ,many,1,1\nemail,0,9,1\n a > > b,1,0,0\n")
    assert made["left_out"] == {
        "paths with a negative or unreadable number": 1,
        "lines that could not be read": 1,
        "paths without a touch": 1,
        "paths with a value but no conversion": 1,
        "touches without a channel": 1,
    }


def test_a_file_where_nothing_was_converted_has_credits_of_nothing(tmp_path: Path, capsys: Any) -> None:
    made = asked(tmp_path, capsys, "path,total_conversions,total_null\na > b,0,5\nc,0,2\n", "--order", "2")
    assert {v for c in made["channels"] for k, v in c.items() if k != "channel"} == {0.0}


def test_people_see_a_table_with_the_largest_credit_first(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "paths.csv").write_text(PATHS, "utf-8")
    assert main(["try", "attribution", str(tmp_path / "paths.csv"), "--order", "2"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "conversions: 11.00 in all" and out.splitlines()[2].startswith("search")
    assert "4 paths, order 2:" in err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nowhere.csv"], 3, "not known"),
        (["paths.csv", "--path", "journy"], 2, "There is no column 'journy' for path"),
        (["paths.csv", "--order", "5"], 2, "5 is not known"),
        (["paths.csv", "--separator", " "], 2, "--separator is empty"),
        (["paths.csv", "--resamples", "3"], 2, "0, or 20 to 10,000"),
        (["other.csv"], 2, "has no column for 'total_conversions'.*Say which one it is: --total-conversions COLUMN"),
    ],
)
def test_a_mistake_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, words: list[str], code: int, says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("paths.csv").write_text(PATHS, "utf-8")
    Path("other.csv").write_text("path,n\na > b,1\n", "utf-8")
    assert main(["try", "attribution", *words]) == code
    assert re.search(says, capsys.readouterr().err)
