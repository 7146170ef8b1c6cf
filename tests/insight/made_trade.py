"""Made-up buyers with a truth: staples that each buys again and again, and a taste that explains what she finds."""

from __future__ import annotations

import numpy as np

from tessera.insight.recommend.baskets import Baskets, sorted_rows

TASTES = 4
PER_TASTE = 12


def trade(people: int = 200, seed: int = 3, again: bool = True) -> Baskets:
    """Baskets of 3 to 9 visits, a week apart. An item belongs to the taste item // PER_TASTE; nine of ten items are of her own
    taste; if `again`, two staples of hers are in most of her baskets, else nothing is bought twice."""
    random = np.random.default_rng(seed)
    rows = []
    for person in range(people):
        taste = person % TASTES
        own = taste * PER_TASTE + random.permutation(PER_TASTE)
        staples, had = own[:2], set[int]()
        for visit in range(int(random.integers(3, 10))):
            bought = {int(i) for i in staples if again and random.random() < 0.7}
            wanted = taste if random.random() < 0.9 else int(random.integers(TASTES))
            others = [i for i in wanted * PER_TASTE + random.permutation(PER_TASTE) if again or int(i) not in had]
            bought |= {int(i) for i in others[:2]}
            had |= bought
            rows += [(person, visit, item, 7.0 * visit + person % 7) for item in sorted(bought)]
    person, visit, item, day = (np.array(column) for column in zip(*rows, strict=True))
    return sorted_rows(person, visit, item, day.astype(np.float64), TASTES * PER_TASTE, people)
