"""Stacked snapshots -> the model that scores, what it was judged by, and what it takes to see later whether it still holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput
from tessera.insight import blend, trees
from tessera.insight.blend import Blend
from tessera.insight.calibration import Bin, auc, brier, ece, reliability
from tessera.insight.explain.contributions import explained
from tessera.insight.explain.views import Dependence, Importance, dependence, importance
from tessera.insight.segments.fitting import psi
from tessera.insight.trees import SMALL, Recipe
from tessera.lake.models import Figure

Numbers = npt.NDArray[np.float64]
RESAMPLES = 200
FEWEST_PEOPLE = 200
"""At the newest snapshot; and FEWEST_EACH of those who did it and of those who did not."""
FEWEST_EACH = 30
FEWEST, FEWEST_AUC = 10, 50
"""People that a bin or group is told of at least, and those from which its AUC and ECE are."""
SCORE = "score"
TENTHS = tuple(i / 10 for i in range(1, 10))
HIGH, MEDIUM = 0.8, 0.5
"""Quantiles of the scores above which a risk or chance is called high, and medium."""
OVER_STANDING = "auc_over_standing"
TOLD = 2_000
"""Rows that importance is measured on."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Snapshots below each other. people: who each row is about; y: 1 if she did what is asked (left, bought, ...)."""

    x: Numbers
    y: Numbers
    people: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How a feature lay among the people that a model learned from: the share of them between each two cuts; missing apart."""

    cuts: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """What a model does for a group of people. said: its mean probability. came: the share who did it. auc, ece: None
    for fewer than FEWEST_AUC people."""

    by: str
    group: str
    people: int
    said: float
    came: float
    auc: float | None
    ece: float | None


@dataclass(frozen=True, kw_only=True)
class Learned:
    """A model of churn, or of one propensity, as it is kept. newest: the last snapshot that it learned from.
    judged_on: a later snapshot, or other people of the same one. medium, high: the probabilities from which a risk or chance is
    called so."""

    blend: Blend
    form: str
    horizon_days: int
    fitted_at: date
    newest: date
    judged_on: Literal["later", "others"]
    medium: float
    high: float
    spreads: Mapping[str, Spread]
    bins: tuple[Bin, ...]
    groups: tuple[Group, ...]
    importance: tuple[Importance, ...]
    dependence: Mapping[str, tuple[Dependence, ...]]

    def band(self, score: Numbers) -> npt.NDArray[np.str_]:
        """Each score's word: high, medium or low."""
        return np.where(score >= self.high, "high", np.where(score >= self.medium, "medium", "low"))

    def written(self) -> str:
        """As JSON; `read` takes it."""
        return msgspec.json.encode(self).decode()

    @staticmethod
    def read(written: str) -> Learned:
        """What `written` gave. Raises BadInput if it is nothing of the kind."""
        try:
            return msgspec.json.decode(written, type=Learned)
        except msgspec.MsgspecError as error:
            raise BadInput(f"This is no model of ours ({error}). Train it again.") from None


def enough(newest: Stack) -> bool:
    """Whether a snapshot has people enough of both kinds to learn from."""
    did = int(newest.y.sum())
    return len(newest.y) >= FEWEST_PEOPLE and min(did, len(newest.y) - did) >= FEWEST_EACH


