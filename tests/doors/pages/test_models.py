"""Models: their figures, whether they keep their word, for every group, and their cards in both languages."""

from __future__ import annotations

import json
import re

import pytest
from given_pages import Open

from tessera.doors.pages.model_words import FIGURES, MODELS, NOTES
from tessera.doors.pages.models import _off

LENS = "analyst/analytics"


def cards(house: Open) -> list[dict[str, str]]:
    sql = "SELECT model, id, figures, note FROM models WHERE status = 'champion'"
    found: list[dict[str, str]] = house.run(lambda app: app.sql(sql, purpose="analytics", role="owner").table.to_pylist())
    return found


def test_every_model_that_scores_is_listed_with_its_card(house: Open) -> None:
    text = house.get("/models", lens=LENS).text
    made = cards(house)
    assert {c["model"] for c in made} <= set(MODELS)
    for card in made:
        assert f'href="/models/{card["model"]}"' in text
        told = house.get(f"/models/{card['model']}", lens=LENS).text
        assert card["id"] in told and "Champions and challengers" in told


def test_a_judged_figure_stands_with_its_interval(house: Open) -> None:
    figures = json.loads(next(c["figures"] for c in cards(house) if c["model"] == "churn"))
    auc = figures["auc"]
    text = house.get("/models", lens=LENS).text
    assert f"{auc['value']:.3f}" in text and f"{auc['low']:.3f} to {auc['high']:.3f}" in text


def test_what_was_said_stands_beside_what_came(house: Open) -> None:
    text = house.get("/models/churn", lens=LENS).text
    assert 'class="pic square"' in text and re.search(r"<title>Said \d+%, came \d+%, \d+ people.</title>", text)
    assert "Fair to every group?" in text and "Country" in text


def test_what_weighs_is_in_words_and_not_in_names_of_columns(house: Open) -> None:
    for lang, words in (("en", "Order days in the last 180 days"), ("zh", "近180天下单天数")):
        text = house.get("/models/churn", lens=LENS, lang=lang).text
        assert words in text and "orders_180" not in text


def test_figures_and_notes_of_cards_have_words(house: Open) -> None:
    for card in cards(house):
        assert card["note"] in (None, "", *NOTES) or card["model"] == "value"
        if card["model"] in ("churn", "attribution", "upkeep", "interests"):
            assert set(json.loads(card["figures"])) <= set(FIGURES)


def test_a_model_that_was_not_learned_says_so_and_one_that_is_none_is_not_found(house: Open) -> None:
    assert "This was not learned yet" in house.get("/models/propensity", lens=LENS).text
    assert house.get("/models/no_such", lens=LENS).status == 404


@pytest.mark.parametrize(
    ("people", "said", "came", "flag"),
    [(1000, 0.5, 0.4, "over"), (1000, 0.3, 0.4, "under"), (1000, 0.5, 0.47, ""), (60, 0.5, 0.42, ""), (20, 0.9, 0.1, "")],
)
def test_a_group_is_flagged_only_where_it_is_surely_and_visibly_off(people: int, said: float, came: float, flag: str) -> None:
    assert _off({"people": people, "said": said, "came": came}) == flag
