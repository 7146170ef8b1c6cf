"""The pictures of insight as strings: every figure has a sentence, nothing is inline, widths are those of the numbers."""

from __future__ import annotations

import re
from datetime import date

import pytest
from markupsafe import Markup

from tessera.doors.pages.pictures import marks
from tessera.doors.pages.pictures.calibration import Bin, calibration
from tessera.doors.pages.pictures.flow import Band, Node, flow
from tessera.doors.pages.pictures.heat import Cell, heat
from tessera.doors.pages.pictures.marks import bar, steps
from tessera.doors.pages.pictures.spans import Span, spans
from tessera.doors.pages.pictures.trend import spark, trend


def drawn() -> dict[str, Markup]:
    nine, few = Cell(share=1.0, said="9", below="€3", sentence="nine <b>"), Cell(share=None, said="·", sentence="few")
    went = Band(was="a", now="b", people=40, sentence="40 went")
    bands = [went, Band(was="a", now="a", people=60, sentence="60 stayed", stays=True)]
    then, now = [Node(key="a", name="A", said="100")], [Node(key="a", name="A", said="60"), Node(key="b", name="B", said="40")]
    points = [(date(2026, 1, 1), 5), (date(2026, 2, 1), 9)]
    return {
        "heat": heat({(0, 0): nine, (0, 1): few}, ["row <1>"], ["one", "two"], "a grid"),
        "flow": flow(then, now, bands, "moves", "then", "now"),
        "trend": trend(points, "size", str, str),
        "spans": spans([Span(name="mail", chosen=5, others=[3, 8], sentence="3 to 8", low=4, high=6)], "credits", str),
        "calibration": calibration([Bin(said=0.2, came=0.25, people=80, sentence="said 20")], "plot", "said", "came", str),
    }  # fmt: skip


@pytest.mark.parametrize("name", drawn())
def test_a_picture_names_itself_and_has_neither_style_nor_script(name: str) -> None:
    text = str(drawn()[name])
    assert re.match(r'<svg class="pic[^"]*" viewBox="0 0 [\d.]+ [\d.]+"', text) and 'role="img"' in text
    assert re.search(r'aria-label="[^"]+"', text)
    assert not re.search(r"\sstyle=|<script|\son\w+=|<b>|<1>", text)


def test_what_is_hidden_has_no_figure_and_says_so() -> None:
    text = str(drawn()["heat"])
    assert "<title>few</title>" in text and "<title>nine &lt;b&gt;</title>" in text and "row &lt;1&gt;" in text


def test_who_moved_is_drawn_above_who_stayed_and_as_high_as_they_are_many() -> None:
    text = str(drawn()["flow"])
    assert text.index("60 stayed") < text.index("40 went")
    heights = sorted(float(h) for h in re.findall(r'<rect [^>]*height="([\d.]+)"', text))
    assert heights == [112.0, 168.0, 280.0]


def test_bars_begin_at_zero_and_end_at_the_longest() -> None:
    assert 'width="25"' in str(bar(0.25)) and 'width="0"' in str(bar(-1)) and 'width="100"' in str(bar(7))


def test_axes_end_at_round_numbers_above_all_values() -> None:
    for top in (0.07, 1, 3, 99, 100, 101, 12_345):
        found = steps(top)
        assert found[0] == 0 and found[-1] >= top and 2 <= len(found) <= 8


def test_one_point_is_no_trend() -> None:
    assert spark([(date(2026, 1, 1), 5)]) == marks.NOTHING


def test_the_spread_of_few_people_is_wide_and_stays_within_zero_and_one() -> None:
    few, many = (Bin(said=0.5, came=0.5, people=n, sentence="").spread for n in (10, 1000))
    assert few[1] - few[0] > 0.5 > 0.1 > many[1] - many[0]
    low, high = Bin(said=0, came=0, people=10, sentence="").spread
    assert low == 0 and 0 < high < 0.4
