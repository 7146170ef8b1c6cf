"""A decision in plain words, in both languages: what was shown, why, and why not something else."""

from __future__ import annotations

from tessera.action.decide import Decision, Dropped, Scored
from tessera.decision_points import FALLBACK

BY = {
    "en": {
        "learned": "it promised most of what was left, as outcomes so far let one expect.",
        "explored": "it was drawn among what was left, so that something is learned of each.",
        "control": "this person is in the control group, which always gets the fallback.",
        "nothing_left": "nothing else could be shown, so the fallback is.",
        "no_consent": "the purpose {purpose} may not use this person's data, so nothing was looked at.",
    },
    "zh": {
        "learned": "根据迄今的结果，它在可选项中最有希望。",
        "explored": "在可选项中随机抽取，以便了解每一项的效果。",
        "control": "此人属于对照组，对照组始终显示默认内容。",
        "nothing_left": "没有其他可显示的内容，因此显示默认内容。",
        "no_consent": "目的“{purpose}”不得使用此人的数据，因此未查看任何数据。",
    },
}
WHY = {
    "en": {
        "rule": "its rule is not met: {said}", "unknown": "its rule asks for what is not known: {said}",
        "cap": "it was shown {said} times, which is as often as it may be", "stock": "it is sold out",
        "no_product": "there is no product to recommend yet",
    },
    "zh": {
        "rule": "不满足其规则：{said}", "unknown": "其规则所需的信息未知：{said}", "cap": "已显示 {said} 次，达到上限",
        "stock": "已售罄", "no_product": "尚无可推荐的产品",
    },
}  # fmt: skip
SCORED = {
    "en": "{expected:.1%} expected, from {outcomes} of {trials} here; drawn {score:.1%}",
    "zh": "预期 {expected:.1%}（此情形下 {trials} 次中有 {outcomes} 次）；抽得 {score:.1%}",
}
FELL = {"en": "fallback", "zh": "默认内容"}


def chosen(decision: Decision, purpose: str, language: str = "en") -> str:
    """Why it was chosen."""
    return BY[language][decision.by].format(purpose=purpose)


def named(candidate: str, product: str, language: str = "en") -> str:
    """A candidate with its product."""
    return FELL[language] if candidate == FALLBACK else f"{candidate} ({product})" if product else candidate


def dropped(one: Dropped, language: str = "en") -> str:
    """Why a candidate could not be shown."""
    return WHY[language][one.why].format(said=one.said)


def scored(one: Scored, language: str = "en") -> str:
    """What was expected of a candidate."""
    return SCORED[language].format(expected=one.expected, outcomes=one.outcomes, trials=one.trials, score=one.score)
