"""What the columns of a model of upkeep are called, and why a unit has the remaining life that it has, in both languages."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tessera.insight.explain.contributions import of_parts
from tessera.insight.explain.sentences import Subject, sentences, why
from tessera.insight.explain.words import Word, word
from tessera.insight.trees import Numbers
from tessera.insight.upkeep.failing import Failing
from tessera.insight.upkeep.remaining import Remaining

LEFT = Subject(en="Remaining life", zh="剩余寿命：")
_PARTS = {
    "level": ("the recent level of {}", "{}的近期水平"),
    "mean": ("the mean of {} over the last readings", "{}近一段时间的均值"),
    "drift": ("the drift of {} from its own start", "{}相对自身初始值的漂移"),
}
_SENSORS = {
    "temperature": "温度", "vibration": "振动", "battery": "电量", "power": "功率", "pressure": "压力", "speed": "转速",
    "torque": "扭矩", "current": "电流", "voltage": "电压", "humidity": "湿度",
}  # fmt: skip


def words(columns: Iterable[str]) -> dict[str, Word]:
    """The words of a model's columns: "drift:temperature" is "the drift of temperature from its own start".

    >>> words(["drift:temperature"])["drift:temperature"].zh
    '温度相对自身初始值的漂移'
    """
    told = {}
    for column in columns:
        what, _, sensor = column.partition(":")
        if sensor and what in _PARTS:
            plain = word(sensor, {})
            en, zh = _PARTS[what]
            told[column] = Word(en=en.format(sensor), zh=zh.format(_SENSORS.get(sensor.lower(), plain.zh)))
        elif column == "cycle":
            told[column] = Word(en="its age", zh="已运行时间")
    return told


def paired(model: Failing) -> dict[str, Word]:
    """The words of the columns that were made of two: "torque x speed" is "torque nm x rotational speed rpm"."""
    told = {}
    for made in model.made:
        a, b = (word(model.columns[i], {}) for i in made.of)
        sign = {"product": "×", "difference": "−", "ratio": "÷"}[made.how]
        told[made.name] = Word(en=f"{a.en} {sign} {b.en}", zh=f"{a.zh} {sign} {b.zh}")
    return told


def reasons(model: Remaining, x: Numbers, said: Numbers) -> list[dict[str, list[str]]]:
    """For each row the reasons of its remaining life, the largest first: {"en": [...], "zh": [...]}.

    said: what `score` gave. Contributions add up to the mean of the trees; where that was cut at 0 or the cap, they are scaled
    to what is said, so that the numbers of a sentence add up to the number beside it.
    """
    parts = model.contributions(x)
    moved = parts[:, :-1].sum(axis=1)
    wanted = np.asarray(said) - parts[:, -1]
    # A cut never turns the sign of the whole; where it would, the reasons stay as they were found.
    scale = np.where((np.abs(moved) > 1e-9) & (wanted * moved > 0), wanted / np.where(moved == 0, 1, moved), 1.0)
    parts[:, :-1] *= scale[:, None]
    told = of_parts("regression", model.names, parts)
    known = words(model.names)
    made = []
    for row in range(len(x)):
        reason = why(told, row, [None if np.isnan(v) else float(v) for v in x[row]], top=3)
        made.append({"en": sentences(reason, "en", known=known, subject=LEFT),
                     "zh": sentences(reason, "zh", known=known, subject=LEFT)})  # fmt: skip
    return made
