"""A row of CHURN (or PROPENSITY) -> its reasons in words: for staff with numbers, for the customer herself without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tessera.insight.churn.history import WORDS
from tessera.insight.explain.sentences import RISK, Reason, Subject, Why, hers, rounded, sentences
from tessera.insight.explain.words import Language, Word

REASONS = 4


def why(row: Mapping[str, Any]) -> Why:
    """The reasons that a row keeps; typical + points + rest is its probability."""
    kept = [(row[f"reason_{i}"], row[f"value_{i}"], row[f"points_{i}"] * 100) for i in range(1, REASONS + 1)]
    kept = [k for k in kept if k[2] != 0]
    rest = float(row["rest"]) * 100
    tenths, average, score = rounded([*(p for *_, p in kept), rest], row["typical"] * 100, row["probability"] * 100)
    return Why(
        score=row["probability"],
        average=row["typical"],
        reasons=tuple(Reason(column=c, value=v, points=p, tenths=t) for (c, v, p), t in zip(kept, tenths[:-1], strict=True)),
        rest=rest,
        average_tenths=average,
        rest_tenths=tenths[-1],
        score_tenths=score,
        binary=True,
    )


def told(
    row: Mapping[str, Any], language: Language, *, customer: bool = False, known: Mapping[str, Word] = WORDS,
    subject: Subject = RISK,
) -> list[str]:  # fmt: skip
    """The sentences about one person. customer: as she may read them: no weights, no limits, nothing of others. known: words of
    all features. subject: what the score is of."""
    found = why(row)
    if not customer:
        return sentences(found, language, known=known, subject=subject)
    # Two features may have one word for her; she is told it once, with what both of them come to.
    return hers(_joined(found, known), language, known=known, subject=subject, tells=known.__contains__)


def _joined(found: Why, words: Mapping[str, Word]) -> Why:
    """Reasons that are the same to her become one, the largest first; one that comes to nothing is none."""
    sums: dict[str, Reason] = {}
    for r in found.reasons:
        word = words[r.column].her_en if r.column in words else r.column
        known = sums.get(word)
        points = r.points + (known.points if known else 0.0)
        sums[word] = Reason(column=(known or r).column, value=None, points=points, tenths=0)
    kept = sorted((r for r in sums.values() if r.points != 0), key=lambda r: -abs(r.points))
    return replace(found, reasons=tuple(kept))
