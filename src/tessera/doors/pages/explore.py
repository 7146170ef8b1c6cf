"""Explore: a question in SQL through the gate; its answer as a table and a picture, at another moment, as a file."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.ancestry import Graph
from tessera.doors import written
from tessera.doors.names import unique
from tessera.doors.pages import explored, holdings
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor, form
from tessera.errors import BadInput, NotFound, Refused
from tessera.lake.functions import SPELLED
from tessera.lake.quoting import name as quoted
from tessera.trust import timetravel
from tessera.trust.gate import INTERNAL
from tessera.trust.questions import LONGEST, Questions
from tessera.trust.timetravel import Moment

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
EXPLORE = Page(
    name="explore", path="/explore", title=N_("Explore"), icon="square-terminal", group="govern", function="sql", key="e"
)
PAGES = (EXPLORE,)

MOST = 1_000
"""Rows of an answer that the page holds; a file has as many as the door gives."""
KEYWORDS = """
SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET JOIN LEFT RIGHT FULL INNER CROSS ON USING AS WITH UNION ALL INTERSECT
EXCEPT DISTINCT CASE WHEN THEN ELSE END AND OR NOT IN IS NULL LIKE ILIKE BETWEEN EXISTS ASC DESC NULLS FIRST LAST OVER PARTITION
QUALIFY FILTER ROLLUP CUBE INTERVAL VERSION TIMESTAMP OF TRUE FALSE
""".split()  # noqa: SIM905
TYPES = ("BIGINT", "BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "INTEGER", "TIMESTAMP", "TIMESTAMPTZ", "VARCHAR")
_PLACE = re.compile(r"at line (\d+), column (\d+)")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the form says. text: the question; it is what was asked before where only the answer is turned over. sort: an output
    column; down: from the greatest. moment: ISO 8601, or empty for now. chart: form, x, y as chosen."""

    text: str
    page: int = 1
    sort: str = ""
    down: bool = False
    moment: str = ""
    chart: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Why a question has no answer: our sentence, who could help, and where in the text it is."""

    reason: str
    refused: bool
    line: int = 0
    column: int = 0


@router.get(EXPLORE.path)
async def explore(
    visit: Visitor, table: Annotated[str, Query(max_length=80)] = "",
    question: Annotated[int, Query(ge=0, lt=2**53)] = 0,
) -> Response:
    """The editor, with a table's first rows or a kept question in it."""

    def work(room: Room) -> dict[str, Any]:
        if question:
            saved = kept(room).get(question, visit.caller.actor, room.lens.choices)
            form_, x, y = (*saved.chart.split("/", 2), "", "", "")[:3]
            asked = Asked(text=saved.text, chart=(form_, x, y))
            answer, wrong = answered(room, asked)
            return {**around(room), "asked": asked, "saved": saved, "answer": answer, "wrong": wrong}
        return {**around(room, table), "asked": Asked(text=_beginning(room, table))}

    return await visit.page(EXPLORE, "explore.html", work)


@router.post(EXPLORE.path)
async def ask(visit: Visitor) -> Response:
    """The answer to what is in the editor; or the same answer turned over: another page, order, moment or picture."""
    fields = await form(visit.request)
    asked = asked_of(fields)

    def work(room: Room) -> dict[str, Any]:
        answer, wrong = answered(room, asked)
        return {**around(room), "asked": asked, "answer": answer, "wrong": wrong}

    return await visit.page(EXPLORE, "explore.html", work)


@router.post("/explore/export")
async def export(visit: Visitor) -> Response:
    """The answer as a file, asked anew: with an entry of its own, and as many rows as the door gives."""
    fields = await form(visit.request)
    asked, kind = asked_of(fields), fields.get("as", "")
    if kind not in written.TYPES:
        raise BadInput(f"An answer can be had as {', '.join(written.TYPES)}.")

    def work(room: Room) -> Response:
        text, _ = _text(room, asked)
        found = room.app.answers.ask(text, room.reader, room.caps)
        data = written.made(found.table.rename_columns(unique(found.table.column_names)), kind)
        named = f'attachment; filename="answer-{found.entry}.{kind}"'
        return Response(data, media_type=written.TYPES[kind], headers={"content-disposition": named})

    return await visit.run(EXPLORE, work)


def answered(room: Room, asked: Asked) -> tuple[explored.Shown | None, Wrong | None]:
    """The answer as the page shows it, or why there is none."""
    try:
        text, then = _text(room, asked)
        found = room.app.answers.ask(text, room.reader, replace(room.caps, rows=MOST, cut=True))
        past = _moments(room, asked.text)
    except (Refused, BadInput) as no:
        sentence, place = str(no), _PLACE.search(str(no))
        line, column = (int(place[1]), int(place[2])) if place else (0, 0)
        return None, Wrong(reason=sentence, refused=isinstance(no, Refused), line=line, column=column)
    return explored.shown(room, found, asked.page, asked.chart, text=text, then=then, past=past), None


