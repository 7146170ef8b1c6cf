"""What a recommender says of people, in words and as documents: each item with its chance and the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tessera.insight.recommend import cold, words
from tessera.insight.recommend.baskets import Floats
from tessera.insight.recommend.lists import Lists, Reasons
from tessera.insight.recommend.ranking import Known
from tessera.insight.recommend.words import Kind


@dataclass(frozen=True, kw_only=True)
class Told:
    """One line of a list. times, every, since: as in `Reasons`; because: the other item's name."""

    rank: int
    item: Any
    chance: float
    kind: Kind
    times: int
    every: float | None
    since: float | None
    because: Any

    def said(self, language: words.Language) -> str:
        """The reason in words."""
        return words.because(
            self.kind, language, times=self.times, every=self.every, since=self.since, other=str(self.because or "")
        )

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "rank": self.rank, "item": self.item, "chance": round(self.chance, 6), "kind": self.kind, "times": self.times,
            "every_days": None if self.every is None else round(self.every, 1),
            "since_days": None if self.since is None else round(self.since, 1), "with": self.because,
            "because": {"en": self.said("en"), "zh": self.said("zh")},
        }  # fmt: skip


def told(made: Lists, why: Reasons, row: int, items: Sequence[Any]) -> Iterator[Told]:
    """The lines of one list."""
    for place, item in enumerate(made.items[row].tolist()):
        if item < 0:
            return
        again, other = bool(made.again[row, place]), int(why.because[row, place])
        yield Told(
            rank=place + 1, item=items[item], chance=float(made.chance[row, place]),
            kind="repurchase" if again else "discovery", times=int(why.times[row, place]),
            every=_number(why.every[row, place]), since=_number(why.since[row, place]),
            because=None if again or other < 0 else items[other],
        )  # fmt: skip


def unknown(known: Known, day: float, most: int, items: Sequence[Any]) -> list[dict[str, Any]]:
    """What is shown to whoever nothing is known of."""
    listed, people = cold.popular(known.baskets, day, most)
    return [
        {"rank": place + 1, "item": items[item], "people": int(people[-1, place]), "kind": "popular"}
        for place, item in enumerate(listed[-1].tolist())
        if item >= 0
    ]


def _number(value: Floats | float) -> float | None:
    return None if np.isnan(value) else float(value)
