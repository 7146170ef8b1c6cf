"""Pictures of the trust pages as text: every number stands in them, nothing is wider than its frame, text is made safe."""

from __future__ import annotations

import re
from datetime import date, timedelta

from tessera.doors.pages.pictures.days import Day, days
from tessera.doors.pages.pictures.rates import Rate, beside, course

FIRST = date(2026, 11, 1)


def day(number: int, allowed: int, refused: int = 0) -> Day:
    at = FIRST + timedelta(days=number)
    return Day(day=at, allowed=allowed, refused=refused, sentence=f"{at}: {allowed}, {refused}")


def rate(name: str, share: float, sure: bool = True) -> Rate:
    return Rate(name=name, rate=share, low=share - 5, high=share + 5, sentence=f"{name}: {share}", sure=sure)


def whole(value: float) -> str:
    return f"{value:.0f}"


def test_a_day_has_a_column_for_what_was_allowed_and_what_was_refused_is_seen_beside_any_number() -> None:
    drawn = str(days([day(0, 1000, 1), day(1, 0), day(2, 500)], "Uses <a day>", whole, str))
    assert "Uses &lt;a day&gt;" in drawn and drawn.count("<title>") == 3
    (refused,) = re.findall(r'height="([\d.]+)" class="f-terra"', drawn)
    assert float(refused) == 2.5
    assert drawn.count('class="f-verd"') == 3 and "style=" not in drawn
    assert "2026-11-01" in drawn and "2026-11-03" in drawn


def test_days_without_a_use_have_an_axis_all_the_same() -> None:
    assert ">0</text>" in str(days([day(0, 0)], "x", whole, str))


def test_a_month_of_too_few_people_leaves_a_gap_and_says_so() -> None:
    drawn = str(course([rate("Jan", 50), rate("Feb", 0, sure=False), rate("Mar", 60)], "x", lambda s: f"{s:.0%}", [2]))
    (line,) = re.findall(r'polyline points="([^"]*)"', drawn)
    assert len(line.split()) == 2 and drawn.count("<title>") == 3 and "Feb: 0" in drawn
    assert ">60%</text>" in drawn and 'class="goal"' in drawn


def test_wordings_stand_one_below_the_other_with_their_interval() -> None:
    drawn = str(beside([rate("2026-01", 40), rate("2026-02", 60)], "x", lambda s: f"{s:.0%}"))
    assert drawn.count("<circle") == 2 and drawn.count('fill-opacity="0.2"') == 2 and "2026-02: 60" in drawn
