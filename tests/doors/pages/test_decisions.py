"""Decisions: rules in words, what came of them beside the control group, and what one person would be shown, unshown."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from given_deciding import BANNER, HELP, Shop, shop
from given_pages import Open, opened

from tessera.decided import Result, arms
from tessera.doors.pages import decisions_told as told
from tessera.doors.pages.pictures.against import Dot, against

HALF = BANNER.replace("control: 0", "control: 0.5").replace("times: 2", "times: 90").replace(", same_product: true", "")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Open, Shop]]:
    """Twelve people who agreed, some of whom did what was hoped for; all of it landed by a turn."""
    made = shop(tmp_path_factory.mktemp("decisions") / "w", {"banner": HALF, "help": HELP})
    with opened(made.tiny.root) as house:
        made.port = house.port
        people = [f"u{n}" for n in range(12)]
        for user in people:
            made.track("Agreed", user=user, agrees="yes")
        assert house.tracked is not None

        def turn() -> None:
            assert house.tracked is not None
            house.tracked.roll()
            house.run(lambda app: app.turn())
            house.run(lambda app: house.tracked.open(app))  # type: ignore[union-attr]

        turn()
        for user in people:
            made.decide("banner", userId=user)
            if user in ("u1", "u2", "u3", "u4"):
                made.track("Product Added", user=user, product="p1")
        turn()
        yield house, made


def test_the_list_says_what_came_of_each_and_who_was_decided_for(up: tuple[Open, Shop]) -> None:
    house, _ = up
    page = house.get("/decisions", lens="owner/operate").text
    assert "banner" in page and "help" in page and "Product Added within 1 hr" in page
    assert page.count("/customers/") >= 10 and "most promising" in page and "control group" in page
    assert "not measured" in page, "a point without an outcome says so"
    assert [e.act for e in house.run(lambda app: list(app.ledger.entries(limit=20, newest_first=True)))].count("results") >= 2


def test_a_point_has_its_rules_in_words_its_file_and_its_candidates_beside_the_control_group(up: tuple[Open, Shop]) -> None:
    house, _ = up
    page = house.get("/decisions/banner", lens="owner/operate").text
    assert "If the number of products looked at is 0." in page and "products_viewed = 0" in page
    assert "decision: banner" in page and "/changes/new?file=decisions/banner.yaml" in page
    assert "Control group, the fallback" in page and "<circle" in page and "90 times in 1 day" in page
    assert "p29" in page or "more products" in page, "what is in stock"
    assert "实时决策" in house.get("/decisions/banner", lang="zh", lens="owner/operate").text
    assert house.get("/decisions/nothing").status == 404


def test_what_she_would_be_shown_is_told_with_its_reasons_and_nothing_of_it_is_kept(up: tuple[Open, Shop]) -> None:
    house, _ = up
    assert house.tracked is not None
    before = dict(house.tracked.deciding.counts)
    person = house.run(lambda app: app.people.find("u5")[0])
    page = house.post("/decisions/banner", {"who": str(person), "here": "page=home"}, lens="owner/operate").text
    assert f"Customer {person}" in page and 'class="tried"' in page
    assert any(said in page for said in ("it promised most", "control group, which always gets", "nothing else could be shown"))
    assert dict(house.tracked.deciding.counts) == before, "nothing was counted"
    last = house.run(lambda app: [e for e in app.ledger.entries() if e.note.startswith("explained")][-1])
    assert (last.act, last.purpose, last.rows) == ("decide", "personalise", 1) and last.actor.startswith("user:")
    assert f"Customer {person}" in house.post("/decisions/banner", {"who": "u5"}, lens="owner/operate").text, "by an identifier"
    nobody = house.post("/decisions/banner", {"who": "nobody@example.org"}, lens="owner/operate")
    assert nobody.status == 200 and "Nobody is found under this" in nobody.text
    assert "nobody@example.org" not in str(house.run(lambda app: [e.note + e.reason for e in app.ledger.entries()]))


def test_a_role_without_the_function_or_the_sight_is_told_nothing(up: tuple[Open, Shop]) -> None:
    house, _ = up
    assert house.get("/decisions", lens="engineer/operate").text.count("/customers/") == 0
    page = house.post("/decisions/banner", {"who": "1"}, lens="analyst/analytics").text
    assert 'class="tried"' not in page or "your role may not be told" in page
    forged = house.ask("POST", "/decisions/banner", {"who": "1"}, headers={"Origin": "https://elsewhere.example"})
    assert forged.status == 403


def test_before_anything_has_landed_the_pages_say_so(house: Open) -> None:
    page = house.get("/decisions", lens="owner/operate").text
    assert "None has landed yet" in page and "nothing to compare yet" in page
    assert "Nothing has landed yet" in house.get("/decisions/home_banner", lens="owner/operate").text
    assert "启动以来的决策" in house.get("/live/decided?name=home_banner", lang="zh").text


def test_candidates_are_compared_with_the_control_group_all_products_of_one_together() -> None:
    result = Result(
        decision="d", purpose="p", shown=30, outcomes=12, share=0.4, control_shown=20, control=0.1, uplift=0.3, low=0.05,
        high=0.5,
        candidates=[
            {"candidate": "a", "product": "x", "shown": 10, "outcomes": 5},
            {"candidate": "a", "product": "y", "shown": 10, "outcomes": 5},
            {"candidate": "b", "product": None, "shown": 10, "outcomes": 2},
        ],
    )  # fmt: skip
    a, b, control = arms(result)
    assert (a.candidate, a.shown, a.outcomes, a.share) == ("a", 20, 10, 0.5) and a.uplift == pytest.approx(0.4)
    assert a.uplift_low is not None and a.uplift_low > 0 and b.uplift_low is not None and b.uplift_low < 0
    assert (control.shown, control.outcomes, control.uplift) == (20, 2, None)


def test_a_share_lies_on_its_interval_and_is_read_out() -> None:
    drawn = against([Dot(name="a<b", share=0.2, low=0.1, high=0.4, sentence="a: 20 %")], 0.1, "shares", lambda s: f"{s:.0%}")
    assert "a&lt;b" in drawn and "<title>a: 20 %</title>" in drawn and "40%" in drawn and 'class="goal"' in drawn


def test_facts_of_the_place_are_read_as_a_program_would_send_them() -> None:
    assert told.here("page=home\nurgent=TRUE\nn = 3\nwrong\n=x", 16) == {"page": "home", "urgent": True, "n": 3.0}
    assert told.rule("orders IN (1, 2) AND nonsense(", "en") == "orders IN (1, 2) AND nonsense("
