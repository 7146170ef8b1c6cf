"""An answer as a picture: bars by category, a line over time, or dots of two numbers; picked by the columns' types."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import pyarrow as pa
from markupsafe import Markup

Kind = Literal["number", "time", "text"]
Form = Literal["bar", "line", "scatter"]
FORMS: tuple[Form, ...] = ("bar", "line", "scatter")
MOST = 60
"""Categories that are drawn; the rest stand together as one."""
DOTS = 1_000
WIDE, LEFT, RIGHT, ROW = 760, 168, 92, 24
TALL, FOOT, SIDE = 280, 34, 78
Say = Callable[[float], str]
Day = Callable[[date | datetime], str]


@dataclass(frozen=True)
class Choice:
    """How an answer is drawn: the form, what stands along, what is measured."""

    form: Form
    x: str
    y: str

    def __str__(self) -> str:
        return f"{self.form}/{self.x}/{self.y}"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture. n: rows that it shows. left_out: rows without a value. others: categories that stand together as one."""

    choice: Choice
    svg: Markup
    n: int
    left_out: int = 0
    others: int = 0


def kinds(schema: pa.Schema) -> dict[str, Kind]:
    """What each column of an answer is to a picture."""
    return {f.name: _kind(f.type) for f in schema}


def choice(columns: dict[str, Kind], form: str = "", x: str = "", y: str = "") -> Choice | None:
    """What fits the columns best, with what was asked for where it fits; None where nothing can be drawn.

    >>> choice({"month": "time", "n": "number"}), choice({"a": "number", "b": "number"}, "bar")
    (Choice(form='line', x='month', y='n'), Choice(form='bar', x='a', y='b'))
    """
    numbers = [c for c, kind in columns.items() if kind == "number"]
    times = [c for c, kind in columns.items() if kind == "time"]
    texts = [c for c, kind in columns.items() if kind == "text"]
    along = columns.get(x)
    if form not in FORMS:
        by = along or ("time" if times else "text" if texts else "number")
        form = {"time": "line", "text": "bar", "number": "scatter"}[by]
    fitting: dict[str, list[str]] = {"line": times, "bar": [*texts, *times, *numbers], "scatter": numbers}
    # A number that names (person_id) is the last thing that anybody measures.
    numbers.sort(key=lambda c: c.endswith("_id"))
    if x not in fitting[form]:
        x = next(iter(fitting[form]), "")
    measures = [c for c in numbers if c != x]
    if y not in measures:
        y = next(iter(measures), "")
    return Choice(form, x, y) if x and y else None  # type: ignore[arg-type]


def draw(
    chosen: Choice, rows: Sequence[dict[str, Any]], *, title: str, number: Say, day: Day, others: str, none: str
) -> Chart | None:
    """The picture of an answer's rows; None where no row has both values. title: what it is called by a screen reader.
    number, day: how a measure and a time are written. others, none: what the rest, and what has no value, is called."""
    pairs = [(row[chosen.x], float(row[chosen.y])) for row in rows if _finite(row[chosen.y])]
    if chosen.form == "bar":
        return _bars(chosen, pairs, len(rows) - len(pairs), title, number, day, others, none)
    drawn = [(at, y) for x, y in pairs if (at := _place(x)) is not None][:DOTS]
    if not drawn:
        return None
    said: Callable[[float], str] = number if chosen.form == "scatter" else lambda s: day(datetime.fromtimestamp(s, UTC))
    # A number along the foot is no measure of the other's unit.
    along: Callable[[float], str] = (lambda v: f"{v:,.6g}") if chosen.form == "scatter" else said
    svg = _plane(chosen, sorted(drawn), title, number, along)
    return Chart(choice=chosen, svg=svg, n=len(drawn), left_out=len(rows) - len(drawn))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from at most the lowest to at least the highest.

    >>> ticks(0, 97), ticks(-3, 8)
    ([0.0, 20.0, 40.0, 60.0, 80.0, 100.0], [-5.0, 0.0, 5.0, 10.0])
    """
    span = (high - low) or abs(high) or 1.0
    rough = span / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 10) for i in range(first, max(last, first + 1) + 1)]


def short(text: str, most: int = 24) -> str:
    """A label where there is little room."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _bars(
    chosen: Choice, pairs: list[tuple[Any, float]], left_out: int, title: str, number: Say, day: Day, others: str, none: str
) -> Chart | None:
    if not pairs:
        return None
    named = [(none if x is None else day(x) if isinstance(x, date) else str(x), y) for x, y in pairs]
    shown, rest = (named, []) if len(named) <= MOST else (named[: MOST - 1], named[MOST - 1 :])
    if rest:
        shown = [*shown, (others, sum(y for _, y in rest))]
    low, high = min(0.0, *(y for _, y in shown)), max(0.0, *(y for _, y in shown))
    span, room = (high - low) or 1.0, WIDE - LEFT - RIGHT
    zero = LEFT + room * (0 - low) / span
    parts = [_open(title, len(shown) * ROW + 8)]
    for i, (label, y) in enumerate(shown):
        top, wide = 4 + i * ROW, room * abs(y) / span
        at = zero if y >= 0 else zero - wide
        hue = "f-mute" if rest and i == len(shown) - 1 else "f-lapis"
        parts.append(
            Markup(
                '<g><title>{}: {}</title><text class="end" x="{}" y="{}">{}</text>'
                '<rect class="{}" x="{:.1f}" y="{}" width="{:.1f}" height="16" rx="2"/>'
                '<text class="strong" x="{:.1f}" y="{}">{}</text></g>'
            ).format(
                label, number(y), LEFT - 10, top + 12, short(label), hue, at, top, max(wide, 1.0),
                max(at + wide, zero) + 7, top + 12, number(y),
            )
        )  # fmt: skip
    foot = len(shown) * ROW + 4
    parts.append(Markup('<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="0" y2="{1}"/></svg>').format(zero, foot))
    return Chart(choice=chosen, svg=Markup("").join(parts), n=len(pairs), left_out=left_out, others=len(rest))


