"""What each person did and was shown lately, by key: products viewed, decisions made, and what came of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from sys import intern

import msgspec

from tessera.action.decide import Past, arm_of

VIEWED = 10
"""Products remembered of a key."""


class Made(msgspec.Struct, gc=False):
    """A decision that was made. at: microseconds since 1970. done: an outcome of it was counted.

    Tens of thousands are remembered and their words are few, so that each word is kept once.
    """

    decision: str
    candidate: str
    product: str
    context: str
    at: int
    done: bool = False
    by: str = "learned"

    def __post_init__(self) -> None:
        self.decision, self.candidate, self.product = intern(self.decision), intern(self.candidate), intern(self.product)
        self.context, self.by = intern(self.context), intern(self.by)


class LivePast:
    """By key, since the last turn, and of older decisions those that still matter. Not safe to share between threads."""

    def __init__(self, made: Iterable[tuple[int, Made]] = ()) -> None:
        self._viewed: dict[int, list[tuple[int, str]]] = {}
        self._made: dict[int, list[Made]] = {}
        for key, one in made:
            self._made.setdefault(key, []).append(one)

    def viewed(self, key: int, at: int, product: str) -> None:
        """A key's person has viewed a product."""
        some = self._viewed.setdefault(key, [])
        some.append((at, product))
        if len(some) > VIEWED:
            some.sort()
            del some[0]

    def views(self, key: int) -> list[tuple[int, str]]:
        """When and what was viewed under one key, in any order."""
        return list(self._viewed.get(key, ()))

    def last_viewed(self, keys: Collection[int], since: int, until: int) -> str | None:
        """What was viewed last from a moment until before another."""
        found = [one for key in keys for one in self._viewed.get(key, ()) if since <= one[0] <= until]
        return max(found)[1] if found else None

    def shown(self, key: int, made: Made, keep_s: int) -> None:
        """Notes a decision; older ones of its point than `keep_s` seconds are forgotten, those of other points are not."""
        some = self._made.setdefault(key, [])
        some[:] = [one for one in some if one.decision != made.decision or one.at > made.at - keep_s * 1_000_000]
        some.append(made)

    def made(self, keys: Collection[int]) -> list[Made]:
        """The decisions that were made for a person and are remembered."""
        return [one for key in keys for one in self._made.get(key, ())]

    def of(self, keys: Sequence[int], before: str | None, here: str | None = None) -> Past:
        """As `decide` takes it. before: the product that her profile knows as the last one. here: one that she looks at now."""
        found = sorted((one for key in keys for one in self._viewed.get(key, ())), reverse=True)
        viewed = dict.fromkeys([p for p in (here, *(product for _, product in found), before) if p])
        made = self.made(keys)
        return Past(viewed=list(viewed)[:VIEWED], shown=[(m.decision, arm_of(m.candidate, m.product), m.at) for m in made])

    def forget(self, keys: Iterable[int]) -> int:
        """Drops what is known of keys; says of how many there was something."""
        return sum((self._viewed.pop(key, None) is not None) | (self._made.pop(key, None) is not None) for key in keys)
