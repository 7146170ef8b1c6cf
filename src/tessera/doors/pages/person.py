"""One customer: four figures, why at risk, what happened, the best next step, what she agreed to, who she is and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.data.steps import acts
from tessera.doors.http.models import PersonId
from tessera.doors.pages import timeline
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures import months, reasons
from tessera.doors.pages.refusals import Erased
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor
from tessera.errors import NotConsented, NotFound, Refused
from tessera.insight.churn.history import WORDS
from tessera.insight.churn.words import why
from tessera.insight.explain.words import shown, word
from tessera.insight.recommend.words import because
from tessera.insight.segments.names import label
from tessera.trust import consent

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
PERSON = Page(
    name="person", path="/customers/{person}", title=N_("Customer"), icon="user", function="show", listed=False
)
JOINED = Page(
    name="joined", path="/customers/{person}/joined", title=N_("How she was joined"), icon="layers", function="show",
    listed=False,
)
PAGES = (PERSON, JOINED)

FIGURES = ("orders", "revenue_cents", "first_order_at", "last_order_at", "last_seen_at", "customer_since", "tier", "records")
FIELDS = {
    "name": N_("Name"), "email": N_("E-mail"), "phone": N_("Phone"), "address": N_("Address"), "born": N_("Born"),
    "city": N_("City"), "region": N_("Region"), "country": N_("Country"), "language": N_("Language"), "tier": N_("Tier"),
}  # fmt: skip
"""What is told of who she is, in this order."""

RISK = (
    "probability", "band", "typical", *(f"{part}_{i}" for i in range(1, 5) for part in ("reason", "value", "points")), "rest",
    "horizon_days", "as_of", "model",
)  # fmt: skip
VALUE = ("expected_value_cents", "value_low_cents", "value_high_cents")
PERSONALISE = "personalise"
MONTHS = 12


@dataclass(frozen=True)
class _Her:
    """A room in which every question is about one person."""

    room: Room
    person: int

    def ask(self, question: str) -> list[Row]:
        return self.room.ask(question).rows

    def sees(self, table: str, *columns: str) -> bool:
        return self.room.has(table) and self.room.sees(table, "person_id", *columns)


@router.get(PERSON.path)
async def person(visit: Visitor, person: PersonId) -> Response:
    """Her page."""
    return await visit.page(PERSON, "person.html", lambda room: _at(room, person, _whole))


@router.get(PERSON.path + "/timeline")
async def happened(
    visit: Visitor, person: PersonId, kind: timeline.Kind = "all",
    before: Annotated[str, Query(max_length=40, pattern=r"^[0-9T:.+Z-]*$")] = "",
) -> Response:
    """A piece of what happened, for the page to put in place; without script, a page of its own."""
    until = _moment(before)
    return await visit.page(
        PERSON, "person_timeline.html",
        lambda room: _at(room, person, lambda her: {"happened": room.card(lambda: _happened(her, kind, until))}),
    )


@router.get(PERSON.path + "/spend")
async def spent(visit: Visitor, person: PersonId) -> Response:
    """Her months, for the page to put in place; without script, a page of its own."""
    return await visit.page(
        PERSON, "person_spend.html", lambda room: _at(room, person, lambda her: {"spend": room.card(lambda: _spend(her))})
    )


@router.get(JOINED.path)
async def joined(visit: Visitor, person: PersonId) -> Response:
    """Which identifiers are hers, and what joined them; kinds, never values."""

    return await visit.page(
        JOINED, "person_joined.html", lambda room: _at(room, person, lambda her: {"why": room.people.why(person)})
    )


def _at(room: Room, person: int, work: Callable[[_Her], dict[str, Any]]) -> dict[str, Any]:
    """Does the work for one person, beside her profile. Whom the lens does not show is not there, like a number of nobody."""
    if (gone := room.app.rights.erased_at(person)) is not None:
        raise Erased(gone)
    try:
        with room.people.about(room.reader, person) as about:
            her = _Her(replace(room, reader=about), person)
            profile = _profile(her)
            return {"person": person, "profile": profile, **work(her)}
    except (NotFound, NotConsented):
        raise NotFound("Person", str(person)) from None
    except Refused:
        if room.sees("profiles", "person_id"):
            raise NotFound("Person", str(person)) from None
        raise


def _profile(her: _Her) -> dict[str, Any]:
    """Her row as the viewer sees it, who gave each value, and why some are not in clear."""
    room, columns = her.room, ["person_id"]
    reasons_: dict[str, str] = {}
    for field in dict.fromkeys((*FIELDS, *FIGURES)):
        seen = room.seen("profiles", field)
        if seen.verdict == "hidden":
            reasons_[field] = seen.reason
            continue
        columns += [field, *([f"{field}_source"] if field in FIELDS and room.sees("profiles", f"{field}_source") else [])]
    answer = room.ask(f"SELECT {', '.join(columns)} FROM profiles")
    if not answer.rows:
        raise NotFound("Person", str(her.person))
    sources = sorted({v for k, v in answer.first.items() if k.endswith("_source") and v})
    return {"row": answer.first, "hidden": reasons_, "veiled": answer.veiled, "sources": sources}


def _whole(her: _Her) -> dict[str, Any]:
    room = her.room
    return {
        "fields": FIELDS, "risk": room.card(lambda: _risk(her)), "value": room.card(lambda: _one(her, "customer_value", VALUE)),
        "segments": room.card(lambda: _segments(her)),
        "next": room.card(lambda: _next(her)), "choices": room.card(lambda: _choices(her)),
        "devices": room.card(lambda: _devices(her)),
    }  # fmt: skip


def _one(her: _Her, table: str, columns: tuple[str, ...]) -> Row | None:
    """Her row of a table; None without one, or where her lens does not show it. (Joined to her profile it would cost the engine
    more than asked for by itself.)"""
    return next(iter(her.ask(f"SELECT {', '.join(columns)} FROM {table}")), None) if her.sees(table, *columns) else None


def _risk(her: _Her) -> Row | None:
    """Her chance of leaving with its reasons; None without one. The bars begin at what is typical and add up to the score."""
    row, language = _one(her, "churn", RISK), her.room.tongue.language
    if row is None:
        return None
    told = why(row)
    most = max([abs(r.points) for r in told.reasons] + [abs(told.rest)], default=1.0)
    bars = []
    for r in told.reasons:
        named = word(r.column, WORDS)
        said = f"{named.to(language)}{'：' if language == 'zh' else ': '}{shown(r.value, named.unit, language)}"
        bars.append({"said": said[:1].upper() + said[1:], "tenths": r.tenths, "bar": reasons.bar(r.points, most)})
    return {
        "row": row, "bars": bars, "typical": told.average_tenths / 1000, "score": told.score_tenths / 1000,
        "rest": told.rest_tenths, "rest_bar": reasons.bar(told.rest, most),
    }  # fmt: skip


def _segments(her: _Her) -> list[str]:
    """The segments that she is in, in words."""
    language, parts = her.room.tongue.language, list[str]()
    if her.sees("segments", "segment", "valid_to"):
        parts.append("SELECT segment, NULL AS label FROM segments WHERE valid_to IS NULL")
    if her.sees("rule_segments", "segment", "valid_to"):
        parts.append(f"SELECT segment, label_{language} FROM rule_segments WHERE valid_to IS NULL")
    rows = her.ask(" UNION ALL ".join(parts)) if parts else []
    return [r["label"] or label(r["segment"], language) for r in rows]


def _spend(her: _Her) -> dict[str, Any] | None:
    """Spend and visits of each of the last months, as of the workspace's day."""
    room = her.room
    parts = []
    if her.sees("orders", "amount_cents", "status"):
        parts.append("SELECT date_trunc('month', occurred_at) AS month, amount_cents AS spent, NULL AS day FROM orders "
                     "WHERE status NOT IN ('cancelled', 'returned', 'refunded')")  # fmt: skip
    if her.sees("events", "occurred_at"):
        parts.append("SELECT date_trunc('month', occurred_at), NULL, CAST(occurred_at AS DATE) FROM events")
    if not parts:
        return None
    today = room.day
    first = _month(today, MONTHS - 1)
    rows = her.ask(
        f"SELECT month, sum(spent) AS spent, count(DISTINCT day) AS days FROM ({' UNION ALL '.join(parts)}) AS t "
        f"WHERE month >= DATE '{first:%Y-%m-%d}' GROUP BY month ORDER BY month"
    )
    by = {(r["month"].year, r["month"].month): r for r in rows}
    listed = [_month(today, MONTHS - 1 - i) for i in range(MONTHS)]
    spent = [float((by.get((m.year, m.month)) or {}).get("spent") or 0) for m in listed]
    days = [int((by.get((m.year, m.month)) or {}).get("days") or 0) for m in listed]
    if not any(spent) and not any(days):
        return None
    say = room.tongue
    picture = months.chart(
        [str(m.month) for m in listed], [s / 100 for s in spent], days, amount=say(N_("Spend ({0})"), say.currency),
        count=say(N_("Days with a visit")), written=lambda v: say.short(v), about=say(N_("Spend and visits, 12 months")),
    )  # fmt: skip
    return {"picture": picture, "rows": list(zip(listed, spent, days, strict=True))}


