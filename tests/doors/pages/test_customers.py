"""Customers: whom to call and why, one customer's page, how she was joined; through the lens and no other way."""

from __future__ import annotations

import re
from typing import Any

import pytest
from given_pages import Open

from tessera.lake.engine import rows


def people(house: Open, question: str, role: str = "owner", purpose: str = "operate") -> list[tuple[Any, ...]]:
    return house.run(lambda app: app.answers.ask(question, app.reader(role, purpose)).rows())


def links(text: str) -> list[int]:
    return [int(n) for n in re.findall(r'<a href="/customers/(\d+)">', text)]


def test_the_list_begins_with_those_of_whom_most_is_at_stake(house: Open) -> None:
    told = house.get("/customers", lens="owner/operate")
    wanted = people(
        house,
        "SELECT p.person_id FROM profiles p LEFT JOIN churn c ON c.person_id = p.person_id LEFT JOIN customer_value v "
        "ON v.person_id = p.person_id ORDER BY c.probability * v.expected_value_cents DESC NULLS LAST, 1 LIMIT 50",
    )
    assert links(told.text) == [n for (n,) in wanted]


def test_the_list_has_nobody_whom_the_purpose_does_not_show(house: Open) -> None:
    allowed = {n for (n,) in people(house, "SELECT person_id FROM profiles", "owner", "marketing")}
    everybody = {n for (n,) in people(house, "SELECT person_id FROM profiles")}
    listed: set[int] = set()
    for place in range(1, 40):
        found = links(house.get(f"/customers?sort=recent&page={place}", lens="owner/marketing").text)
        listed |= set(found)
        if not found:
            break
    assert listed == allowed < everybody


def test_each_look_at_the_list_is_an_entry_in_the_viewer_s_role_and_purpose(house: Open) -> None:
    before = house.run(lambda app: len(app.ledger))
    house.get("/customers", lens="sales/operate")
    entries = house.run(lambda app: list(app.ledger.entries(limit=5, newest_first=True)))
    (entry,) = [e for e in entries if e.act == "read" and e.seq >= before]
    assert (entry.role, entry.purpose, entry.verdict) == ("sales", "operate", "allowed")
    assert "profiles" in dict(entry.tables)


def test_who_is_looked_for_by_an_identifier_is_opened_at_once(house: Open) -> None:
    def hers_alone(app: Any) -> tuple[int, str]:
        """Somebody with an address that joins: of two people with one, it is either's, or nobody's."""
        asked = "SELECT person_id, email FROM profiles WHERE email IS NOT NULL ORDER BY 1 LIMIT 50"
        reader = app.reader("service", "operate")
        rows = app.answers.ask(asked, app.reader("owner", "operate")).rows()
        return next((n, e) for n, e in rows if app.people.find_for(reader, e) == [n])

    number, email = house.run(hers_alone)
    told = house.get(f"/customers?q={email}", lens="service/operate")
    assert (told.status, told.headers["location"]) == (303, f"/customers/{number}")
    told = house.get(f"/customers?q={number}", lens="service/operate")
    assert told.headers["location"] == f"/customers/{number}"
    assert "Nobody is found" in house.get("/customers?q=nobody@nowhere.example", lens="service/operate").text


def test_through_a_lens_that_looks_nobody_up_the_search_says_so(house: Open) -> None:
    told = house.get("/customers?q=anna@example.org", lens="analyst/analytics")
    assert told.status == 403 or "Nobody can be looked up" in told.text


def test_her_page_s_bars_begin_at_the_typical_and_add_up_to_her_score(house: Open) -> None:
    ((number,),) = people(house, "SELECT person_id FROM churn ORDER BY probability DESC LIMIT 1")
    text = house.get(f"/customers/{number}", lens="owner/operate").text
    found = re.search(r"Her chance is ([\d.]+)%. It begins at ([\d.]+)%", text)
    assert found
    score, typical = map(float, found.groups())
    told = re.findall(r'<span class="num (?:dn|up)">([+−])([\d.]+)</span>', text)
    parts = [(-1 if sign == "−" else 1) * float(points) for sign, points in told]
    assert round(typical + sum(parts), 1) == score


