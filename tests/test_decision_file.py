"""decisions/*.yaml: what is written there is what is decided by, and each mistake is told by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from given_tiny import Tiny
from tessera.app import settings
from tessera.errors import BadWorkspace

GOOD = """\
decision: banner
purpose: personalise
control: 0.2
explore: 0
on: [Product Viewed]
context: [orders > 0, event.device]
candidates:
  - {id: welcome, when: orders = 0, show: {title: {en: Hello, zh: 您好}, days: [1, 2.5, true, null]}, weight: 2}
  - {id: near, recommend: true, most: 3}
fallback: {title: Shop}
outcome: {event: Product Added, within: 2d, same_product: true}
cap: {times: 3, within: 7d}
stock: {file: decisions/stock.csv, product: sku, left: left}
push: {webhook: "${HOOK}"}
"""


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    made = Tiny(tmp_path / "w")
    (made.root / "decisions").mkdir()
    return made


def told(tiny: Tiny, text: str, name: str = "banner") -> list[str]:
    """What is wrong with a file; nothing where it is good."""
    (tiny.root / "decisions" / f"{name}.yaml").write_text(text, "utf-8")
    try:
        settings(tiny.root)
    except BadWorkspace as no:
        return str(no).splitlines()
    return []


def test_a_file_says_what_is_decided_and_brings_the_source_that_decisions_land_from(tiny: Tiny) -> None:
    assert told(tiny, GOOD) == []
    config = settings(tiny.root)
    (point,) = config.decisions
    assert (point.name, point.purpose, point.control, point.explore) == ("banner", "personalise", 0.2, 0)
    assert point.on == ("Product Viewed",)
    welcome, near = point.candidates
    assert welcome.show == {"title": {"en": "Hello", "zh": "您好"}, "days": [1, 2.5, True, None]} and welcome.weight == 2
    assert near.recommend and near.most == 3 and point.context == ("orders > 0", "event.device")
    assert point.outcome and (point.outcome.within_s, point.outcome.same_product) == (172_800, True)
    assert point.cap and (point.cap.times, point.cap.within_s) == (3, 604_800) and point.memory_s == 604_800
    assert [c.name for c in config.sources if c.kind == "decisions"] == ["decisions"]


def test_without_decisions_there_is_no_such_source(tiny: Tiny) -> None:
    assert all(c.kind != "decisions" for c in settings(tiny.root).sources)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("purpose: personalise", "purpose: personalize", "banner.yaml:2: found 'personalize', expected one of"),
        ("orders = 0", "ordrs = 0", "Did you mean 'orders'?"),
        ("orders = 0", "count(*) > 1", "is not taken here"),
        ("orders = 0", "email = 'a'", "'email' is no fact"),
        ("control: 0.2", "control: 20", "banner.yaml:3: found 20, expected a number from 0 to 1"),
        ("within: 2d", "within: 2 days", "a time with its unit"),
        ("id: near", "id: welcome", "an id that no other candidate has"),
        ("id: near", "id: fallback", "an id that no other candidate has"),
        ("recommend: true, most: 3", "recommend: true, product: p1", "Leave one of them out"),
        ("recommend: true, most: 3", "most: 3", "most is for `recommend: true`"),
        ("decisions/stock.csv", "../stock.csv", "a file below the workspace"),
        ('"${HOOK}"', "https://hook.example/1", "expected its name, such as ${CAMPAIGN_URL}"),
        ("on: [Product Viewed]\n", "", "nothing is pushed without `on`"),
        ("fallback:", "fall_back:", "Did you mean 'fallback'?"),
        ("decision: banner", "decision: Home Banner", "a name of small letters"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_file_and_line(tiny: Tiny, before: str, after: str, said: str) -> None:
    assert before in GOOD
    lines = told(tiny, GOOD.replace(before, after))
    assert any("decisions/banner.yaml:" in line and said in line for line in lines), lines


def test_two_files_may_not_have_one_name(tiny: Tiny) -> None:
    assert told(tiny, GOOD) == []
    assert "a name that no other decision has" in "".join(told(tiny, GOOD, "banner2"))


def test_a_rule_asks_for_no_more_than_its_purpose_may_use(tiny: Tiny) -> None:
    purposes = tiny.root / "purposes.yaml"
    text = purposes.read_text("utf-8")
    start = text.index("  personalise:")
    cut = text[start:].replace("user.location, ", "", 1).replace("[user.behavior, ", "[user.behavior.purchase_history, ", 1)
    purposes.write_text(text[:start] + cut, "utf-8")
    lines = "".join(told(tiny, GOOD.replace("orders = 0", "city = 'Bern'")))
    assert "'city' may not be asked for here. The purpose personalise may not use user.location" in lines
    assert "may not use user.behavior.browsing_history" in lines, "and nothing is recommended by what she has looked at"


def test_a_source_may_not_take_the_name_that_decisions_land_under(tiny: Tiny) -> None:
    assert told(tiny, GOOD) == []
    crm = tiny.root / "sources" / "crm.odcs.yaml"
    (tiny.root / "sources" / "decisions.odcs.yaml").write_text(crm.read_text().replace("name: crm", "name: decisions"))
    with pytest.raises(BadWorkspace, match="Rename it"):
        settings(tiny.root)
