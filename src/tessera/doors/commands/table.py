"""`tessera tables`, `versions` and `lineage`: what there is, what it was, and what it was made of."""

from __future__ import annotations

from typing import Any

from tessera.doors.call import Call, Commands
from tessera.doors.show import short
from tessera.errors import NotFound


def add(commands: Commands) -> None:
    """Declares them."""
    tables = commands.add(
        "tables",
        _tables,
        "list the tables that people may ask for",
        ["tables", "tables --columns", "tables --json"],
    )
    tables.add_argument("--columns", action="store_true", help="with their columns and data categories")
    versions = commands.add(
        "versions",
        _versions,
        "list the versions of a table, newest first",
        ["versions orders", 'sql "SELECT count(*) FROM orders VERSION AS OF 2" --role sales --purpose operate'],
    )
    versions.add_argument("table", metavar="TABLE")


def _tables(call: Call) -> int:
    with call.open() as app:
        found: list[dict[str, Any]] = [
            {
                "name": t.name,
                "rows": app.lake.rows(t.name),
                "version": app.lake.version(t.name),
                "about": t.reason,
                "note": t.note,
                "columns": [
                    {"name": c.name, "type": c.type, "category": c.category, "sealed": c.sealed} for c in t.columns
                ],
            }
            for t in app.gate.presented().values()
        ]

    def draw() -> None:
        if call.args.columns:
            rows = [
                [t["name"], c["name"], c["type"], c["category"], "sealed" if c["sealed"] else ""]
                for t in found
                for c in t["columns"]
            ]
            call.show.table(["table", "column", "type", "category", ""], rows)
        else:
            rows = [[t["name"], t["rows"], t["version"], t["about"], short(t["note"])] for t in found]
            call.show.table(["table", "rows", "version", "about", "note"], rows)

    call.show.answer(found, draw)
    return 0


def _versions(call: Call) -> int:
    with call.open() as app:
        shown = {t.name for t in app.lake.tables.values() if t.visible}
        if call.args.table not in shown:
            raise NotFound("Table", call.args.table, sorted(shown))
        found = [
            {"version": v.number, "at": v.at, "rows": v.rows, "what": v.what, "readable": v.readable}
            for v in app.lake.versions(call.args.table)
        ]

    def draw() -> None:
        call.show.table(["version", "at", "rows", "made by", "readable"], [list(v.values()) for v in found])
        if not found:
            call.show.note(f"{call.args.table} was never written. Try: tessera turn")

    call.show.answer(found, draw)
    return 0
