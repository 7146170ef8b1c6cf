"""insight/attribution/paths.py: text to touches, and what is left out of odd input, counted by its reason."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tessera.errors import BadInput
from tessera.insight.attribution import paths
from tessera.insight.attribution.paths import Paths, encode

Row = tuple[str | None, float | None, float | None, float | None]


def encoded(*rows: Row, separator: str = ">") -> Paths:
    """Rows of path, conversions, value, null, in batches of two."""
    columns = ("path", "conversions", "value", "unconverted")
    types = [pa.string(), *[pa.float64()] * 3]
    batches = [
        pa.RecordBatch.from_arrays([pa.array(c, t) for c, t in zip(zip(*two, strict=True), types, strict=True)], columns)
        for two in (rows[i : i + 2] for i in range(0, len(rows), 2))
    ]
    return encode(batches, separator=separator)


def walked(made: Paths) -> list[list[str]]:
    """Each path, as names."""
    return [[made.channels[c] for c in made.touches[a:b]] for a, b in zip(made.starts, made.starts[1:], strict=False)]


def test_paths_keep_their_order_and_their_touches_over_batches() -> None:
    made = encoded(("b > a", 1, 2, 3), ("c", 0, 0, 1), ("a > b > b", 2, 5, 0))
    assert walked(made) == [["b", "a"], ["c"], ["a", "b", "b"]]
    assert made.channels == ("a", "b", "c")
    assert made.conversions.tolist() == [[1], [0], [2]] and made.null.tolist() == [3, 1, 0]
    assert made.left_out == {}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((None, 1, 1, 1), paths.NO_TOUCH),
        ((" > ", 1, 1, 1), paths.NO_TOUCH),
        (("a", 0, 0, 0), paths.NO_COUNT),
        (("a", -1, 0, 5), paths.NEGATIVE),
        (("a", 1, -2, 5), paths.NEGATIVE),
        (("a", None, 0, 5), paths.NEGATIVE),
        (("a", float("inf"), 0, 5), paths.NEGATIVE),
        (("a", 0, 7, 5), paths.VALUE_ALONE),
    ],
)
def test_a_row_that_says_nothing_is_left_out_and_counted(row: Row, reason: str) -> None:
    made = encoded(("x > y", 1, 1, 1), row)
    assert walked(made) == [["x", "y"]] and made.left_out == {reason: 1}


def test_an_empty_touch_is_passed_over_and_counted() -> None:
    made = encoded(("a >  > b >", 1, 1, 1), ("c", 1, 1, 1))
    assert walked(made) == [["a", "b"], ["c"]] and made.left_out == {paths.EMPTY: 2}


def test_names_are_one_however_they_are_spaced_or_composed() -> None:
    made = encoded(("cafe\u0301>邮件", 1, 1, 1), (" caf\u00e9 \u3000> 邮件", 1, 1, 1))
    assert made.channels == ("caf\u00e9", "邮件") and walked(made)[0] == walked(made)[1]


def test_another_separator_splits_and_the_usual_one_does_not() -> None:
    assert walked(encoded(("a>b | c", 1, 1, 1), separator="|")) == [["a>b", "c"]]


def test_of_a_very_long_path_the_last_touches_count() -> None:
    made = encoded((" > ".join(["old", *["new"] * paths.MOST_TOUCHES]), 1, 1, 1), ("old", 1, 1, 1))
    assert walked(made)[0] == ["new"] * paths.MOST_TOUCHES and made.left_out == {paths.LONG: 1}


def test_more_names_than_any_company_has_channels_are_refused() -> None:
    rows: list[Row] = [(f"c{i}", 1, 1, 1) for i in range(paths.MOST_CHANNELS + 1)]
    with pytest.raises(BadInput, match=r"more than 2,000 channels.*check the separator"):
        encoded(*rows)


def test_nothing_to_attribute_says_what_was_left_out() -> None:
    with pytest.raises(BadInput, match="1 paths without a touch"):
        encoded(("", 1, 1, 1))
    with pytest.raises(BadInput, match="there is no row"):
        encode([])
