"""Segments as a marketer sees them: sizes, consent, who moved and why, and why one person is in."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from given_pages import Open, opened

from tessera.app import App
from tessera.insight.segments import history

LATER = "2027-01-10"
RULES = """
rules:
  - {name: frequent, label: {en: Frequent, zh: 常客}, when: orders >= 3 AND NOT days_since(last_order_at) > 60}
"""
SINCE = "?since=2026-11-20"


@pytest.fixture(scope="module")
def later(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """The shop seven weeks on, nobody having bought: time alone moves people. With a segment by rule."""
    root = tmp_path_factory.mktemp("later") / "shop"
    shutil.copytree(filled, root, ignore=shutil.ignore_patterns("*.sock"))
    (root / "insight.yaml").write_text("without: [recommend, upkeep, interests, value, churn, propensity, attribution]\n")
    (root / "segments.yaml").write_text((root / "segments.yaml").read_text() + RULES, encoding="utf-8")
    for day in ("2026-11-20", LATER):
        told = root / "tessera.yaml"
        told.write_text(re.sub(r"as_of: \S+", f"as_of: {day}", told.read_text()))
        with App(root, wait_s=10) as app:
            app.turn(sync=False)
    with opened(root) as up:
        yield up


def plain(text: str) -> str:
    """The words of a page without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def counted(house: Open, purpose: str) -> dict[str, int]:
    sql = "SELECT segment, count(*) AS n FROM segments WHERE valid_to IS NULL GROUP BY segment"
    rows = house.run(lambda app: app.sql(sql, purpose=purpose, role="owner").table.to_pylist())
    return {r["segment"]: r["n"] for r in rows}


def test_the_list_has_each_segment_with_its_size_and_who_may_be_contacted(house: Open) -> None:
    text = plain(house.get("/segments", lens="owner/analytics").text)
    people, may = counted(house, "analytics"), counted(house, "marketing")
    assert f"{sum(people.values()):,} people are in a segment; {sum(may.values()):,} of them may be contacted" in text
    assert all(f" {n:,} " in text for n in people.values())


def test_consent_for_marketing_is_asked_for_marketing_and_is_an_entry(house: Open) -> None:
    before = house.run(lambda app: len(app.ledger))
    house.get("/segments", lens="owner/analytics")
    purposes = {e.purpose for e in house.run(lambda app: list(app.ledger.entries(before)))}
    assert "marketing" in purposes and "analytics" in purposes


def test_where_another_lens_sees_more_it_is_one_click_away(house: Open) -> None:
    text = house.get("/segments", lens="engineer/operate").text
    assert 'action="/lens"' in text and "Looking as engineer, for operate, you do not see" in text
    assert 'name="lens" value="owner/operate"' in text


def test_a_map_hides_groups_of_few_people_and_says_so(house: Open) -> None:
    text = house.get("/segments", lens="owner/analytics").text
    grid = text[text.index('id="map"') :]
    assert "How often they bought" in grid and "groups of fewer than 20 people are not shown" in plain(grid)
    assert min(int(n.replace(",", "")) for n in re.findall(r": ([\d,]+) people, who spent", grid)) >= 20


def test_before_anything_moved_the_page_says_from_when_on_it_knows(house: Open) -> None:
    text = plain(house.get("/segments", lens="owner/analytics").text)
    assert "What is known of segments begins on" in text


def test_a_day_that_is_none_is_refused(house: Open) -> None:
    assert house.get("/segments?since=yesterday").status == 400
    assert house.get("/segments?since=2026-01-01&until=2025-01-01", lens="owner/analytics").status == 200


def test_who_moved_where_is_a_picture_and_a_table_of_the_same_numbers(later: Open) -> None:
    text = later.get("/segments" + SINCE, lens="owner/analytics").text
    said = re.search(r"([\d,]+) people changed their segment, ([\d,]+) stayed", text)
    assert said
    moved = text[text.index('id="moved"') : text.index('id="map"')]
    went = re.findall(r"<title>([\d,]+) people went from", moved)
    assert sum(int(n.replace(",", "")) for n in went) == int(said[1].replace(",", ""))
    assert all(f'">{n}</td>' in moved for n in re.findall(r"<title>([\d,]+) people", moved))


def test_a_segment_says_that_time_alone_moved_its_people(later: Open) -> None:
    sql = history.migration(date(2026, 11, 20), date.fromisoformat(LATER))
    rows = later.run(lambda app: app.sql(sql, purpose="analytics", role="owner").table.to_pylist())
    most = max((r for r in rows if r["was"] and r["now"] and r["was"] != r["now"]), key=lambda r: r["people"] or 0)
    text = plain(later.get(f"/segments/{most['now']}{SINCE}", lens="owner/analytics").text)
    assert re.search(r"[1-9][\d,]* people came, of whom 0 ordered in that time", text)
    assert "Time passed 100% did not order after 20 Nov 2026" in text


