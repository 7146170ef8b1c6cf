"""Status: whether all is in order, how turns, streams, disk, copies and the chain stand, and what went wrong lately."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tessera import doctor
from tessera._version import VERSION
from tessera.config import SENT
from tessera.data.sources import door
from tessera.doctor import Check
from tessera.doors import failures
from tessera.doors.flow import Flow
from tessera.doors.http.callers import site_of
from tessera.doors.pages import turning
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor
from tessera.loop import STEPS

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
STATUS = Page(name="status", path="/status", title=N_("Status"), icon="activity", group="run", function="operate", key="t")
PAGES = (STATUS,)
ERRORS = 8

CHECKS = {
    "versions": N_("Packages"), "disk": N_("Disk"), "rights": N_("Rights of the files"), "keys": N_("Master key"),
    "open": N_("Workspace"), "ledger": N_("Ledger"), "anchors": N_("Anchors on the chain"), "access": N_("Who may see what"),
    "tables": N_("Tables"), "rates": N_("Exchange rates"), "batches": N_("Batches"), "recovery": N_("Recovery of the key"),
    "erasures": N_("Erasures"), "quarantine": N_("Quarantine"),
}  # fmt: skip
"""What the doctor looks at, as pages call it; of a table that is broken its own name stands."""

ORDER = {"fault": 0, "warning": 1, "ok": 2}


@router.get(STATUS.path)
async def status(visit: Visitor) -> Response:
    """The page."""
    request = visit.request

    def work(room: Room) -> dict[str, Any]:
        return {
            "under": turning.under(request), "named": CHECKS, "checks": room.card(lambda: _checks(room)),
            "steps": room.card(lambda: _steps(room)), "machine": room.card(lambda: _machine(room, request)),
            "streams": room.card(lambda: _streams(room, request)), "kept": room.card(lambda: _kept(room)),
            "errors": room.card(lambda: failures.newest(room.app.config.var, ERRORS)), "doors": _doors(request),
        }  # fmt: skip

    return await visit.page(STATUS, "status.html", work)


def _checks(room: Room) -> list[Check]:
    """As `tessera doctor`, but that no source is asked; what is not in order first."""
    return sorted([*doctor.around(room.app.config), *doctor.inside(room.app)], key=lambda c: ORDER[c.state])


def _steps(room: Room) -> list[Row]:
    """The steps of a turn in their order: what each wrote, and whether what it reads has changed since."""
    app = room.app
    today = room.day.isoformat()
    ran, made = app.state.items("runs"), list[Row]()
    for step in STEPS:
        off = step.purpose not in app.config.purposes or step.insight in app.config.insight.without
        before = ran.get(step.name)
        if off:
            state = "off"
        elif before is None:
            state = "never"
        elif step.daily and before.get("day") != today:
            state = "day"
        elif any(version != app.lake.version(table) for table, version in json.loads(before["key"])[0].items()):
            state = "behind"
        else:
            state = "fresh"
        made.append({
            "name": step.name, "purpose": step.purpose, "table": step.writes.name, "rows": app.lake.rows(step.writes.name),
            "version": app.lake.version(step.writes.name), "state": state, "day": (before or {}).get("day"),
        })  # fmt: skip
    return made


def _machine(room: Room, request: Request) -> dict[str, Any]:
    var, running = room.app.config.var, site_of(request).running
    disk = shutil.disk_usage(var)
    tls = running.tls if running else None
    return {
        "version": VERSION, "python": ".".join(map(str, sys.version_info[:3])), "memory": _memory(),
        "free": disk.free, "disk": disk.total, "certificate": _good_until(tls.cert) if tls else None, "tls": tls is not None,
    }  # fmt: skip


def _memory() -> int:
    """What this process has in memory now; its most so far where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _good_until(file: Path) -> datetime | None:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return None


def _streams(room: Room, request: Request) -> list[Row]:
    """What comes by itself: how much was accepted and waits to be landed."""
    running, made = site_of(request).running, list[Row]()
    pulse = running.pulse if running else None
    for contract in (c for c in room.app.config.sources if c.kind in SENT):
        waits = door.segments(room.app.config.var, contract.name, room.app.secrets)
        passed = pulse.flow if pulse else Flow()
        made.append({
            "name": contract.name, "kind": contract.kind, "bytes": waits.bytes_held(), "segments": len(waits.waiting()),
            "came": passed.totals().get(contract.name, 0), "at": passed.at(contract.name),
        })  # fmt: skip
    return made


def _kept(room: Room) -> dict[str, Any]:
    """Copies, erasures, the chain."""
    app = room.app
    heads = app.anchors.heads() if app.anchors.asked is not None else []
    return {
        "backup": app.state.get("backup", "last"), "due": app.rights.due(), "people": len(app.permits.blocked_persons),
        "chain": app.anchors.asked is not None, "anchors": len(heads), "anchored": heads[-1].size if heads else None,
        "overdue": app.anchors.asked is not None and app.anchors.overdue(), "entries": len(app.ledger),
        "letters": app.config.serve.mail is None,
    }  # fmt: skip


def _doors(request: Request) -> list[Row]:
    """What the server's doors have answered since it began, by kind of answer."""
    metrics = site_of(request).metrics
    found: dict[str, Row] = {}
    for (name, code), many in (metrics.answers if metrics else {}).items():
        row = found.setdefault(name, {"name": name, "good": 0, "refused": 0, "failed": 0})
        row["failed" if code >= 500 else "refused" if code >= 400 else "good"] += many
    return [found[n] for n in sorted(found)]
