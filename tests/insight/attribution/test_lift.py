"""insight/attribution/lift.py: what an experiment has shown goes before what paths suggest, as far as it is sure."""

from __future__ import annotations

import numpy as np
import pytest

from tessera.errors import BadInput
from tessera.insight.attribution.lift import Lift, calibrated, combined

CREDITS = {"search": 100.0, "mail": 200.0, "banner": 50.0, "radio": 10.0}


def lift(channel: str, caused: float, half: float) -> Lift:
    """A test with a symmetric interval."""
    return Lift(channel=channel, caused=caused, low=caused - half, high=caused + half)


def test_without_a_test_credits_stay_and_no_interval_is_claimed() -> None:
    made = calibrated(CREDITS, [])
    assert [(c.caused, c.low, c.tested) for c in made] == [(n, None, False) for n in CREDITS.values()]


def test_one_test_scales_every_channel_by_its_ratio_and_is_sure_of_its_own_alone() -> None:
    made = {c.channel: c for c in calibrated(CREDITS, [lift("search", 50, 10)])}
    assert [made[c].caused for c in CREDITS] == pytest.approx([50, 100, 25, 5])
    assert made["search"].low == pytest.approx(40)
    assert made["mail"].low is None


def test_sure_tests_are_believed_and_an_unsure_one_is_pulled_to_the_others() -> None:
    sure = {c.channel: c for c in calibrated(CREDITS, [lift("search", 50, 1), lift("mail", 180, 2)])}
    assert sure["search"].caused == pytest.approx(50, rel=0.01) and sure["mail"].caused == pytest.approx(180, rel=0.01)
    unsure = {c.channel: c for c in calibrated(CREDITS, [lift("search", 50, 1), lift("mail", 100, 1), lift("banner", 60, 55)])}
    assert 25 <= unsure["banner"].caused < 30


def test_intervals_cover_the_truth_in_a_world_that_differs_by_channel() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(200):
        true = np.maximum(rng.normal(60, 20, 6), 0)
        error = rng.uniform(3, 12, 6)
        shown = rng.normal(true, error)
        made = calibrated(
            {str(i): 100.0 for i in range(6)},
            [lift(str(i), float(s), 1.96 * float(e)) for i, (s, e) in enumerate(zip(shown, error, strict=True))],
        )
        hits += sum(c.low is not None and c.high is not None and c.low <= t <= c.high for c, t in zip(made, true, strict=True))
    assert 0.90 <= hits / 1200 <= 0.99


def test_a_test_that_shows_nothing_or_less_takes_its_channel_to_nothing() -> None:
    made = {c.channel: c for c in calibrated(CREDITS, [lift("search", 90, 3), lift("mail", 180, 6), lift("banner", -1, 2)])}
    assert made["banner"].caused < 1 and made["search"].caused > 85


def test_two_tests_of_a_channel_combine_by_their_precision() -> None:
    made = combined([lift("mail", 100, 10), lift("mail", 160, 20)])
    assert made.caused == pytest.approx(112) and made.high - made.low < 20
    with pytest.raises(BadInput, match="one and the same"):
        combined([lift("mail", 1, 1), lift("search", 1, 1)])


@pytest.mark.parametrize(
    ("lifts", "says"),
    [
        ([lift("tv", 5, 1)], "which has no credit. Channels: banner"),
        ([lift("mail", 5, 1), lift("mail", 6, 1)], "two lift tests of 'mail'"),
        ([Lift(channel="mail", caused=5, low=6, high=7)], "has to lie in its interval"),
        ([lift("tv", 5, 1)], "tv"),
    ],
)
def test_a_test_that_cannot_be_is_refused(lifts: list[Lift], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        calibrated(CREDITS, lifts)