def learned(
    names: Sequence[str], final: Stack, learn: Stack | None, judge: Stack, groups: Mapping[str, npt.NDArray[np.str_]], *,
    form: str, horizon_days: int, fitted_at: date, newest: date, standing: Blend | None = None, recipe: Recipe = SMALL,
) -> tuple[Learned, dict[str, Figure]]:  # fmt: skip
    """The model of `final`, and its figures: those of a model of `learn` at the later snapshot `judge`.

    learn: None where there is no earlier snapshot; then `judge` is cut into five parts by people, each judged by the rest.
    groups: column -> the group of each row of `judge`. standing: the model that scores so far, to be compared with; of the same
    names. The same stacks give the same model.
    """
    whole = blend.fit(final.x, final.y, names, groups=final.people, recipe=recipe)
    if learn is not None:
        before = blend.fit(learn.x, learn.y, names, groups=learn.people, recipe=recipe)
        said, twin = before.score(judge.x), before.twin.score(judge.x)
    else:
        said, twin = np.zeros(len(judge.y)), np.zeros(len(judge.y))
        for train, test in trees.folds(judge.y, 5, recipe.seed):
            part = blend.fit(judge.x[train], judge.y[train], names, recipe=recipe)
            said[test], twin[test] = part.score(judge.x[test]), part.twin.score(judge.x[test])
    some = final.x[np.random.default_rng(recipe.seed).permutation(len(final.x))[:TOLD]]
    ranked = importance(explained(whole, some))
    scores = whole.score(final.x)
    made = Learned(
        blend=whole, form=form, horizon_days=horizon_days, fitted_at=fitted_at, newest=newest,
        judged_on="later" if learn is not None else "others",
        medium=float(np.quantile(scores, MEDIUM)), high=float(np.quantile(scores, HIGH)),
        spreads={**{c: spread(final.x[:, i]) for i, c in enumerate(names)}, SCORE: spread(scores)},
        bins=tuple(b for b in reliability(said, judge.y) if b.rows >= FEWEST),
        groups=fair(said, judge.y, groups), importance=tuple(ranked),
        dependence={i.column: tuple(dependence(whole, final.x, i.column)) for i in ranked[:6]},
    )  # fmt: skip
    others = {"auc_over_twin": twin} | ({OVER_STANDING: standing.score(judge.x)} if standing is not None else {})
    return made, figures(said, judge.y, others, seed=recipe.seed)


def fair(said: Numbers, y: Numbers, groups: Mapping[str, npt.NDArray[np.str_]]) -> tuple[Group, ...]:
    """The model by group: whether it says of each what came, and tells apart within each as well as elsewhere.

    A group of fewer than FEWEST people is not told, nor is one whose outcome all share; AUC and ECE from FEWEST_AUC people on.
    """
    found = []
    for by, group in groups.items():
        kinds = sorted(set(group.tolist()))
        for one in kinds if len(kinds) > 1 else ():
            own = group == one
            people, did = int(own.sum()), int(y[own].sum())
            if people < FEWEST or did in (0, people):
                continue
            many = people >= FEWEST_AUC
            found.append(
                Group(
                    by=by, group=one, people=people, said=float(said[own].mean()), came=float(y[own].mean()),
                    auc=auc(said[own], y[own]) if many else None, ece=ece(said[own], y[own]) if many else None,
                )
            )  # fmt: skip
    return tuple(found)


def figures(said: Numbers, y: Numbers, others: Mapping[str, Numbers], *, seed: int = 1) -> dict[str, Figure]:
    """AUC, Brier and ECE, and by name how far the AUC lies above that of other scores of the same people; with 95 % intervals
    from people drawn again (bootstrap), the same for all."""
    rng = np.random.default_rng(seed)

    def measure(rows: npt.NDArray[np.int64]) -> dict[str, float]:
        own = auc(said[rows], y[rows]) or 0.5
        ours = {"auc": own, "brier": brier(said[rows], y[rows]), "ece": ece(said[rows], y[rows])}
        return ours | {name: own - (auc(other[rows], y[rows]) or 0.5) for name, other in others.items()}

    drawn = [measure(rng.integers(0, len(y), len(y))) for _ in range(RESAMPLES)]
    return {
        name: Figure(value, *(float(q) for q in np.quantile([d[name] for d in drawn], (0.025, 0.975))))
        for name, value in measure(np.arange(len(y))).items()
    } | {"rate": Figure(float(y.mean()))}


def spread(column: Numbers) -> Spread:
    """Tenths of a column, and the share of people in each; the last share is of those whose value is missing."""
    known = column[~np.isnan(column)]
    cuts = tuple(np.unique(np.quantile(known, TENTHS)).tolist()) if len(known) else ()
    return Spread(cuts=cuts, shares=_shares(column, cuts))


def drifted(was: Spread, column: Numbers) -> float:
    """The population stability index of a column now against then; from 0.25 on people usually act."""
    return psi(was.shares, _shares(column, was.cuts))


def _shares(column: Numbers, cuts: tuple[float, ...]) -> tuple[float, ...]:
    which = np.where(np.isnan(column), len(cuts) + 1, np.searchsorted(np.array(cuts), column, side="right"))
    counts = np.bincount(which.astype(int), minlength=len(cuts) + 2)
    return tuple((counts / max(len(column), 1)).round(6).tolist())
