"""`tessera stream`: what waits in the journals, for a stream that decides by person (Apache Flink)."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from tessera.doors.call import Call, Commands


def add(commands: Commands) -> None:
    """Declares it."""
    one = commands.add(
        "stream",
        _stream,
        "write waiting events, by person, for Apache Flink",
        ["stream handed", "stream handed --role owner --json"],
        "Two files that only you can read: setting.json (decisions and what was learned) and events.jsonl (what no turn has"
        " landed yet, without identifiers, of those who allow a decision). docs/flink.md says how a job takes them.",
    )
    one.add_argument("folder", type=Path, metavar="FOLDER", help="where to")
    one.add_argument("--role", metavar="R", help="one of your roles in access.yaml (default: your first)")


def _stream(call: Call) -> int:
    from tessera import handed

    with call.open() as app:
        wrote = handed.write(app, call.args.folder, call.args.role)

    def draw() -> None:
        call.show.line(f"{wrote.events:,} events of {wrote.people:,} people: {wrote.events_file}")
        if wrote.left_out:
            call.show.note(f"{wrote.left_out:,} events are of nobody, or of somebody for whom nothing may be decided.")

    call.show.answer(asdict(wrote), draw)
    return 0
