"""Consent: who says yes to what over time, by which words, what a change of words did; what customers read, what is to end.

Counts only. The questions go through the gate in the viewer's role, for her purpose: for one that rests on consent she counts
none but those who gave it, and the page says so.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tessera.config import Purpose
from tessera.data.steps import acts
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures.rates import Rate, beside, course
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.trust_words import BASES
from tessera.doors.pages.visit import Visitor
from tessera.trust.consent_rates import Share, compared, ends, firsts, rates, wordings

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
CONSENT = Page(
    name="consent", path="/consent", title=N_("Consent"), icon="shield-check", group="trust", function="consents", key="o"
)
PAGES = (CONSENT,)

MONTHS = 24
FEWEST = 20
"""Of fewer people than these no share is shown (ux: hide groups under k)."""

UNKNOWN = "unknown"


@router.get(CONSENT.path)
async def consent(visit: Visitor) -> Response:
    """What is known without a question; the rates come behind it."""

    def work(room: Room) -> dict[str, Any]:
        return {
            "read": [_read(room, p) for p in room.app.config.purposes.values()], "ends": room.card(lambda: _ends(room)),
            "signals": _signals(room), "chain": room.card(lambda: _chain(room)), "made": room.has("consents"), "rates": None,
            "words": None, "own": _narrowed(room), "fewest": FEWEST, "full": False,
        }  # fmt: skip

    return await visit.page(CONSENT, "consent.html", work)


@router.get("/consent/rates")
async def rated(visit: Visitor) -> Response:
    """The rates: over months, by version of the words, and what a change of them did."""

    def work(room: Room) -> dict[str, Any]:
        seen = room.card(lambda: _wordings(room))
        return {
            "rates": room.card(lambda: _over_time(room, seen.shown or {})),
            "words": room.card(lambda: _by_words(room, seen.shown)),
            "own": _narrowed(room), "fewest": FEWEST, "made": room.has("consents"), "full": True,
        }  # fmt: skip

    return await visit.page(CONSENT, "consent_rates.html", work)


def _asked(room: Room) -> list[Purpose]:
    """The purposes that people are asked for."""
    return [p for p in room.app.config.purposes.values() if p.needs_consent]


def _narrowed(room: Room) -> bool:
    """Whether the viewer's purpose shows her those alone who agreed to it."""
    return room.reader.purpose.needs_consent


def _over_time(room: Room, seen: dict[str, list[Row]]) -> list[Row]:
    known = acts(room.app.config)
    overall = {r["purpose"]: _share(r) for r in room.ask(rates("purpose", known))}
    by_month = {p: list(rows) for p, rows in groupby(room.ask(rates("month", known)), key=lambda r: r["purpose"])}
    found = []
    for purpose in _asked(room):
        share, months = overall.get(purpose.name), _months(by_month.get(purpose.name, []))
        points = [_point(room, _month(room, at), months.get(at, Share(answered=0, given=0))) for at in _every(months)]
        since = {f"{row['since']:%Y-%m}" for row in seen.get(purpose.name, [])[1:]}
        changed = [place for place, at in enumerate(_every(months)) if at in since]
        label = room.tongue("Share of yes to {purpose} by month", purpose=purpose.name)
        found.append(
            {
                "name": purpose.name, "sentence": room.tongue.pick(purpose.sentence), "share": share, "points": points,
                "changed": bool(changed),
                "picture": course(points, label, room.tongue.percent, changed) if any(p.sure for p in points) else None,
            }
        )  # fmt: skip
    return found


def _wordings(room: Room) -> dict[str, list[Row]]:
    """By purpose the versions of its words that were answered, oldest first, each with its languages."""
    found: dict[str, dict[str, Row]] = {}
    for row in room.ask(wordings()):
        kept = found.setdefault(row["purpose"], {}).setdefault(
            row["wording"], {"wording": row["wording"], "since": row["since"], "last": row["last"], "languages": {}}
        )
        kept["since"], kept["last"] = min(kept["since"], row["since"]), max(kept["last"], row["last"])
        if row["language"]:
            kept["languages"][row["language"]] = int(row["answers"])
    return {p: sorted(rows.values(), key=lambda r: (r["since"], r["wording"])) for p, rows in found.items()}


def _by_words(room: Room, seen: dict[str, list[Row]] | None) -> list[Row]:
    """By purpose, each version with its share; and the newest two compared."""
    asked = room.ask(rates("wording", acts(room.app.config)))
    shares = {(r["purpose"], r["grp"]): (_share(r), int(r["people"])) for r in asked}
    found = []
    for purpose in _asked(room):
        rows = []
        for version in (seen or {}).get(purpose.name, []):
            share, people = shares.get((purpose.name, version["wording"]), (Share(answered=0, given=0), 0))
            rows.append(version | {"share": share, "people": people, "now": version["wording"] == purpose.version})
        told = [_point(room, r["wording"], r["share"]) for r in rows]
        sure = [point for point in told if point.sure]
        label = room.tongue("Share of yes to {purpose} by version of the words", purpose=purpose.name)
        unknown, _ = shares.get((purpose.name, UNKNOWN), (Share(answered=0, given=0), 0))
        found.append(
            {
                "name": purpose.name, "rows": rows, "unknown": unknown.answered, "did": _compared(room, purpose.name, rows),
                "picture": beside(sure, label, room.tongue.percent) if sure else None,
            }
        )  # fmt: skip
    return found


