"""`tessera try recommend FILE` and `tessera recommend`: figures beside baselines, one's own list, and what is wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_trade import trade

from tessera.doors.cli import main

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "try-recommend.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def bought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of purchases; every twentieth line is a return."""
    made, file = trade(people=90), tmp_path_factory.mktemp("try") / "bought.csv"
    person = made.person[made.basket]
    with file.open("w", newline="") as out:
        told = csv.writer(out)
        told.writerow(["CustomerID", "StockCode", "InvoiceDate", "Profit", "Category"])
        for row, item in enumerate(made.item.tolist()):
            day = int(made.day[made.basket[row]])
            margin = -1 if row % 20 == 19 else 1 + 9 * (item % 2)
            at = f"2026-{1 + day // 28:02}-{1 + day % 28:02}"
            told.writerow([f"u{person[row]}", f"p{item}", at, margin, f"c{item // 12}"])
    return file


def test_it_says_how_well_it_foretells_and_why_it_recommends(bought: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "lists.csv"
    assert main(["try", "recommend", str(bought), "--json", "--out", str(out), "--top", "5", "--user", "u3"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, SCHEMA)
    assert (told["users"], told["items"], told["basket"], told["value"]) == (90, 48, "day", "margin")
    assert told["left_out"] and sum(told["left_out"].values()) == told["rows"] // 20
    assert told["recall_at_10"] == told["figures"]["recall_at_10"]["model"]["value"] > 0.5
    assert told["figures"]["recall_at_10"]["better_than"]["popularity"]["low"] > 0
    assert [t["weight"] for t in told["trade_off"]] == [0, 0.25, 0.5, 0.75, 1]
    (only,) = told["lists"]
    assert only["user"] == "u3" and [line["rank"] for line in only["items"]] == [1, 2, 3, 4, 5]
    written = list(csv.DictReader(out.open()))
    assert len(written) == 90 * 5
    hers = [(line["item"], float(line["chance"])) for line in written if line["customer"] == "u3"]
    assert hers == [(line["item"], line["chance"]) for line in only["items"]]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--user", "nobody"], 3, "Customer"), (["--top", "0"], 2, "no number from 1 to 50"),
        (["--margin-weight", "2"], 2, "no number from 0 to 1"), (["--out", "lists.xls"], 2, "its ending says its form"),
        (["--margin", "profits"], 2, "Did you mean 'profit'"), (["--item", "Sold", "--customer", "who"], 2, "no column 'who'"),
        (["--margin-weight", "0.5"], 2, "no margin and no amount"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(words: list[str], code: int, says: str, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "few.csv"
    worth = ("", "") if words[0] == "--margin-weight" else (",profit", ",1")
    lines = "".join(f"u{n % 4},i{n % 3},2026-01-0{1 + n % 8}{worth[1]}\n" for n in range(40))
    file.write_text(f"user,item,time{worth[0]}\n{lines}")
    assert main(["try", "recommend", str(file), *words]) == code
    assert says in capsys.readouterr().err


def test_a_small_file_is_not_judged_and_has_lists_all_the_same(tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "few.csv"
    file.write_text("user,item,time\n" + "".join(f"u{n % 4},i{n % 3},2026-01-0{1 + n % 8}\n" for n in range(40)))
    assert main(["try", "recommend", str(file), "--language", "zh"]) == 0
    got = capsys.readouterr()
    assert "customer u0" in got.out and "买" in got.out and "Too few customers" in got.err


def test_nobody_s_list_is_asked_for_before_a_turn(tmp_path: Path, capsys: Any) -> None:
    assert main(["init", str(tmp_path / "w"), "-q"]) == 0
    assert main(["-w", str(tmp_path / "w"), "recommend", "--person", "1"]) == 3
    assert "tessera turn" in capsys.readouterr().err