def test_a_customer_whom_the_lens_does_not_show_is_as_one_that_nobody_has(house: Open) -> None:
    allowed = {n for (n,) in people(house, "SELECT person_id FROM profiles", "owner", "marketing")}
    hidden = next(n for (n,) in people(house, "SELECT person_id FROM profiles ORDER BY 1") if n not in allowed)
    told, nobody = (house.get(f"/customers/{n}", lens="owner/marketing") for n in (hidden, 999_999))
    assert told.status == nobody.status == 404
    cut = lambda text: re.sub(r"Person &#39;\d+", "Person", text)  # noqa: E731
    assert cut(told.text) == cut(nobody.text)


def test_what_is_not_shown_is_listed_with_a_lock_and_why(house: Open) -> None:
    text = house.get("/customers/17", lens="service/operate").text
    assert re.search(r'Born</span>\s*<span class="tag" title="No line of access.yaml lets service see', text)
    assert "What she agreed to" in text


@pytest.mark.parametrize("kind", ["all", "web", "buy", "talk", "device", "choice"])
def test_what_happened_is_hers_newest_first_and_goes_back_to_the_first(house: Open, kind: str) -> None:
    ((number,),) = people(house, "SELECT person_id FROM events GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
    at, seen = "", list[str]()
    for _ in range(30):
        told = house.get(f"/customers/{number}/timeline?kind={kind}{at}", lens="owner/operate").text
        seen += re.findall(r'<time class="num" datetime="([^"]+)"', told)
        older = re.search(r"before=([^\"&]+)\" hx-get", told)
        if not older:
            break
        at = f"&before={older[1]}"
    assert seen == sorted(seen, reverse=True)
    if kind == "buy":
        wanted = people(house, f"SELECT count(*) FROM orders WHERE person_id = {number}")[0][0]
        assert len(seen) == wanted


def test_how_she_was_joined_tells_kinds_and_no_value(house: Open) -> None:
    ((number, email),) = people(
        house, "SELECT person_id, email FROM profiles WHERE keys > 2 AND email IS NOT NULL ORDER BY 1 LIMIT 1"
    )
    text = house.get(f"/customers/{number}/joined", lens="service/operate").text
    assert "user_id" in text and "First seen" in text and email not in text


def test_a_sales_person_prepares_a_call(house: Open, chromium: Any) -> None:
    """The walk: the list says whom and why; her page has the reasons, what happened and the next step; what happened is
    filtered without leaving the page, and the keyboard keeps its place."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = house.sign_in(context, lens="sales/operate")
    page.goto(house.url)
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/customers")
    first = page.locator("#list tbody tr").first
    assert first.locator(".tag").count() >= 1
    first.locator("a").click()
    page.wait_for_url("**/customers/*")
    assert page.get_by_role("heading", name="Best next step").is_visible()
    chip = page.locator("#kind-buy")
    chip.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#kind-buy[aria-current=true]")
    assert page.evaluate("document.activeElement.id") == "kind-buy"
    assert page.url.endswith(first_path(page.url)) and page.locator("#happened .ev").count() >= 1
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "find"
    context.close()


def first_path(url: str) -> str:
    return url.partition("//")[2].partition("/")[2]


def test_the_lens_is_hers_alone_to_choose(house: Open) -> None:
    """A cookie that names a role or purpose that is not hers is as none."""
    text = house.get("/customers", lens="emperor/world").text
    assert "Seeing as owner, for operate" in text
    told = house.post("/lens", {"lens": "sales/operate", "to": "/customers"})
    assert (told.status, told.headers["location"]) == (303, "/customers") and "tessera-lens=" in told.headers["set-cookie"]
    assert house.post("/lens", {"lens": 'x"; Path=/', "to": "//elsewhere.example"}).headers["location"] == "/"


def test_membership_is_asked_for_nobody_else(house: Open) -> None:
    """A page about one person is an entry that holds exactly her."""
    house.get("/customers/17", lens="owner/operate")
    held = house.run(lambda app: [e for e in app.people.uses_of(17, 40) if e.act == "read" and e.keys and e.keys.size == 1])
    assert held and all(e.keys is not None and e.keys.bound == "exact" for e in held)
    assert house.run(lambda app: rows(app.con, "SELECT 1")) == [(1,)]
