"""insight_file.py: what each model is told; mistakes are named by line, and what is not written has a default."""

from __future__ import annotations

from pathlib import Path

import pytest

from tessera import insight_file
from tessera.app import settings
from tessera.errors import BadWorkspace
from tessera.loop import STEPS
from tessera.scaffold import init


@pytest.fixture
def root(tmp_path: Path) -> Path:
    init(tmp_path / "acme")
    return tmp_path / "acme"


def test_a_workspace_without_the_file_takes_the_defaults(root: Path) -> None:
    (root / "insight.yaml").unlink(missing_ok=True)
    assert settings(root).insight == insight_file.DEFAULT


def test_what_is_written_goes_before_the_default_and_the_rest_stays(root: Path) -> None:
    (root / "insight.yaml").write_text("churn:\n  horizon_days: 30\n", "utf-8")
    told = settings(root).insight
    assert told.of("churn") == {**insight_file.DEFAULT.of("churn"), "horizon_days": 30}
    assert told.of("value") == insight_file.DEFAULT.of("value") and told.of("propensity") == {}


def test_goals_are_events_or_products_with_words_in_both_languages(root: Path) -> None:
    text = """propensity:
  help: {event: Help Asked, en: asking for help, zh: 求助}
  filters: {products: [P402], horizon_days: 14, active_days: 90, groups: [city]}
  any: {products: ["*"]}
"""
    (root / "insight.yaml").write_text(text, "utf-8")
    goals = settings(root).insight.of("propensity")
    assert list(goals) == ["help", "filters", "any"] and goals["help"]["horizon_days"] == 30
    assert goals["filters"] == {
        "event": "", "products": ("P402",), "horizon_days": 14, "active_days": 90, "groups": ("city",), "en": "buying P402",
        "zh": "购买 P402",
    }  # fmt: skip
    assert (goals["help"]["zh"], goals["any"]["en"], goals["any"]["zh"]) == ("求助", "buying something", "购买商品")


def test_an_insight_that_is_not_wanted_is_left_out(root: Path) -> None:
    (root / "insight.yaml").write_text("without: [upkeep, churn]\n", "utf-8")
    without = settings(root).insight.without
    assert without == {"upkeep", "churn"}
    assert {s.name for s in STEPS if s.insight in without} == {"churn", "churn_checks", "device_health", "service_demand"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("chrun: {}\n", r"insight\.yaml:1: .*Did you mean 'churn'"),
        ("churn:\n  horizon_days: never\n", r"insight\.yaml:2: .*a whole number from 7 to 730"),
        ("churn:\n  horizon: 30\n", r"insight\.yaml:2: "),
        ("without: [segments]\n", r"insight\.yaml:1: "),
        ("propensity: {help: {}}\n", r"insight\.yaml:1: .*needs either an event or products"),
        ("propensity:\n  a: {event: A, products: [B]}\n", r"insight\.yaml:2: .*needs either an event or products"),
        ("propensity:\n  a: {evnt: A}\n", r"insight\.yaml:2: .*Did you mean 'event'"),
        ("propensity:\n  Big Goal: {event: A}\n", r"insight\.yaml:2: .*a name of small letters"),
        ("recommend:\n  margin_weight: 2\n", r"insight\.yaml:2: .*a number from 0 to 1"),
        ("recommend:\n  margins: [P1]\n", r"insight\.yaml:2: .*such as \{P1: 0.4\}"),
        ("recommend:\n  margins:\n    P1: much\n", r"insight\.yaml:3: .*a number from 0 to 1"),
    ],
)
def test_a_mistake_is_named_by_its_line(root: Path, text: str, says: str) -> None:
    (root / "insight.yaml").write_text(text, "utf-8")
    with pytest.raises(BadWorkspace, match=says):
        settings(root)
