"""What came of what was shown: counts of trials and outcomes by arm and situation, and Thompson sampling over them.

A contextual bandit of Beta beliefs. Whole numbers alone are kept, so that they add up in any order, whoever counts them; an arm
that was hardly tried in a situation is believed to do as it does elsewhere, and a new arm as its like do (a prior worth PRIOR
trials, from the counts themselves). The libraries for this (MABWiser, Vowpal Wabbit) keep weights that depend on the order of
what came, which neither a replay nor another engine could repeat.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import msgspec

PRIOR = 20.0
"""How many trials what is believed beforehand is worth."""

FIRST = 0.05
"""The share of outcomes that is believed where nothing has been tried."""

LEAST, MOST = 0.001, 0.5
"""Bounds of what is believed of an arm beforehand."""

class Belief(NamedTuple):
    """What is believed of an arm in a situation: a Beta distribution, its mean, and the counts that are its own."""

    alpha: float
    beta: float
    expected: float
    trials: int
    outcomes: int


class Cell(msgspec.Struct, array_like=True):
    """What was tried, and what came of it."""

    trials: int = 0
    outcomes: int = 0

    def add(self, trials: int, outcomes: int) -> None:
        """Counts more."""
        self.trials, self.outcomes = self.trials + trials, self.outcomes + outcomes

    def mean(self, before: float) -> float:
        """The share of outcomes, of which `before` was believed."""
        return (self.outcomes + before * PRIOR) / (self.trials + PRIOR)


class Arm(msgspec.Struct):
    """One arm: everywhere, and by context."""

    all: Cell = msgspec.field(default_factory=Cell)
    at: dict[str, Cell] = {}


class Arms(msgspec.Struct):
    """Of one decision: all of it; by candidate, all that it stands for; by candidate and product; by reason, the fallback."""

    all: Cell = msgspec.field(default_factory=Cell)
    alike: dict[str, Cell] = {}
    arms: dict[str, dict[str, Arm]] = {}
    fell: dict[str, Cell] = {}


class Learned(msgspec.Struct):
    """Counts by decision."""

    counts: dict[str, Arms] = {}

    def add(self, decision: str, candidate: str, product: str, context: str, trials: int, outcomes: int) -> None:
        """Counts what was tried and what came of it."""
        arms = self.counts.setdefault(decision, Arms())
        arm = arms.arms.setdefault(candidate, {}).setdefault(product, Arm())
        for cell in (arms.all, arms.alike.setdefault(candidate, Cell()), arm.all, arm.at.setdefault(context, Cell())):
            cell.add(trials, outcomes)

    def fell(self, decision: str, by: str, trials: int, outcomes: int) -> None:
        """Counts what came of showing the fallback, and why it was shown: what all else is compared with."""
        self.counts.setdefault(decision, Arms()).fell.setdefault(by, Cell()).add(trials, outcomes)

    def belief(self, decision: str, candidate: str, product: str, context: str, liking: float = 1.0) -> Belief:
        """What is believed of an arm in a context. liking: how much more (or less) is expected of it than of its like, where
        nothing was counted yet."""
        arms = self.counts.get(decision, _UNTRIED)
        alike = arms.alike.get(candidate, _NONE).mean(arms.all.mean(FIRST))
        arm = arms.arms.get(candidate, {}).get(product, _NEW)
        here = arm.at.get(context, _NONE)
        # What was counted here itself is no evidence beforehand.
        elsewhere = Cell(arm.all.trials - here.trials, arm.all.outcomes - here.outcomes)
        before = elsewhere.mean(min(max(alike * liking, LEAST), MOST))
        alpha, beta = before * PRIOR + here.outcomes, (1 - before) * PRIOR + max(0, here.trials - here.outcomes)
        return Belief(alpha, beta, alpha / (alpha + beta), here.trials, here.outcomes)


_NONE, _NEW, _UNTRIED = Cell(), Arm(), Arms()


def drawn(belief: Belief, chance: Random) -> float:
    """A share of outcomes as it may be, by how likely it is."""
    return chance.betavariate(belief.alpha, belief.beta)