def _next(her: _Her) -> dict[str, Any] | None:
    """The products that she will most likely want, with the reason; and whether she has allowed to be advised."""
    if not her.sees("next_products", "product_id", "chance", "because"):
        return None
    # Hers are few: put in order here, for the engine would read a table twice to give three rows of it.
    rows = sorted(her.ask("SELECT * FROM next_products"), key=lambda r: r["rank"])[:3]
    today, language = her.room.day, her.room.tongue.language
    told = [
        {
            "product": r["product_id"], "chance": r["chance"],
            "why": because(
                r["kind"], language, times=r["times"] or 0, every=r["every_days"], other=r["because"] or "",
                since=float((today - r["last_bought"]).days) if r["last_bought"] else None, grouped=bool(r["segment"]),
            ),
        }
        for r in rows
    ]  # fmt: skip
    return {"products": told, "purpose": PERSONALISE if PERSONALISE in her.room.app.config.purposes else ""} if told else None


def _choices(her: _Her) -> list[dict[str, Any]]:
    """Each purpose with her answer; of those that rest on no consent, that they do not."""
    room, config = her.room, her.room.app.config
    if not her.sees("consents", "purpose", "state"):
        return []
    said = her.ask("SELECT purpose, state, occurred_at, until, key_id, source FROM consents ORDER BY occurred_at, state")
    newest = consent.choices(said, acts(config))
    assert room.reader.about
    ends = room.app.gate.permits.endings(room.reader.about.keys)
    found = []
    for name, purpose in config.purposes.items():
        told = newest.get(name)
        end = ends.get(name)
        found.append({
            "purpose": name, "sentence": room.tongue.pick(purpose.sentence), "needs": purpose.needs_consent,
            "basis": purpose.basis, "state": told["state"] if told else "", "since": told["occurred_at"] if told else None,
            "until": end.until if end else None, "over": bool(end and end.over),
        })  # fmt: skip
    return found


