"""Rows and what became of them -> small boosted trees: the one recipe behind churn, propensity and device upkeep.

Trees of 8 leaves and depth 3, many and slow, are as accurate on customers' tables as any larger ones that we measured,
better calibrated, and seven times cheaper to explain (docs/churn.md has the figures). The recipe is fixed, so nobody tunes
it on the rows that he reports. Missing values stay missing, categories are split as sets: neither is made a number first.

LightGBM is imported where a model is fitted or used: it takes longer than all else of a command's start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput
from tessera.insight.calibration import IDENTITY, Platt, platt, sigmoid
from tessera.insight.treeshap import QUESTIONS, Tables

Numbers = npt.NDArray[np.float64]

Kind = Literal["binary", "regression"]
CHUNK = 16_384
"""Rows that are scored or explained at once: an explanation of 40 columns takes 5 MB of them."""
FEWEST_COLUMNS = 6
"""That a tree may look at: with fewer, columns that only tell something together are torn apart."""
FEW = 50
MANY = 4_000_000
"""Values above which two threads are quicker than one."""
FEWEST_ROWS = 40
"""Below two leaves of `min_leaf` rows no tree can split."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How trees are grown. rate: what each tree adds of what it found. min_leaf: rows that a leaf stands for at least.
    columns: the share of the columns that a tree may look at. l2: what keeps leaves of few rows near the middle.
    folds: how many parts calibration is learned on, each by trees that have not seen it; 0 for none."""

    rounds: int = 300
    rate: float = 0.04
    leaves: int = 8
    depth: int = 3
    min_leaf: int = 20
    columns: float = 0.5
    l2: float = 1.0
    folds: int = 4
    seed: int = 1
    threads: int | None = None


SMALL = Recipe()


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Fitted trees. names: the columns, in the order of the rows that are scored. categories: the columns whose numbers are
    codes. text: the model as LightGBM writes it. calibration: margin -> calibrated log-odds (nothing for a regression).
    rows: how many it was fitted to. mean: their share of ones, or mean target."""

    kind: Kind
    names: tuple[str, ...]
    categories: tuple[str, ...]
    text: str
    calibration: Platt
    rows: int
    mean: float
    recipe: Recipe

    @property
    def id(self) -> str:
        """A name that is the same for the same model."""
        return f"trees-{hashlib.sha256(self.written()).hexdigest()[:8]}"

    def margin(self, x: Numbers) -> Numbers:
        """One row each: calibrated log-odds, or the predicted value of a regression."""
        return self.calibration.of(_in_chunks(x, len(self.names), lambda part: self._booster.predict(part, raw_score=True)))

    def score(self, x: Numbers) -> Numbers:
        """One row each: the probability of a one, or the predicted value."""
        margin = self.margin(x)
        return sigmoid(margin) if self.kind == "binary" else margin

    def contributions(self, x: Numbers) -> Numbers:
        """SHAP values of the margin: one row each, a number per column, and last the average that they start from.

        They sum to `margin` but for rounding (1e-9). Path-dependent tree SHAP (Lundberg, Erion, Lee 2018), as LightGBM has it;
        from tables where the trees are small enough, which is several times quicker.
        """
        # A few rows are walked sooner than looked up; both ways give the same numbers to rounding.
        tables = self._tables if len(np.atleast_2d(x)) >= FEW else None
        explain = tables.contributions if tables else lambda part: self._booster.predict(part, pred_contrib=True, num_threads=1)
        raw = _in_chunks(x, len(self.names), explain)
        raw *= self.calibration.slope
        raw[:, -1] += self.calibration.offset
        return raw

    def written(self) -> bytes:
        """The model as JSON, to be kept; `read` takes it."""
        return msgspec.json.encode(self)

    @staticmethod
    def read(written: bytes) -> Trees:
        """What `written` gave. Raises BadInput if it is nothing of the kind."""
        try:
            return msgspec.json.decode(written, type=Trees)
        except msgspec.MsgspecError as error:
            raise BadInput(f"This is no model of ours ({error}). Train it again.") from None

    @cached_property
    def _tables(self) -> Tables | None:
        return Tables(self._booster.dump_model()) if self.recipe.leaves <= QUESTIONS + 1 else None

    @cached_property
    def _booster(self) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=self.text)


