"""decide: what may not be shown never is, each call is told from its arguments alone, and each no has its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.action.decide import Decider, Decision, Model, Past, arm_of
from tessera.action.learned import Learned
from tessera.action.nearby import Nearby
from tessera.decision_points import FALLBACK, Candidate, Cap, Point

DAY = 86_400_000_000
AT = 20_000 * DAY


def point(**told: Any) -> Point:
    usual: dict[str, Any] = {
        "name": "banner", "purpose": "personalise", "control": 0.0, "explore": 0.1, "cap": Cap(times=2, within_s=86_400),
        "candidates": (
            Candidate(id="welcome", when="orders = 0", show="hello"), Candidate(id="lamp", product="p1", show={"text": "Lamp"}),
            Candidate(id="near", recommend=True, most=3),
        ),
    }  # fmt: skip
    return Point(**{**usual, **told})


def asked(
    decider: Decider, facts: Mapping[str, Any], past: Past | None = None, model: Model | None = None, **told: Any
) -> Decision:
    usual: dict[str, Any] = {"person": "ann", "event_id": "e1", "at": AT, "allowed": True}
    return decider.decide(facts, past or Past(), model or Model(), **{**usual, **told})


def near() -> Nearby:
    made = Nearby()
    for product, before in (("p1", "p2"), ("p2", "p3"), ("p3", "p1"), ("p4", "p1"), ("p1", "p4")):
        made.seen(product, before)
    return made


shown = st.lists(
    st.tuples(st.sampled_from(["banner", "mail"]), st.sampled_from(["welcome", "lamp:p1", "near:p2"]), st.integers(AT - 2 *
    DAY, AT)), max_size=12, )  # fmt: skip


@given(
    orders=st.sampled_from([None, 0, 3]), shown=shown, viewed=st.lists(st.sampled_from(["p1", "p2", "p3", "p4"]), max_size=4),
    left=st.dictionaries(st.sampled_from(["p1", "p2", "p3", "p4"]), st.sampled_from([0, 2])), event=st.integers(0, 9),
)  # fmt: skip
def test_nothing_is_shown_whose_rule_stock_or_cap_forbids_it(
    orders: int | None, shown: list[tuple[str, str, int]], viewed: list[str], left: dict[str, float], event: int
) -> None:
    made, model = point(), Model(nearby=near(), stock={"banner": left})
    past = Past(viewed=viewed, shown=shown)
    told = asked(Decider(made), {"orders": orders}, past, model, event_id=str(event))
    for candidate, product in [(told.candidate, told.product), *((s.candidate, s.product) for s in told.scored)]:
        if candidate == FALLBACK:
            assert not told.scored
            continue
        assert candidate != "welcome" or orders == 0
        assert not product or left.get(product, 0) > 0
        assert candidate != "near" or product not in viewed
        lately = [a for d, a, at in shown if d == "banner" and AT - DAY < at <= AT]
        assert lately.count(arm_of(candidate, product)) < 2
    named = {s.candidate for s in told.scored} | {d.candidate for d in told.dropped}
    assert {"welcome", "lamp"} <= named, "each candidate is scored, or dropped with a reason"
    assert told == asked(Decider(made), {"orders": orders}, past, model, event_id=str(event)), "and once more the same"


def test_of_whom_no_data_may_be_used_nothing_is_looked_at() -> None:
    class Closed(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise AssertionError("looked at")

        keys = __iter__ = get = __getitem__  # type: ignore[assignment]

    told = asked(Decider(point(fallback="shop")), Closed(), allowed=False)
    assert (told.by, told.candidate, told.show, told.scored, told.context) == ("no_consent", FALLBACK, "shop", (), "")


def test_the_control_group_is_a_share_of_people_and_the_same_people_each_time() -> None:
    decider = Decider(point(control=0.25))
    first = {n for n in range(4_000) if asked(decider, {"orders": 0}, person=f"person {n}").by == "control"}
    again = {n for n in range(4_000) if asked(decider, {"orders": 1}, person=f"person {n}", event_id="e2").by == "control"}
    assert first == again and 900 < len(first) < 1_100
    other = Decider(point(name="mail", control=0.25))
    others = {n for n in range(4_000) if asked(other, {"orders": 0}, person=f"person {n}").by == "control"}
    assert 180 < len(first & others) < 320, "another point draws another group"


def test_a_share_of_decisions_falls_to_any_candidate_alike() -> None:
    learned = Learned()
    learned.add("banner", "welcome", "", "", 100_000, 50_000)
    learned.add("banner", "lamp", "p1", "", 100_000, 100)
    decider, model = Decider(point(explore=0.3)), Model(learned=learned)
    told = [asked(decider, {"orders": 0}, model=model, event_id=f"event {n}") for n in range(2_000)]
    explored = [t for t in told if t.by == "explored"]
    assert 500 < len(explored) < 700
    assert 200 < sum(t.candidate == "lamp" for t in explored) < 400
    assert all(t.candidate == "welcome" for t in told if t.by == "learned")


@pytest.mark.parametrize(
    ("facts", "past", "model", "why"),
    [
        ({"orders": 2}, Past(), Model(), ("welcome", "rule", "orders = 0")),
        ({}, Past(), Model(), ("welcome", "unknown", "orders = 0")),
        ({}, Past(), Model(stock={"banner": {"p2": 1}}), ("lamp", "stock", "")),
        ({}, Past(shown=[("banner", "lamp:p1", AT - 5), ("banner", "lamp:p1", AT - 9)]), Model(), ("lamp", "cap", "2")),
        ({}, Past(), Model(), ("near", "no_product", "")),
    ],
)
def test_each_candidate_that_is_dropped_says_why(
    facts: dict[str, Any], past: Past, model: Model, why: tuple[str, str, str]
) -> None:
    told = asked(Decider(point()), facts, past, model)
    assert why in [(d.candidate, d.why, d.said) for d in told.dropped]


def test_a_weight_makes_worth_more_of_what_is_as_likely() -> None:
    candidates = (Candidate(id="a"), Candidate(id="b", weight=50.0))
    decider = Decider(point(candidates=candidates, explore=0.0))
    told = [asked(decider, {}, event_id=str(n)).candidate for n in range(200)]
    assert told.count("b") > 170


def test_what_she_looks_at_changes_what_is_recommended() -> None:
    decider = Decider(point(candidates=(Candidate(id="near", recommend=True, most=1),)))
    model = Model(nearby=near())
    assert asked(decider, {}, Past(viewed=["p2"]), model).product in ("p1", "p3")
    assert asked(decider, {}, Past(viewed=["p4"]), model).product == "p1"
    assert asked(decider, {}, Past(), model).product in ("p1", "p2", "p3", "p4"), "of whom nothing is known, what is popular"