def _devices(her: _Her) -> list[Row]:
    if not her.sees("device_health", "device_model", "risk", "days_left"):
        return []
    language = her.room.tongue.language
    return her.ask(
        f"SELECT device_model, last_reading_at, silent, risk, horizon_days, days_left, alarm, reason_{language} AS reason "
        "FROM device_health ORDER BY risk DESC NULLS LAST LIMIT 4"
    )


def _happened(her: _Her, kind: timeline.Kind, before: datetime | None) -> dict[str, Any]:
    tables = [p.table for p in timeline.PARTS if her.sees(p.table, "occurred_at", *p.needs)]
    question = timeline.question(tables, kind, before)
    told = timeline.lines(her.ask(question)) if question else []
    zone = ZoneInfo(her.room.tongue.zone)
    kinds = {p.kind for p in timeline.PARTS if p.table in tables}
    return {
        "days": timeline.by_day(told, zone), "kind": kind, "kinds": [k for k in timeline.KINDS if k == "all" or k in kinds],
        "names": timeline.KINDS, "older": told[-1].since.isoformat() if len(told) == timeline.MOST else "", "before": before,
        "texts": _texts(her, [line.which for line in told if line.table == "posts"]),
    }  # fmt: skip


def _texts(her: _Her, posts: list[str]) -> dict[str, str]:
    """What she wrote, of the posts that are shown; opened for a viewer who may read it in clear, and for none else."""
    if not posts or her.room.seen("posts", "text").verdict != "clear":
        return {}
    rows = her.ask("SELECT post_id, text FROM posts ORDER BY occurred_at DESC LIMIT 200")
    return {r["post_id"]: r["text"] for r in rows if r["post_id"] in set(posts)}


def _month(day: Any, back: int) -> Any:
    """The first of the month so many months before a day's."""
    first = day.replace(day=1)
    for _ in range(back):
        first = (first - timedelta(days=1)).replace(day=1)
    return first


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except ValueError:
        return None
