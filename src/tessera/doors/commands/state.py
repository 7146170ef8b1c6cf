"""`tessera segments`, `quality` and `lineage`: how people are grouped, how good the data is, what it was made of."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

from tessera.doors.call import Call, Commands
from tessera.errors import BadInput

SEGMENTS = """SELECT c.segment, c.label_en AS label, c.people, c.share, c.recency_days, c.orders, c.revenue_cents, c.model,
                     c.fitted_at
              FROM segment_centres c JOIN (SELECT segment, max(version) AS version FROM segment_centres GROUP BY segment) l
                   ON l.segment = c.segment AND l.version = c.version
              ORDER BY c.share DESC NULLS LAST, c.segment"""
NONE = "none"
BELOW_GOAL = 5


def add(commands: Commands) -> None:
    """Declares them."""
    segments = commands.add(
        "segments",
        _segments,
        "how people are grouped: sizes and centres, nobody in particular; and who went where between two days",
        ["segments", "segments --role analyst --json", "segments --from 2026-01-01 --to 2026-04-01"],
        "With --from, a matrix: in which segment people were on that day, and in which on the other. A number below 10 is not\n"
        "told. People without a segment on a day (not there yet, or they do not allow it) stand under `none`.",
    )
    segments.add_argument("--from", dest="start", type=_day, metavar="DAY", help="YYYY-MM-DD: where people were on that day")
    segments.add_argument("--to", dest="end", type=_day, metavar="DAY", help="and where on this one (default: today)")
    segments.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")
    commands.add(
        "quality",
        _quality,
        "how good each department's data is, against its goal",
        ["quality", "quality --json"],
        "Exit code 5 if a department is below its goal.",
    )
    lineage = commands.add(
        "lineage",
        _lineage,
        "what a column is made of, and which data categories reach it",
        ["lineage profiles", "lineage profiles.revenue_cents", "lineage orders.amount_cents --down --json"],
    )
    lineage.add_argument("name", metavar="TABLE[.COLUMN]", help="a table, or source:NAME")
    lineage.add_argument(
        "--down", action="store_true", help="what a change of it reaches, in place of where it comes from"
    )


def _segments(call: Call) -> int:
    if call.args.start:
        return _migration(call)
    if call.args.end:
        raise BadInput("--to is for a comparison: name the other day with --from.")
    with call.open() as app:
        if "segment_centres" not in app.lake.tables or app.lake.version("segment_centres") is None:
            found: list[dict[str, Any]] = []
        else:
            found = app.sql(SEGMENTS, purpose=app.config.segments.purpose, role=call.args.role).table.to_pylist()

    def draw() -> None:
        columns = ["segment", "label", "people", "share", "recency_days", "orders", "revenue_cents"]
        rows = [[round(v, 3) if isinstance(v, float) else v for v in (row[c] for c in columns)] for row in found]
        call.show.table(columns, rows)
        if not found:
            call.show.note("No segments yet. Try: tessera turn")

    call.show.answer(found, draw)
    return 0


def _migration(call: Call) -> int:
    from tessera.insight.segments.history import migration

    start, end = call.args.start, call.args.end or datetime.now(UTC).date()
    with call.open() as app:
        moves: list[dict[str, Any]] = []
        if "segments" in app.lake.tables and app.lake.version("segments") is not None:
            question = migration(start, end)
            moves = app.sql(question, purpose=app.config.segments.purpose, role=call.args.role).table.to_pylist()

    def draw() -> None:
        columns = sorted({m["now"] or NONE for m in moves})
        told = {(m["was"] or NONE, m["now"] or NONE): "<10" if m["people"] is None else f"{m['people']:,}" for m in moves}
        lines = [[was, *(told.get((was, now), "") for now in columns)] for was in sorted({m["was"] or NONE for m in moves})]
        call.show.table([f"{start} \\ {end}", *columns], lines)
        if not moves:
            call.show.note("Nobody had a segment on either day. Try: tessera turn")

    call.show.answer({"from": start, "to": end, "moves": moves}, draw)
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-01-31") from None


def _quality(call: Call) -> int:
    with call.open() as app:
        found = app.quality()

    def draw() -> None:
        rows = [
            [
                d["department"],
                d["kpi_percent"],
                d["goal_percent"],
                d["ok"],
                ", ".join(d["worst"]),
                ", ".join(d["broken"]),
                ", ".join(d["late"]),
            ]
            for d in found
        ]
        call.show.table(["department", "%", "goal", "met", "below the goal", "broken rules", "late"], rows)
        if not found:
            call.show.note("Nothing was measured yet. Try: tessera turn")

    call.show.answer(found, draw)
    return BELOW_GOAL if any(d["ok"] is False for d in found) else 0


def _lineage(call: Call) -> int:
    from tessera.ancestry import Graph

    graph = Graph(call.settings())
    table, _, column = call.args.name.partition(".")
    if call.args.down and not column:
        raise BadInput(f"--down asks for a column. Try: tessera lineage {table}.COLUMN --down")
    columns = graph.of(table, column or None)
    found = [
        {
            **asdict(one),
            "direct": _names(one.direct),
            "indirect": _names(one.indirect),
            "notes": list(one.notes),
            "categories": sorted(one.categories),
            "shaped_by": sorted(one.shaped_by),
        }
        for one in columns
    ]
    way: dict[Any, bool] = {}
    if column:
        way = graph.downstream(table, column) if call.args.down else graph.upstream(table, column)
    reached = [{"table": t, "column": c, "direct": carries} for (t, c), carries in sorted(way.items())]
    document = {"columns": found, "way": "down" if call.args.down else "up", "reached": reached}

    def draw() -> None:
        rows = [
            [one.column, _listed(one.direct), _listed(one.indirect), ", ".join(sorted(one.categories))]
            for one in columns
        ]
        call.show.table(["column", "made from", "decided by", "categories"], rows)
        if reached:
            call.show.line()
            call.show.table(
                ["table", "column", "its value" if call.args.down else "by value"],
                [[r["table"], r["column"], r["direct"]] for r in reached],
                "It reaches" if call.args.down else "It comes from",
            )

    call.show.answer(document, draw)
    return 0


def _names(names: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"table": t, "column": c} for t, c in names]


def _listed(names: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{t}.{c}" for t, c in names)
