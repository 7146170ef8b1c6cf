"""Consent: shares are those that the gate answers, each version of the words has its own, and what is to end is counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from given_pages import Open

from tessera.data.steps import acts
from tessera.trust.consent_rates import Share, rates

LENS = "officer/operate"


def test_shares_are_those_that_the_gate_answers(house: Open) -> None:
    def work(app: Any) -> list[str]:
        rows = app.answers.ask(rates("purpose", acts(app.config)), app.reader("officer", "operate")).table.to_pylist()
        return [f"{Share(answered=r['answered'], given=r['given']).rate:.1f}%" for r in rows]

    text = house.get("/consent/rates", lens=LENS).text
    told = house.run(work)
    assert len(told) == 4 and all(f'<b class="big">{rate}</b>' in text for rate in told)
    assert text.count("<svg class=\"pic\"") >= 4 and "fewer than 20 people answered" in text


def test_what_customers_read_stands_in_both_languages_with_what_holds_for_it(house: Open) -> None:
    text = house.get("/consent", lens=LENS).text
    for purpose in house.run(lambda app: app.config.purposes).values():
        assert purpose.sentence["en"] in text and purpose.sentence["zh"] in text
    assert "730 days" in text and "nobody outside" in text and "tessera anchor now" in text


def test_answers_at_her_own_door_carry_their_words_and_ends_to_come_are_counted(house: Open) -> None:
    def agree(app: Any) -> None:
        reader = app.reader("owner", "operate")
        hers = app.answers.ask("SELECT person_id FROM profiles ORDER BY 1 LIMIT 24", reader).table.column(0).to_pylist()
        for place, person in enumerate(hers):
            key = app.people.keys(person)[0]
            her = app.people.subject(key)
            until = app.clock() + timedelta(days=30) if place < 2 else None
            app.answer(her, key, "marketing", agree=place % 3 > 0 or place < 2, language="zh", until=until)
        app.end_consent(hers[1], "marketing", None)

    house.run(agree)
    text = house.get("/consent/rates", lens=LENS).text
    version = house.run(lambda app: app.config.purposes["marketing"].version)
    assert f'<th scope="row">{version} <span class="tag lapis">in use</span></th>' in text and ">zh</td>" in text
    assert "the source does not say which words they saw" in text
    said = house.get("/consent", lens=LENS).text
    assert "marketing" in said and "ends with its first use" in said and "end at their moment" in said


def test_for_a_purpose_that_rests_on_consent_the_page_says_whom_it_counts(house: Open) -> None:
    assert "counted are only people who agreed to it" in house.get("/consent", lens="owner/marketing").text
    assert "counted are only" not in house.get("/consent", lens=LENS).text
    assert house.get("/consent", lens="sales/operate").status == 403


def test_the_rates_come_behind_the_page(house: Open, page: Any) -> None:
    page.goto(house.url + "/consent")
    page.wait_for_selector("#over-time svg", timeout=10_000)
    assert page.locator("#over-time figure").count() == 4
