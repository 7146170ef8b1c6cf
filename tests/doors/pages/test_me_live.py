"""The walk of her portal in a browser: she switches a purpose off and sees the flow stop, live; accessible in every dress."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from given_hers import PAGES, entered, somebody, window
from given_pages import Open
from test_every_page import axe

ASKED = "SELECT count(*) FROM profiles"


@pytest.fixture
def context(house: Open, chromium: Any) -> Iterator[Any]:
    one = chromium.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)
    yield one
    one.close()


def asks(house: Open, purpose: str) -> None:
    house.run(lambda app: app.answers.ask(ASKED, app.reader("analyst", purpose)))


def test_she_switches_a_purpose_off_and_sees_the_flow_stop_live(house: Open, context: Any) -> None:
    page = window(house, context, somebody(house))
    page.wait_for_selector("#live:not(.lost)")
    page.wait_for_timeout(1_200)  # what was before she looked is told
    asks(house, "analytics")
    page.wait_for_selector("#told p:has-text('A question about many customers, you perhaps among them')", timeout=3_000)
    switch = page.locator("#switch-analytics")
    assert switch.get_attribute("aria-checked") == "true"
    switch.click()
    page.wait_for_selector("#switch-analytics[aria-checked=false]", timeout=3_000)
    assert page.url.endswith("/me"), "saved without leaving the page"
    assert page.evaluate("document.activeElement.id") == "switch-analytics", "the keyboard stays where it was"
    assert page.locator("#choice-analytics .off").inner_text() == "Saved. Off. From now on nothing of yours is used for this."
    took = []
    for times in ("once", "2 times", "3 times"):
        page.wait_for_timeout(1_200)
        began = time.monotonic()
        asks(house, "analytics")
        page.wait_for_selector(f"#hero-said:has-text('we left you out {times}')", timeout=5_000)
        took.append(time.monotonic() - began)
    assert "A question about many customers left you out" in page.locator("#told").inner_text()
    assert "Blocked by you" in page.locator("#flow svg.sankey").text_content()
    assert page.locator("#flow path.stopped").count() >= 2, "from her records to the purpose, and on to what she blocked"
    assert min(took) < 1.0, f"told {took} s after it was asked, on a machine that may do other work"
    page.locator("#switch-analytics").press("Space")
    page.wait_for_selector("#switch-analytics[aria-checked=true]", timeout=3_000)


def test_news_wait_behind_their_number_while_she_reads(house: Open, context: Any) -> None:
    page = window(house, context, somebody(house))
    page.wait_for_selector("#live:not(.lost)")
    page.wait_for_timeout(1_200)
    page.locator("#told a").first.focus()
    before = page.locator("#told").inner_html()
    asks(house, "analytics")
    waits = page.locator("#feed .wait")
    waits.wait_for(state="visible", timeout=3_000)
    assert waits.inner_text().strip() == "1 new" and page.locator("#told").inner_html() == before
    waits.click()
    page.wait_for_function("html => document.querySelector('#told').innerHTML !== html", arg=before, timeout=3_000)


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), pytest.param("zh", "dark", marks=pytest.mark.heavy)])
def test_axe_finds_nothing_on_her_pages_and_the_browser_nothing_to_complain_of(
    house: Open, context: Any, lang: str, theme: str
) -> None:
    person = somebody(house)
    she = entered(house, person)
    asked = she.post("/me/copy", {}).headers["location"]
    use = re.findall(r"/me/uses/\d+", she.get("/me/uses").text)[0]
    page, said, faults = window(house, context, person, lang=lang, theme=theme), list[str](), dict[str, list[str]]()
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    for path in (*PAGES, asked, f"{use}?check=yes", "/v1/me/enter?token=x"):
        page.goto(house.url + path, wait_until="load")
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        if found := [*axe(page), *said]:
            faults[path] = found
        said.clear()
    assert faults == {}


def test_her_first_page_is_within_the_budget_and_fits_a_telephone(house: Open, chromium: Any) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page, sizes = window(house, context, somebody(house)), list[Any]()
    page.route("**/*", lambda route: route.continue_())
    page.on("requestfinished", lambda request: sizes.append(request.sizes()))
    page.goto(house.url + "/me", wait_until="load")
    page.wait_for_timeout(100)
    weight = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes)
    assert weight < 100_000 and len(sizes) <= 10
    assert page.evaluate("document.querySelectorAll('*').length") < 1_500
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".flow-list li").first.is_visible() and not page.locator(".wide-flow").is_visible()
    context.close()
