"""`tessera doctor`: whether the workspace is in order, and what to do where it is not."""

from __future__ import annotations

from dataclasses import asdict

from tessera.doors.call import Call, Commands

MARKS = {"ok": "ok", "warning": "look", "fault": "FAULT"}


def add(commands: Commands) -> None:
    """Declares it."""
    commands.add(
        "doctor",
        _doctor,
        "check files, keys, rights, disk, ledger, batches, erasures and sources",
        ["doctor", "doctor --json"],
        "Exit code 1 if something is at fault.",
    )


def _doctor(call: Call) -> int:
    from tessera.doctor import examine

    checks = list(examine(call.root, call.args.wait))

    def draw() -> None:
        call.show.table(["", "check", "finding"], [[MARKS[c.state], c.name, c.says] for c in checks])
        for c in checks:
            if c.do and c.state != "ok":
                call.show.note(f"{c.name}: {c.do}")

    call.show.answer([asdict(c) for c in checks], draw)
    return 1 if any(c.state == "fault" for c in checks) else 0
