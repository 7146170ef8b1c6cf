"""Fitting: stable and useful k, frozen until drift, and no centre of a few people."""

from __future__ import annotations

import doctest
from datetime import timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from made_people import GROUPS, MARCH
from sklearn.cluster import KMeans

from tessera.insight.segments import fitting
from tessera.insight.segments.fitting import FEWEST, GATE, NEARLY, OLD_DAYS, Model, fit, fits, refit


def points(count=600, seed=1, groups=GROUPS):
    rng = np.random.default_rng(seed)
    middles = np.log1p(np.array(groups, dtype=float) / (1, 1, 100))
    return middles[np.arange(count) % len(groups)] + rng.normal(0, 0.15, (count, 3))


def nearest(model, of):
    far = [((of - c.inputs) ** 2 * model.weights).sum(axis=1) for c in model.centres]
    return np.argmin(far, axis=0)


def test_four_plain_kinds_of_people_become_four_segments_with_their_names():
    model = fit(points(), None, 7, MARCH)
    assert {c.segment for c in model.centres} == {"high_value", "at_risk", "new", "lapsed"}
    assert model.stability > 0.99 and model.id.startswith("kmeans-4-") and model.fitted_at == MARCH
    best = max(model.centres, key=lambda c: c.revenue_cents)
    assert best.segment == "high_value" and 70_000 < best.revenue_cents < 110_000 and 4 < best.recency_days < 6


def test_the_same_people_and_seed_give_the_same_model():
    assert fit(points(), 4, 7, MARCH) == fit(points(), 4, 7, MARCH)
    assert fit(points(), 5, 7, MARCH).k == 5


def test_a_model_survives_being_kept_as_json():
    model = fit(points(), 3, 7, MARCH)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(model)), Model) == model


def test_assignment_agrees_with_scikit_learn():
    drawn = points(seed=3) + np.random.default_rng(4).normal(0, 0.4, (600, 3))
    model = fit(drawn, 4, 7, MARCH)
    scale = np.array(model.weights) ** -0.5
    oracle = KMeans(4, init=np.array([c.inputs for c in model.centres]) / scale, n_init=1, max_iter=1).fit(
        drawn / scale
    )
    oracle.cluster_centers_ = np.array([c.inputs for c in model.centres]) / scale
    assert (oracle.predict(drawn / scale) == nearest(model, drawn)).mean() > 0.998


def test_frozen_centres_stay_until_the_people_change_or_they_are_old():
    drawn = points()
    model = fit(drawn, 4, 7, MARCH)
    assert fits(model, drawn, MARCH + timedelta(days=OLD_DAYS))
    assert not fits(model, drawn, MARCH + timedelta(days=OLD_DAYS + 1))
    assert fits(model, points(seed=2), MARCH)
    assert not fits(model, drawn + np.array([0, 0, 1.0]), MARCH)
    assert not fits(Model(id="rules-1", seed=7, fitted_at=MARCH), drawn, MARCH)


def test_k_is_the_most_segments_that_are_stable_not_the_tightest():
    rng = np.random.default_rng(3)
    four = points(900, 3) + rng.normal(0, 0.35, (900, 3))
    model = fit(four, None, 7, MARCH)
    tried = {c.k: c for c in model.choices}
    assert set(tried) == {2, 3, 4, 5, 6, 7, 8} and model.k == 4
    assert tried[4].passes and tried[4].stability > 0.99
    assert all(tried[k].stability < tried[4].stability - NEARLY for k in (5, 6, 7, 8))
    assert model.stability >= GATE and all(0.5 < c.held <= 1 for c in model.centres)
    # One cloud has no segments to find: what is taken then says that it is not stable.
    cloud = fit(rng.normal(3, 1, (400, 3)), 6, 7, MARCH)
    assert cloud.stability < GATE and not cloud.choices[0].passes


def test_a_refit_starts_from_the_old_centres_and_keeps_their_names():
    drawn = points(800, 5)
    model = fit(drawn, 4, 7, MARCH)
    later = MARCH + timedelta(days=200)
    # All buy three times as much and more often: each name would go to another group if it were given anew by sums.
    new = refit(model, drawn + np.array([0.2, 0.9, 1.1]), later)
    assert [c.segment for c in new.centres] == [c.segment for c in model.centres]
    assert new.fitted_at == later and new.id != model.id and new.stability > 0.95
    for was, now in zip(model.centres, new.centres, strict=True):
        assert np.array(now.inputs) - was.inputs == pytest.approx([0.2, 0.9, 1.1], abs=0.05)
    assert refit(model, drawn, later).centres == model.centres
    # A kind of people that is gone cannot be a segment any more: then all is fitted anew.
    gone = drawn[np.arange(800) % 4 != 0]
    assert refit(model, gone, later) is None


def test_fewer_than_a_hundred_people_are_never_modelled():
    with pytest.raises(ValueError, match="needs 100"):
        fit(points(99), None, 7, MARCH)


@settings(max_examples=8, deadline=None)
@given(
    arrays(float, st.tuples(st.integers(100, 180), st.just(3)), elements=st.sampled_from([0.0, 0.5, 1.0, 3.0, 9.0])),
    st.one_of(st.none(), st.integers(2, 50)),
)
@pytest.mark.filterwarnings("error")
def test_any_people_give_a_model_whose_centres_stand_for_several(drawn, k):
    model = fit(drawn, k, 7, MARCH)
    assert 1 <= model.k <= max(k or 8, 1)
    assert len({c.segment for c in model.centres}) == model.k
    assert np.isfinite([c.inputs for c in model.centres]).all()
    assert np.bincount(nearest(model, drawn), minlength=model.k).min() >= FEWEST - 1


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(fitting).failed == 0
