"""`tessera expiry list|burn`: how long rows are kept, what is too old, and taking that out of the files."""

from __future__ import annotations

from dataclasses import asdict

from tessera.doors.call import Call, Commands
from tessera.doors.show import many


def add(commands: Commands) -> None:
    """Declares them."""
    expiry = commands.noun(
        "expiry", "how long rows are kept, and what is too old: list, burn", ["expiry list", "expiry burn"]
    )
    expiry.add(
        "list",
        _list,
        "every term: of which table and source, how many rows are older, and when they leave the files",
        ["expiry list", "expiry list --json"],
        "Nobody reads what is too old, from that day on. Terms stand in the contracts (slaProperties: retention).",
    )
    expiry.add(
        "burn",
        _burn,
        "take what is too old out of the files now, with sealed records and older versions",
        ["expiry burn", "expiry burn --json"],
        "It comes by itself with a turn, every sweep_days of tessera.yaml.",
    )


def _list(call: Call) -> int:
    with call.open() as app:
        terms, due = app.expiry.terms(), app.expiry.due()
    document = {
        "due": due.isoformat() if due else None,
        "terms": [{**asdict(t), "first": t.first.isoformat()} for t in terms],
    }

    def draw() -> None:
        columns = ["table", "source", "days", "first", "old"]
        call.show.table(columns, [[getattr(t, c) if getattr(t, c) is not None else "all" for c in columns] for t in terms])
        if due:
            call.show.note(f"What is too old leaves the files with the first turn after {due:%Y-%m-%d %H:%M} UTC.")

    call.show.answer(document, draw)
    return 0


def _burn(call: Call) -> int:
    with call.open() as app:
        burnt = app.burn()

    def draw() -> None:
        call.show.table(["table", "rows"], [[table, rows] for table, rows in burnt.rows.items()])
        if burnt.rows:
            call.show.note(f"{many(burnt.records, 'sealed record')} went with them; older versions answer Expired.")
        else:
            call.show.note("Nothing is too old.")

    call.show.answer(asdict(burnt), draw)
    return 0
