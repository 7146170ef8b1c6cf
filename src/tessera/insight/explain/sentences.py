"""What each column added to one score -> sentences, in English and Chinese, whose numbers add up as they are shown.

What is typical is the average of the log-odds, which for rare events lies below the average rate. Staff read the number of
each reason. The person herself reads which of her own doings count, which way and how much in a coarse
word: no weight, no limit, no value of anybody else, so the page gives no model away (GDPR recital 63) and still says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, Literal

from tessera.insight.explain.contributions import Explained
from tessera.insight.explain.words import Language, Word, shown, word

TOP = 4
STRONG, PLAIN = 0.3, 0.1
"""Shares of all that moves a score, from which a reason counts "strongly" and plainly; below, "a little"."""

Value = float | str | None
Direction = Literal["raises", "lowers"]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One column's part in one score. points: of 100, or the value's own unit; positive raises. tenths: the same as shown."""

    column: str
    value: Value
    points: float
    tenths: int

    @property
    def direction(self) -> Direction:
        """Which way it moves the score."""
        return "raises" if self.points > 0 else "lowers"


@dataclass(frozen=True, kw_only=True)
class Why:
    """One score and its reasons, the largest first. average_tenths + all tenths + rest_tenths = score_tenths, exactly."""

    score: float
    average: float
    reasons: tuple[Reason, ...]
    rest: float
    average_tenths: int
    rest_tenths: int
    score_tenths: int
    binary: bool


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a score is of, in words: "The risk of leaving" / "流失风险", and to herself "how likely it is that you leave"."""

    en: str
    zh: str
    her_en: str = ""
    her_zh: str = ""


RISK = Subject(en="Risk of leaving", zh="流失风险", her_en="that you may leave us", her_zh="您可能离开我们")
CHANCE = Subject(en="Chance", zh="概率", her_en="this estimate", her_zh="这一估计")


def why(explained: Explained, row: int, values: Sequence[Value], top: int = TOP) -> Why:
    """The reasons of one row: the `top` largest parts, and the rest as one number. A column that adds nothing is no reason."""
    hundred = 100.0 if explained.kind == "binary" else 1.0
    points = explained.points[row] * hundred
    order = sorted((i for i, p in enumerate(points) if p != 0), key=lambda i: (-abs(points[i]), i))[:top]
    rest = float(points.sum() - sum(points[i] for i in order))
    average, score = explained.average * hundred, float(explained.score[row]) * hundred
    tenths, average_tenths, score_tenths = rounded([*(float(points[i]) for i in order), rest], average, score)
    return Why(
        score=float(explained.score[row]),
        average=explained.average,
        reasons=tuple(
            Reason(column=explained.names[i], value=values[i], points=float(points[i]), tenths=t)
            for i, t in zip(order, tenths[:-1], strict=True)
        ),
        rest=rest,
        average_tenths=average_tenths,
        rest_tenths=tenths[-1],
        score_tenths=score_tenths,
        binary=explained.kind == "binary",
    )


def rounded(parts: Sequence[float], average: float, score: float) -> tuple[list[int], int, int]:
    """Parts, average and score in tenths that add up exactly; each part is one of its two nearest tenths, so no sign turns.

    By largest remainders (Hamilton's method). Where the parts cannot take up all of the rounding, the average does.

    >>> rounded([3.26, -1.04, 0.04], 20.04, 22.3)
    ([33, -10, 0], 200, 223)
    """
    scaled = [p * 10 for p in parts]
    tenths = [floor(p) for p in scaled]
    target, start = round(score * 10), round(average * 10)
    missing = target - start - sum(tenths)
    movable = sorted((i for i, p in enumerate(scaled) if p != tenths[i]), key=lambda i: (tenths[i] - scaled[i], i))
    given = movable[: max(min(missing, len(movable)), 0)]
    for i in given:
        tenths[i] += 1
    return tenths, start + missing - len(given), target


def sentences(
    told: Why, language: Language, *, known: Mapping[str, Word] | None = None, subject: Subject = CHANCE,
    labels: Mapping[tuple[str, str], str] | None = None,
) -> list[str]:  # fmt: skip
    """For staff: the score and the average, then a sentence per reason, then the rest.

    known: words of columns. labels: (column, value) -> what a value is called.
    """
    known, labels, zh = known or {}, labels or {}, language == "zh"
    unit = (" 个百分点" if zh else " points") if told.binary else ""
    mark = " %" if told.binary else ""
    head = subject.zh if zh else subject.en
    where = ("典型情况" if zh else "a typical one has") if told.binary else ("平均" if zh else "the average is")
    start = f"{_tenths(told.average_tenths)}{mark}"
    said = [
        f"{head}：{_tenths(told.score_tenths)}{mark}，{where}为 {start}。"
        if zh
        else f"{head}: {_tenths(told.score_tenths)}{mark}, where {where} {start}."
    ]
    for reason in told.reasons:
        name = word(reason.column, known)
        value = labels.get((reason.column, str(reason.value)), shown(reason.value, name.unit, language))
        amount = f"{_signed(reason.tenths, reason.points)}{unit}"
        if zh:
            verb = "提高" if reason.direction == "raises" else "降低"
            said.append(f"{name.zh}为 {value}，{verb}了它：{amount}。")
        else:
            said.append(f"{_capital(name.en)} is {value}, which {reason.direction} it: {amount}.")
    if told.rest or told.rest_tenths:
        amount = f"{_signed(told.rest_tenths, told.rest)}{unit}"
        said.append(f"其余因素合计：{amount}。" if zh else f"All else together: {amount}.")
    return said


def hers(
    told: Why, language: Language, *, known: Mapping[str, Word] | None = None, subject: Subject = RISK,
    tells: Callable[[str], bool] = lambda _: True,
) -> list[str]:  # fmt: skip
    """For the person herself: which of her doings count, which way, and in a coarse word how much; no number at all.

    tells: which columns may be named to her. What is not named is counted neither.
    """
    known, zh = known or {}, language == "zh"
    told_all = sum(abs(r.points) for r in told.reasons) + abs(told.rest) or 1.0
    head = subject.her_zh or subject.zh if zh else subject.her_en or subject.en
    said = []
    for reason in (r for r in told.reasons if tells(r.column)):
        name = word(reason.column, known).to(language, her=True)
        share = abs(reason.points) / told_all
        if zh:
            much = "明显" if share >= STRONG else "" if share >= PLAIN else "略微"
            said.append(f"{name}：{much}{'增加' if reason.direction == 'raises' else '减少'}了{head}的可能性。")
        else:
            much = "strongly" if share >= STRONG else "clearly" if share >= PLAIN else "a little"
            said.append(f"{_capital(name)} {much} {reason.direction} our estimate {head}.")
    return said


def written(told: Why) -> dict[str, Any]:
    """As a JSON document."""
    return {
        "score": told.score,
        "average": told.average,
        "reasons": [
            {"column": r.column, "value": r.value, "direction": r.direction, "points": r.points, "shown": r.tenths / 10}
            for r in told.reasons
        ],
        "rest": told.rest,
    }


def _tenths(number: int) -> str:
    return f"{number / 10:.1f}"


def _signed(number: int, exact: float) -> str:
    """With the sign of the exact number, so that a small one that is shown as 0.0 has its own."""
    return f"{'-' if (number or exact) < 0 else '+'}{abs(number) / 10:.1f}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
