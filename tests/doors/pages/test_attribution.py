"""Attribution: all models in one table with the same total, what is left out said, paths by channel."""

from __future__ import annotations

import json
import re

import pytest
from given_pages import Open

from tessera.doors.pages.attribution import MODELS
from tessera.insight.attribution.credits import MODELS as MADE

LENS = "marketer/analytics"


def number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))


def test_the_page_has_every_model_that_the_turn_makes() -> None:
    assert set(MODELS) == set(MADE)


@pytest.mark.parametrize("measure", ["value", "orders"])
@pytest.mark.parametrize("kind", ["all", "first", "repeat"])
def test_every_column_has_the_same_total_and_it_is_printed(house: Open, kind: str, measure: str) -> None:
    text = house.get(f"/attribution?kind={kind}&measure={measure}", lens=LENS).text
    foot = re.search(r"<tfoot>(.*?)</tfoot>", text, re.S)
    assert foot
    totals = re.findall(r'<td class="r[^"]*">([^<]+)</td>', foot[1])
    assert len(totals) == len(MODELS) and len(set(totals)) == 1
    column = "value_cents" if measure == "value" else "conversions"
    sql = f"SELECT sum({column}) FROM channel_credits WHERE kind = '{kind}' AND model = 'markov'"
    made = house.run(lambda app: app.sql(sql, purpose="analytics", role="owner").table.column(0)[0].as_py())
    assert number(totals[0]) == pytest.approx(made / 100 if measure == "value" else made, abs=0.6)


def test_what_is_left_out_for_lack_of_consent_is_said_with_how_many(house: Open) -> None:
    sql = "SELECT figures FROM models WHERE model = 'attribution' AND status = 'champion'"
    card = json.loads(house.run(lambda app: app.sql(sql, purpose="analytics", role="owner").table.column(0)[0].as_py()))
    left = {n: f"{int(card[n]['value']):,}" for n in ("orders_not_allowed", "touches_not_allowed")}
    for path in ("/attribution", "/attribution/paths"):
        text = house.get(path, lens=LENS).text
        assert f"Left out for lack of consent: {left['orders_not_allowed']} of" in text
        assert f"{left['touches_not_allowed']} of" in text and "within 30 days" in text


def test_another_model_is_lit_and_the_list_goes_by_it(house: Open) -> None:
    text = house.get("/attribution?by=last", lens=LENS).text
    assert 'aria-sort="descending"><a href="/attribution?kind=all&amp;measure=value&amp;by=last"' in text
    lit = [number(x) for x in re.findall(r'<td class="r lit">([^<]+)<svg', text)]
    assert lit == sorted(lit, reverse=True) and len(lit) >= 3


def test_a_channel_that_cost_something_says_whether_it_earned_its_keep(house: Open) -> None:
    text = house.get("/attribution", lens=LENS).text
    assert re.search(r"by every model|models disagree|by no model", text) and "Back for each €1.00" in text


def test_what_would_be_lost_is_told_of_first_and_later_orders_apart(house: Open) -> None:
    assert "Lost without it" not in house.get("/attribution", lens=LENS).text
    assert "Lost without it" in house.get("/attribution?kind=first", lens=LENS).text


def test_an_unknown_model_or_kind_is_refused(house: Open) -> None:
    assert house.get("/attribution?by=mine", lens=LENS).status in (400, 422)
    assert house.get("/attribution?kind=none", lens=LENS).status in (400, 422)


def test_paths_through_a_channel_all_have_it_and_few_people_are_summed_up(house: Open) -> None:
    text = house.get("/attribution/paths?channel=email", lens=LENS).text
    rows = re.findall(r'<span class="way">(.*?)</td>', text, re.S)
    assert rows and all('class="tag lapis">email' in row for row in rows)
    assert "each of fewer than 20 people, are not shown" in text


def test_a_channel_is_data_and_no_sql(house: Open) -> None:
    told = house.get("/attribution/paths?channel=x%27%20OR%201%3D1%20--", lens=LENS)
    assert told.status == 200 and "No path of at least 20 people leads through this channel" in told.text


def test_who_may_not_see_it_is_told_so_and_the_rest_of_the_page_stands(house: Open) -> None:
    told = house.get("/attribution", lens="sales/operate")
    assert told.status == 200 and "<h1>Attribution</h1>" in told.text
