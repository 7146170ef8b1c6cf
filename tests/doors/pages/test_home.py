"""The first page: figures of the loop, those alone that the viewer's role may see, and what needs somebody."""

from __future__ import annotations

import re

from given_pages import Open


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_the_loop_stands_in_figures_that_are_the_tables(house: Open) -> None:
    said = plain(house.get("/", lens="owner/operate").text)
    people, allowed, waiting = house.run(lambda app: (
        app.lake.rows("profiles"), len(app.permits.ids(app.config.purposes["marketing"], "person")),
        sum(app.quarantine.waiting().values()),
    ))  # fmt: skip
    assert f"People {people:,}" in said and f"marketing {allowed:,}" in said and f"In quarantine {waiting:,}" in said
    assert "entries, whole and signed" in said and "Sources in order" in said and "Models in use" in said
    assert f"{waiting:,} rows wait in quarantine for repair." in said


def test_a_role_sees_no_figure_that_is_not_hers(house: Open) -> None:
    said = plain(house.get("/", lens="sales/operate").text)
    assert "Uses today" not in said and "People who allow" not in said and "Rows landed today" not in said
    said = plain(house.get("/", lens="engineer/operate").text)
    assert "At stake" not in said and "Uses today" not in said and "Rows landed today" in said


def test_a_card_that_is_shown_anew_for_the_ledger_writes_no_entry(house: Open) -> None:
    before = house.run(lambda app: len(app.ledger))
    told = house.get("/?part=trust", lens="owner/operate")
    assert told.status == 200 and 'id="stop-trust"' in told.text
    assert house.run(lambda app: len(app.ledger)) == before


def test_each_question_of_the_page_is_an_entry(house: Open) -> None:
    before = house.run(lambda app: len(app.ledger))
    house.get("/", lens="owner/operate")
    entries = house.run(lambda app: list(app.ledger.entries(before)))
    assert entries and {e.act for e in entries} <= {"read", "results"} and {e.role for e in entries} == {"owner"}


def test_figures_lead_to_pages_that_are_there(house: Open) -> None:
    page = house.get("/", lens="owner/operate").text
    for at in set(re.findall(r'<main.*', page, re.S)[0].split('href="')[1:]):
        path = at.partition('"')[0]
        assert path.startswith("#") or house.get(path.replace("&amp;", "&")).status == 200, path
