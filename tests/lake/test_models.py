"""lake/models.py: cards of models stay, what was learned is the champion's and the challenger's, and some is forgotten."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tessera.lake.engine import Connection, connect, rows
from tessera.lake.models import LEARNED, MODELS, Card, Figure, Models
from tessera.lake.state import State
from tessera.lake.store import Lake
from tessera.trust import removal

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def models(tmp_path: Path) -> Models:
    lake = Lake(tmp_path / "lake", [MODELS, LEARNED], State(tmp_path / "state.db"), lambda: AT)
    return Models(lake, connect())


def card(learned: str, model: str = "churn", **more: Any) -> Card:
    told = {"people": 500, "remembers": "some", "figures": {"auc": Figure(0.8, 0.7, 0.9)}, "settings": {"days": 90}}
    return Card(model=model, fitted_at=date(2026, 1, 1), learned=learned, **{**told, **more})


def table(models: Models, name: str, columns: str) -> list[tuple[Any, ...]]:
    con: Connection = models.con
    return rows(con, f"SELECT {columns} FROM {models.lake.relation(name)} ORDER BY ALL")


def test_a_card_comes_back_as_it_was_noted(models: Models) -> None:
    assert models.champion("churn") is None
    one = card("trees", made_from={"features": 4}, purpose="analytics", note="Not for prices.")
    models.note([one], AT)
    assert models.champion("churn") == one
    assert not models.forgotten()
    assert models.champion("value") is None


def test_a_new_champion_retires_the_old_one_whose_card_stays(models: Models) -> None:
    models.note([card("a"), card("v", model="value")], AT)
    models.note([card("b")], AT)
    assert table(models, "models", "model, status") == [("churn", "champion"), ("churn", "retired"), ("value", "champion")]
    assert table(models, "learned", "learned") == [("b",), ("v",)]


def test_a_challenger_waits_beside_the_champion_and_the_next_one_takes_its_place(models: Models) -> None:
    models.note([card("a")], AT)
    for learned in ("b", "c"):
        models.note([card(learned, status="challenger")], AT)
    champion = models.champion("churn")
    assert champion is not None and champion.learned == "a"
    assert table(models, "learned", "learned") == [("a",), ("c",)]
    models.note([card("c")], AT)
    assert table(models, "learned", "learned") == [("c",)]


def test_the_same_model_again_is_one_card(models: Models) -> None:
    for _ in range(2):
        models.note([card("a")], AT)
    assert table(models, "models", "status") == [("champion",)]


def test_fewer_than_ten_people_are_not_counted(models: Models) -> None:
    models.note([card("a", people=9)], AT)
    assert table(models, "models", "people") == [(None,)]


def test_a_sweep_takes_what_remembers_somebody_and_the_model_counts_as_gone(models: Models) -> None:
    models.note([card("a"), card("centres", model="segments", remembers="nobody")], AT)
    for forgetting in models.lake.forgetting_tables:
        removal.drop(models.lake, models.con, forgetting, f"({forgetting.forgets})", "sweep")
    assert models.champion("churn") is None
    assert models.champion("segments") is not None
    assert models.forgotten()
    assert table(models, "models", "model") == [("churn",), ("segments",)]
