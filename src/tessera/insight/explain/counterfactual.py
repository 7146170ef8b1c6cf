"""A row whose score is not what one wants -> the least change of what can be changed that would bring it there.

Candidates are values that other rows really have. First one column alone is tried, then two, then three; of those that reach
the goal the one with the shortest way is taken, each number then drawn back toward what it was for as long as the goal holds,
and the result is scored once more: what is returned is true of the model, whatever the search did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import numpy.typing as npt

from tessera.insight.explain.contributions import Explainable

Numbers = npt.NDArray[np.float64]
VALUES = 12
"""Candidate values of a column: evenly spread over the ranks of those that rows have."""
TOGETHER = 3
"""Columns that may change together: a longer list is advice that nobody can follow."""
PROMISING = 4
"""Columns that are tried together: those that alone bring the score nearest to the goal."""
HALVINGS = 12
LEVELS = 30


@dataclass(frozen=True, kw_only=True)
class Lever:
    """A column that somebody can change. way: which way it can go. values: those to try, in order. whole: only whole numbers.
    category: its values are codes, so none lies between two."""

    column: str
    values: tuple[float, ...]
    way: Literal["up", "down", "both"] = "both"
    whole: bool = False
    category: bool = False


@dataclass(frozen=True, kw_only=True)
class Change:
    """One column's part of the change. before is None where the value was missing."""

    column: str
    before: float | None
    after: float


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """What would have to change, and the score then, as the model gives it."""

    changes: tuple[Change, ...]
    before: float
    after: float


def levers(
    x: Numbers, names: Sequence[str], ways: Mapping[str, Literal["up", "down", "both"]], categories: Sequence[str] = ()
) -> tuple[Lever, ...]:
    """Levers for the columns in `ways`, whose values are those that the rows `x` have; a constant column is none."""
    found = []
    for column, way in ways.items():
        known = x[:, names.index(column)]
        known = known[~np.isnan(known)]
        category = column in categories
        if len(np.unique(known)) < 2:
            continue
        at = np.linspace(0.02, 0.98, VALUES)
        values = np.unique(known)[:LEVELS] if category else np.unique(np.quantile(known, at, method="inverted_cdf"))
        found.append(
            Lever(
                column=column, values=tuple(values.tolist()), way="both" if category else way,
                whole=bool(np.all(known == np.round(known))), category=category,
            )
        )  # fmt: skip
    return tuple(found)


def nearest(model: Explainable, row: Numbers, found: Sequence[Lever], goal: float) -> Counterfactual | None:
    """The least change that brings a row's score to `goal` (below it if the score is above, else above); None if nothing does.

    The way of a change is how far it goes among the lever's values, a column more counting as the whole way. Of equal ways
    the one that goes further in score. Source: Wachter, Mittelstadt, Russell (2017), the nearest world; the search is ours.
    """
    row = np.asarray(row, dtype=np.float64).ravel()
    before = float(model.score(row[None])[0])
    down = before > goal
    options = [[(lever, v) for v in _reachable(lever, row[model.names.index(lever.column)])] for lever in found]
    options = [o for o in options if o]
    alone = [_tried(model, row, [(o,) for o in option]) for option in options]
    best = [(s.min() if down else -s.max()) for s in alone]
    promising = [options[i] for i in np.argsort(best, kind="stable")[:PROMISING]]
    for together in range(1, TOGETHER + 1):
        worlds = [
            world
            for chosen in (combinations(promising, together) if together > 1 else ((o,) for o in options))
            for world in _product(chosen)
        ]
        if not worlds:
            break
        scores = _tried(model, row, worlds)
        reached = np.flatnonzero(scores <= goal if down else scores >= goal)
        if len(reached):
            ways = np.array([_way(model, row, worlds[i]) for i in reached])
            order = np.lexsort((scores[reached] if down else -scores[reached], ways.round(9)))
            return _drawn_back(model, row, worlds[reached[order[0]]], goal, before)
    return None


World = tuple[tuple[Lever, float], ...]


def _reachable(lever: Lever, now: float) -> list[float]:
    if np.isnan(now):
        return list(lever.values) if lever.way == "both" else []
    return [v for v in lever.values if (v > now and lever.way != "down") or (v < now and lever.way != "up")]


def _product(chosen: Sequence[Sequence[tuple[Lever, float]]]) -> list[World]:
    worlds: list[World] = [()]
    for options in chosen:
        worlds = [(*w, o) for w in worlds for o in options]
    return worlds


def _tried(model: Explainable, row: Numbers, worlds: Sequence[World]) -> Numbers:
    rows = np.repeat(row[None], len(worlds), axis=0)
    for i, world in enumerate(worlds):
        for lever, value in world:
            rows[i, model.names.index(lever.column)] = value
    return model.score(rows)


def _way(model: Explainable, row: Numbers, world: World) -> float:
    return sum(_steps(lever, row[model.names.index(lever.column)], value) for lever, value in world)


def _steps(lever: Lever, now: float, value: float) -> float:
    """How far a change goes: ranks among the lever's values, of all of them; a category's change is the whole way."""
    if lever.category or np.isnan(now):
        return 1.0
    low, high = sorted((now, value))
    return sum(low < v <= high if value > now else low <= v < high for v in lever.values) / len(lever.values)


def _drawn_back(model: Explainable, row: Numbers, world: World, goal: float, before: float) -> Counterfactual:
    """Each number half the way back, and again, while the goal holds."""
    held = {lever.column: value for lever, value in world}

    def reaches(changed: Mapping[str, float]) -> tuple[bool, float]:
        moved = row.copy()
        for column, value in changed.items():
            moved[model.names.index(column)] = value
        score = float(model.score(moved[None])[0])
        return (score <= goal if before > goal else score >= goal), score

    for lever, _ in world:
        now = row[model.names.index(lever.column)]
        if lever.category or np.isnan(now):
            continue
        near, far = float(now), held[lever.column]
        for _ in range(HALVINGS):
            middle = round((near + far) / 2) if lever.whole else (near + far) / 2
            if middle in (near, far):
                break
            if reaches({**held, lever.column: middle})[0]:
                far = middle
            else:
                near = middle
        held[lever.column] = far
    after = reaches(held)[1]
    changes = []
    for column, value in held.items():
        now = float(row[model.names.index(column)])
        changes.append(Change(column=column, before=None if np.isnan(now) else now, after=float(value)))
    return Counterfactual(changes=tuple(changes), before=before, after=after)
