"""Products that people look at one after the other: what to recommend until a trained model stands.

Two products are near when they are often viewed by one person in a row (counts both ways), more often than their own numbers of
views would have it: n / sqrt(views of one * views of the other), as item-to-item recommenders do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec

LOOKED_AT = 5
"""How many of the products that she viewed last are looked at."""

FADES = 0.7
"""What each earlier one counts beside the one after it."""

KEPT = 50
"""Products kept near each, and as the most viewed ones."""


class Nearby(msgspec.Struct):
    """near: by product, others and how often one was viewed right after the other. views: of each product that stands there.
    popular: the most viewed ones, for whom nothing is known of."""

    near: dict[str, dict[str, int]] = {}
    views: dict[str, int] = {}
    popular: list[str] = []

    def seen(self, product: str, before: str | None) -> None:
        """Counts a view, and the one right before it (None: there was none lately)."""
        self.views[product] = self.views.get(product, 0) + 1
        if len(self.popular) < KEPT and product not in self.popular:
            self.popular.append(product)
        if before is not None and before != product:
            for one, other in ((product, before), (before, product)):
                some = self.near.setdefault(one, {})
                some[other] = some.get(other, 0) + 1

    def to(self, viewed: Sequence[str], most: int, stock: Mapping[str, float] | None) -> list[tuple[str, float]]:
        """Up to `most` products for somebody who viewed these (the newest first), the best first; each with how much it is to
        her liking, 1 being the mean of them. stock: what is left of each; None: everything."""
        scores: dict[str, float] = {}
        weight, views = 1.0, self.views
        for product in viewed[:LOOKED_AT]:
            root = weight / sqrt(views.get(product, 1) or 1)
            for other, times in self.near.get(product, {}).items():
                scores[other] = scores.get(other, 0.0) + root * times / sqrt(views.get(other, 1) or 1)
            weight *= FADES
        known = set(viewed)
        found = [(-score, product) for product, score in scores.items() if product not in known and _left(product, stock)]
        if not found:
            return [(p, 1.0) for p in self.popular if p not in known and _left(p, stock)][:most]
        best = sorted(found)[:most]
        mean = -sum(score for score, _ in best) / len(best)
        return [(product, -score / mean) for score, product in best]


def _left(product: str, stock: Mapping[str, float] | None) -> bool:
    return stock is None or stock.get(product, 0) > 0
