"""`tessera consent` on a small shop: rates, two wordings compared, receipts and their entry in the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from given_shop import given

from tessera.app import App
from tessera.doors.cli import main
from tessera.receipt import digest

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
FORM = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:acme:contract:form
name: form
version: 1.0.0
status: active
servers:
  - {server: files, type: local, path: files/form.jsonl, format: json}
customProperties:
  - {property: record, value: event}
schema:
  - name: form
    properties:
      - {name: id, required: true, customProperties: [{property: mapsTo, value: message_id}]}
      - {name: who, customProperties: [{property: identifier, value: user_id}]}
      - {name: at, logicalType: timestamp, required: true, customProperties: [{property: mapsTo, value: occurred_at}]}
      - {name: news, customProperties: [{property: consent, value: marketing}]}
      - {name: words, customProperties: [{property: consentPart, value: wording}]}
      - {name: tongue, customProperties: [{property: consentPart, value: language}]}
      - {name: ends, logicalType: timestamp, customProperties: [{property: consentPart, value: until}]}
"""
TOLD = [
    {"id": "m1", "who": "c1", "at": "2026-03-01T10:00:00Z", "news": "yes", "words": "2026-01", "tongue": "en"},
    {"id": "m2", "who": "c2", "at": "2026-03-02T10:00:00Z", "news": "no", "words": "2026-01", "tongue": "en"},
    {"id": "m3", "who": "c3", "at": "2026-04-01T10:00:00Z", "news": "yes", "words": "2026-02", "tongue": "zh",
     "ends": "2026-05-01T00:00:00Z"},
    {"id": "m4", "who": "c4", "at": "2026-04-02T10:00:00Z", "news": "requested", "words": "2026-02", "tongue": "zh"},
    {"id": "m5", "who": "c1", "at": "2026-04-03T10:00:00Z", "news": "withdrawn", "words": "2026-02", "tongue": "en"},
]  # fmt: skip

Ran = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = given(tmp_path_factory.mktemp("shop") / "acme")
    (root / "sources" / "form.odcs.yaml").write_text(FORM, "utf-8")
    (root / "files" / "form.jsonl").write_text("\n".join(map(json.dumps, TOLD)), "utf-8")
    assert main(["-w", str(root), "turn", "--json"]) == 0
    return root


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Ran:
    def ran(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["-w", str(root), *words])
        out, err = capsys.readouterr()
        return code, out, err

    return ran


def document(run: Ran, schema: str, *words: str) -> Any:
    code, out, err = run(*words, "--json")
    assert (code, err) == (0, "")
    jsonschema.validate(json.loads(out), json.loads((SCHEMAS / f"{schema}.json").read_text("utf-8")))
    return json.loads(out)


def person(run: Ran, value: str) -> str:
    return run("person", "find", value)[1].strip()


def test_rates_by_purpose_and_by_wording(run: Ran) -> None:
    found = {r["purpose"]: r for r in document(run, "consent-rates", "consent", "rates")}
    assert (found["marketing"]["people"], found["marketing"]["answered"], found["marketing"]["given"]) == (4, 3, 1)
    assert (found["analytics"]["answered"], found["analytics"]["given"]) == (4, 3)
    worded = document(run, "consent-rates", "consent", "rates", "--by", "wording", "--of", "marketing")
    assert [(r["wording"], r["answered"], r["given"]) for r in worded] == [("2026-01", 2, 1), ("2026-02", 2, 1)]
    months = document(run, "consent-rates", "consent", "rates", "--by", "month", "--of", "marketing")
    assert [r["month"] for r in months] == ["2026-03", "2026-04"]
    assert "33.3 %" in run("consent", "rates")[1]


def test_two_wordings_are_compared_and_too_few_answers_show_nothing(run: Ran) -> None:
    made = document(run, "consent-compare", "consent", "compare", "2026-01", "2026-02", "--of", "marketing")
    assert (made["first"]["answered"], made["second"]["answered"]) == (2, 1), "who answered both counts by her first"
    assert made["shows_a_difference"] is False and made["low"] < 0 < made["high"]
    assert "do not show a difference" in run("consent", "compare", "2026-01", "2026-02", "--of", "marketing")[1]


def test_a_wording_that_nobody_saw_and_a_purpose_that_is_none_are_named(run: Ran) -> None:
    assert run("consent", "compare", "2026-01", "2026-09", "--of", "marketing")[0] == 2
    code, _, err = run("consent", "rates", "--of", "marketting")
    assert code == 3 and "marketing" in err


def test_who_may_not_see_choices_gets_no_rates(run: Ran) -> None:
    assert run("consent", "rates", "--role", "service")[0] == 4


def test_a_receipt_tells_what_she_said_and_stands_in_the_ledger(run: Ran, root: Path) -> None:
    ann, cleo = person(run, "ann@example.org"), person(run, "cleo@example.org")
    made = document(run, "consent-receipt", "consent", "receipt", ann)
    states = {r["processing"]["purpose"]: r["state"] for r in made["records"]}
    assert states == {"operate": None, "analytics": "given", "personalise": None, "marketing": "withdrawn", "sharing": None}
    (said,) = (r["events"] for r in made["records"] if r["processing"]["purpose"] == "marketing")
    assert [(e["event_state"], e["notice_version"], e["language"]) for e in said] == [
        ("given", "2026-01", "en"),
        ("withdrawn", "2026-02", "en"),
    ]
    assert digest(made) == made["receipt_id"] and digest({**made, "created_at": ""}) != made["receipt_id"]
    with App(root, clock=lambda: datetime(2027, 1, 1, tzinfo=UTC)) as app:
        newest = app.people.uses_of(int(ann), 1)[0]
        assert (newest.act, newest.note) == ("receipt", f"receipt {made['receipt_id']}")
        run_out = app.people.receipt(int(cleo), of="marketing", purpose="operate", role=None)
    assert [r["state"] for r in run_out["records"]] == ["expired"]


@pytest.mark.parametrize(("language", "word"), [("en", "withdrawn"), ("zh", "已撤回")])
def test_the_page_of_a_receipt_is_in_the_customers_language(run: Ran, tmp_path: Path, language: str, word: str) -> None:
    ann, page = person(run, "ann@example.org"), tmp_path / "receipt.html"
    assert run("consent", "receipt", ann, "--format", "html", "--language", language, "-o", str(page))[0] == 0
    text = page.read_text("utf-8")
    assert word in text and "<script" not in text and f'lang="{"zh-CN" if language == "zh" else "en"}"' in text


def test_a_receipt_of_nobody_is_exit_code_three(run: Ran) -> None:
    assert run("consent", "receipt", "999999")[0] == 3
