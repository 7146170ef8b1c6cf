"""action/nearby.py: the trained neighbours answer, each look changes the answer, and what they do not know is co-visited."""

from __future__ import annotations

import msgspec
import pytest

from tessera.action.nearby import CO_VISIT, FADES, Nearby

TRAINED = {"lamp": {"bulb": 0.3, "shade": 0.2}, "sofa": {"cushion": 0.4, "shade": 0.1}}


def test_what_she_looked_at_last_chooses_among_trained_neighbours() -> None:
    near = Nearby(trained=TRAINED)
    first = near.to(["lamp"], 5, None)
    assert [product for product, _ in first] == ["bulb", "shade"]
    then = near.to(["sofa", "lamp"], 5, None)
    assert [product for product, _ in then] == ["cushion", "shade", "bulb"]
    scores = dict(then)
    assert scores["shade"] / scores["cushion"] == pytest.approx((0.1 + FADES * 0.2) / 0.4)
    assert sum(scores.values()) / 3 == pytest.approx(1), "1 is the mean liking"


def test_what_was_seen_or_is_sold_out_is_not_recommended() -> None:
    near = Nearby(trained=TRAINED)
    assert [p for p, _ in near.to(["lamp", "bulb"], 5, None)] == ["shade"]
    assert [p for p, _ in near.to(["lamp"], 5, {"bulb": 1.0, "shade": 0.0})] == ["bulb"]


def test_a_product_that_the_model_does_not_know_is_answered_by_co_visits() -> None:
    near = Nearby(trained=dict(TRAINED))
    near.seen("novelty", "lamp")
    near.seen("rug", "novelty")
    assert [p for p, _ in near.to(["novelty"], 5, None)] == ["lamp", "rug"]
    scores = dict(near.to(["lamp", "novelty"], 5, None))
    assert scores["rug"] / scores["bulb"] == pytest.approx(FADES * CO_VISIT / 0.3)


def test_a_stream_is_handed_the_same_neighbours() -> None:
    near = Nearby(trained=TRAINED)
    near.seen("novelty", "lamp")
    again = msgspec.json.decode(msgspec.json.encode(near), type=Nearby)
    for viewed in (["lamp"], ["sofa", "lamp"], ["novelty", "sofa"]):
        assert again.to(viewed, 5, None) == near.to(viewed, 5, None)
