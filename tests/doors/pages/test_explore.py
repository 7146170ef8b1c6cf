"""Explore: an answer through the lens, at another moment, as a file, as a picture; kept questions; the editor."""

from __future__ import annotations

import html
import io
import json
import re
from typing import Any

import pyarrow.parquet as pq
import pytest
from given_pages import Open, Told

COUNTRIES = (
    "SELECT country, count(*) AS people, sum(revenue_cents) AS revenue_cents FROM profiles GROUP BY country ORDER BY country"
)


def run(house: Open, text: str, lens: str = "owner/operate", **fields: Any) -> str:
    told = house.post("/explore", {"text": text, "run": "1", **fields}, lens=lens)
    assert told.status == 200
    return html.unescape(told.text)


def turned(house: Open, text: str, lens: str = "owner/operate", **fields: Any) -> str:
    """The same answer turned over: what was asked stands in the form, whatever the editor holds by now."""
    told = house.post("/explore", {"text": "SELECT nonsense", "asked": text, **fields}, lens=lens)
    assert told.status == 200
    return html.unescape(told.text)


def cells(page: str, column: int = 0) -> list[str]:
    body = page[page.index('id="answer"') :]
    found = re.search(r"<tbody>(.*?)</tbody>", body, re.S)
    assert found
    return [re.findall(r"<td[^>]*>(.*?)</td>", row)[column] for row in re.findall(r"<tr>(.*?)</tr>", found[1])]


def asked(house: Open, text: str, role: str = "owner", purpose: str = "operate") -> list[tuple[Any, ...]]:
    return house.run(lambda app: app.answers.ask(text, app.reader(role, purpose)).rows())


def test_an_answer_is_what_the_gate_says_with_its_entry(house: Open) -> None:
    page = run(house, COUNTRIES)
    wanted = asked(house, COUNTRIES)
    assert cells(page) == [c or "–" for c, _, _ in wanted]
    assert cells(page, 1) == [f"{n:,}" for _, n, _ in wanted]
    entry = house.run(lambda app: next(e for e in app.ledger.entries(newest_first=True, limit=5) if e.rows == len(wanted)))
    assert re.search(r'<a href="/uses/\d+">Entry \d+ of the ledger</a>', page) and entry.role == "owner"


def test_the_viewer_s_role_is_what_counts(house: Open) -> None:
    page = run(house, "SELECT email, country FROM profiles WHERE email IS NOT NULL LIMIT 5", "analyst/analytics")
    assert all("•••" in cell for cell in cells(page))
    assert "email is not in clear for you." in page and "access.yaml:" in page
    page = run(house, "SELECT name FROM profiles", "analyst/analytics")
    assert "This is not open to you" in page and "user.name" in page and "<tbody>" not in page


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT contry FROM profiles", "Did you mean 'country'?"),
        ("SELECT 1 FROM profile", "Did you mean 'profiles'?"),
        ("SELECT country\nFROM profiles WHERE )", "line 2"),
        ("DELETE FROM profiles", "one SELECT"),
        ("SELECT * FROM read_parquet('x')", "not taken"),
        ("", "empty"),
    ],
)
def test_what_cannot_be_answered_says_why_and_loses_nothing(house: Open, text: str, said: str) -> None:
    page = run(house, text)
    assert "The question cannot be answered" in page or "not open to you" in page
    assert said in page and f">{text}</textarea>" in page
    assert ("data-line" in page) == ("line 2" in said)


def test_an_answer_is_turned_over_page_by_page_and_sorted_by_asking_again(house: Open) -> None:
    text = "SELECT person_id, revenue_cents FROM profiles WHERE revenue_cents > 0 -- buyers"
    first, second = cells(turned(house, text, page=1)), cells(turned(house, text, page=2))
    assert len(first) == len(second) == 50 and not set(first) & set(second)
    down = cells(turned(house, text, sort="revenue_cents/down"), 1)
    best = asked(house, "SELECT max(revenue_cents) AS m FROM profiles")[0][0]
    assert down[0] == f"{best:,}" and down == sorted(down, key=lambda c: -int(c.replace(",", "")))
    assert cells(turned(house, text, sorted="revenue_cents/down", page=1), 1) == down, "another page keeps the order"


def test_a_column_that_is_sealed_cannot_be_sorted_and_says_so(house: Open) -> None:
    page = turned(house, "SELECT name FROM profiles", sort="name/down")
    assert "<tbody>" not in page and ("cannot be answered" in page or "not open to you" in page)


