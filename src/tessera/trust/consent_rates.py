"""Who says yes: consent rates by wording, source, language or month as SQL, and two wordings compared.

A rate is a share of the people who answered, with its 95 % interval (Wilson 1927). Two wordings are compared by the
first answer of each person who saw either, so that nobody counts twice; the interval of the difference is Newcombe's
(1998, method 10). An interval that holds zero tells that these answers do not show a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, sqrt

from tessera.lake.engine import literal

Z = 1.959963984540054
"""Of the normal distribution, 95 % lie within so many standard deviations."""

POWER_Z = 0.8416212335729143
"""The same for a chance of 80 % to see what is there."""

GROUPS = {
    "purpose": "'all'",
    "wording": "coalesce(wording, 'unknown')",
    "source": "source",
    "language": "coalesce(language, 'unknown')",
    "month": "strftime(occurred_at, '%Y-%m')",
}
"""By what rates are told, and its SQL over `consents`."""

MOST_NEEDED = 1_000_000
"""A difference that more people than these are needed to see is told as none that anybody can test."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """given of answered people, as a rate in percent with its 95 % interval; no rate of nobody."""

    answered: int
    given: int

    @property
    def rate(self) -> float | None:
        """Percent."""
        return 100 * self.given / self.answered if self.answered else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Percent."""
        found = wilson(self.given, self.answered) if self.answered else None
        return (100 * found[0], 100 * found[1]) if found else None


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two wordings: their shares, and how many points (percent) more said yes to the second, with its 95 % interval.

    needed: how many people a wording would have to be shown to, to see a difference of this size in 4 of 5 trials; None
    where nobody can: more than MOST_NEEDED, or no difference at all.
    """

    first: Share
    second: Share
    points: float
    low: float
    high: float
    needed: int | None

    @property
    def shows(self) -> bool:
        """Whether the answers show a difference."""
        return self.low > 0 or self.high < 0


def rates(by: str, acts: Mapping[str, bool]) -> str:
    """SQL over `consents`, as it is presented: purpose, grp, people (asked or answered), answered, given.

    by: a key of GROUPS. acts: by source, whether each of its rows is an act. Of a person's choices in a group the latest
    counts, of two of one moment the strictest; as in `consent.mask`, what a source of states merely repeats is no choice. A
    yes that has run out since was a yes.
    """
    states = ", ".join(literal(source) for source, act in sorted(acts.items()) if not act) or "''"
    columns = "person_id, purpose, state, wording, source, language, occurred_at"
    asked = "CASE WHEN state = 'requested' THEN 1 END"
    before = f"lag(state) OVER (PARTITION BY person_id, purpose, source, {asked} ORDER BY occurred_at, state)"
    choices = f"""(SELECT {columns} FROM (SELECT {columns}, {before} AS before FROM consents) AS told
        WHERE source NOT IN ({states}) OR before IS NULL OR state <> before)"""
    return f"""SELECT purpose, grp, count(DISTINCT person_id) AS people,
        count(CASE WHEN place = 1 AND state <> 'requested' THEN 1 END) AS answered,
        count(CASE WHEN place = 1 AND state = 'given' THEN 1 END) AS given
        FROM (SELECT person_id, purpose, state, {GROUPS[by]} AS grp, row_number() OVER (
                  PARTITION BY person_id, purpose, {GROUPS[by]}, CASE WHEN state = 'requested' THEN 1 ELSE 0 END
                  ORDER BY occurred_at DESC, state DESC) AS place FROM {choices} AS chosen) AS told
        GROUP BY purpose, grp ORDER BY purpose, grp"""


def firsts(purpose: str, wordings: tuple[str, str]) -> str:
    """SQL over `consents`, as it is presented: wording, answered, given; of each person her first answer to either."""
    either = ", ".join(literal(w) for w in wordings)
    return f"""SELECT wording, count(*) AS answered, count(CASE WHEN state = 'given' THEN 1 END) AS given
        FROM (SELECT wording, state, row_number() OVER (PARTITION BY person_id ORDER BY occurred_at, state DESC) AS place
              FROM consents WHERE purpose = {literal(purpose)} AND wording IN ({either}) AND state <> 'requested') AS told
        WHERE place = 1 GROUP BY wording"""


def wordings() -> str:
    """SQL over `consents`, as it is presented: purpose, wording, language, since, last, answers: when each version of the words
    was answered first and last, in which language; answers under an unknown one are left out."""
    return """SELECT purpose, wording, coalesce(language, '') AS language, min(occurred_at) AS since, max(occurred_at) AS last,
        count(*) AS answers FROM consents WHERE wording IS NOT NULL AND state <> 'requested'
        GROUP BY purpose, wording, coalesce(language, '') ORDER BY purpose, since, wording, language"""


def ends(now: str) -> str:
    """SQL over `consents`, as it is presented: purpose, people, first: of how many a yes ends by a moment that came with it,
    and when the first of them does. now: ISO 8601."""
    return f"""SELECT purpose, count(DISTINCT person_id) AS people, min(until) AS first FROM consents
        WHERE state = 'given' AND until > TIMESTAMPTZ {literal(now)} GROUP BY purpose ORDER BY purpose"""


def wilson(given: int, answered: int) -> tuple[float, float]:
    """The 95 % interval of a share, both ends in 0..1. answered: at least 1."""
    share, spread = given / answered, Z * Z / answered
    middle = share + spread / 2
    half = Z * sqrt((share * (1 - share) + spread / 4) / answered)
    low, high = (middle - half) / (1 + spread), (middle + half) / (1 + spread)
    return (0.0 if given == 0 else max(0.0, low)), (1.0 if given == answered else min(1.0, high))


def compared(first: Share, second: Share) -> Compared:
    """The difference of two shares, each of at least one person."""
    a, b = first.given / first.answered, second.given / second.answered
    (a_low, a_high), (b_low, b_high) = wilson(first.given, first.answered), wilson(second.given, second.answered)
    points = b - a
    low = points - sqrt((b - b_low) ** 2 + (a_high - a) ** 2)
    high = points + sqrt((b_high - b) ** 2 + (a - a_low) ** 2)
    spread = a * (1 - a) + b * (1 - b)
    needed = ceil((Z + POWER_Z) ** 2 * spread / points**2) if points and spread else MOST_NEEDED + 1
    return Compared(
        first=first, second=second, points=100 * points, low=100 * low, high=100 * high,
        needed=needed if needed <= MOST_NEEDED else None,
    )  # fmt: skip