def fit(
    x: Numbers,
    y: Numbers,
    names: Sequence[str],
    *,
    kind: Kind = "binary",
    categories: Sequence[str] = (),
    groups: npt.NDArray[Any] | None = None,
    weights: Numbers | None = None,
    recipe: Recipe = SMALL,
) -> Trees:
    """Trees of rows x columns (float64; NaN is missing; columns in `categories` hold codes 0, 1, 2, ...).

    y: 0 or 1, or any number for a regression. groups: rows of one group (a person, a device) stay in one part where the
    calibration is learned. The same rows in the same order, recipe and seed give the same trees.
    Raises BadInput for too few rows, a target that is missing somewhere, or one class only.
    Source: Ke et al. (2017), LightGBM; Platt (1999) for the calibration.
    """
    x, y = np.ascontiguousarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    _checked(x, y, names, kind)
    calibration = IDENTITY
    if kind == "binary" and recipe.folds:
        calibration = _calibrated(x, y, names, categories, groups, weights, recipe)
    return Trees(
        kind=kind,
        names=tuple(names),
        categories=tuple(c for c in names if c in set(categories)),
        text=_grown(x, y, kind, names, categories, weights, recipe).model_to_string(),
        calibration=calibration,
        rows=len(y),
        mean=float(np.average(y, weights=weights)),
        recipe=recipe,
    )


def _calibrated(
    x: Numbers, y: Numbers, names: Sequence[str], categories: Sequence[str],
    groups: npt.NDArray[Any] | None, weights: Numbers | None, recipe: Recipe,
) -> Platt:  # fmt: skip
    """What margins mean, learned on rows that the trees which gave them had not seen."""
    margins, seen = np.zeros(len(y)), np.zeros(len(y), dtype=bool)
    for train, test in folds(y, recipe.folds, recipe.seed, groups):
        if len(np.unique(y[train])) < 2:
            continue
        of_train = None if weights is None else weights[train]
        margins[test] = _grown(x[train], y[train], "binary", names, categories, of_train, recipe).predict(
            x[test], raw_score=True
        )
        seen[test] = True
    return platt(margins[seen], y[seen]) if seen.any() else IDENTITY


def folds(
    y: Numbers, parts: int, seed: int, groups: npt.NDArray[Any] | None = None
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """(train, test) rows of each part: stratified by y, whole groups if there are any; fewer parts where a class has few."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    fewest = int(min(y.sum(), len(y) - y.sum()))
    parts = min(parts, fewest if groups is None else min(fewest, len(np.unique(groups))))
    if parts < 2:
        return []
    if groups is None:
        return list(StratifiedKFold(parts, shuffle=True, random_state=seed).split(y, y))
    return list(StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(y, y, groups))


def _grown(
    x: Numbers, y: Numbers, kind: Kind, names: Sequence[str], categories: Sequence[str], weights: Numbers | None, recipe: Recipe
) -> Any:
    import lightgbm

    share = min(1.0, max(recipe.columns, FEWEST_COLUMNS / len(names)))
    threads = recipe.threads or (2 if x.size > MANY else 1)
    params = {
        "objective": kind, "num_leaves": recipe.leaves, "max_depth": recipe.depth, "learning_rate": recipe.rate,
        "min_data_in_leaf": recipe.min_leaf, "feature_fraction": share, "lambda_l2": recipe.l2, "seed": recipe.seed,
        "num_threads": threads, "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    # LightGBM refuses the punctuation of many real column names, so it knows columns by their place.
    data = lightgbm.Dataset(
        x,
        y,
        weight=weights,
        feature_name=[f"c{i}" for i in range(len(names))],
        categorical_feature=[i for i, c in enumerate(names) if c in set(categories)],
        free_raw_data=True,
    )
    return lightgbm.train(params, data, recipe.rounds)


def _checked(x: Numbers, y: Numbers, names: Sequence[str], kind: Kind) -> None:
    if x.ndim != 2 or x.shape != (len(y), len(names)):
        raise BadInput(f"{len(names)} columns were named for a table of shape {x.shape} with {len(y)} outcomes.")
    if len(y) < FEWEST_ROWS:
        raise BadInput(f"There are {len(y)} rows to learn from; at least {FEWEST_ROWS} are needed.")
    if not np.isfinite(y).all():
        raise BadInput(f"The outcome is missing in {int((~np.isfinite(y)).sum()):,} rows. Leave those rows out.")
    if kind == "binary" and set(np.unique(y)) != {0.0, 1.0}:
        raise BadInput(f"The outcome must have two values, 0 and 1; there are {len(np.unique(y))}.")


def _in_chunks(x: Numbers, columns: int, predict: Any) -> Numbers:
    x = np.ascontiguousarray(np.atleast_2d(x), dtype=np.float64)
    if x.shape[1] != columns:
        raise BadInput(f"The model has {columns} columns, the rows have {x.shape[1]}.")
    parts = [predict(x[i : i + CHUNK]) for i in range(0, max(len(x), 1), CHUNK) if len(x)]
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros((0,))