def test_a_long_answer_is_cut_and_says_so(house: Open) -> None:
    page = run(house, "SELECT person_id FROM profiles")
    assert "1,000 rows" in page and "There are more. The page holds the first 1,000; a file has up to 10,000." in page
    assert "There are more" not in run(house, "SELECT person_id FROM profiles LIMIT 1000")


def test_the_picture_fits_and_can_be_chosen(house: Open) -> None:
    page = run(house, COUNTRIES)
    assert '<option value="bar" selected>' in page and "people by country; n = " in page
    page = turned(house, COUNTRIES, chart_form="bar", chart_y="revenue_cents", chart_x="country")
    assert "revenue_cents in EUR, by country; n = " in page and "€" in page
    page = run(house, "SELECT occurred_at::DATE AS day, count(*) AS n FROM orders GROUP BY day ORDER BY day")
    assert '<option value="line" selected>' in page and "<polyline" in page
    assert "<figure" not in run(house, "SELECT count(*) AS n FROM orders")


def test_a_file_is_the_answer_with_an_entry_of_its_own(house: Open) -> None:
    def file(kind: str, **more: str) -> Told:
        return house.post("/explore/export", {"asked": COUNTRIES, "as": kind, **more}, lens="owner/operate")

    wanted = asked(house, COUNTRIES)
    before = house.run(lambda app: len(app.ledger))
    told = file("csv")
    assert told.headers["content-type"].startswith("text/csv") and "attachment" in told.headers["content-disposition"]
    assert told.text.splitlines()[0] == "country,people,revenue_cents" and len(told.text.splitlines()) == len(wanted) + 1
    assert house.run(lambda app: len(app.ledger)) == before + 1
    assert [json.loads(line)["people"] for line in file("jsonl").text.splitlines()] == [n for _, n, _ in wanted]
    assert pq.read_table(io.BytesIO(file("parquet").body)).num_rows == len(wanted)
    sorted_ = file("jsonl", sorted="people/down").text.splitlines()
    assert json.loads(sorted_[0])["people"] == max(n for _, n, _ in wanted)
    assert file("xlsx").status == 400
    names = {"asked": "SELECT name FROM profiles", "as": "csv"}
    assert house.post("/explore/export", names, lens="analyst/analytics").status == 403


def test_a_moment_moves_the_data_and_never_the_permission(house: Open) -> None:
    text = "SELECT count(*) AS n FROM profiles"
    assert "One version is kept so far" in run(house, text) and 'id="moment"' not in run(house, text)
    seven = "SELECT * FROM {} LIMIT 7"
    house.run(lambda app: app.lake.write(app.con, "profiles", seven.format(app.lake.relation("profiles")), what="test"))
    page = run(house, text)
    assert cells(page) == ["7"] and 'id="moment"' in page and "permissions do not" in page
    [first, now] = re.search(r'data-moments="([^"]*)"', page)[1].split("|")  # type: ignore[index]
    then = turned(house, text, moment=first)
    assert int(cells(then)[0].replace(",", "")) > 7 and "profiles version 0" in then and "VERSION AS OF 0" in then
    assert now == "" and cells(turned(house, text, moment=now)) == ["7"]
    hers = int(cells(turned(house, text, "owner/marketing", moment=first))[0].replace(",", ""))
    assert hers < int(cells(then)[0].replace(",", "")), "today's consent holds in the old version"
    assert "is not known" in turned(house, text, moment="2020-01-01T00:00:00+00:00")


def test_tables_are_listed_with_what_is_known_of_them_and_their_columns_with_the_lock(house: Open) -> None:
    told = house.get("/explore", lens="analyst/analytics").text
    assert 'id="t-profiles"' in told and "commerce" in told
    told = html.unescape(house.get("/explore?table=profiles", lens="analyst/analytics").text)
    assert "may not use user.name" in told and 'data-insert="country"' in told and 'data-insert="name"' not in told
    assert "row_hash" not in told and "email_key" not in told
    assert house.get("/explore?table=nothing").status == 404


def test_what_is_completed_is_what_the_viewer_sees(house: Open) -> None:
    def offered(lens: str) -> dict[str, set[str]]:
        text = house.get("/explore", lens=lens).text
        words = json.loads(re.search(r'id="words">(.*?)</script>', text, re.S)[1])  # type: ignore[index]
        return {t["name"]: {c["name"] for c in t["columns"]} for t in words["tables"]}

    owner, analyst, engineer = offered("owner/operate"), offered("analyst/analytics"), offered("engineer/operate")
    assert {"name", "email", "country"} <= owner["profiles"] and not {"email_key", "row_hash"} & owner["profiles"]
    assert "email" in analyst["profiles"] and "name" not in analyst["profiles"]
    assert "kpi_percent" in engineer["quality"] and "country" not in engineer.get("profiles", ())


