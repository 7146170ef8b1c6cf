"""Uses: every use of data about people, newest first: who, what, what for, of which tables, allowed or refused; and what is
unusual. The reads are bounded: a page looks through so many entries, and says so where more may lie behind them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi import Path as At
from starlette.responses import Response

from tessera.category_words import category
from tessera.doors.entries import facts
from tessera.doors.http.callers import count
from tessera.doors.pages import uses_export
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures.days import Day, days
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.trust_words import ACTS
from tessera.doors.pages.visit import Visitor
from tessera.errors import BrokenTrail, NotFound
from tessera.house import MACHINE
from tessera.trust import proofs, unusual
from tessera.trust.entries import Entry, Filter

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
USES = Page(name="uses", path="/uses", title=N_("Uses"), icon="book-open", group="trust", function="ledger", key="u")
USE = Page(name="uses", path="/uses/{entry}", title=N_("One use"), function="ledger", listed=False)
PAGES = (USES,)

SHOWN = 50
LOOKED = 100_000
"""Entries that one page looks through: a tenth of a second at the most."""

EXPORTED = 50_000
"""Entries in one file, the newest first."""

DAYS, COUNTED_DAYS, COUNTED = 30, 60, 200_000
"""Days in the picture; days, and at the most entries, that are counted for it and for what is unusual."""

Word = Annotated[str, Query(max_length=120)]
Number = Annotated[int | None, Query(ge=0, lt=2**53)]
EntryNumber = Annotated[int, At(ge=0, lt=2**53)]
Verdict = Literal["", "allowed", "refused"]


class Asked:
    """Which entries are asked for, as the address says it."""

    def __init__(
        self, actor: Word = "", act: Word = "", purpose: Word = "", role: Word = "", verdict: Verdict = "", table: Word = "",
        since: Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d\d-\d\d)?$")] = "",
        until: Annotated[str, Query(max_length=10, pattern=r"^(\d{4}-\d\d-\d\d)?$")] = "",
    ) -> None:  # fmt: skip
        self.words = {"actor": actor, "act": act, "purpose": purpose, "role": role, "verdict": verdict, "table": table}
        self.since, self.until = since, until

    @property
    def filter(self) -> Filter:
        """As the ledger takes it."""
        return Filter(**self.words)

    @property
    def said(self) -> dict[str, str]:
        """What is not left open, by its name in the address."""
        return {name: word for name, word in {**self.words, "since": self.since, "until": self.until}.items() if word}

    def numbers(self, room: Room) -> tuple[int, int]:
        """Between which entries they lie: those of the days that are named, in the workspace's zone."""
        ledger, zone = room.app.ledger, ZoneInfo(room.app.config.time_zone)
        first = ledger.since(_midnight(self.since, zone)) if _day(self.since) else 0
        end = ledger.since(_midnight(self.until, zone, 1)) if _day(self.until) else len(ledger)
        return first, end


Wanted = Annotated[Asked, Depends()]


@router.get(USES.path)
async def uses(visit: Visitor, asked: Wanted, before: Number = None) -> Response:
    """The list. before: entries that are older than this number."""

    def work(room: Room) -> dict[str, Any]:
        counted = room.card(lambda: _counted(room))
        return {
            "asked": asked, "said": asked.said, "before": before, "counted": counted,
            "list": room.card(lambda: _listed(room, asked, before)), "older": _address(asked),
            "total": len(room.app.ledger), "head": room.app.ledger.head(), "choices": _choices(room, counted.shown),
            "report": None, "fault": room.app.ledger.fault, "most": EXPORTED, "floors": unusual.FLOOR, "rule": unusual,
        }  # fmt: skip

    return await visit.page(USES, "uses.html", work)


@router.get("/uses/new")
async def fresh(visit: Visitor, asked: Wanted, after: Annotated[int, Query(ge=0, lt=2**53)] = 0) -> Response:
    """How many entries have come since a page was made: a line that leads to them."""

    def work(room: Room) -> dict[str, Any]:
        wanted = room.app.ledger.matching(asked.filter, after, most=LOOKED)
        return {"fresh": sum(1 for _ in wanted), "older": _address(asked), "total": len(room.app.ledger)}

    return await visit.page(USES, "uses_new.html", work)


@router.post("/uses/verify")
async def verify(visit: Visitor) -> Response:
    """Reads the whole ledger again and says whether it holds."""
    count(visit.request, "verify", visit.caller.actor)
    return await visit.page(USES, "uses_verified.html", lambda room: {"report": room.app.ledger.verify()})


@router.get("/uses/export")
async def export(visit: Visitor, asked: Wanted, form: Literal["csv", "json"] = "csv") -> Response:
    """The newest of them as a file."""

    def work(room: Room) -> tuple[bytes, str]:
        first, end = asked.numbers(room)
        found = islice(room.app.ledger.matching(asked.filter, first, end), EXPORTED)
        return uses_export.FORMS[form](found), f"{room.now:%Y-%m-%d}"

    data, day = await visit.run(USES, work)
    headers = {"content-disposition": f'attachment; filename="uses-{day}.{form}"'}
    return Response(data, media_type=uses_export.TYPES[form], headers=headers)


