"""Why a product is recommended, in the customer's words: English and Chinese."""

from __future__ import annotations

from typing import Literal

Language = Literal["en", "zh"]
Kind = Literal["repurchase", "discovery", "popular"]

LANGUAGES: tuple[Language, ...] = ("en", "zh")

_SAID = {
    "en": {
        "every": "You bought it {times} times, usually every {every}; the last time {since} ago.",
        "often": "You bought it {times} times; the last time {since} ago.",
        "once": "You bought it {since} ago.",
        "with": "Bought with {other}, which you have.",
        "group": "Popular now with people like you.",
        "popular": "Popular now.",
        "alike": "People who buy as you do choose it.",
    },
    "zh": {
        "every": "您买过 {times} 次，通常每 {every}一次；上次在 {since}前。",
        "often": "您买过 {times} 次；上次在 {since}前。",
        "once": "您在 {since}前买过。",
        "with": "购买过您已有的 {other} 的人也买它。",
        "group": "最近受与您相似的顾客欢迎。",
        "popular": "最近很受欢迎。",
        "alike": "与您购买习惯相似的人会选它。",
    },
}


def because(
    kind: Kind, language: Language, *, times: int = 0, every: float | None = None, since: float | None = None, other: str = "",
    grouped: bool = False,
) -> str:  # fmt: skip
    """One sentence. times: in how many baskets she had it; every, since: days; other: an item of hers that speaks for it.

    >>> because("repurchase", "en", times=4, every=30.2, since=28.0)
    'You bought it 4 times, usually every 30 days; the last time 28 days ago.'
    >>> because("discovery", "zh", other="LAMP")
    '购买过您已有的 LAMP 的人也买它。'
    """
    said = _SAID[language]
    if kind == "popular":
        return said["group" if grouped else "popular"]
    if kind == "discovery":
        return said["with"].format(other=other) if other else said["alike"]
    ago = _days(since or 0.0, language)
    if times > 1 and every is not None and every >= 1:
        return said["every"].format(times=times, every=_days(every, language), since=ago)
    return said["often"].format(times=times, since=ago) if times > 1 else said["once"].format(since=ago)


def _days(days: float, language: Language) -> str:
    many = max(1, round(days))
    if language == "zh":
        return f"{many} 天"
    return f"{many} day{'' if many == 1 else 's'}"
