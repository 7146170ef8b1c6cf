"""insight/attribution/credits.py, rules.py: columns sum to one total to the last bit; rules against their definition."""

from __future__ import annotations

import doctest
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from removed_by_definition import given as paths_of
from removed_by_definition import removed_by_definition

from tessera.insight.attribution import rules, settled
from tessera.insight.attribution.credits import MODELS, Column, Credits, attributed
from tessera.insight.attribution.paths import Floats
from tessera.insight.attribution.rules import ruled

WALKED = [[0, 1, 2], [1], [2, 2, 0, 1], [0, 0], [1, 2, 1, 0, 2], [0, 2]]
CONVERSIONS, VALUES = np.array([3, 2, 4, 0, 1, 7]), np.array([33.3, 10.0, 99.99, 0.0, 12.1, 0.7])
NULL = np.array([5, 9, 0, 30, 2, 11])


def test_the_examples_run() -> None:
    assert doctest.testmod(settled).failed == 0


@given(
    parts=st.lists(st.floats(0, 1e12), min_size=1, max_size=30).map(np.array),
    total=st.just(0.0) | st.floats(1e-6, 1e15),  # nobody sells for the smallest number that a machine knows
    seed=st.integers(0, 9),
)
@settings(deadline=None)
def test_shares_sum_to_their_total_in_any_order(parts: Floats, total: float, seed: int) -> None:
    shares = settled.settled(parts, total)
    if not parts.sum() or not total:
        assert not shares.any()
        return
    for order in (shares, shares[::-1], np.random.default_rng(seed).permutation(shares)):
        assert sum(order.tolist()) == total
    assert float(np.sum(shares)) == total
    assert np.all(shares >= 0) and not shares[parts == 0].any()
    assert np.allclose(shares, parts / parts.sum() * total, rtol=1e-9, atol=total * 1e-12)


def test_every_model_shares_out_the_same_total_to_the_last_bit() -> None:
    made = attributed(paths_of(WALKED, CONVERSIONS, VALUES, NULL), 2)
    assert {c.model for c in made.credits} == set(MODELS)
    for column, shares in made.credits.items():
        expected = {"conversions": 17.0, "value": float(VALUES.sum())}[column.measure]
        assert sum(shares.tolist()) == expected == made.totals["all", column.measure]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_markov_credits_are_the_removal_effects_to_scale(order: int) -> None:
    outcomes = np.column_stack([CONVERSIONS, VALUES])
    lost = removed_by_definition(WALKED, CONVERSIONS + NULL, outcomes, order)
    made = attributed(paths_of(WALKED, CONVERSIONS, VALUES, NULL), order, resamples=0)
    for i, measure in enumerate(("conversions", "value")):
        column = Column(model="markov", kind="all", measure=measure)
        assert np.allclose(made.credits[column], lost[:, i] / lost[:, i].sum() * outcomes[:, i].sum(), rtol=1e-9)
        assert np.allclose(made.removal[column], lost[:, i] / outcomes[:, i].sum() * (CONVERSIONS + NULL).sum(), rtol=1e-9)


def plainly(walked: list[list[int]], conversions: Floats) -> dict[str, dict[int, Fraction]]:
    """The rules in whole fractions, path by path."""
    made: dict[str, dict[int, Fraction]] = {rule: defaultdict(Fraction) for rule in rules.RULES}
    for path, n in zip(walked, conversions, strict=True):
        many, whole = len(path), Fraction(int(n))
        made["first"][path[0]] += whole
        made["last"][path[-1]] += whole
        decays = [Fraction(1, 2 ** (many - 1 - i)) for i in range(many)]
        ends = {1: [Fraction(1)], 2: [Fraction(1, 2)] * 2}.get(
            many, [Fraction(2, 5), *[Fraction(1, 5) / max(1, many - 2)] * (many - 2), Fraction(2, 5)]
        )
        for i, channel in enumerate(path):
            made["linear"][channel] += whole / many
            made["position"][channel] += whole * ends[i]
            made["time_decay"][channel] += whole * decays[i] / sum(decays)
        for channel in set(path):
            made["shapley"][channel] += whole / len(set(path))
    return made


@given(walked=st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=6), min_size=1, max_size=9), seed=st.integers(0, 9))
@settings(deadline=None)
def test_rules_are_what_they_say_path_by_path(walked: list[list[int]], seed: int) -> None:
    conversions = np.random.default_rng(seed).integers(0, 4, len(walked)).astype(float)
    found = ruled(paths_of(walked, conversions, conversions, np.ones(len(walked))), conversions[:, None])
    for rule, shares in plainly(walked, conversions).items():
        assert np.allclose(found[rule][:, 0], [float(shares[c]) for c in range(len(found[rule]))]), rule


