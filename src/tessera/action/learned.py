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

    def beliefs(self, decision: str, context: str) -> Beliefs:
        """What is believed of the arms of a decision in a context."""
        return Beliefs(self.counts.get(decision, _UNTRIED), context)

    def belief(self, decision: str, candidate: str, product: str, context: str, liking: float = 1.0) -> Belief:
        """The same of one arm; see `Beliefs.of`."""
        return self.beliefs(decision, context).of(candidate, product, liking)


class Beliefs:
    """What is believed of the arms of one decision in one context."""

    __slots__ = ("_alike", "_arms", "_context", "_overall")

    def __init__(self, arms: Arms, context: str) -> None:
        self._arms, self._context = arms, context
        self._overall = arms.all.mean(FIRST)
        self._alike: dict[str, float] = {}

    def of(self, candidate: str, product: str, liking: float = 1.0) -> Belief:
        """Of one arm. liking: how much more (or less) is expected of it than of its like, where nothing was counted yet."""
        alike = self._alike.get(candidate)
        if alike is None:
            alike = self._alike[candidate] = self._arms.alike.get(candidate, _NONE).mean(self._overall)
        before, trials, outcomes = min(max(alike * liking, LEAST), MOST), 0, 0
        if (arm := self._arms.arms.get(candidate, _NO_ARMS).get(product)) is not None:
            here, everywhere = arm.at.get(self._context, _NONE), arm.all
            trials, outcomes = here.trials, here.outcomes
            # What was counted here itself is no evidence beforehand.
            before = (everywhere.outcomes - outcomes + before * PRIOR) / (everywhere.trials - trials + PRIOR)
        alpha, beta = before * PRIOR + outcomes, (1 - before) * PRIOR + max(0, trials - outcomes)
        return Belief(alpha, beta, alpha / (alpha + beta), trials, outcomes)


_NONE, _UNTRIED = Cell(), Arms()
_NO_ARMS: dict[str, Arm] = {}


def drawn(belief: Belief, chance: Random) -> float:
    """A share of outcomes as it may be, by how likely it is."""
    return chance.betavariate(belief.alpha, belief.beta)
