"""Centres -> names: what a segment is called, by rules on where its centre lies among the people.

A centre's place is three quantiles: how many people bought less recently, less often and for less. A rule says where
its name is true and where it is typical. Names that are true are given so that all centres together are as typical as
can be (an assignment problem), whatever their order. A name that is needed twice is numbered, the larger revenue first,
so names are unique for any centres and never untrue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Place = tuple[float, float, float]
"""Quantiles in 0..1 of a centre among the people who bought: recent (1: today), often, much."""

UNTRUE = 1e6
AGAIN = 0.3
"""What it costs to use a name once more, in squared quantiles: a merely less typical name is better, an odd one not."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A name, its words, the box of places in which it is true (both ends belong to it), and its typical place."""

    name: str
    en: str
    zh: str
    typical: Place
    least: Place = (0.0, 0.0, 0.0)
    most: Place = (1.0, 1.0, 1.0)

    def true(self, place: Place) -> bool:
        """Whether a segment at that place may bear the name."""
        return all(lo <= x <= hi for lo, x, hi in zip(self.least, place, self.most, strict=True))


RULES = (
    Rule(name="high_value", en="High value", zh="高价值客户", typical=(0.8, 0.9, 0.9), least=(0.4, 0.5, 0.6)),
    Rule(name="loyal", en="Loyal", zh="忠诚客户", typical=(0.65, 0.75, 0.65), least=(0.4, 0.5, 0.0)),
    Rule(name="big_ticket", en="Few but large orders", zh="大额低频客户", typical=(0.5, 0.3, 0.85),
         least=(0.3, 0.0, 0.6), most=(1.0, 0.5, 1.0)),
    Rule(name="potential", en="Potential", zh="潜力客户", typical=(0.7, 0.5, 0.5), least=(0.4, 0.0, 0.0)),
    Rule(name="new", en="New", zh="新客户", typical=(0.85, 0.2, 0.25), least=(0.6, 0.0, 0.0), most=(1.0, 0.45, 1.0)),
    Rule(name="occasional", en="Occasional", zh="偶尔购买客户", typical=(0.4, 0.25, 0.3),
         least=(0.2, 0.0, 0.0), most=(0.8, 0.5, 0.6)),
    Rule(name="at_risk", en="At risk", zh="流失风险客户", typical=(0.25, 0.7, 0.7),
         least=(0.0, 0.3, 0.4), most=(0.45, 1.0, 1.0)),
    Rule(name="lapsed", en="Lapsed", zh="已流失客户", typical=(0.1, 0.25, 0.25), most=(0.4, 1.0, 1.0)),
)  # fmt: skip
"""`potential` and `lapsed` together are true everywhere, so that every centre has a name."""

PROSPECTS = "prospects"
_WORDS = {PROSPECTS: ("Not bought yet", "潜在客户"), **{r.name: (r.en, r.zh) for r in RULES}}


def name(places: Sequence[Place]) -> list[str]:
    """A unique name for each centre; the same names whatever the order of the centres.

    >>> name([(0.12, 0.3, 0.3), (0.85, 0.92, 0.94), (0.72, 0.4, 0.4), (0.5, 0.65, 0.7)])
    ['lapsed', 'high_value', 'potential', 'loyal']
    """
    if not places:
        return []
    # Imported here: it takes a tenth of a process's start, and few processes name a model.
    from scipy.optimize import linear_sum_assignment

    order = sorted(range(len(places)), key=lambda i: (places[i][2], places[i][1], places[i][0]), reverse=True)
    once = np.array([[_cost(rule, places[i]) for rule in RULES] for i in order])
    copies = np.concatenate([once + AGAIN * n for n in range(len(places))], axis=1)
    chosen = linear_sum_assignment(copies)[1] % len(RULES)
    seen: dict[str, int] = {}
    names = [""] * len(places)
    for i, rule in zip(order, chosen, strict=True):
        given = RULES[rule].name
        seen[given] = seen.get(given, 0) + 1
        names[i] = given if seen[given] == 1 else f"{given}_{seen[given]}"
    return names


SLACK = 0.1
"""How far, in quantiles, a centre may leave the box of its name before the name is untrue: names outlast a drift."""


def still(segment: str, place: Place) -> bool:
    """Whether a segment that has a name may keep it at that place.

    >>> still("high_value_2", (0.75, 0.9, 0.55)), still("high_value", (0.2, 0.9, 0.9))
    (True, False)
    """
    base, _, number = segment.rpartition("_")
    rule = next(r for r in RULES if r.name == (base if number.isdigit() else segment))
    return all(lo - SLACK <= x <= hi + SLACK for lo, x, hi in zip(rule.least, place, rule.most, strict=True))


def label(segment: str, language: str) -> str:
    """The words for a name, in "en" or "zh".

    >>> label("loyal_2", "en"), label("prospects", "zh")
    ('Loyal 2', '潜在客户')
    """
    base, _, number = segment.rpartition("_")
    known, suffix = (base, f" {number}") if number.isdigit() else (segment, "")
    return _WORDS[known][1 if language == "zh" else 0] + suffix


def scored(r: str, f: str, m: str) -> str:
    """SQL: three scores (1 to 5) -> a name, for where there are too few people to fit a model."""
    return f"""CASE WHEN {r} >= 4 AND {f} >= 4 AND {m} >= 4 THEN 'high_value'
        WHEN {r} >= 3 AND {f} >= 3 THEN 'loyal' WHEN {r} <= 2 AND {f} >= 3 AND {m} >= 3 THEN 'at_risk'
        WHEN {r} <= 2 THEN 'lapsed' WHEN {m} >= 4 THEN 'big_ticket' WHEN {r} >= 4 AND {f} <= 2 THEN 'new'
        ELSE 'occasional' END"""


def _cost(rule: Rule, place: Place) -> float:
    far = sum((x - t) ** 2 for x, t in zip(place, rule.typical, strict=True))
    return far if rule.true(place) else UNTRUE + far