def _compared(room: Room, purpose: str, rows: list[Row]) -> Row | None:
    """What the newest change of words did, by the first answer of each person who saw either; None without two versions."""
    enough = [r["wording"] for r in rows if r["share"].answered >= FEWEST]
    if len(enough) < 2:
        return None
    first, second = enough[-2:]
    told = {r["wording"]: _share(r) for r in room.ask(firsts(purpose, (first, second)))}
    if any(w not in told or told[w].answered < FEWEST for w in (first, second)):
        return None
    return {"first": first, "second": second, "made": compared(told[first], told[second])}


def _share(row: Row) -> Share:
    return Share(answered=int(row["answered"]), given=int(row["given"]))


def _months(rows: list[Row]) -> dict[str, Share]:
    return {r["grp"]: _share(r) for r in rows}


def _every(months: dict[str, Share]) -> list[str]:
    """The months from the first to the last, the newest MONTHS of them; those without an answer too."""
    if not months:
        return []
    (year, month), last, found = (int(p) for p in min(months).split("-")), max(months), list[str]()
    while (at := f"{year:04d}-{month:02d}") <= last:
        found.append(at)
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)
    return found[-MONTHS:]


def _month(room: Room, at: str) -> str:
    return room.tongue.day(datetime.fromisoformat(f"{at}-15"), "y年M月" if room.tongue.language == "zh" else "MMM y")


def _point(room: Room, name: str, share: Share) -> Rate:
    """A share with its words; of too few people it has none."""
    tongue = room.tongue
    if share.answered < FEWEST or share.rate is None or share.interval is None:
        said = tongue("{name}: fewer than {n} people answered", name=name, n=FEWEST)
        return Rate(name=name, rate=0, low=0, high=0, sentence=said, sure=False)
    low, high = share.interval
    said = tongue(
        "{name}: {rate} of {n} people said yes (95 % interval {low} to {high})", name=name, n=tongue.number(share.answered),
        rate=tongue.percent(share.rate / 100, 1), low=tongue.percent(low / 100, 1), high=tongue.percent(high / 100, 1),
    )  # fmt: skip
    return Rate(name=name, rate=share.rate, low=low, high=high, sentence=said)


def _read(room: Room, purpose: Purpose) -> Row:
    """A purpose as customers read it, and what holds for it."""
    return {
        "name": purpose.name, "sentence": purpose.sentence, "version": purpose.version, "asked": purpose.needs_consent,
        "basis": room.tongue(BASES[purpose.basis]), "days": purpose.keep_days, "recipients": purpose.recipients,
    }  # fmt: skip


def _ends(room: Room) -> list[Row]:
    """By purpose: how many yeses end by a moment that came with them, or that was set since; how many with their first use."""
    now = room.now.astimezone(UTC)
    told = {r["purpose"]: r for r in room.ask(ends(now.isoformat()))} if room.has("consents") else {}
    later, found = room.app.permits.to_come(), []
    for purpose in _asked(room):
        came, since = told.get(purpose.name), later.get(purpose.name, [])
        moments = [end for end in since if end is not None]
        nexts = [*moments[:1], *([came["first"]] if came else [])]
        if came or since:
            found.append(
                {
                    "name": purpose.name, "at": len(moments) + (int(came["people"]) if came else 0),
                    "once": len(since) - len(moments), "next": min(nexts, default=None),
                }
            )  # fmt: skip
    return found


def _signals(room: Room) -> list[Row]:
    """Which sources read a browser's or consent manager's signal, and as an answer to what."""
    return [
        {"source": source.name, "signal": field.signal, "purpose": field.consent}
        for source in room.app.config.sources for field in source.fields if field.signal
    ]


def _chain(room: Room) -> Row | None:
    """How the anchors stand, as far as it is known here; no chain is asked."""
    anchors = room.app.anchors
    asked, heads = anchors.asked, anchors.heads()
    if asked is None and not heads:
        return None
    newest = heads[-1] if heads else None
    return {
        "kind": asked.kind if asked else newest.kind if newest else "", "heads": len(heads), "newest": newest,
        "at": datetime.fromtimestamp(newest.at, UTC) if newest else None, "consents": bool(asked and asked.consents),
        "overdue": anchors.overdue(), "every": asked.every_hours if asked else None,
        "behind": len(room.app.ledger) - newest.size if newest else None,
    }  # fmt: skip