def test_a_question_is_kept_asked_again_shared_renamed_and_deleted(house: Open) -> None:
    told = house.post("/explore/questions", {"name": "By country", "text": COUNTRIES, "chart_form": "bar", "chart_x": "country",
                      "chart_y": "revenue_cents", "shared": "analyst"}, lens="owner/operate")  # fmt: skip
    at = told.headers["location"]
    assert told.status == 303
    page = html.unescape(house.get(at, lens="owner/operate").text)
    assert "By country" in page and COUNTRIES in page and "revenue_cents in EUR" in page and "Shared with analyst" in page
    other = html.unescape(house.get(at, lens="analyst/analytics").text)
    assert "Kept as owner, for operate; you look through another lens now." in other
    number = at.rpartition("=")[2]
    house.post(f"/explore/questions/{number}/rename", {"name": "Countries"})
    assert ">Countries</a>" in house.get("/explore").text
    assert house.post(f"/explore/questions/{number}/delete", {}).status == 303
    assert house.get(at).status == 404 and "Countries" not in house.get("/explore").text


def test_one_that_names_a_person_is_not_kept_and_its_text_stays(house: Open) -> None:
    text = "SELECT person_id FROM profiles WHERE email = 'ann@example.org'"
    told = house.post("/explore/questions", {"name": "Ann", "text": text}, lens="owner/operate")
    page = html.unescape(told.text)
    assert told.status == 400 and "This question was not kept." in page and f">{text}</textarea>" in page
    stored = (house.root / "var" / "state.db").read_bytes()
    assert b"ann@example.org" not in stored


def test_who_may_not_ask_in_sql_is_told_so(house: Open) -> None:
    assert house.post("/explore", {"text": "SELECT 1", "run": "1"}, signed_in=False).status in (401, 403)


# With a browser


def test_the_editor_completes_runs_by_the_keyboard_and_lets_go_of_it(house: Open, page: Any) -> None:
    page.context.add_cookies([{"name": "tessera-lens", "value": "owner/operate", "url": house.url}])
    faults: list[str] = []
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    page.goto(f"{house.url}/explore")
    editor = page.get_by_role("textbox", name="Your question in SQL")
    editor.focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("SELECT cou FROM profi")
    page.locator(".cm-tooltip-autocomplete li", has_text="profiles").wait_for()
    page.wait_for_timeout(120)  # the editor takes no suggestion that has just come up under the fingers
    page.keyboard.press("Tab")
    assert editor.inner_text().strip() == "SELECT cou FROM profiles"
    for _ in range(len(" FROM profiles")):
        page.keyboard.press("ArrowLeft")
    page.keyboard.type("n")
    page.locator(".cm-tooltip-autocomplete li", has_text="country").first.wait_for()
    page.wait_for_timeout(120)
    page.keyboard.press("Enter")
    assert editor.inner_text().strip() == "SELECT country FROM profiles"
    page.keyboard.press("Control+Enter")
    page.locator("#answer tbody tr").first.wait_for()
    assert page.locator("#told").inner_text() == page.locator("#answer-title").inner_text() != ""
    assert page.evaluate("document.activeElement.classList.contains('cm-content')"), "the answer does not take the focus"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "run", "Tab leaves the editor"
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.classList.contains('cm-content')")
    assert faults == []


def test_a_click_on_a_column_puts_it_into_the_question_and_an_answer_keeps_the_place(house: Open, page: Any) -> None:
    page.context.add_cookies([{"name": "tessera-lens", "value": "owner/operate", "url": house.url}])
    page.goto(f"{house.url}/explore")
    page.locator("#t-orders").click()
    page.locator("#about [data-insert=channel]").click()
    assert "channel" in page.locator(".cm-content").inner_text()
    page.locator("#about button[name=preview]").click()
    page.locator("#sort-1").focus()
    page.keyboard.press("Enter")
    page.locator("#answer th[aria-sort]").wait_for()
    assert page.evaluate("document.activeElement.id") == "sort-1", "a control that was swapped keeps the focus"


def test_it_works_without_a_script(house: Open, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = house.sign_in(context, lens="owner/operate")
    page.goto(f"{house.url}/explore")
    page.locator("#text").fill("SELECT count(*) AS n FROM orders")
    page.locator("#run").click()
    assert page.locator("#answer h2").inner_text() == "1 row"
    context.close()