@router.get(USE.path)
async def use(visit: Visitor, entry: EntryNumber) -> Response:
    """One entry in words, with what proves it."""

    def work(room: Room) -> dict[str, Any]:
        found = next(room.app.ledger.entries(entry, entry + 1), None)
        if found is None:
            raise NotFound("Entry", str(entry))
        return {
            "entry": _told(room, found), "proved": room.card(lambda: _proved(room, entry)), "total": len(room.app.ledger),
            "known": {t for t in room.app.gate.presented() if room.has(t)},
        }  # fmt: skip

    return await visit.page(USE, "use.html", work)


@router.get("/uses/{entry}/proof")
async def proof(visit: Visitor, entry: EntryNumber) -> Response:
    """The proof of one entry as a file: it is checked with the public key alone, and holds nobody's number."""

    def work(room: Room) -> bytes:
        return msgspec.json.format(msgspec.json.encode(room.people.proof(entry)), indent=1)

    data = await visit.run(USES, work)
    headers = {"content-disposition": f'attachment; filename="entry-{entry}.json"'}
    return Response(data, media_type="application/json", headers=headers)


def _listed(room: Room, asked: Asked, before: int | None) -> dict[str, Any]:
    first, end = asked.numbers(room)
    if before is not None:
        end = min(end, before)
    found = list(islice(room.app.ledger.matching(asked.filter, first, end, LOOKED), SHOWN + 1))
    more = len(found) > SHOWN
    rest = not more and end - LOOKED > first
    rows = [_told(room, e) for e in found[:SHOWN]]
    older = found[SHOWN - 1].seq if more else end - LOOKED if rest else None
    return {"rows": rows, "next": older, "rest": rest, "looked": LOOKED}


def _told(room: Room, entry: Entry) -> Row:
    language = room.tongue.language
    named = [category(c, language) for c in entry.categories]
    return {
        **facts(entry), "did": room.tongue(ACTS[entry.act]) if entry.act in ACTS else entry.act,
        "named": sorted(set(named)), "machine": entry.actor == MACHINE,
    }  # fmt: skip


def _proved(room: Room, entry: int) -> dict[str, Any]:
    """The entry's proof, checked here as anybody would."""
    made = room.people.proof(entry)
    try:
        shown = proofs.check(made, room.app.ledger.public_key)
    except BrokenTrail as broken:
        return {"ok": False, "reason": str(broken)}
    return {
        "ok": True, "size": shown.checkpoint.size, "root": shown.checkpoint.root.hex(), "steps": len(made.path),
        "key": made.key, "anchor": room.app.anchors.over(entry),
    }  # fmt: skip


def _counted(room: Room) -> dict[str, Any]:
    """The picture, and what is unusual, of the newest days."""
    app, zone, tongue = room.app, room.app.config.time_zone, room.tongue
    since = app.ledger.since(room.now - timedelta(days=COUNTED_DAYS))
    counted = app.ledger.tally(max(since, len(app.ledger) - COUNTED))
    by_day, today = unusual.by_day(counted, zone), room.now.astimezone(ZoneInfo(zone)).date()
    first = today - timedelta(days=DAYS - 1)
    shown = []
    for number in range(DAYS):
        day = first + timedelta(days=number)
        allowed, refused = by_day.get(day, (0, 0))
        said = tongue("{day}: {allowed} allowed, {refused} refused", day=tongue.day(day), allowed=tongue.number(allowed),
                      refused=tongue.number(refused))  # fmt: skip
        shown.append(Day(day=day, allowed=allowed, refused=refused, sentence=said))
    return {
        "picture": days(shown, tongue("Uses a day, of the last {n} days", n=DAYS), tongue.number, tongue.day),
        "days": [d for d in reversed(shown) if d.allowed or d.refused],
        "uses": sum(d.allowed + d.refused for d in shown), "refused": sum(d.refused for d in shown),
        "today": shown[-1], "actors": len({actor for _, actor in counted.by} - {MACHINE}), "counted": counted,
        "unusual": unusual.look(counted, zone, MACHINE), "cut": since < len(app.ledger) - COUNTED,
    }  # fmt: skip


def _choices(room: Room, counted: Any) -> dict[str, list[tuple[str, str]]]:
    """What each filter offers: value and name."""
    tongue, config = room.tongue, room.app.config
    found = counted["counted"] if counted else None
    acts = sorted({*(found.acts if found else ()), "read", "find"})
    actors = sorted({*(found.actors if found else ()), *(a.name for a in config.access.actors), MACHINE})
    return {
        "actor": [(a, a) for a in actors],
        "act": sorted(((a, tongue(ACTS[a]) if a in ACTS else a) for a in acts), key=lambda a: a[1]),
        "purpose": [(p, p) for p in config.purposes],
        "role": [(r, r) for r in (*config.access.roles, "machine", "customer")],
        "verdict": [("allowed", tongue("Allowed")), ("refused", tongue("Refused"))],
        "table": [(t, t) for t in sorted(room.app.gate.presented())],
    }


def _address(asked: Asked) -> str:
    """The address of the list with its filters, to be gone on with."""
    return f"{USES.path}?{urlencode(asked.said)}{'&' if asked.said else ''}"


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _midnight(text: str, zone: ZoneInfo, later: int = 0) -> datetime:
    day = date.fromisoformat(text) + timedelta(days=later)
    return datetime(day.year, day.month, day.day, tzinfo=zone)
