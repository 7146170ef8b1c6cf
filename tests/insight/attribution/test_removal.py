"""insight/attribution/chain.py, removal.py: what the definition says, whatever the chain and however it is solved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from removed_by_definition import given as paths_of
from removed_by_definition import removed_by_definition

from tessera.insight.attribution import chain, removal
from tessera.insight.attribution.chain import walks, weighed
from tessera.insight.attribution.paths import Floats

WALKED = st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=7), min_size=1, max_size=12)

SWINGING = [[1, 2, 3, 3, 4], [4, 1, 1, 3, 0, 0, 3], [1, 0], [4, 2, 0, 0, 4, 3, 0], [2], [0, 1], [4, 3, 0]]
"""With some weights a scaled flow went to and fro here for good."""


def solved(walked: list[list[int]], weight: Floats, outcomes: Floats, order: int) -> Floats:
    """By our own way."""
    paths = paths_of(walked, outcomes[:, 0], outcomes[:, 1], weight - outcomes[:, 0])
    return removal.removed(weighed(walks(paths, order), weight, outcomes), len(paths.channels))


def numbers(many: int, seed: int) -> tuple[Floats, Floats]:
    """Weights and outcomes for paths: conversions, and their value."""
    rng = np.random.default_rng(seed)
    conversions, null = rng.integers(0, 3, many).astype(float), rng.integers(0, 20, many).astype(float)
    null[conversions + null == 0] = 1
    conversions[0] += 1
    return conversions + null, np.column_stack([conversions, conversions * rng.random(many) * 10])


def as_defined(found: Floats, expected: Floats) -> bool:
    """To nine digits of each number, or of what there is in all where that is lost in the definition's own subtraction."""
    return bool(np.allclose(found, expected, rtol=1e-9, atol=1e-13 * expected.max()))


@given(walked=WALKED, order=st.integers(1, 4), seed=st.integers(0, 99))
@example(walked=[[0]], order=4, seed=0)
@example(walked=[[0, 0, 0, 0, 0]], order=2, seed=0)
@example(walked=[[0, 1, 0, 1, 0, 1, 0]], order=3, seed=0)
@example(walked=[[0], [0, 1]], order=1, seed=1)
@example(walked=SWINGING, order=3, seed=9)
@settings(max_examples=60, deadline=None)
def test_what_a_channel_loses_is_what_the_definition_says(walked: list[list[int]], order: int, seed: int) -> None:
    weight, outcomes = numbers(len(walked), seed)
    expected = removed_by_definition(walked, weight, outcomes, order)
    assert as_defined(solved(walked, weight, outcomes, order), expected)
    with pytest.MonkeyPatch.context() as followed:
        followed.setattr(removal, "DENSE", 0)
        assert as_defined(solved(walked, weight, outcomes, order), expected)


def journeys(kind: str, seed: int) -> list[list[int]]:
    """Paths that are hard in one way."""
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(80):
        length = int(rng.integers(1, 3 if kind == "short" else 40))
        free = rng.integers(0, 6, length)
        a = int(rng.integers(0, 6))
        if kind == "loops":
            free = np.where(rng.random(length) < 0.97, a, free)
        elif kind == "cycles":
            free = np.where(rng.random(length) < 0.98, (a + np.arange(length) % 2) % 6, free)
        elif kind == "blocks":
            free = free % 3 + 3 * int(rng.integers(0, 2))
        made.append([int(c) for c in free])
    return made


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("kind", ["mixed", "loops", "cycles", "blocks", "short"])
def test_following_the_flow_ends_where_the_inverse_does(monkeypatch: pytest.MonkeyPatch, kind: str, order: int) -> None:
    walked = journeys(kind, seed=order)
    weight, outcomes = numbers(len(walked), seed=3)
    monkeypatch.setattr(removal, "DENSE", 0)
    monkeypatch.setattr(removal, "TOGETHER", 4)
    assert as_defined(solved(walked, weight, outcomes, order), removed_by_definition(walked, weight, outcomes, order))


@pytest.mark.parametrize("order", [1, 4])
def test_sorts_and_short_stretches_give_the_same_chain(monkeypatch: pytest.MonkeyPatch, order: int) -> None:
    walked = journeys("mixed", seed=5)
    weight, outcomes = numbers(len(walked), seed=5)
    whole = solved(walked, weight, outcomes, order)
    monkeypatch.setattr(chain, "TABLE", 0)
    monkeypatch.setattr(chain, "CHUNK", 97)
    assert np.array_equal(solved(walked, weight, outcomes, order), whole)


def test_a_rare_channel_keeps_its_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    walked, outcomes = [[0, 1], [1, 0, 1], [2, 0]], np.array([[4e8, 4e8], [3e8, 3e8], [1.0, 1.0]])
    weight = outcomes[:, 0] * 5
    expected = outcomes[2, 0] / weight.sum()
    for dense in (1_500, 0):
        monkeypatch.setattr(removal, "DENSE", dense)
        assert solved(walked, weight, outcomes, 2)[2, 0] == pytest.approx(expected, rel=1e-9)


def test_a_channel_that_nobody_who_converted_met_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    walked, outcomes = [[0, 1, 0, 1], [2, 1], [2, 2, 2]], np.array([[5.0, 9.0], [0.0, 0.0], [0.0, 0.0]])
    monkeypatch.setattr(removal, "DENSE", 0)
    lost = solved(walked, np.array([9.0, 3.0, 4.0]), outcomes, 2)
    assert lost[2].tolist() == [0.0, 0.0] and np.all(lost[:2] > 0)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    walked = journeys("mixed", seed=8)
    weight, outcomes = numbers(len(walked), seed=8)
    monkeypatch.setattr(removal, "DENSE", 0)
    found = []
    for threads in (1, 2, 5):
        monkeypatch.setattr("os.cpu_count", lambda many=threads: many)
        found.append(solved(walked, weight, outcomes, 3))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


@pytest.mark.parametrize("tolerance", [1e-5, 1e-9])
def test_no_number_is_further_off_than_the_tolerance(monkeypatch: pytest.MonkeyPatch, tolerance: float) -> None:
    rng = np.random.default_rng(4)
    walked = [rng.integers(0, 12, int(n)).tolist() for n in np.minimum(rng.geometric(0.2, 3_000), 40)]
    weight, outcomes = numbers(len(walked), seed=4)
    paths = paths_of(walked, outcomes[:, 0], outcomes[:, 1], weight - outcomes[:, 0])
    chain_ = weighed(walks(paths, 2), weight, outcomes)
    exact = removal.removed(chain_, 12)
    monkeypatch.setattr(removal, "DENSE", 0)
    monkeypatch.setattr(removal, "DENSE_NEAR", 0)
    assert np.abs(removal.removed(chain_, 12, tolerance=tolerance) / exact - 1).max() <= tolerance