def _plane(chosen: Choice, drawn: list[tuple[float, float]], title: str, number: Say, along: Say) -> Markup:
    """A line or dots over two axes. A line's foot is zero where it does not hide the shape; its axis is printed anyway."""
    xs, ys = [x for x, _ in drawn], [y for _, y in drawn]
    base = 0.0 if chosen.form == "line" and min(ys) > 0 else min(ys)
    marks = ticks(min(base, min(ys)), max(ys))
    left, right, low, high = min(xs), max(xs), marks[0], marks[-1]
    if chosen.form == "scatter":
        across = ticks(left, right)
        left, right = across[0], across[-1]
        foot = [("mid", x) for x in across]
    else:
        quarters = [left + (right - left) * i / 4 for i in range(5)] if right > left else [left]
        ends = {0: "", 4: "end"} if right > left else {}
        foot = [(ends.get(i, "mid"), x) for i, x in enumerate(quarters)]

    def px(x: float) -> float:
        return SIDE + (WIDE - SIDE - 24) * ((x - left) / (right - left) if right > left else 0.5)

    def py(y: float) -> float:
        return 12 + (TALL - FOOT - 12) * (1 - (y - low) / ((high - low) or 1.0))

    parts = [_open(title, TALL)]
    for mark in marks:
        parts.append(
            Markup(
                '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text class="end faint" x="{}" y="{:.1f}">{}</text>'
            ).format(
                SIDE, WIDE - 24, py(mark), py(mark), SIDE - 8, py(mark) + 4, number(mark) if mark else 0
            )
        )
    for place, x in foot:
        parts.append(Markup('<text class="faint {}" x="{:.1f}" y="{}">{}</text>').format(place, px(x), TALL - 10, along(x)))
    if chosen.form == "line" and len(set(xs)) == len(xs) > 1:
        points = " ".join(f"{px(x):.1f},{py(y):.1f}" for x, y in drawn)
        parts.append(Markup('<polyline class="line s-lapis" points="{}"/>').format(points))
    if chosen.form == "scatter" or len(drawn) <= 80 or len(set(xs)) < len(xs):
        for x, y in drawn:
            parts.append(
                Markup('<circle class="f-lapis{}" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}: {}</title></circle>').format(
                    " see-through" if chosen.form == "scatter" else "", px(x), py(y), along(x), number(y)
                )
            )
    return Markup("").join([*parts, Markup("</svg>")])


def _open(title: str, tall: int) -> Markup:
    return Markup('<svg class="pic" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDE, tall, title)


def _kind(type_: pa.DataType) -> Kind:
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    return "time" if pa.types.is_timestamp(type_) or pa.types.is_date(type_) else "text"


def _finite(value: Any) -> bool:
    return value is not None and not isinstance(value, bool) and math.isfinite(value)


def _place(value: Any) -> float | None:
    """Where a value stands along an axis; times in seconds since 1970."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    return float(value) if _finite(value) else None
