"""Names of segments: unique for any centres, never untrue, and the same whatever the order."""

from __future__ import annotations

import doctest

from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.insight.segments import names
from tessera.insight.segments.names import RULES, label, name

SHARE = st.floats(0, 1, allow_nan=False)
PLACES = st.lists(st.tuples(SHARE, SHARE, SHARE), max_size=12)
RULE = {r.name: r for r in RULES}


def base(given_name):
    return given_name if given_name in RULE else given_name.rpartition("_")[0]


@settings(max_examples=150, deadline=None)
@given(PLACES)
def test_names_are_unique_true_and_have_words_for_any_centres(places):
    found = name(places)
    assert len(set(found)) == len(places)
    for segment, place in zip(found, places, strict=True):
        assert RULE[base(segment)].true(place)
    for language in ("en", "zh"):
        assert len({label(segment, language) for segment in found}) == len(places)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(SHARE, SHARE, SHARE), max_size=8, unique=True), st.randoms())
def test_names_do_not_depend_on_the_order_of_centres(places, random):
    named = dict(zip(places, name(places), strict=True))
    random.shuffle(places)
    assert dict(zip(places, name(places), strict=True)) == named


def test_the_same_centre_many_times_is_numbered():
    found = name([(0.5, 0.5, 0.5)] * 20)
    assert len(set(found)) == 20 and any(segment.endswith("_2") for segment in found)


def test_two_names_are_not_swapped_as_in_the_prototype():
    retail = [(0.85, 0.9, 0.93), (0.5, 0.66, 0.7), (0.72, 0.4, 0.38), (0.15, 0.25, 0.28)]
    assert name(retail) == ["high_value", "loyal", "potential", "lapsed"]


def test_the_examples_in_the_docstrings_are_true():
    assert doctest.testmod(names).failed == 0
