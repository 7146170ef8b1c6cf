"""Small trees and many rows -> exact SHAP values, from tables made once in place of a walk for every row and tree.

A tree of eight leaves asks at most seven questions, so a row can answer it in 128 ways at most. For each way of answering, the
Shapley value of each column is computed once, over all subsets of the tree's columns; a row then only looks its way up. The
values are LightGBM's own (path-dependent tree SHAP) to rounding, and come several times sooner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
QUESTIONS = 8
"""More than this in one tree, and its table would not fit the processor's cache: 2^8 ways times 2^8 subsets."""
ZERO = 1e-35
"""What LightGBM takes for zero."""
CHUNK = 8_192


@dataclass(frozen=True, kw_only=True)
class Question:
    """One split. column: of the rows. place: of its threshold among the column's; codes: those that go left, for a category.
    missing_left: where a missing value goes."""

    column: int
    place: int
    codes: frozenset[int] | None
    missing_left: bool


@dataclass(frozen=True, kw_only=True)
class Tabled:
    """One tree. ways: 2^questions x columns: what each column adds for each way of answering. columns: in that order."""

    questions: tuple[Question, ...]
    columns: tuple[int, ...]
    ways: Numbers


class Tables:
    """The tables of all trees of a model."""

    def __init__(self, dump: dict[str, Any]) -> None:
        """dump: what LightGBM's `dump_model` gives. Raises ValueError for a tree of more than QUESTIONS splits."""
        self.columns = int(dump["max_feature_idx"]) + 1
        trees = [t["tree_structure"] for t in dump["tree_info"]]
        splits = [n for t in trees for n in _splits(t)]
        self.cuts = {
            c: np.unique([n["threshold"] for n in splits if n["split_feature"] == c and n["decision_type"] == "<="])
            for c in {int(n["split_feature"]) for n in splits}
        }
        self.missing = {int(n["split_feature"]): n["missing_type"] for n in splits if n["decision_type"] == "<="}
        self.base = float(sum(_mean(t) for t in trees))
        self.trees = [self._tabled(t) for t in trees if "split_feature" in t]

    def contributions(self, x: Numbers) -> Numbers:
        """Rows x (columns + 1): each column's part of the raw score, and last the average."""
        found = np.zeros((len(x), self.columns + 1))
        found[:, -1] = self.base
        for start in range(0, len(x), CHUNK):
            part = x[start : start + CHUNK]
            found[start : start + CHUNK, :-1] = self._of(part)
        return found

    def _of(self, x: Numbers) -> Numbers:
        sums = np.zeros((self.columns, len(x)))
        places, missing = {}, {}
        for c, cuts in self.cuts.items():
            value = x[:, c]
            if self.missing.get(c, "NaN") != "NaN":
                value = np.nan_to_num(value, nan=0.0)
            gone = np.abs(value) <= ZERO if self.missing.get(c) == "Zero" else np.isnan(value)
            # A missing value lies beyond every threshold, and so goes right unless a question takes it left.
            places[c] = np.where(gone, len(cuts) + 1, np.searchsorted(cuts, value, side="left")).astype(np.int32)
            missing[c] = gone
        answered: dict[tuple[int, frozenset[int]], npt.NDArray[np.bool_]] = {}
        for tree in self.trees:
            way = np.zeros(len(x), dtype=np.intp)
            for bit, q in enumerate(tree.questions):
                if q.codes is not None:
                    if (q.column, q.codes) not in answered:
                        answered[q.column, q.codes] = _among(x[:, q.column], q.codes)
                    left = answered[q.column, q.codes]
                else:
                    left = places[q.column] <= q.place
                    if q.missing_left:
                        left = left | missing[q.column]
                way |= left.astype(np.intp) << bit
            for i, column in enumerate(tree.columns):
                sums[column] += tree.ways[i].take(way)
        return sums.T

    def _tabled(self, tree: dict[str, Any]) -> Tabled:
        splits = list(_splits(tree))
        if len(splits) > QUESTIONS:
            raise ValueError(f"a tree of {len(splits)} splits")
        columns = sorted({int(n["split_feature"]) for n in splits})
        ways = np.arange(2 ** len(splits))
        subsets = np.arange(2 ** len(columns))
        place = {id(n): i for i, n in enumerate(splits)}

        def worth(node: dict[str, Any]) -> Numbers:
            """The tree's mean output, ways x subsets, where only the subset's columns are known."""
            if "split_feature" not in node:
                return np.full((1, 1), float(node["leaf_value"]))
            left, right = worth(node["left_child"]), worth(node["right_child"])
            share = _count(node["left_child"]) / _count(node)
            goes = (ways >> place[id(node)] & 1).astype(bool)[:, None]
            known = (subsets >> columns.index(int(node["split_feature"])) & 1).astype(bool)[None, :]
            return np.where(known, np.where(goes, left, right), share * left + (1 - share) * right)

        return Tabled(
            questions=tuple(self._question(n) for n in splits),
            columns=tuple(columns),
            ways=np.ascontiguousarray((worth(tree) @ _shapley(len(columns))).T),
        )

    def _question(self, node: dict[str, Any]) -> Question:
        column = int(node["split_feature"])
        if node["decision_type"] == "==":
            codes = frozenset(int(c) for c in str(node["threshold"]).split("||"))
            return Question(column=column, place=-1, codes=codes, missing_left=False)
        place = int(np.searchsorted(self.cuts[column], node["threshold"]))
        left = bool(node["default_left"]) and node["missing_type"] != "None"
        return Question(column=column, place=place, codes=None, missing_left=left)


@cache
def _shapley(players: int) -> Numbers:
    """Subsets x players: what to multiply the worth of each subset with, and sum, for each player's Shapley value.

    Source: Shapley (1953): the mean of what a player adds, over all orders in which the players may come.
    """
    found = np.zeros((2**players, players))
    for subset in range(2**players):
        size = subset.bit_count()
        for player in range(players):
            if subset >> player & 1:
                found[subset, player] = factorial(size - 1) * factorial(players - size)
            else:
                found[subset, player] = -factorial(size) * factorial(players - size - 1)
    return found / factorial(players)


def _among(value: Numbers, codes: frozenset[int]) -> npt.NDArray[np.bool_]:
    known = np.where(np.isnan(value), -1, value).astype(np.int64)
    return np.isin(known, _listed(codes))


def _listed(codes: frozenset[int]) -> Sequence[int]:
    return sorted(codes)


def _splits(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "split_feature" in node:
        yield node
        yield from _splits(node["left_child"])
        yield from _splits(node["right_child"])


def _count(node: dict[str, Any]) -> float:
    return float(node["internal_count"] if "split_feature" in node else node["leaf_count"])


def _mean(node: dict[str, Any]) -> float:
    if "split_feature" not in node:
        return float(node["leaf_value"])
    share = _count(node["left_child"]) / _count(node)
    return share * _mean(node["left_child"]) + (1 - share) * _mean(node["right_child"])
