"""Lineage: near tables first, one path lit, a column's way to its source; by the keyboard alone."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from given_pages import Open

from tessera.ancestry import Graph


def cards(text: str) -> set[str]:
    return {html.unescape(n).replace("--", ":") for n in re.findall(r' id="n-([^"]+)"', text)}


def test_a_table_stands_between_what_feeds_it_and_what_it_feeds_one_step_each_way(house: Open) -> None:
    told = house.get("/lineage/profiles").text
    edges = house.run(lambda app: Graph(app.config).feeds())
    assert cards(told) == {"profiles"} | {a for a, b in edges if b == "profiles"} | {b for a, b in edges if a == "profiles"}
    assert 'aria-current="true"' in told and "activity" in cards(house.get("/lineage").text)


def test_more_is_shown_on_demand_and_all_of_it_at_once(house: Open) -> None:
    told = house.get("/lineage/profiles").text
    more = html.unescape(re.search(r'<a class="more" href="([^"]+)" id="m-orders"', told)[1])  # type: ignore[index]
    assert "source:orders" in cards(house.get(more).text) - cards(told)
    whole = cards(house.get("/lineage/profiles?up=9&down=9").text)
    assert {"source:crm", "next_products"} <= whole and len(whole) <= 60


def test_one_path_can_be_shown_and_left_again(house: Open) -> None:
    told = house.get("/lineage/orders?path=segments").text
    assert "Showing one path: between orders and segments." in told and 'href="/lineage/orders"' in told
    assert {"orders", "profiles", "features", "segments"} <= cards(told) and "source:crm" not in cards(told)
    assert house.get("/lineage/orders?path=source:crm").status == 404


def test_beside_it_stands_what_would_be_hit_and_the_same_as_a_list(house: Open) -> None:
    told = house.get("/lineage/features").text
    assert re.search(r"If this breaks.*?segments.*?1 step away", told, re.S)
    assert re.search(r'<th scope="row">features</th><td>profiles</td>', told)


def test_a_source_and_its_contract(house: Open) -> None:
    told = house.get("/lineage/source.crm").text
    assert "crm.odcs.yaml" in told and {"source:crm", "records"} <= cards(told)
    assert 'href="/quality?department=sales&amp;source=crm"' in told


def test_columns_are_off_until_asked_for_and_can_be_searched(house: Open) -> None:
    assert 'class="colgrid"' not in house.get("/lineage/profiles").text
    told = house.get("/lineage/profiles?columns=1&q=revenue", lens="engineer/operate").text
    found = re.search(r'class="colgrid">(.*?)</ul>', told, re.S)
    assert found and re.findall(r"column=(\w+)", found[1]) == ["revenue_cents"] and "hidden from your role" in found[1]


def test_an_engineer_follows_a_wrong_number_to_its_source(house: Open) -> None:
    """The number on a customer's page -> the sum -> the orders' amount -> the source's field, what waits of it, its quality."""
    told = html.unescape(house.get("/lineage/profiles?column=revenue_cents", lens="engineer/operate").text)
    assert "You see no value of this column" in told
    assert "Values are added up." in told and "SUM(o.base_cents)" in told and "orders.amount_cents" in told
    assert re.search(r"the step profiles · version 0, .*? · [\d,]+ rows", told)
    begins = told[told.index('id="ends"') :]
    assert "orders.amount_cents" in begins and "owner commerce" in begins and "of rows were refused for it." in begins
    assert "wait in quarantine for it" in begins or "waits in quarantine for it" in begins
    to = re.search(r'href="(/quality\?department=commerce&source=orders#waiting)"', begins)
    assert to
    told = house.get(to[1].partition("#")[0], lens="engineer/operate").text
    waits = told[told.index('id="waiting"') :]
    assert "orders.amount_cents" in waits and 'href="/quarantine"' in waits


def test_the_same_way_is_walked_in_the_browser(house: Open, chromium: Any) -> None:
    """From the home page by the keyboard to the columns, to where the sum begins, to what waits of it, to the rows."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = house.sign_in(context, lens="engineer/operate")
    page.goto(house.url, wait_until="load")
    page.keyboard.press("g")
    page.keyboard.press("i")
    page.wait_for_url("**/lineage**")
    page.goto(f"{house.url}/lineage/profiles?columns=1&q=revenue", wait_until="load")
    page.locator(".colgrid a", has_text="revenue_cents").click()
    page.wait_for_url("**column=revenue_cents**")
    assert page.locator(".way li").count() > 2
    begins = page.locator("#ends li", has=page.locator("h3", has_text="orders.amount_cents"))
    begins.get_by_role("link", name="Its quality over time, and what waits").click()
    page.wait_for_url("**/quality?department=commerce&source=orders#waiting")
    assert "orders.amount_cents" in page.locator("#waiting").inner_text()
    page.locator("#waiting a[href='/quarantine']").first.click()
    page.wait_for_url("**/quarantine**")
    assert page.locator("main tbody tr", has_text="orders").count() >= 1
    context.close()


def test_what_says_whose_a_row_is_is_told_and_not_followed(house: Open) -> None:
    told = house.get("/lineage/customer_value?column=expected_value_cents").text
    assert "It says whose a row is" in told and "source:crm" not in cards(told)
    assert "source:crm" in cards(house.get("/lineage/membership?column=person_id").text)


def test_every_column_of_every_table_has_its_way(house: Open) -> None:
    names = house.run(lambda app: [(t, c) for t, c in Graph(app.config)._nodes])
    for table, column in names[:: max(1, len(names) // 40)]:
        at = f"/lineage/{table.replace('source:', 'source.')}?column={column}"
        assert house.get(at).status == 200, at


@pytest.mark.parametrize("at", ["/lineage/nothing", "/lineage/profiles?column=nothing", "/lineage/source.nothing"])
def test_what_is_not_there_is_said_with_the_nearest_name(house: Open, at: str) -> None:
    told = house.get(at)
    assert told.status == 404 and "is not known" in told.text


def test_rows_are_told_only_of_what_the_viewer_sees(house: Open) -> None:
    told = html.unescape(house.get("/lineage/orders", lens="engineer/operate").text)
    card = re.search(r'id="n-orders"[^>]*aria-label="([^"]*)"', told)
    assert card and "row" in card[1], "an order's status is no personal data, so some of the table is open"


def test_the_picture_is_walked_by_the_keyboard_alone(house: Open, page: Any) -> None:
    page.goto(f"{house.url}/lineage/profiles")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.net') !== null"):
            break
    page.locator("#n-profiles").focus()
    page.keyboard.press("ArrowLeft")
    first = page.evaluate("document.activeElement.id")
    assert first.startswith("n-") and page.evaluate("document.activeElement.dataset.lane") == "0"
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.id")
    assert below != first and page.evaluate("document.activeElement.dataset.lane") == "0"
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == first
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "n-profiles"
    page.keyboard.press("ArrowRight")
    name = page.evaluate("document.activeElement.id").removeprefix("n-")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith(f"/lineage/{name}")
