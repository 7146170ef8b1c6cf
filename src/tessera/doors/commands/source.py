"""`tessera source list|check|sync` and `tessera turn`: what comes in, and what becomes of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tessera.doors.call import Call, Commands, reading
from tessera.doors.show import cell, many
from tessera.errors import BadInput, BadSource

if TYPE_CHECKING:
    from tessera.trust.anchor import Anchored

COUNTS = ("rows", "kept", "unchanged", "doubles", "quarantined", "suppressed", "vanished")


def add(commands: Commands) -> None:
    """Declares them."""
    source = commands.noun(
        "source", "the sources of this workspace: list, check, sync, tail", ["source list", "source sync crm"]
    )
    source.add(
        "list",
        _list,
        "list the sources and their last sync",
        ["source list", "source list --json"],
    )
    check = source.add(
        "check",
        _check,
        "look at sources and compare them with their contracts; takes nothing",
        ["source check", "source check crm"],
    )
    check.add_argument("name", metavar="NAME", nargs="*", help="a source (default: all)")
    sync = source.add(
        "sync",
        _sync,
        "land what is new, without running the steps",
        ["source sync", "source sync crm orders --json"],
    )
    sync.add_argument("name", metavar="NAME", nargs="*", help="a source (default: all)")
    tail = source.add(
        "tail",
        _tail,
        "show the events of a source as they come in at a running server",
        ["source tail website --purpose operate", "source tail website --purpose operate --count 10 --json"],
        "As your role may see them for that purpose: masked where the table would be, and none of whoever has not agreed.\n"
        "Each look is an entry of the ledger. Stops with Ctrl-C. With --json: one object a line.",
    )
    tail.add_argument("name", metavar="NAME", help="a source at the tracking door")
    tail.add_argument("--count", type=int, metavar="N", help="stop after so many events")
    reading(tail)
    turn = commands.add(
        "turn",
        _turn,
        "land what is new, and bring every table up to date",
        ["turn", "turn --full", "turn --json"],
        "A turn can be stopped at any time; the next one goes on from there.",
    )
    turn.add_argument("--full", action="store_true", help="run every step anew from the raw tables")
    turn.add_argument(
        "--rest", action="store_true", help="let those rest that move by the day and ran today, as under serve"
    )


def _list(call: Call) -> int:
    from tessera.doors.collect import WEBHOOKS
    from tessera.doors.tracked import write_key

    with call.open() as app:
        known = app.synced()
        found: list[dict[str, Any]] = [
            {
                "name": c.name,
                "kind": c.kind,
                "record": c.record,
                "department": c.department,
                "sync": c.sync,
                "contract": f"sources/{c.file.name}" if c.kind != "decisions" else "decisions/",
                "last": known.get(c.name),
                **({"write_key": write_key(app.secrets, c.name)} if c.kind == "http" else {}),
                **({"path": f"{WEBHOOKS}{c.name}"} if c.webhook else {}),
            }
            for c in app.config.sources
        ]

    def draw() -> None:
        rows = []
        for s in found:
            last: dict[str, Any] = s["last"] or {}
            told = last.get("error") or (f"{last['kept']:,} of {last['rows']:,} rows kept" if last else "never synced")
            at = str(last.get("at", ""))[:19].replace("T", " ")
            rows.append([s["name"], s["kind"], s["record"], s["department"], at, told])
        call.show.table(["name", "kind", "record", "department", "last sync", "result"], rows)
        for s in found:
            if "write_key" in s:
                at = f", posted to {s['path']}" if "path" in s else ""
                call.show.note(f"The write key of {s['name']}{at}: {s['write_key']}")
        if not found:
            call.show.note(
                "No source yet. Copy sources/example.odcs.yaml.txt to sources/NAME.odcs.yaml and fill it in."
            )

    call.show.answer(found, draw)
    return 0


def _check(call: Call) -> int:
    with call.open() as app:
        names = call.args.name or [c.name for c in app.config.sources]
        for name in names:
            app.contract(name)
        found = []
        for name in names:
            try:
                found.append({"name": name, "ok": True, "says": app.check(name)})
            except BadSource as bad:
                found.append({"name": name, "ok": False, "says": [f"{bad.reason} {bad.mend}".strip()]})

    def draw() -> None:
        for one in found:
            call.show.line(f"{one['name']}: {'reached' if one['ok'] else 'not reached'}")
            for sentence in one["says"]:
                call.show.line(f"  {sentence}")

    call.show.answer(found, draw)
    return 0 if all(one["ok"] for one in found) else 1


def _sync(call: Call) -> int:
    with call.open() as app, call.progress() as progress:
        landed = app.sync(call.args.name, progress)
    found = _landed(landed)
    call.show.answer(found, lambda: _drawn(call, found))
    return _told(call, found)


def _tail(call: Call) -> int:
    import sys

    from tessera import errors
    from tessera.doors.tail import watch

    args, seen = call.args, 0
    try:
        for told in watch(call.root / "var", args.name, args.role, args.purpose):
            if "error" in told:
                kind = type(told["error"]["kind"], (errors.TesseraError,), {"exit_code": told["error"]["exit_code"]})
                raise kind(told["error"]["message"])
            if "watching" in told:
                call.show.note(f"Watching {told['watching']} as {told['role']}; stop with Ctrl-C.")
            elif "event" in told:
                _event(call, told["event"])
                seen += 1
            else:
                call.show.note(", ".join(f"{many} {what}" for what, many in told.items() if many))
            sys.stdout.flush()
            if args.count is not None and seen >= args.count:
                return 0
    except ConnectionError:
        raise BadInput("No server runs on this workspace, and events come in at one. Start it: tessera serve") from None
    except KeyboardInterrupt:
        return 0
    call.show.note("The server has stopped.")
    return 1


def _event(call: Call, event: dict[str, Any]) -> None:
    import json

    if call.show.json:
        call.show.line(json.dumps(event, ensure_ascii=False))
    else:
        call.show.line("  ".join(f"{name}={cell(value)}" for name, value in event.items() if value is not None))


def _turn(call: Call) -> int:
    with call.open() as app, call.progress() as progress:
        landed, done = app.turn(full=call.args.full, rest=call.args.rest, progress=progress)
    found = _landed(landed)
    steps = [{"name": name, **facts} for name, facts in done.ran.items()]

    def draw() -> None:
        _drawn(call, found)
        call.show.line()
        call.show.table(
            ["step", "rows", "seconds", "version"], [[s["name"], s["rows"], s["seconds"], s["version"]] for s in steps]
        )
        if done.fresh:
            call.show.note(f"Nothing new for {', '.join(done.fresh)}.")

    if isinstance(done.anchored, BadInput):
        call.show.note(f"warning: the ledger was not anchored. {done.anchored} The next turn tries again.")
    document = {"sources": found, "steps": steps, "fresh": list(done.fresh), "anchored": _anchored(done.anchored)}
    call.show.answer(document, draw)
    return _told(call, found)


def _anchored(made: Anchored | BadInput | None) -> dict[str, Any] | None:
    """What a turn anchored, or why not; null if none was due."""
    if made is None:
        return None
    if isinstance(made, BadInput):
        return {"ok": False, "reason": str(made), "size": None, "contract": None, "gas": 0}
    size, contract = (made.head.size, made.head.contract) if made.head else (None, None)
    return {"ok": True, "reason": "", "size": size, "contract": contract, "gas": made.gas}


def _landed(landed: dict[str, Any]) -> list[dict[str, Any]]:
    empty: dict[str, Any] = {**dict.fromkeys(COUNTS, 0), "reasons": {}}
    found: list[dict[str, Any]] = []
    for name, one in landed.items():
        if isinstance(one, BadSource):
            found.append({"name": name, **empty, "error": f"{one.reason} {one.mend}".strip()})
        else:
            facts = asdict(one)
            found.append({"name": facts.pop("source"), **facts, "error": None})
    return found


def _drawn(call: Call, found: list[dict[str, Any]]) -> None:
    columns = [c for c in COUNTS if c in ("rows", "kept") or any(one[c] for one in found)]
    call.show.table(["source", *columns], [[one["name"], *(one[c] for c in columns)] for one in found])


def _told(call: Call, found: list[dict[str, Any]]) -> int:
    """Notes on what was refused, by source; the exit code."""
    for one in found:
        if one["quarantined"]:
            reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(one["reasons"].items()))
            rows = many(one["quarantined"], "row")
            call.show.note(f"{one['name']}: {rows} broke the contract ({reasons}). Try: tessera quarantine list")
        if one["error"]:
            call.show.note(f"warning: {one['name']}: {one['error']} The other sources went on.")
    return 1 if any(one["error"] for one in found) else 0
