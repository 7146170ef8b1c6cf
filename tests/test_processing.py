"""processing.py: the record of processing activities says what the workspace does, and nothing has to be kept by hand."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from given_requests import shop
from given_tiny import Tiny
from tessera.category_words import category
from tessera.doors.cli import main
from tessera.processing import MEASURES, WORDS, markdown, page, record

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return shop(tmp_path_factory.mktemp("processing") / "shop")


@pytest.fixture(scope="module")
def activities(tiny: Tiny) -> dict[str, Any]:
    return {a["purpose"]: a for a in record(tiny.config)["activities"]}


def test_each_purpose_is_an_activity_with_its_sources_by_lineage(tiny: Tiny, activities: dict[str, Any]) -> None:
    assert list(activities) == list(tiny.config.purposes)
    assert activities["operate"]["sources"] == ("crm", "events", "orders")
    assert set(activities["analytics"]["steps"]) == {"features", "centres", "segments", "value"}
    assert "profiles" in activities["analytics"]["tables"]
    assert activities["sharing"]["keep_days"] == 365


def test_recipients_duties_and_roles_are_those_of_the_files(activities: dict[str, Any]) -> None:
    assert activities["post"]["recipients"] == ("Print and Post Ltd",)
    assert set(activities["tax"]["holds"]) == {"orders", "records"}
    assert "analyst" in activities["analytics"]["roles"] and "analyst" not in activities["marketing"]["roles"]
    assert "officer" in activities["tax"]["roles"] and "sales" not in activities["tax"]["roles"]


def test_an_assessment_is_due_where_the_law_names_a_reason(activities: dict[str, Any]) -> None:
    assert "automated" in activities["analytics"]["assessment"]
    assert "shared" in activities["sharing"]["assessment"] and "shared" in activities["post"]["assessment"]
    assert "shared" not in activities["operate"]["assessment"]
    assert "user.location" in activities["analytics"]["sensitive"]


def test_no_category_that_a_purpose_may_not_use_is_in_its_record(activities: dict[str, Any]) -> None:
    assert not [c for c in activities["sharing"]["categories"] if c.startswith(("user.contact", "user.name"))]
    assert [c for c in activities["operate"]["categories"] if c.startswith("user.contact")]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_reads_as_a_page_in_both_languages(tiny: Tiny, language: str) -> None:
    made = record(tiny.config)
    for text in (page(made, language), markdown(made, language)):
        assert WORDS[language]["title"] in text and MEASURES[language][0] in text
        for purpose in tiny.config.purposes.values():
            assert purpose.sentence[language] in text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_category_reaches_a_reader_as_a_key(tiny: Tiny, activities: dict[str, Any], language: str) -> None:
    made = record(tiny.config)
    for text in (page(made, language), markdown(made, language)):
        assert not re.search(r"\b(user|system)\.[a-z]", text)
        for key in activities["analytics"]["categories"]:
            assert category(key, language) in text


def test_the_words_are_the_same_in_both_languages() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"]) and len(MEASURES["en"]) == len(MEASURES["zh"])


def test_the_command_line_tells_the_same(tiny: Tiny, tmp_path: Path, capsys: Any) -> None:
    capsys.readouterr()
    assert main(["-w", str(tiny.root), "record-of-processing", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads((SCHEMAS / "record-of-processing.json").read_text("utf-8")))
    assert main(["-w", str(tiny.root), "record-of-processing", "--language", "zh"]) == 0
    assert "合法性基础" in capsys.readouterr().out
    out = tmp_path / "record.html"
    assert main(["-w", str(tiny.root), "record-of-processing", "--format", "html", "-o", str(out)]) == 0
    assert "Record of processing activities" in out.read_text("utf-8")
