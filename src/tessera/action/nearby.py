"""What to recommend to whoever looks at products: what the trained model says goes with them, else what others look at next.

The trained neighbours (ITEM_NEIGHBOURS, insight/recommend) are the turn's; what she looked at since chooses among them, so
each look changes the next answer. A product that they do not know, and every product until a model stands, is answered by
co-visits, which are counted as they happen: two products are near when they are often viewed by one person in a row (counts
both ways), more often than their own numbers of views would have it: n / sqrt(views of one * views of the other), as
item-to-item recommenders do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec

VIEW = "Product Viewed"
"""The event by which a person looks at a product (the e-commerce spec of Segment and RudderStack)."""

LOOKED_AT = 5
"""How many of the products that she viewed last are looked at."""

FADES = 0.7
"""What each earlier one counts beside the one after it."""

CO_VISIT = 0.1
"""What a co-visit counts beside trained neighbours: a good one of EASE weighs about as much as a co-visit of all."""

KEPT = 50
"""Products kept near each, and as the most viewed ones."""


class Nearby(msgspec.Struct):
    """near: by product, others and how often one was viewed right after the other. views: of each product that stands there.
    popular: the most viewed ones, for whom nothing is known of. trained: by product, others and their weight, as the insight
    model has them; empty until one stands."""

    near: dict[str, dict[str, int]] = {}
    views: dict[str, int] = {}
    popular: list[str] = []
    trained: dict[str, dict[str, float]] = {}

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
            if trained := self.trained.get(product):
                for other, speaks in trained.items():
                    scores[other] = scores.get(other, 0.0) + weight * speaks
            else:
                root = weight * (CO_VISIT if self.trained else 1.0) / sqrt(views.get(product, 1) or 1)
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
