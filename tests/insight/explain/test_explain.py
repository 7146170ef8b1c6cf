"""insight/explain: sums that add up, words that agree, the model as a whole, and changes that really change the score."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.insight import linear, trees
from tessera.insight.calibration import sigmoid
from tessera.insight.explain.contributions import explained, of_parts
from tessera.insight.explain.counterfactual import levers, nearest
from tessera.insight.explain.sentences import RISK, hers, rounded, sentences, why
from tessera.insight.explain.views import dependence, importance
from tessera.insight.explain.words import LANGUAGES, Word, shown, word
from tessera.insight.trees import SMALL

NAMES = ("recency_days", "orders", "MonthlyCharges", "kind")
KNOWN = {"recency_days": Word(en="days since the last order", zh="距上次下单天数", her_en="the time since your last order",
                              her_zh="距您上次下单的时间", unit="days")}  # fmt: skip


@cache
def given_models() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(5)
    x = np.column_stack([rng.integers(0, 200, 1200), rng.poisson(3, 1200), rng.normal(60, 20, 1200), rng.integers(0, 4, 1200)])
    x = x.astype(float)
    y = (rng.random(1200) < sigmoid(x[:, 0] / 60 - 0.5 * x[:, 1] + (x[:, 3] == 2))).astype(float)
    x[::7, 2] = np.nan
    grown = trees.fit(x, y, NAMES, categories=["kind"], recipe=replace(SMALL, rounds=50, folds=3, threads=1))
    return x, grown, linear.fit(x, y, NAMES, categories=["kind"])


@pytest.mark.parametrize("which", [1, 2])
def test_contributions_add_up_from_the_average_to_the_score_and_points_keep_their_sign(which: int) -> None:
    x, model = given_models()[0], given_models()[which]
    found = explained(model, x)
    assert np.abs(found.base + found.parts.sum(axis=1) - model.margin(x)).max() < 1e-9
    assert np.abs(found.average + found.points.sum(axis=1) - model.score(x)).max() < 1e-9
    assert np.array_equal(np.sign(found.points), np.sign(found.parts))
    assert found.average == pytest.approx(sigmoid(np.array(found.base)), abs=1e-15)


PARTS = st.floats(-30, 30).filter(lambda p: p == 0 or abs(p) > 1e-200)


@settings(deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=8), st.floats(-30, 30), st.integers(1, 5))
def test_any_contributions_become_sentences_that_add_up_and_agree_in_sign(parts: list[float], base: float, top: int) -> None:
    found = of_parts("binary", tuple(f"c{i}" for i in range(len(parts))), np.array([[*parts, base]]))
    assert abs(found.average + found.points[0].sum() - sigmoid(np.array([base + sum(parts)]))[0]) < 1e-9
    assert (np.sign(found.points) == np.sign(found.parts)).all()
    told = why(found, 0, [1.0] * len(parts), top)
    assert told.average_tenths + sum(r.tenths for r in told.reasons) + told.rest_tenths == told.score_tenths
    english, chinese = (sentences(told, language)[1:] for language in LANGUAGES)
    for reason, en, zh in zip(told.reasons, english, chinese, strict=False):
        part = parts[int(reason.column[1:])]
        assert ("raises" in en) == ("提高" in zh) == (part > 0) and ("lowers" in en) == ("降低" in zh) == (part < 0)
        assert reason.tenths * part >= 0
        assert all(("+" in said) == (part > 0) and ("-" in said) == (part < 0) for said in (en, zh))
    for language, up, down in (("en", "raises", "lowers"), ("zh", "增加", "减少")):
        for reason, said in zip(told.reasons, hers(told, language), strict=True):  # type: ignore[arg-type]
            assert (up in said) == (reason.points > 0) and (down in said) == (reason.points < 0)


@settings(deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=9), st.floats(0, 100))
def test_rounded_parts_are_their_nearest_tenths_and_add_up(parts: list[float], average: float) -> None:
    tenths, start, end = rounded(parts, average, average + sum(parts))
    assert start + sum(tenths) == end
    assert all(abs(t - p * 10) <= 1 + 1e-9 and t * p >= 0 for t, p in zip(tenths, parts, strict=True))
    assert abs(start - average * 10) <= 2


def test_a_score_is_told_to_staff_in_both_languages() -> None:
    found = of_parts("binary", ("recency_days", "MonthlyCharges"), np.array([[1.5, -0.4, -1.0]]))
    told = why(found, 0, [143.0, None])
    assert sentences(told, "en", known=KNOWN, subject=RISK) == [
        "Risk of leaving: 52.5 %, where a typical one has 26.9 %.",
        "Days since the last order is 143 days, which raises it: +34.9 points.",
        "Monthly charges is not known, which lowers it: -9.3 points.",
    ]
    assert sentences(told, "zh", known=KNOWN, subject=RISK) == [
        "流失风险：52.5 %，典型情况为 26.9 %。",
        "距上次下单天数为 143 天，提高了它：+34.9 个百分点。",
        "每月费用为 未知，降低了它：-9.3 个百分点。",
    ]


def test_the_customers_version_has_no_number_and_only_what_may_be_told() -> None:
    x, model, _ = given_models()
    found = explained(model, x[:50])
    for row in range(50):
        told = why(found, row, x[row].tolist())
        for language in LANGUAGES:
            said = hers(told, language, known=KNOWN, tells=lambda c: c == "recency_days")
            assert len(said) == sum(r.column == "recency_days" for r in told.reasons)
            assert not re.search(r"\d|%", " ".join(said))


def test_names_become_words_and_values_are_shown() -> None:
    assert word("Torque [Nm]", {}).en == "Torque [Nm]" and word("Torque [Nm]", {}).zh == "「Torque [Nm]」"
    assert word("tenure_months", {}).zh == "在网时长月数" and word("客户等级", {}).en == "客户等级"
    assert word("PAY_0", {}).en == "PAY 0" and word("Düsseldorf?", {}).zh == "「Düsseldorf?」" and word("", {}).en == ""
    assert shown(18.5, "hour", "en") == "18:30" and shown(float("nan"), "", "en") == "not known"
    assert shown(2.0, "days", "zh") == "2 天" and shown(3.0, "times", "zh") == "3 次" and shown(12.345, "", "en") == "12.3"


def test_the_model_as_a_whole_is_what_its_rows_say() -> None:
    x, model, twin = given_models()
    for one in (model, twin):
        listed = importance(explained(one, x))
        assert {i.column for i in listed} == set(NAMES) and abs(sum(i.share for i in listed) - 1) < 1e-12
        assert listed[0].column in ("recency_days", "orders")
    bins = dependence(model, x, "recency_days")
    assert sum(b.rows for b in bins) == 1200 and bins[-1].score > bins[0].score + 0.2
    missing = dependence(model, x, "MonthlyCharges")[-1]
    assert (missing.low, missing.rows) == (None, int(np.isnan(x[:, 2]).sum()))
    codes = dependence(model, x, "kind", category=True)
    assert [b.low for b in codes] == [0.0, 1.0, 2.0, 3.0] and max(codes, key=lambda b: b.score).low == 2.0
    assert dependence(model, x[:9], "orders") == []


def test_a_change_is_verified_minimal_and_of_what_can_change() -> None:
    x, model, _ = given_models()
    found = levers(x, NAMES, {"recency_days": "down", "orders": "up", "kind": "both"}, ["kind"])
    scores = model.score(x)
    reached = 0
    for row in np.argsort(scores)[-20:]:
        other = nearest(model, x[row], found, 0.5)
        if other is None:
            continue
        reached += 1
        moved = x[row].copy()
        for change in other.changes:
            place = NAMES.index(change.column)
            assert change.column != "MonthlyCharges" and change.before == x[row, place] != change.after
            assert change.column != "recency_days" or change.after < x[row, place]
            moved[place] = change.after
        assert model.score(moved[None])[0] == other.after <= 0.5 < other.before == scores[row]
        for change in other.changes:
            # One step less of any of its numbers, or none of it, and the goal is missed.
            back = moved.copy()
            back[NAMES.index(change.column)] = change.before
            assert model.score(back[None])[0] > 0.5
    assert reached >= 15
    assert nearest(model, x[0], (), 0.0) is None
