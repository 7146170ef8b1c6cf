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

from tessera.insight import fitting
from tessera.insight.fitting import FEWEST, OLD_DAYS, Model, fit, fits


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
    assert fit(points(), None, 7, MARCH) == fit(points(), None, 7, MARCH)
    assert fit(points(), 5, 7, MARCH).k == 5


def test_a_model_survives_being_kept_as_json():
    model = fit(points(), None, 7, MARCH)
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(model)), Model) == model


def test_assignment_agrees_with_scikit_learn():
    drawn = points(seed=3) + np.random.default_rng(4).normal(0, 0.4, (600, 3))
    model = fit(drawn, 4, 7, MARCH)
    scale = np.array(model.weights) ** -0.5
    oracle = KMeans(4, init=np.array([c.inputs for c in model.centres]) / scale, n_init=1, max_iter=1).fit(drawn / scale)
    oracle.cluster_centers_ = np.array([c.inputs for c in model.centres]) / scale
    assert (oracle.predict(drawn / scale) == nearest(model, drawn)).mean() > 0.998


def test_frozen_centres_stay_until_the_people_change_or_they_are_old():
    drawn = points()
    model = fit(drawn, None, 7, MARCH)
    assert fits(model, drawn, MARCH + timedelta(days=OLD_DAYS))
    assert not fits(model, drawn, MARCH + timedelta(days=OLD_DAYS + 1))
    assert fits(model, points(seed=2), MARCH)
    assert not fits(model, drawn + np.array([0, 0, 1.0]), MARCH)
    assert not fits(Model(id="rules-1", seed=7, fitted_at=MARCH), drawn, MARCH)


def test_fewer_than_fifty_people_are_never_modelled():
    with pytest.raises(ValueError, match="needs 50"):
        fit(points(49), None, 7, MARCH)


@settings(max_examples=25, deadline=None)
@given(
    arrays(float, st.tuples(st.integers(50, 90), st.just(3)), elements=st.sampled_from([0.0, 0.5, 1.0, 3.0, 9.0])),
    st.one_of(st.none(), st.integers(2, 50)),
)
@pytest.mark.filterwarnings("error")
def test_any_people_give_a_model_whose_centres_stand_for_several(drawn, k):
    model = fit(drawn, k, 7, MARCH)
    assert 1 <= model.k <= max(k or 6, 1)
    assert len({c.segment for c in model.centres}) == model.k
    assert np.isfinite([c.inputs for c in model.centres]).all()
    assert np.bincount(nearest(model, drawn), minlength=model.k).min() >= FEWEST - 1


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(fitting).failed == 0
