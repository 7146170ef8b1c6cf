"""`tessera propensity`: each goal as a whole, one person for staff and for herself, whom it leaves out, and who is erased."""

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

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "propensity.json").read_text("utf-8"))
PEOPLE = 300


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiny]:
    tiny = Tiny(tmp_path_factory.mktemp("tiny") / "w")
    (tiny.root / "tessera.yaml").write_text((tiny.root / "tessera.yaml").read_text().replace("2026-12-31", "2025-10-27"))
    (tiny.root / "insight.yaml").write_text(
        'without: [attribution, value, churn, recommend, interests, upkeep]\n'
        'propensity: {again: {products: ["*"], groups: [city], en: buying again, zh: 再次购买}, call: {event: Called}}\n'
    )  # fmt: skip
    made = orders(PEOPLE)
    people = sorted({o[0] for o in made})
    tiny.crm([{"id": f"u{p}", "name": "N.", "city": ("Bonn", "Ulm")[p % 2], "updated": "2025-01-01T09:00:00Z"} for p in people])
    # Every tenth does not allow it.
    handed(tiny, made, lambda p: p % 10 != 0)
    with pytest.MonkeyPatch.context() as patch, tiny.open() as app:
        hasty(patch)
        app.turn()
    yield tiny


def told(root: Path, capsys: Any, *words: str) -> dict[str, Any]:
    assert main(["-w", str(root), "propensity", *words, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(found, SCHEMA)
    return found


def test_each_goal_is_told_of_by_groups_and_one_person_by_her_reasons(tiny: Tiny, capsys: Any) -> None:
    root = tiny.root
    whole = told(root, capsys)
    again, call = whole["goals"]
    assert (again["goal"], again["en"], call["settings"], call["figures"]) == ("again", "buying again", None, {})
    assert again["figures"]["auc"]["value"] > 0.6 and again["settings"]["judged_on"] == "later"
    assert {c["label"] for c in again["fairness"]} == {"Bonn", "Ulm"} and again["calibration"] and again["bands"]
    assert [g["goal"] for g in told(root, capsys, "--goal", "again")["goals"]] == ["again"]
    assert main(["-w", str(root), "propensity"]) == 0
    out, err = capsys.readouterr()
    assert "again: buying again, within 30 days" in out and "call: no model yet" in err
    assert main(["-w", str(root), "sql", "SELECT min(person_id) AS p FROM propensity", "--purpose", "analytics", "--json"]) == 0
    person = str(json.loads(capsys.readouterr().out)[0]["p"])
    (one,) = told(root, capsys, "--person", person)["goals"]
    assert abs(one["average"] * 100 + sum(r["points"] for r in one["reasons"]) + one["rest"] - one["score"] * 100) < 1e-9
    (hers,) = told(root, capsys, "--person", person, "--customer")["goals"]
    assert hers["en"] and not re.search(r"[\d%]", " ".join(hers["en"] + hers["zh"]))
    assert main(["-w", str(root), "propensity", "--person", person, "--language", "zh"]) == 0
    assert capsys.readouterr().out.startswith("再次购买的概率：")
    assert main(["-w", str(root), "propensity", "--person", "99999"]) == 3
    assert main(["-w", str(root), "propensity", "--goal", "agian"]) == 3
    assert "Did you mean 'again'" in capsys.readouterr().err


def test_nobody_without_the_purpose_is_in_it_and_whoever_is_erased_leaves_scores_and_model(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, tiny.copied(tmp_path / "w").open() as app:
        hasty(patch)

        def rows(sql: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = app.sql(sql, purpose="analytics").table.to_pylist()
            return found

        scored = {r["person_id"] for r in rows("SELECT person_id FROM propensity")}
        assert len(scored) > 150
        lake = app.con.execute(f"SELECT DISTINCT person_id FROM {app.lake.relation('propensity')}").fetchall()
        assert {p for (p,) in lake} == scored
        refused = {p for n in range(0, PEOPLE, 10) for p in app.people.find(f"u{n}")}
        assert len(refused) > 20 and not scored & refused
        (before,) = rows("SELECT id FROM models WHERE model = 'propensity' AND status = 'champion'")
        her = min(scored)
        app.erase([her], sweep=True)
        assert not rows(f"SELECT 1 FROM propensity WHERE person_id = {her}")
        app.turn()
        assert not rows(f"SELECT 1 FROM propensity WHERE person_id = {her}") and rows("SELECT 1 AS one FROM propensity LIMIT 1")
        (after,) = rows("SELECT id FROM models WHERE model = 'propensity' AND status = 'champion'")
        assert after["id"] != before["id"]


def test_without_goals_it_says_where_they_are_named(tmp_path: Path, capsys: Any) -> None:
    tiny = Tiny(tmp_path / "w")
    assert told(tiny.root, capsys) == {"model": None, "goals": []}
    assert main(["-w", str(tiny.root), "propensity"]) == 0
    assert "insight.yaml" in capsys.readouterr().err
