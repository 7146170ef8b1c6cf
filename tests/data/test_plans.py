"""plans.py: what breaks a tracking plan is told in RudderStack's words, and tells nothing of what the sender wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tessera.config import EventRule, TrackingPlan
from tessera.data.plans import Plan
from tessera.errors import BadInput
from test_plan_file import read, written


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Plan(read(written(Path(tmp_path_factory.mktemp("plans"))))["shop"])


def viewed(**properties: Any) -> dict[str, Any]:
    return {"type": "track", "event": "Product Viewed", "properties": properties}


@pytest.mark.parametrize(
    "event",
    [
        viewed(sku="ab1"),
        viewed(sku="ab1", price=None, way="web", tags=["a"], place={"sku": "ab", "x": 1}, home={"sku": "ab"}),
        {"type": "identify", "traits": {"email": "ann@example.org", "age": 7}},
        {"type": "page"},
    ],
)
def test_what_was_announced_passes(plan: Plan, event: dict[str, Any]) -> None:
    assert plan.violations(event) == []


@pytest.mark.parametrize(
    ("event", "types", "place"),
    [
        ({"type": "track", "event": "ann@example.org"}, ["Unplanned-Event"], "/event"),
        ({"type": "track", "event": "Product Viewed"}, ["Required-Missing"], "/properties"),
        (viewed(sku=7), ["Datatype-Mismatch"], "/properties/sku"),
        (viewed(sku="ANN"), ["Datatype-Mismatch"], "/properties/sku"),
        (viewed(sku="ab", **{"ann@example.org": 1}), ["Additional-Properties"], "/properties"),
        (viewed(sku="ab", tags=["a", {"ann@example.org": 1}]), ["Datatype-Mismatch"], "/properties/tags/1"),
        (viewed(sku="ab", place={"ann@example.org": 1}), ["Required-Missing"], "/properties/place"),
        (viewed(price=-1, way="ann@example.org"), ["Required-Missing", *["Datatype-Mismatch"] * 2], ""),
        ({"type": "identify", "traits": {"email": "ann@"}}, ["Datatype-Mismatch"], "/traits/email"),
    ],
)
def test_what_was_not_is_told_without_a_word_of_the_sender(
    plan: Plan, event: dict[str, Any], types: list[str], place: str
) -> None:
    found = plan.violations(event)
    assert sorted(v.type for v in found) == sorted(types)
    assert not place or found[0].meta["instancePath"] == place
    assert "ann" not in msgspec.json.encode(found).decode().lower().replace("planned", "")


def test_a_pattern_takes_time_linear_to_the_text() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "string", "pattern": "^(a+)+$"}}}
    rule = EventRule(type="page", event="", section=("properties",), schema=schema)
    plan = Plan(TrackingPlan(id="p", rules=(rule,)))
    assert plan.violations({"type": "page", "properties": {"x": "a" * 30_000 + "!"}})


def test_a_plan_that_is_no_schema_is_refused() -> None:
    rule = EventRule(type="page", event="", section=("properties",), schema={"minLength": -1})
    with pytest.raises(BadInput, match="tracking plan 'p' cannot be used for page"):
        Plan(TrackingPlan(id="p", rules=(rule,)))