def test_the_rule_is_a_sentence_in_both_languages(later: Open) -> None:
    text = plain(later.get("/segments/frequent", lens="owner/analytics").text)
    assert "the number of orders is at least 3, and the last order was at most 60 days ago." in text
    text = plain(later.get("/segments/frequent", lens="owner/analytics", lang="zh").text)
    assert "订单数至少为 3，且最近一次下单距今不超过 60 天。" in text


def test_why_one_is_not_in_it_is_ticked_condition_by_condition(later: Open) -> None:
    sql = "SELECT person_id FROM features WHERE orders >= 3 AND last_order_at < DATE '2026-11-01' ORDER BY 1 LIMIT 1"
    person = later.run(lambda app: app.sql(sql, purpose="analytics", role="owner").table.column(0)[0].as_py())
    text = plain(later.get(f"/segments/frequent?person={person}", lens="owner/analytics").text)
    assert "Not in this segment" in text
    assert re.search(r"True: The number of orders is at least 3 hers: \d+", text)
    assert re.search(r"Not true: The last order was at most 60 days ago hers: \d+ days ago", text)
    entry = later.run(lambda app: next(iter(app.people.uses(person))))
    assert entry.purpose == "analytics"


def test_of_everybody_the_nearest_middle_is_the_segment_that_the_turn_gave(later: Open) -> None:
    buyers = "SELECT person_id, segment FROM segments WHERE valid_to IS NULL AND segment <> 'prospects'"
    sql = f"{buyers} ORDER BY person_id LIMIT 12"
    rows = later.run(lambda app: app.sql(sql, purpose="analytics", role="owner").table.to_pylist())
    for row in rows:
        text = later.get(f"/segments/{row['segment']}?person={row['person_id']}", lens="owner/analytics").text
        assert "In this segment" in text
        far = [float(x) for x in re.findall(r'<td class="r">(\d+\.\d\d)</td>', text[text.index('id="why"') :])]
        assert far and far == sorted(far)


def test_nobody_is_not_told_from_somebody_who_does_not_allow_it(later: Open) -> None:
    sql = "SELECT min(p.person_id) FROM profiles p LEFT JOIN features f ON f.person_id = p.person_id WHERE f.person_id IS NULL"
    silent = later.run(lambda app: app.sql(sql, purpose="operate", role="owner").table.column(0)[0].as_py())
    for person in (silent, 999_999):
        text = plain(later.get(f"/segments/frequent?person={person}", lens="owner/analytics").text)
        assert "she does not allow it, or there is no such person" in text


def test_single_people_are_for_roles_that_may_show_them(house: Open) -> None:
    lenses = ("owner/analytics", "marketer/analytics")
    owner, marketer = (house.get("/segments/prospects", lens=lens).text for lens in lenses)
    assert "/customers/" in owner[owner.index('id="people"') :]
    assert 'id="people"' not in marketer and "Your role sees groups here and no single person" in marketer


def test_a_segment_that_is_none_is_not_found(house: Open) -> None:
    assert house.get("/segments/no_such", lens="owner/analytics").status == 404


def test_a_marketer_reads_why_a_segment_moved_and_which_channel_earned_its_keep(later: Open, chromium: Any) -> None:
    """The walk: from the sizes to the segment that moved and the reasons, by the keyboard to the channels, to the ways through
    the one that paid."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = later.sign_in(context, lens="marketer/analytics")
    page.goto(f"{later.url}/segments{SINCE}", wait_until="load")
    grown = page.locator("#list tbody tr", has=page.locator("td", has_text=re.compile(r"\+\d"))).first
    name = grown.locator("a").first.inner_text()
    grown.locator("a").first.click()
    page.wait_for_url("**/segments/*")
    assert page.locator("h1").inner_text() == name
    page.goto(page.url.partition("?")[0] + SINCE, wait_until="load")
    reasons = page.locator("#moved tbody tr", has=page.get_by_text("Time passed"))
    assert reasons.count() >= 1 and reasons.first.locator("td").nth(1).inner_text() != "0"
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/attribution")
    paid = page.locator("section", has=page.get_by_role("heading", name="What earned its keep")).locator("tbody tr")
    kept = paid.filter(has_text="by every model").first
    channel = kept.locator("th").inner_text()
    page.locator("#credits tbody th a", has_text=channel).click()
    page.wait_for_url(f"**/attribution/paths?channel={channel}")
    assert channel in page.locator("main").inner_text()
    context.close()
