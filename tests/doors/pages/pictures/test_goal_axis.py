"""A share against its goal."""

from __future__ import annotations

import re

from tessera.doors.pages.pictures.goal_axis import axis, dot, history


def x(svg: str) -> float:
    found = re.search(r'<circle class="[\w-]+" cx="([\d.]+)"', svg)
    assert found
    return float(found[1])


def test_a_dot_stands_between_80_and_100_with_the_goal_marked() -> None:
    assert x(dot(80, 95, "")) < x(dot(90, 95, "")) < x(dot(100, 95, ""))
    assert "f-terra" in dot(94.9, 95, "") and "f-verd" in dot(95, 95, "") and "goalmark" in dot(95, 95, "")


def test_what_lies_below_the_axis_is_an_arrow_and_what_was_not_measured_is_nothing() -> None:
    assert "<path" in dot(12, 95, "") and "<circle" not in dot(12, 95, "")
    assert "<path" not in dot(None, 95, "") and "<circle" not in dot(None, 95, "")


def test_the_axis_prints_its_ends_and_the_goal() -> None:
    assert re.findall(r">([\d.]+)</text>", axis(97.5)) == ["80", "97.5", "100"]


def test_history_shows_each_measurement_and_reaches_as_low_as_it_went() -> None:
    svg = history([("1 Jan", 61.0), ("2 Jan", 96.0)], 95, "2 measurements", "goal 95%")
    assert svg.count("<circle") == 2 and ">60%<" in svg and "<polyline" in svg and "1 Jan: 61.0%" in svg
    assert "<polyline" not in history([("1 Jan", 96.0)], 95, "", "")
    assert "<circle" not in history([], 95, "", "")