def test_the_equal_split_is_the_shapley_value_of_its_game() -> None:
    """Against the definition: the mean over all orders in which channels may come of what each adds."""
    from itertools import permutations

    channels, sets = range(3), [set(p) for p in WALKED]

    def worth(coalition: set[int]) -> int:
        return sum(int(n) for n, used in zip(CONVERSIONS, sets, strict=True) if used <= coalition)

    orders = list(permutations(channels))
    added = [[worth(set(o[: o.index(c) + 1])) - worth(set(o[: o.index(c)])) for o in orders] for c in channels]
    found = ruled(paths_of(WALKED, CONVERSIONS, VALUES, NULL), CONVERSIONS[:, None].astype(float))
    assert np.allclose(found["shapley"][:, 0], np.mean(added, axis=1))


def test_time_decay_by_known_moments_takes_the_place_of_that_by_position() -> None:
    known, decayed = paths_of([[0, 1]], np.array([3]), np.array([6.0]), np.array([1])), np.array([[1.0, 2.0], [2.0, 4.0]])
    made = attributed(known, 1, resamples=0, decayed=decayed)
    assert made.credits[Column(model="time_decay", kind="all", measure="conversions")].tolist() == [1.0, 2.0]


def split() -> Credits:
    """First purchases and later ones of the same paths."""
    both = np.column_stack([CONVERSIONS // 2, CONVERSIONS - CONVERSIONS // 2])
    values = both / np.maximum(CONVERSIONS, 1)[:, None] * VALUES[:, None]
    return attributed(paths_of(WALKED, both, values, NULL), 2, resamples=0)


def test_first_purchase_and_repurchase_come_of_one_chain() -> None:
    made = split()
    later = removed_by_definition(WALKED, CONVERSIONS + NULL, (CONVERSIONS - CONVERSIONS // 2)[:, None].astype(float), 2)
    found = made.credits[Column(model="markov", kind="repeat", measure="conversions")]
    assert np.allclose(found, later[:, 0] / later[:, 0].sum() * (CONVERSIONS - CONVERSIONS // 2).sum())


@pytest.mark.parametrize("model", rules.RULES)
def test_by_every_rule_first_and_repeat_add_up_to_all(model: str) -> None:
    made, whole = split(), attributed(paths_of(WALKED, CONVERSIONS, VALUES, NULL), 2, resamples=0)
    parts = [made.credits[Column(model=model, kind=kind, measure="value")] for kind in ("first", "repeat")]
    assert np.allclose(sum(parts), whole.credits[Column(model=model, kind="all", measure="value")], rtol=1e-9)


def test_an_interval_holds_its_credit_and_narrows_with_the_paths() -> None:
    widths = []
    for times in (1, 100):
        made = attributed(paths_of(WALKED, CONVERSIONS * times, VALUES * times, NULL * times), 1, resamples=100)
        column = Column(model="markov", kind="all", measure="conversions")
        assert np.all(made.low[column] <= made.credits[column]) and np.all(made.credits[column] <= made.high[column])
        widths.append((made.high[column] - made.low[column]) / made.totals["all", "conversions"])
    assert np.allclose(widths[0] / widths[1], 10, rtol=0.35)


def test_the_same_seed_gives_the_same_intervals_and_another_does_not() -> None:
    paths, column = paths_of(WALKED, CONVERSIONS, VALUES, NULL), Column(model="markov", kind="all", measure="value")
    low = [attributed(paths, 2, resamples=30, seed=seed).low[column].tolist() for seed in (0, 0, 1)]
    assert low[0] == low[1] != low[2]


def test_intervals_cover_what_the_world_does_about_as_often_as_they_say() -> None:
    """40 samples of a world that is known: its credits lie in the interval in 95 % of them, give or take."""
    walked, rates = [[0, 1], [1], [0], [1, 2], [2, 0, 1]], np.array([0.3, 0.1, 0.2, 0.25, 0.4])
    visits = np.array([400, 900, 700, 300, 200])
    column = Column(model="markov", kind="all", measure="conversions")
    true = attributed(paths_of(walked, visits * rates, visits * rates, visits * (1 - rates)), 1, resamples=0).credits[column]
    rng, hits = np.random.default_rng(11), 0
    for seed in range(40):
        conversions = rng.poisson(visits * rates)
        sample = paths_of(walked, conversions, conversions, rng.poisson(visits * (1 - rates)))
        made = attributed(sample, 1, resamples=40, seed=seed)
        hits += int(((made.low[column] <= true) & (true <= made.high[column])).sum())
    assert 0.88 <= hits / (40 * 3) <= 0.99


def test_nothing_converted_is_nothing_credited() -> None:
    made = attributed(paths_of(WALKED, CONVERSIONS * 0, VALUES * 0, NULL), 3)
    assert all(not shares.any() for shares in made.credits.values())


def test_without_null_paths_every_channel_of_a_single_path_is_needed() -> None:
    made = attributed(paths_of([[0, 1]], np.array([4]), np.array([8.0]), np.array([0])), 1, resamples=0)
    assert made.removal[Column(model="markov", kind="all", measure="conversions")].tolist() == [1.0, 1.0]
    assert made.credits[Column(model="markov", kind="all", measure="value")].tolist() == [4.0, 4.0]
