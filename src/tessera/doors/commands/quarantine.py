"""`tessera quarantine list|show|replay`: rows that broke their contract, and how they come back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tessera.doors.call import Call, Commands, reading
from tessera.doors.show import many

LIMIT = 50


def add(commands: Commands) -> None:
    """Declares them."""
    quarantine = commands.noun(
        "quarantine",
        "rows that broke their contract: list, show, replay",
        ["quarantine list", "quarantine replay --source crm"],
    )
    lister = quarantine.add(
        "list",
        _list,
        "list them: source, field and reason, no values",
        ["quarantine list", "quarantine list --source crm --all --json"],
    )
    lister.add_argument("--source", metavar="NAME", help="of this source only")
    lister.add_argument("--all", action="store_true", help="also those that were replayed")
    lister.add_argument("--limit", type=int, default=LIMIT, metavar="N", help=f"the newest N (default: {LIMIT})")
    show = quarantine.add(
        "show",
        _show,
        "one row as it came, for a role that may see in clear all that it may hold",
        ["quarantine show 12 --role officer --purpose operate"],
    )
    show.add_argument("id", metavar="ID", type=int)
    reading(show)
    replay = quarantine.add(
        "replay",
        _replay,
        "land rows again that keep their contract now",
        ["quarantine replay", "quarantine replay 12 13", "quarantine replay --source crm --json"],
        "Mend the contract first; rows that break it still stay where they are.",
    )
    replay.add_argument("id", metavar="ID", type=int, nargs="*", help="these rows (default: all that wait)")
    replay.add_argument("--source", metavar="NAME", help="of this source only")


def _list(call: Call) -> int:
    args = call.args
    with call.open() as app:
        if args.source:
            app.contract(args.source)
        found = [
            asdict(k) for k in app.quarantine.listed(args.source, None if args.all else "open", max(0, args.limit))
        ]

    def draw() -> None:
        columns = ["id", "source", "reason", "field", "at", "state"]
        call.show.table(columns, [[row[c] for c in columns] for row in found])
        if not found:
            call.show.note("No row waits for repair.")
        elif len(found) == args.limit:
            call.show.note(f"The newest {args.limit}; more with --limit N.")

    call.show.answer(found, draw)
    return 0


def _show(call: Call) -> int:
    with call.open() as app:
        opened = app.quarantined(call.args.id, purpose=call.args.purpose, role=call.args.role)
    kept = asdict(opened.kept)
    document: dict[str, Any] = {**kept, "row": opened.row, "categories": list(opened.categories)}

    def draw() -> None:
        call.show.facts(kept)
        call.show.line()
        call.show.facts(opened.row if isinstance(opened.row, dict) else {"text": opened.row}, "The row as it came")

    call.show.answer(document, draw)
    return 0


def _replay(call: Call) -> int:
    args = call.args
    with call.open() as app, call.progress() as progress:
        done = app.replay(args.id or None, args.source, progress)
    landed = [{**asdict(one), "name": name} for name, one in done.landed.items()]
    for one in landed:
        del one["source"]
    left = {"still_bad": done.still_bad, "older": done.older, "unreadable": done.unreadable, "gone": done.gone}

    def draw() -> None:
        columns = ["name", "rows", "kept", "doubles", "unchanged", "suppressed"]
        call.show.table(columns, [[one[c] for c in columns] for one in landed])
        for key, says in (
            ("still_bad", "still break the contract and stay"),
            ("older", "were sent again by their source meanwhile, and are marked"),
            ("unreadable", "were no rows; mend them at their source"),
            ("gone", "were erased"),
        ):
            if left[key]:
                call.show.note(f"{many(left[key], 'row')} {says}.")
        if any(one["kept"] for one in landed):
            call.show.note("Bring the tables up to date: tessera turn")

    call.show.answer({"sources": landed, **left}, draw)
    return 0
