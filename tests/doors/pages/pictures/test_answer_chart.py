"""An answer as a picture: what is picked, what is drawn, and what is said of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from tessera.doors.pages.pictures.answer_chart import MOST, Chart, Choice, choice, draw, kinds, ticks


def drawn(chosen: Choice, rows: list[dict[str, Any]]) -> Chart | None:
    return draw(
        chosen, rows, title="n by x", number=lambda v: f"{v:g}", day=lambda d: d.strftime("%d.%m."), others="Others",
        none="None",
    )  # fmt: skip


def test_a_column_is_what_its_type_says() -> None:
    types = {"a": pa.int64(), "b": pa.timestamp("us", "UTC"), "c": pa.string(), "d": pa.decimal128(9, 2), "e": pa.bool_()}
    schema = pa.schema(types)
    assert kinds(schema) == {"a": "number", "b": "time", "c": "text", "d": "number", "e": "text"}


@pytest.mark.parametrize(
    ("columns", "asked", "picked"),
    [
        ({"day": "time", "n": "number"}, (), Choice("line", "day", "n")),
        ({"n": "number", "country": "text"}, (), Choice("bar", "country", "n")),
        ({"person_id": "number", "a": "number", "b": "number"}, (), Choice("scatter", "a", "b")),
        ({"day": "time", "n": "number"}, ("bar",), Choice("bar", "day", "n")),
        ({"day": "time", "n": "number", "c": "text"}, ("", "c", "n"), Choice("bar", "c", "n")),
        ({"a": "number", "c": "text", "b": "number"}, ("bar", "c", "b"), Choice("bar", "c", "b")),
        ({"c": "text", "n": "number"}, ("scatter", "c", "n"), None),
        ({"c": "text"}, (), None),
        ({"n": "number"}, (), None),
    ],
)
def test_the_picture_fits_the_columns(columns: Any, asked: tuple[str, ...], picked: Choice | None) -> None:
    assert choice(columns, *asked) == picked


def test_bars_begin_at_zero_and_each_says_its_number() -> None:
    made = drawn(Choice("bar", "x", "n"), [{"x": "a", "n": 10}, {"x": "b", "n": 5}, {"x": None, "n": 1}, {"x": "c", "n": None}])
    assert made is not None and (made.n, made.left_out, made.others) == (3, 1, 0)
    widths = [float(w) for w in re.findall(r'<rect class="f-lapis"[^>]* width="([\d.]+)"', made.svg)]
    assert widths[0] == pytest.approx(2 * widths[1]) and widths[0] == pytest.approx(10 * widths[2])
    assert "None" in made.svg and 'aria-label="n by x"' in made.svg


def test_many_categories_end_in_one_that_says_so() -> None:
    rows = [{"x": f"c{i}", "n": 2} for i in range(MOST + 10)]
    made = drawn(Choice("bar", "x", "n"), rows)
    assert made is not None and made.others == 11
    assert made.svg.count("<rect") == MOST and ">Others<" in made.svg and ">22<" in made.svg


def test_a_line_stands_in_the_order_of_time_and_on_zero() -> None:
    rows = [{"x": date(2026, 1, d), "n": n} for d, n in ((3, 30), (1, 10), (2, 20))]
    made = drawn(Choice("line", "x", "n"), rows)
    assert made is not None
    points = [tuple(map(float, p.split(","))) for p in re.search(r'points="([^"]+)"', made.svg)[1].split()]  # type: ignore[index]
    assert points == sorted(points) and points[0][1] > points[1][1] > points[2][1]
    assert ">0<" in made.svg and ">01.01.<" in made.svg


def test_rows_of_one_moment_are_dots_and_no_line() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    made = drawn(Choice("line", "x", "n"), [{"x": at, "n": 1}, {"x": at, "n": 2}])
    assert made is not None and "<polyline" not in made.svg and made.svg.count("<circle") == 2


def test_what_people_wrote_is_no_markup() -> None:
    made = drawn(Choice("bar", "x", "n"), [{"x": "<script>", "n": 1}])
    assert made is not None and "<script>" not in made.svg and "&lt;script&gt;" in made.svg


def test_nothing_is_drawn_of_nothing() -> None:
    assert drawn(Choice("bar", "x", "n"), [{"x": "a", "n": None}, {"x": "b", "n": float("nan")}]) is None


@pytest.mark.parametrize(("low", "high"), [(0, 0), (5, 5), (-1, 1), (0, 1e9), (0.001, 0.002), (-70, -3)])
def test_ticks_are_round_and_reach_over_both_ends(low: float, high: float) -> None:
    made = ticks(low, high)
    assert made[0] <= low and made[-1] >= high and 2 <= len(made) <= 9
