"""An answer as the page shows it: cells as text, one page of rows, the picture that fits, the moments it can be seen at."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tessera.doors.http.values import jsonable
from tessera.doors.names import unique
from tessera.doors.pages.pictures import answer_chart
from tessera.doors.pages.pictures.answer_chart import Chart, Kind
from tessera.doors.pages.room import Room
from tessera.doors.pages.tongue import Tongue
from tessera.trust.answers import Answer
from tessera.trust.timetravel import Moment

CELLS, FEWEST, ROWS = 480, 10, 50
"""Cells of one page; rows of it at least, and at most."""
WIDEST = 160
NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of an answer. veil: why it is not in clear; empty if it is."""

    name: str
    kind: Kind
    veil: str = ""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An answer, one page of it. text: the question as it was put. rows: of all pages; more: there are further ones that this
    page does not hold. then: the moment at which it is seen; None: now. past: those to choose from, the oldest first."""

    columns: list[Column]
    cells: list[list[str]]
    rows: int
    more: bool
    page: int
    pages: int
    first: int
    entry: int
    text: str
    chart: Chart | None
    measure: str
    then: Moment | None
    past: list[Moment]

    @property
    def measures(self) -> list[str]:
        """Columns that can be measured."""
        return [c.name for c in self.columns if c.kind == "number" and not c.veil]

    @property
    def veiled(self) -> list[Column]:
        """Columns that are not in clear."""
        return [c for c in self.columns if c.veil]

    @property
    def place(self) -> int:
        """Which of the moments it is seen at."""
        return next((i for i, m in enumerate(self.past) if self.then and m.at == self.then.at), max(len(self.past) - 1, 0))


def shown(
    room: Room, found: Answer, page: int, chart: tuple[str, str, str], *, text: str, then: Moment | None, past: list[Moment]
) -> Shown:
    """The answer's page of that number, with the picture that was chosen or fits."""
    names = unique(found.table.column_names)
    table = found.table.rename_columns(names)
    kinds = answer_chart.kinds(table.schema)
    columns = [Column(name=n, kind=kinds[n], veil=found.veiled.get(n, "")) for n in names]
    each = max(FEWEST, min(ROWS, CELLS // max(len(names), 1)))
    pages = max(1, -(-table.num_rows // each))
    page = max(1, min(page, pages))
    part = table.slice((page - 1) * each, each)
    write = [_writer(room.tongue, n, table.column(i)) for i, n in enumerate(names)]
    cells = [
        [w(v) for w, v in zip(write, row, strict=True)] for row in zip(*(c.to_pylist() for c in part.columns), strict=True)
    ]  # fmt: skip
    picture = _chart(room, table, {c.name: c.kind for c in columns if not c.veil}, chart)
    return Shown(
        columns=columns, cells=cells, rows=table.num_rows, more=found.more, page=page, pages=pages, first=(page - 1) * each,
        entry=found.entry, text=text, chart=picture, measure=_unit(room, picture.choice.y) if picture else "", then=then,
        past=past,
    )  # fmt: skip


def _chart(room: Room, table: pa.Table, kinds: dict[str, Kind], chart: tuple[str, str, str]) -> Chart | None:
    if table.num_rows < 2:
        return None
    chosen = answer_chart.choice(kinds, *chart)
    if chosen is None:
        return None
    _ = room.tongue
    title = _("{y} by {x}, {n} rows", y=chosen.y, x=chosen.x, n=_.number(table.num_rows))
    return answer_chart.draw(
        chosen, table.select([chosen.x, chosen.y]).to_pylist(), title=title, number=_measure(room, chosen.y), day=_.day,
        others=_("Others"), none=_("No value"),
    )  # fmt: skip


def _measure(room: Room, column: str) -> Callable[[float], str]:
    """How a measure is written, by the unit that its name ends in."""
    tongue = room.tongue
    if column.endswith("_cents"):
        return tongue.money
    if column.endswith("_percent"):
        return lambda v: tongue.percent(v / 100, 1)
    return lambda v: tongue.number(v, 0 if float(v).is_integer() else 2)


def _unit(room: Room, column: str) -> str:
    """The unit of a measure, by what its name ends in; empty where it does not say."""
    if column.endswith("_cents"):
        return room.app.config.currency
    units = {"percent": "%", "hours": "h", "days": "d", "kb": "kB", "s": "s"}
    return units.get(column.rpartition("_")[2], "") if "_" in column else ""


def _writer(tongue: Tongue, name: str, column: pa.ChunkedArray) -> Callable[[Any], str]:
    """How the cells of a column are written: times in the workspace's zone, whole days without a time of day; a number that
    names something (a person_id, a year) as it is."""
    names = name.endswith("_id") or name in ("year", "version")
    days = pa.types.is_timestamp(column.type) and all(v is None or tongue.clock(v) == "00:00" for v in column.to_pylist())

    def write(value: Any) -> str:
        if value is None:
            return NOTHING
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value) if names else tongue.number(value)
        if isinstance(value, Decimal) and value == value.to_integral_value():
            return tongue.number(int(value))
        if isinstance(value, float | Decimal):
            return f"{value:,.6g}" if abs(float(value)) < 1e6 else tongue.number(float(value), 2)
        if isinstance(value, datetime):
            return tongue.day(value) if days else tongue.moment(value)
        if isinstance(value, date):
            return value.isoformat()
        text = value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
        return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"

    return write
