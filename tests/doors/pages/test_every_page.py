"""What holds for every page, whoever built it: accessible in both languages and themes, within the budget, nothing inline,
nothing of strangers, and in the bytes of an answer nothing that its viewer may not see."""

from __future__ import annotations

import gzip
import re
import time
from typing import Any

import pytest
from given_pages import Open

from tessera.doors.pages import places

LENSES = (
    "owner/operate", "analyst/analytics", "marketer/marketing", "sales/operate", "service/operate", "officer/operate",
    "engineer/operate",
)  # fmt: skip
BELOW = {
    "/customers/{person}": "/customers/17", "/customers/{person}/joined": "/customers/17/joined",
    "/segments/{name}": "/segments/prospects", "/attribution/paths": "/attribution/paths", "/models/{name}": "/models/churn",
    "/sources/{name}": "/sources/web_events", "/quarantine/{number}": "/quarantine/1",
    "/customers/{person}/timeline": "/customers/17/timeline", "/customers/{person}/spend": "/customers/17/spend",
    "/decisions/{name}": "/decisions/home_banner",
    "/uses/{entry}": "/uses/0", "/requests/new": "/requests/new?kind=correction", "/consent/rates": "/consent/rates",
}  # fmt: skip
"""Places with a part to be filled in -> an address of them in the shop."""
LISTED = [page.path for page in places.MENU.pages if "{" not in page.path]
ALL = sorted({*LISTED, *BELOW.values(), "/sign-in"})
HEAVY = ("/explore",)
"""Pages with an editor, which may weigh more."""


COLOURS = """axe.run(document, {runOnly: {type: 'rule', values: ['color-contrast', 'link-in-text-block']}})
    .then(found => found.violations)"""


WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def told(violations: list[Any]) -> list[str]:
    """What axe-core finds: rule, and the first place."""
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in violations]


def axe(page: Any) -> list[str]:
    """All that axe-core finds on a page."""
    from axe_playwright_python.sync_playwright import Axe

    return told(Axe().run(page).response["violations"])


@pytest.mark.parametrize("lang", ["en", pytest.param("zh", marks=pytest.mark.heavy)])
def test_axe_finds_nothing_the_browser_has_no_complaint_and_nothing_is_wider_than_its_window(
    house: Open, chromium: Any, lang: str
) -> None:
    """In the light theme all rules; in the dark one, in which nothing but colours is another, those of colours."""
    # The page forbids scripts that are not its own; the checker is brought in past it, by the browser's debugger.
    context = chromium.new_context(bypass_csp=True)
    page, said, faults = house.sign_in(context, lang=lang, theme="light"), list[str](), dict[str, list[str]]()
    page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    for path in ALL:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(house.url + path, wait_until="load")
        assert page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[lang]
        light = axe(page)
        page.evaluate("document.documentElement.dataset.theme = 'dark'")
        found = [*light, *(f"dark: {v}" for v in told(page.evaluate(COLOURS))), *said]
        for width in (768, 390):
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{width}: {over} too wide" for over in [page.evaluate(WIDER)] if over > 1]
        if found:
            faults[path] = found
        said.clear()
    context.close()
    assert faults == {}


def test_every_page_is_within_the_budget(house: Open, chromium: Any) -> None:
    """Cold: weight over the wire, requests; nodes. With the page's own policy in force nothing is refused by it."""
    over = {}
    context = chromium.new_context()
    page, sizes, said = house.sign_in(context), dict[str, Any](), list[str]()
    # With a route the browser's own store is not asked; what a page names twice it would have got once.
    page.route("**/*", lambda route: route.continue_())
    page.on("requestfinished", lambda request: sizes.update({request.url: request.sizes()}))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    for path in ALL:
        page.goto("about:blank")  # so that nothing of the last page is still under way
        sizes.clear()
        said.clear()
        page.goto(house.url + path, wait_until="load")
        page.wait_for_timeout(100)
        weight = sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes.values())
        nodes = page.evaluate("document.querySelectorAll('*').length")
        strangers = [url for url in sizes if not url.startswith((house.url, "data:"))]
        most = 320_000 if path in HEAVY else 100_000
        if weight > most or len(sizes) > 10 or nodes > 1_500 or strangers or said:
            over[path] = (weight, len(sizes), nodes, strangers, [*said])
    context.close()
    assert over == {}


@pytest.mark.parametrize("path", ALL)
def test_a_page_has_nothing_inline_and_keeps_to_its_policy(house: Open, path: str) -> None:
    told = house.get(path)
    assert told.status == 200
    assert "unsafe" not in told.headers["content-security-policy"]
    assert told.headers["cache-control"] == "private, no-store"
    assert not re.search(r"<[^>]+\sstyle=|<[^>]+\son[a-z]+=|<style|javascript:", told.text)
    assert not re.search(r"<script(?![^>]*(\ssrc=|type=\"application/json\"))", told.text)
    assert not re.search(r"(src|href|action)=\"(https?:)?//", told.text)


@pytest.mark.parametrize("path", LISTED)
def test_who_is_not_signed_in_is_led_to_where_one_signs_in(house: Open, path: str) -> None:
    told = house.get(path, signed_in=False)
    assert (told.status, told.headers["location"].partition("?")[0]) == (303, "/sign-in")


def test_pages_are_packed_where_the_browser_takes_it(house: Open) -> None:
    told = house.get("/customers", headers={"Accept-Encoding": "gzip"})
    assert told.headers["content-encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(told.body)


@pytest.mark.parametrize("lens", LENSES)
def test_nothing_that_the_viewer_may_not_see_is_in_the_bytes_of_any_page(house: Open, lens: str) -> None:
    """Every place x role: of everybody's names, mailboxes, phones and addresses no one is there in clear that the role does not
    see in clear for the purpose."""
    role, _, purpose = lens.partition("/")

    def closed(app: Any) -> dict[str, set[str]]:
        owner, viewer = app.reader("owner", "operate"), app.reader(role, purpose)
        fields = ("name", "email", "phone", "address")
        presented = app.gate.presented()["profiles"]
        hidden = [f for f in fields if app.gate.seen(presented, f, viewer).verdict != "clear"]
        if not hidden:
            return {}
        found = app.answers.ask(f"SELECT {', '.join(hidden)} FROM profiles", owner).table.to_pydict()
        return {f: {v for v in found[f] if v and len(v) > 5} for f in hidden}

    secret = house.run(closed)
    for path in ALL:
        told = house.get(path, lens=lens)
        assert told.status in (200, 403, 404), path
        for field, values in secret.items():
            shown = [v for v in values if v in told.text]
            assert not shown, f"{path} shows {field} of {len(shown)} people to {role}"


def test_each_page_answers_quickly(house: Open) -> None:
    """No promise about speed (bench/pages.py has those): only that no page does per-person work over everybody."""
    slow = {}
    for path in ALL:
        started = time.perf_counter()
        house.get(path)
        if (took := time.perf_counter() - started) > 5:
            slow[path] = took
    assert slow == {}
