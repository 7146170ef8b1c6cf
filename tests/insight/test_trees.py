"""insight/trees.py and linear.py: the one recipe, the same twice, calibrated, kept; and its transparent twin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tessera.errors import BadInput
from tessera.insight import linear, trees
from tessera.insight.calibration import auc, brier, ece, platt, reliability, sigmoid
from tessera.insight.trees import SMALL, Trees

QUICK = replace(SMALL, rounds=60, folds=3, threads=1)


def made(rows: int, seed: int = 3) -> tuple[trees.Numbers, trees.Numbers, list[str]]:
    """Numbers, a category, missing values; and an outcome that depends on all of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    x[:, 2] = rng.integers(0, 5, rows)
    margin = x[:, 0] + 0.7 * (x[:, 1] > 0.3) - 1.2 * (x[:, 2] == 3)
    x[rng.random(rows) < 0.2, 1] = np.nan
    return x, (rng.random(rows) < sigmoid(margin)).astype(float), ["a", "b,[x]", "kind", "noise"]


def test_the_same_rows_and_seed_give_the_same_trees_whatever_the_threads() -> None:
    x, y, names = made(900)
    few = replace(QUICK, rounds=8, folds=2)
    one, two = (trees.fit(x, y, names, categories=["kind"], recipe=replace(few, threads=n)) for n in (1, 2))
    assert np.array_equal(one.margin(x), two.margin(x)) and one.calibration == two.calibration
    assert replace(two, recipe=one.recipe, text=one.text).id == one.id
    kept = Trees.read(one.written())
    assert kept == one and np.array_equal(kept.score(x), one.score(x))


def test_trees_learn_what_is_there_and_say_probabilities() -> None:
    x, y, names = made(4000)
    new, came, _ = made(4000, seed=4)
    model = trees.fit(x, y, names, categories=["kind"], recipe=QUICK)
    p = model.score(new)
    assert (auc(p, came) or 0) > 0.72 and ece(p, came) < 0.03 and brier(p, came) < 0.22
    assert abs(p.mean() - came.mean()) < 0.03 and model.mean == y.mean() and model.rows == 4000


def test_a_regression_predicts_values_and_needs_no_calibration() -> None:
    x, _, names = made(2000)
    y = 3 * x[:, 0] + 50 + (x[:, 2] == 3) * 4
    model = trees.fit(x, y, names, kind="regression", categories=["kind"], recipe=QUICK)
    assert np.sqrt(np.mean((model.score(x) - y) ** 2)) < 1.3 < y.std()
    assert np.allclose(model.contributions(x).sum(axis=1), model.score(x), atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.ones(100), "two values"),
        (np.arange(100.0), "two values"),
        (np.r_[np.nan, np.zeros(50), np.ones(49)], "missing in 1 rows"),
    ],
)
def test_what_cannot_be_learned_is_said(y: trees.Numbers, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        trees.fit(np.zeros((100, 1)), y, ["a"], recipe=QUICK)
    with pytest.raises(BadInput, match="at least"):
        trees.fit(np.zeros((9, 1)), np.r_[np.zeros(4), np.ones(5)], ["a"], recipe=QUICK)
    with pytest.raises(BadInput, match="no model of ours"):
        Trees.read(b"{}")


def test_no_group_lies_in_two_parts() -> None:
    _, y, _ = made(300)
    groups = np.arange(300) // 10
    parts = trees.folds(y, 4, 1, groups)
    assert sorted(np.concatenate([test for _, test in parts]).tolist()) == list(range(300))
    assert not any(set(groups[train]) & set(groups[test]) for train, test in parts)


def test_a_wrong_slope_is_set_right_and_too_little_evidence_is_not_believed() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=20_000) * 1.5
    y = (rng.random(20_000) < sigmoid(truth)).astype(float)
    found = platt(truth * 2 + 1, y)
    assert abs(found.slope - 0.5) < 0.03 and abs(found.offset + 0.5) < 0.06
    assert platt(truth, np.ones(20_000)) == platt(truth[:0], y[:0])
    few = platt(np.array([-1.0, 1.0]), np.array([0.0, 1.0]))
    assert 0.9 < few.slope < 1.6 and abs(few.offset) < 0.1
    assert platt(-truth, y).slope == 1.0


def test_measures_agree_with_scikit_learn() -> None:
    from sklearn.metrics import brier_score_loss, roc_auc_score

    rng = np.random.default_rng(1)
    p = rng.random(500).round(1)
    y = (rng.random(500) < p).astype(float)
    assert auc(p, y) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert brier(p, y) == pytest.approx(brier_score_loss(y, p), abs=1e-12)
    assert auc(p, np.ones(500)) is None
    assert sum(b.rows for b in reliability(p, y)) == 500


def test_the_twin_is_scikit_learns_logistic_regression_and_adds_up() -> None:
    from sklearn.linear_model import LogisticRegression

    x, y, names = made(1500)
    model = linear.fit(x, y, names, categories=["kind"])
    v = x.copy()
    for term in (t for t in model.terms if t.log):
        v[:, term.column] = np.sign(v[:, term.column]) * np.log1p(np.abs(v[:, term.column]))
    z = np.column_stack([((v[:, i] - np.nanmean(v[:, i])) / np.nanstd(v[:, i])).clip(-4, 4) for i in (0, 1, 3)])
    z = np.column_stack([np.nan_to_num(z), np.isnan(x[:, 1]), *(x[:, 2] == v for v in range(5))])
    theirs = LogisticRegression(max_iter=300).fit(z, y)
    assert np.allclose(model.score(x), theirs.predict_proba(z)[:, 1], atol=1e-3)
    assert np.abs(model.contributions(x)[:, :-1].mean(axis=0)).max() < 1e-9
    assert linear.fit(np.zeros((50, 1)), y[:50], ["same"]).score(np.zeros((1, 1)))[0] == pytest.approx(y[:50].mean())


@pytest.mark.parametrize("kind", ["binary", "regression"])
@pytest.mark.parametrize("missing", ["nowhere", "somewhere", "new"])
def test_tables_give_lightgbms_own_contributions(kind: trees.Kind, missing: str) -> None:
    x, y, names = made(1500)
    x[:, 3] = x[:, 3].round(1) * (np.abs(x[:, 3]) > 0.4)
    full = np.where(np.isnan(x), 0.5, x)
    model = trees.fit(
        x if missing == "somewhere" else full, y + (kind == "regression") * full[:, 0], names, kind=kind, categories=["kind"],
        recipe=replace(QUICK, folds=0),
    )  # fmt: skip
    rows = np.vstack([full if missing == "nowhere" else x, [[np.nan] * 4, [0, 0, 0, 0], [-9, 9, 77, 1e-36], [9, -9, -3, -0.4]]])
    theirs = model._booster.predict(rows, pred_contrib=True)
    assert model._tables is not None and np.abs(model.contributions(rows) - theirs).max() < 1e-12
    assert np.abs(theirs.sum(axis=1) - model.margin(rows)).max() < 1e-12