def words(room: Room) -> str:
    """What the editor completes and says, as JSON."""
    presented = room.tables
    listed = []
    for table in presented.values():
        columns = [c for c in table.columns if c.name not in INTERNAL and room.seen(table.name, c.name).verdict != "hidden"]
        if columns:
            told = [{"name": c.name, "type": c.type.lower(), "note": c.note} for c in columns]
            listed.append({"name": table.name, "note": table.note, "columns": told})
    said = {
        "label": room.tongue("Your question in SQL"), "help": "editor-help", "table": room.tongue("table"),
        "function": room.tongue("function"),
    }  # fmt: skip
    made = {"tables": listed, "functions": SPELLED, "keywords": KEYWORDS, "types": TYPES, "said": said}
    # Within <script> nothing may look like its end.
    return msgspec.json.encode(made).decode().replace("<", "\\u003c")


def around(room: Room, table: str = "") -> dict[str, Any]:
    """What stands around the answer: the tables, one of them opened, the kept questions, what is completed; and no answer."""
    graph = Graph(room.app.config)
    listed = holdings.holdings(room, graph)
    if table and table not in listed:
        raise NotFound("Table", table, listed)
    opened = {"about": listed[table], "columns": holdings.columns(room, table)} if table else None
    found = kept(room).seen_by(room.caller.actor, room.lens.choices)
    return {
        "tables": list(listed.values()), "opened": opened, "words": words(room), "kept": found,
        "most": MOST, "file_rows": room.caps.rows, "forms": tuple(written.TYPES), "mine": room.caller.actor,
        "saved": None, "answer": None, "wrong": None, "unkept": "",
    }  # fmt: skip


def kept(room: Room) -> Questions:
    """The kept questions of this workspace."""
    return Questions(room.app.state, room.app.secrets, room.app.clock)


def asked_of(fields: dict[str, str]) -> Asked:
    """What the form says. A run begins at the first page, with the text of the editor; all else turns over what was asked."""
    run = "run" in fields or "asked" not in fields
    if table := fields.get("preview", ""):
        return Asked(text=f"SELECT * FROM {quoted(table) if not table.isidentifier() else table} LIMIT 20")
    text = fields.get("text" if run else "asked", "")
    if len(text) > LONGEST:
        raise BadInput(f"A question of this page has at most {LONGEST:,} characters.")
    chart = (fields.get("chart_form", ""), fields.get("chart_x", ""), fields.get("chart_y", ""))
    page = fields.get("page", "1")
    moment = fields.get("moment", "")
    if run:
        return Asked(text=text, chart=chart if fields.get("asked") == text else ("", "", ""))
    sort, _, way = fields.get("sort", fields.get("sorted", "")).rpartition("/")
    return Asked(
        text=text, page=int(page) if page.isdecimal() and len(page) < 5 else 1, sort=sort, down=way == "down", moment=moment,
        chart=chart,
    )  # fmt: skip


def _text(room: Room, asked: Asked) -> tuple[str, Moment | None]:
    """The question that is put: at its moment, in its order."""
    text, then = asked.text.strip().rstrip(";"), None
    if asked.moment:
        try:
            moment = datetime.fromisoformat(asked.moment)
        except ValueError:
            raise BadInput("This is no moment.") from None
        then = next((m for m in _moments(room, asked.text) if m.at == moment), None)
        if then is None:
            raise NotFound("Moment", asked.moment)
        text = timetravel.at(text, then.versions)
    if asked.sort:
        way = "DESC" if asked.down else "ASC"
        text = f"SELECT * FROM (\n{text}\n) AS answer ORDER BY {quoted(asked.sort)} {way} NULLS LAST"
    return text, then


def _moments(room: Room, text: str) -> list[Moment]:
    """The moments from which this question's tables can be seen."""
    names = timetravel.named(text, room.tables)
    return timetravel.moments({t: room.app.lake.versions(t) for t in names}) if names else []


def _beginning(room: Room, table: str) -> str:
    """What stands in the editor at first: a table's columns, or a question that this role can ask."""
    presented = room.tables
    if table in presented:
        listed = [c.name for c in holdings.columns(room, table) if c.verdict != "hidden"]
        return f"SELECT {', '.join(listed)}\nFROM {table}\nLIMIT 100" if listed else ""
    if room.has("orders") and room.sees("orders", "occurred_at", "amount_cents"):
        return (
            "SELECT date_trunc('month', occurred_at) AS month, sum(amount_cents) AS amount_cents, count(*) AS orders\n"
            "FROM orders\nGROUP BY month\nORDER BY month"
        )
    return (
        "SELECT source, field, kpi_percent, goal_percent\nFROM quality\nWHERE kpi_percent < goal_percent\nORDER BY kpi_percent"
    )
