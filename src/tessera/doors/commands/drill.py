"""`tessera drill`: penetration checks against an instance of ours, and a report by OWASP's list."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands

if TYPE_CHECKING:
    from tessera.doors.drill.target import Target

FAILED = 1


def add(commands: Commands) -> None:
    """Declares it."""
    drill = commands.add(
        "drill",
        _drill,
        "attack an instance of ours, and report by the OWASP API Security Top 10 (2023)",
        ["drill", "drill --json", "drill https://cdp.example.org"],
        "Without a URL it starts an instance of its own over a throw-away workspace, and runs every check. Against a URL it\n"
        "runs those that need no key; drill only what is yours. Exit code 1 if a check fails.",
    )
    drill.add_argument("url", metavar="URL", nargs="?", help="a running instance (default: one of its own)")
    drill.add_argument("--cert", metavar="FILE", help="trust this certificate (PEM) in place of the system's")


def _drill(call: Call) -> int:
    from tessera.doors.drill.instance import own
    from tessera.doors.drill.target import Target

    if call.args.url is None:
        with own() as target:
            return _told(call, target)
    return _told(call, Target(url=call.args.url, cert=Path(call.args.cert) if call.args.cert else None))


def _told(call: Call, target: Target) -> int:
    from tessera.doors.drill.checks import CHECKS
    from tessera.doors.drill.report import document, run

    with call.progress() as progress:
        outcomes = []
        for number, check in enumerate(CHECKS):
            progress("drill", number, len(CHECKS))
            outcomes.append(run(check, target))
    report = document(target, outcomes, datetime.now(UTC))
    call.show.answer(report, lambda: _drawn(call, report))
    return 0 if report["ok"] else FAILED


def _drawn(call: Call, report: dict[str, Any]) -> None:
    call.show.table(["item", "title", "verdict"], [[i["owasp"], i["title"], i["verdict"]] for i in report["items"]])
    call.show.line()
    rows = [[c["owasp"], c["check"], c["verdict"], c["tried"], c["says"]] for c in report["checks"]]
    call.show.table(["item", "check", "verdict", "tried", "found"], rows)
