"""Sources: how each stands, what its contract says and its rows are like; a new one by form, looked at before it is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, cast, get_args

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from tessera import new_source
from tessera.config import SENT, Contract, RecordKind
from tessera.data.sources import door
from tessera.data.sources.drafted import MOST_COLUMNS, Column, Draft, Format, Kind, Sync
from tessera.doors.http.callers import site_of
from tessera.doors.pages import turning, welcome
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor, form, go
from tessera.errors import BadInput, BadSource, BadWorkspace, NotFound
from tessera.fideslang import CATEGORIES
from tessera.lake.engine import literal
from tessera.odcs import TYPES
from tessera.words import KINDS

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
SOURCES = Page(
    name="sources", path="/sources", title=N_("Sources"), icon="plug", group="run", function="operate", key="b"
)
ONE = Page(name="sources", path="/sources/{name}", title=N_("A source"), function="operate", listed=False)
NEW = Page(name="sources", path="/sources/new", title=N_("A new source"), function="operate", listed=False)
PAGES = (SOURCES, NEW, ONE)

Name = Annotated[str, Path(max_length=63)]
BATCHES = 8
SCALARS = tuple(t for t in TYPES if t not in ("object", "array", "map", "vector"))


@router.get(SOURCES.path)
async def listed(visit: Visitor) -> Response:
    """All of them."""
    under, running = turning.under(visit.request), site_of(visit.request).running
    came = running.pulse.flow.totals() if running and running.pulse else {}

    def work(room: Room) -> dict[str, Any]:
        return {"list": room.card(lambda: _listed(room)), "under": under, "came": came}

    return await visit.page(SOURCES, "sources.html", work)


def _listed(room: Room) -> list[Row]:
    app, synced, waits = room.app, room.app.synced(), room.app.quarantine.waiting()
    late = {s for d in app.quality() for s in d["late"]} if room.has("quality") else set()
    return [
        {
            "name": c.name, "kind": c.kind, "webhook": c.webhook is not None, "record": c.record, "department": c.department,
            "last": synced.get(c.name), "waiting": waits.get(c.name, 0), "late": c.name in late, "fresh_hours": c.fresh_hours,
            "lag": _lag(room, c),
        }
        for c in app.config.sources
    ]


def _lag(room: Room, contract: Contract) -> dict[str, int] | None:
    """What was accepted and no turn has landed yet; None of a source that is asked."""
    if contract.kind not in SENT:
        return None
    waits = door.segments(room.app.config.var, contract.name, room.app.secrets)
    return {"bytes": waits.bytes_held(), "segments": len(waits.waiting())}


@router.get(NEW.path)
async def asked(visit: Visitor) -> Response:
    """The form, empty."""

    def work(room: Room) -> dict[str, Any]:
        return _facts(room, Draft(name="", record="person", kind="file", path="files/", sync="snapshot", fresh_hours=24))

    return await visit.page(NEW, "source_new.html", work)


@router.post(NEW.path)
async def given(visit: Visitor) -> Response:
    """`do`: look at the source; show what its contract would be; or connect it, which writes the contract."""
    fields = await form(visit.request)
    do = fields.get("do", "look")

    def work(room: Room) -> dict[str, Any]:
        draft, told = _draft(room, fields), list[str]()
        try:
            if do == "look":
                told, draft = new_source.looked(room.app, draft)
            else:
                new_source.allowed(room.app, draft)
        except (BadInput, BadSource) as no:
            return {**_facts(room, draft), "wrong": str(no)}
        if do == "connect":
            role = welcome.writing(room.app, visit.caller, room.lens.role)
            try:
                new_source.connect(room.app, draft, visit.caller.actor, role)
                return {"connected": draft.name}
            except BadWorkspace as no:
                return {**_facts(room, draft), **_judged(room, draft), "faults": no.faults}
        return {**_facts(room, draft), "told": told, **_judged(room, draft)}

    facts = await visit.run(NEW, lambda room: {**visit.frame(room, NEW), **work(room)}, reopens=lambda f: "connected" in f)
    if "connected" in facts:
        return go(f"/sources/{facts['connected']}")
    return visit.show("source_new.html", facts, status=422 if facts.get("wrong") else 200)


def _facts(room: Room, draft: Draft) -> dict[str, Any]:
    purposes = [p.name for p in room.app.config.purposes.values() if p.needs_consent]
    return {
        "draft": draft, "records": new_source.RECORDS, "types": SCALARS, "identifiers": KINDS, "consents": purposes,
        "ours": list(new_source.ours(draft.record)), "categories": sorted(CATEGORIES), "told": [], "wrong": "", "faults": (),
        "yaml": "", "may_write": welcome.may_write(room), "second": room.app.config.access.changes is not None,
        "root": str(room.app.config.root), "most": MOST_COLUMNS,
    }  # fmt: skip


def _judged(room: Room, draft: Draft) -> dict[str, Any]:
    return {"yaml": new_source.text(room.app, draft), "faults": new_source.faults(room.app, draft)}


def _draft(room: Room, fields: Mapping[str, str]) -> Draft:
    """What the form says. Raises BadInput for a word that is none of its own."""

    def one(name: str, known: tuple[str, ...], usual: str) -> str:
        found = fields.get(name, usual)
        if found not in known:
            raise BadInput(f"{name} is one of {', '.join(known)}.")
        return found

    columns = []
    for n in range(MOST_COLUMNS):
        if (name := fields.get(f"c{n}")) is None:
            break
        category, kind, use = fields.get(f"cat{n}", "").strip(), fields.get(f"type{n}", "string"), fields.get(f"use{n}", "")
        if not name.isprintable() or category not in CATEGORIES or kind not in SCALARS or len(use) > 80:
            raise BadInput(f"Column {n + 1} cannot be read so. Its category is one of fideslang, such as user.contact.email.")
        columns.append(Column(
            name=name[:200], category=category, type=kind, use=use, key=fields.get("key") == str(n),
            pattern=fields.get(f"pat{n}", "")[:20], date_format=fields.get(f"form{n}", "")[:40],
        ))  # fmt: skip
    kind, sync = one("kind", ("file", "sql"), "file"), one("sync", get_args(Sync), "append")
    made = Draft(
        name=fields.get("name", "").strip()[:63], record=cast(RecordKind, one("record", new_source.RECORDS, "person")),
        kind=cast(Kind, kind), department=fields.get("department", "").strip()[:60], path=fields.get("path", "").strip()[:400],
        format=cast(Format, one("format", get_args(Format), "csv")), connection=fields.get("connection", "").strip()[:400],
        table=fields.get("table", "").strip()[:120], sync=cast(Sync, sync), cursor=fields.get("cursor", "").strip()[:120],
        fresh_hours=_whole(fields, "fresh_hours"), keep_days=_whole(fields, "keep_days"),
        amounts="cents" if fields.get("amounts") == "cents" else "units", currency=room.app.config.currency,
        columns=tuple(columns),
    )  # fmt: skip
    return replace(made, department="") if not made.department.isprintable() else made


def _whole(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:9]) <= 100_000:
        raise BadInput(f"{name} is a whole number from 1 to 100,000, or empty.")
    return int(text)


@router.get(ONE.path)
async def shown(visit: Visitor, name: Name) -> Response:
    """One source."""
    return await _one(visit, name)


@router.post("/sources/{name}/check")
async def checked(visit: Visitor, name: Name) -> Response:
    """One source, after it was looked at: whether it is reached, and how it compares with its contract. Takes nothing."""
    await form(visit.request)
    return await _one(visit, name, look=True)


async def _one(visit: Visitor, name: str, look: bool = False) -> Response:
    under, site = turning.under(visit.request), site_of(visit.request)
    pulse = site.running.pulse if site.running else None

    def work(room: Room) -> dict[str, Any]:
        contract = room.app.contract(name)
        return {
            "name": name, "contract": contract, "under": under, "last": room.app.synced().get(name),
            "lag": _lag(room, contract),
            "came": pulse.flow.totals().get(name, 0) if pulse else 0, "came_at": pulse.flow.at(name) if pulse else None,
            "waiting": room.app.quarantine.waiting().get(name, 0), "looked": _look(room, name) if look else None,
            "snippets": welcome.snippets(room.app, name, site.url) if contract.kind == "http" else None, "url": site.url,
            "fields": room.card(lambda: _fields(room, contract)), "yaml": _yaml(room, contract),
            "batches": room.card(lambda: _batches(room, contract)), "table": room.app.landing_table(contract),
            "people": room.app.lake.rows("profiles"),
        }  # fmt: skip

    return await visit.page(replace(SOURCES, title=name), "source.html", work)


def _look(room: Room, name: str) -> dict[str, Any]:
    try:
        return {"ok": True, "says": room.app.check(name)}
    except BadSource as bad:
        return {"ok": False, "says": [bad.reason, *([bad.mend] if bad.mend else [])]}


def _yaml(room: Room, contract: Contract) -> str:
    """The contract as it was written; what is decided here has none."""
    if contract.kind == "decisions":
        return ""
    try:
        return (room.app.config.root / "sources" / contract.file.name).read_text("utf-8")
    except (OSError, ValueError):
        raise NotFound("Contract", contract.file.name) from None


def _fields(room: Room, contract: Contract) -> dict[str, Any]:
    """Each field with its category, what it fills, and how complete it is by the newest measurement."""
    found: dict[str, Row] = {}
    own: Row = {}
    if room.has("quality"):
        named = literal(contract.name)
        for row in room.ask(
            "SELECT field, complete_percent, valid_percent, fresh_hours, ok, measured_at FROM quality "
            f"WHERE source = {named} AND measured_at = (SELECT max(measured_at) FROM quality WHERE source = {named})"
        ):
            found[row["field"]] = row
            own = row
    rows = [{"field": f, **{k: found.get(f.name, {}).get(k) for k in ("complete_percent", "valid_percent", "ok")}}
            for f in contract.fields]  # fmt: skip
    age = None
    if own.get("fresh_hours") is not None:
        age = own["fresh_hours"] + (room.now - own["measured_at"]) / timedelta(hours=1)
    return {"rows": rows, "measured": own.get("measured_at"), "age": age, "goal": contract.goal_percent}


def _batches(room: Room, contract: Contract) -> list[Row]:
    """What it brought last, batch by batch: the versions of its table that it made."""
    table, made = room.app.landing_table(contract), list[Row]()
    mark = f"landing {contract.name}, batch "
    versions = room.app.lake.versions(table)
    for n, version in enumerate(versions):
        if version.what.startswith(mark):
            before = versions[n + 1].rows if n + 1 < len(versions) else 0
            grown = version.rows - before if version.rows is not None and before is not None else None
            batch = version.what.removeprefix(mark)
            made.append({"at": version.at, "batch": batch, "version": version.number, "grown": grown})
            if len(made) == BATCHES:
                break
    return made
