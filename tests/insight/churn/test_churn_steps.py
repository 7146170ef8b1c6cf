"""CHURN_CHECKS and CHURN: a model that is judged at a later midnight, and each customer's risk with reasons that add up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from given_orders import NOW, Shop, orders

from tessera.insight.churn import checks, model, words
from tessera.insight.churn.history import FEATURES, WORDS
from tessera.insight.churn.model import Learned
from tessera.lake.step import Made


class Turned:
    """One turn of a shop, which all tests here look at."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop(folder, orders(600))
        self.checked, self.scored = self.shop.turn()
        self.rows = self.scored.rows.to_pylist()  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Turned]:
    small = replace(model.SMALL, rounds=60, folds=2, threads=1)
    patch = pytest.MonkeyPatch()
    patch.setattr(model.learned, "__kwdefaults__", {**model.learned.__kwdefaults__, "recipe": small})
    yield Turned(tmp_path_factory.mktemp("shop"))
    patch.undo()


def kind(made: Made, kind: str) -> list[dict[str, Any]]:
    return [r for r in made.rows.to_pylist() if r["kind"] == kind]  # type: ignore[union-attr]


def test_the_model_is_judged_at_a_later_time_and_foretells_who_leaves(turned: Turned) -> None:
    (card,) = turned.checked.cards
    assert card.settings["judged_on"] == "later" and card.remembers == "some" and card.people >= 200
    found = card.figures["auc"]
    assert found.low is not None and found.high is not None and 0.65 < found.low < found.value < found.high < 0.99
    assert card.figures["ece"].value < 0.15 and set(card.figures) == {"auc", "brier", "ece", "auc_over_twin", "rate"}
    assert all(step + timedelta(days=45) <= NOW for step in (Learned.read(card.learned).newest,))


def test_every_customer_has_a_risk_whose_parts_add_up_to_it(turned: Turned) -> None:
    assert len(turned.rows) > 300 and len({r["person_id"] for r in turned.rows}) == len(turned.rows)
    for row in turned.rows:
        points = [row[f"points_{i}"] for i in range(1, 5)]
        assert abs(row["typical"] + sum(points) + row["rest"] - row["probability"]) < 1e-9
        assert [abs(p) for p in points] == sorted((abs(p) for p in points), reverse=True)
    bands = {b: np.mean([r["probability"] for r in turned.rows if r["band"] == b]) for b in ("low", "medium", "high")}
    assert bands["low"] < bands["medium"] < bands["high"]


def test_its_words_agree_with_the_parts_in_both_languages_for_everybody(turned: Turned) -> None:
    for row in turned.rows:
        found = words.why(row)
        assert found.average_tenths + sum(r.tenths for r in found.reasons) + found.rest_tenths == found.score_tenths
        english, chinese = words.told(row, "en"), words.told(row, "zh")
        for reason, en, zh in zip(found.reasons, english[1:], chinese[1:], strict=False):
            assert ("raises" in en) == ("提高" in zh) == (reason.points > 0)
        for language in ("en", "zh"):
            hers = words.told(row, language, customer=True)  # type: ignore[arg-type]
            assert len(set(hers)) == len(hers) and not re.search(r"[\d%]", " ".join(hers))


def test_no_group_of_fewer_than_ten_is_told_and_none_of_fewer_than_fifty_has_an_auc(turned: Turned) -> None:
    fair = kind(turned.checked, "fairness")
    assert {r["subject"] for r in fair} == {"country"} and {r["label"] for r in fair} == {"DE", "CN", "FR", "AT"}
    assert all(r["people"] >= 10 and ((r["value"] is None) == (r["people"] < 50)) for r in fair)
    assert all(r["people"] is None or r["people"] >= 10 for r in turned.checked.rows.to_pylist())  # type: ignore[union-attr]
    assert {r["subject"] for r in kind(turned.checked, "importance")} == set(FEATURES) == set(WORDS)


def test_a_fitted_model_stays_until_it_is_old_and_tells_what_came_true(turned: Turned) -> None:
    shop, id_ = turned.shop, turned.shop.model.id  # type: ignore[attr-defined]
    again = checks.STEP.run(shop.run(as_of=NOW))
    assert again.cards == () and kind(again, "realised") == []
    drift = {r["subject"]: r["value"] for r in kind(again, "drift")}
    assert set(drift) == {*FEATURES, "score"} and drift["score"] < 0.25
    asked = checks.STEP.run(shop.run(as_of=NOW, refit=True))
    assert asked.cards and asked.cards[0].id != id_
    # As if it had been learned two horizons ago: its own snapshot's outcome has come since.
    known = Learned.read(turned.checked.cards[0].learned)
    early = replace(known, newest=known.newest - timedelta(days=45))
    shop.model = replace_card(turned.checked.cards[0], early)
    later = checks.STEP.run(shop.run(as_of=NOW - timedelta(days=1)))
    (whole, brier) = kind(later, "realised")
    assert whole["people"] > 200 and 0 < whole["ece"] < 0.3 and whole["value"] > 0.6 and brier["subject"] == "brier"
    shop.model = turned.checked.cards[0]


def replace_card(card: Any, known: Learned) -> Any:
    import msgspec

    return msgspec.structs.replace(card, learned=known.written())


def test_too_little_history_or_too_few_people_make_no_model_and_no_row(tmp_path: Path) -> None:
    for made in ([], orders(40), [o for o in orders(300) if o[1].date() > NOW - timedelta(days=60)]):
        checked, scored = Shop(tmp_path, made).turn()
        assert checked.cards == () and checked.rows.num_rows == scored.rows.num_rows == 0  # type: ignore[union-attr]


def test_drift_is_nothing_for_the_same_people_and_much_for_others() -> None:
    rng = np.random.default_rng(1)
    column = np.where(rng.random(2000) < 0.2, np.nan, rng.normal(size=2000))
    was = model.spread(column)
    assert abs(sum(was.shares) - 1) < 1e-4 and model.drifted(was, column) < 1e-9
    assert model.drifted(was, rng.permutation(column)[:1000]) < 0.05
    assert model.drifted(was, column + 1.5) > 0.25 < model.drifted(was, np.full(500, np.nan))


def test_where_no_later_time_is_there_other_people_judge_it() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 2))
    y = (rng.random(300) < 1 / (1 + np.exp(-2 * x[:, 0]))).astype(float)
    stack = model.Stack(x=x, y=y, people=np.arange(300))
    found, figures = model.learned(
        ["a", "b"], stack, None, stack, {"g": np.array(["x", "y"] * 150)}, form="purchases", horizon_days=30, fitted_at=NOW,
        newest=NOW, recipe=replace(model.SMALL, rounds=40, folds=2, threads=1),
    )  # fmt: skip
    assert found.judged_on == "others" and 0.7 < figures["auc"].value < 0.95
    assert [g.people for g in found.groups] == [150, 150]
    assert Learned.read(found.written()) == found
