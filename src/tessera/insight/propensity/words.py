"""A row of PROPENSITY -> its reasons in words: for staff with numbers, for the customer herself without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tessera.insight.churn import words
from tessera.insight.explain.sentences import Subject
from tessera.insight.explain.words import Language
from tessera.insight.propensity.goals import ALL_WORDS


def subject(told: Mapping[str, Any]) -> Subject:
    """What a goal's score is of. told: the goal's settings; en, zh: its words."""
    en, zh = told["en"], told["zh"]
    return Subject(en=f"Chance of {en}", zh=f"{zh}的概率", her_en=f"of {en}", her_zh=zh)


def told(row: Mapping[str, Any], language: Language, goal: Mapping[str, Any], *, customer: bool = False) -> list[str]:
    """The sentences about one person and one goal. customer: as she may read them: no weights, no limits, nothing of others."""
    return words.told(row, language, customer=customer, known=ALL_WORDS, subject=subject(goal))
