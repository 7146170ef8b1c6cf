"""Customers: whom to call today and why, of those whom the viewer's role sees for her purpose; and whoever is looked for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor, go
from tessera.errors import NotAllowed
from tessera.insight.churn.history import WORDS
from tessera.insight.explain.words import shown, word

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
CUSTOMERS = Page(
    name="customers", path="/customers", title=N_("Customers"), icon="users", group="act", function="show", key="c"
)
PAGES = (CUSTOMERS,)

MOST = 50
Sort = Literal["call", "risk", "value", "recent", "revenue"]
ORDER: dict[Sort, tuple[str, tuple[str, ...]]] = {
    "call": ("c.probability * v.expected_value_cents DESC NULLS LAST", ("churn", "customer_value")),
    "risk": ("c.probability DESC NULLS LAST", ("churn",)),
    "value": ("v.expected_value_cents DESC NULLS LAST", ("customer_value",)),
    "recent": ("p.last_seen_at DESC NULLS LAST", ()),
    "revenue": ("p.revenue_cents DESC NULLS LAST", ()),
}
"""By what the list is sorted, and the tables that it needs for that beside profiles."""

SHOWN = ("name", "city", "tier", "revenue_cents", "orders", "last_order_at", "last_seen_at")
RISK = ("probability", "band", "reason_1", "value_1", "points_1")
VALUE = ("expected_value_cents", "p_alive")


@router.get(CUSTOMERS.path)
async def customers(
    visit: Visitor, q: Annotated[str, Query(max_length=200)] = "", sort: Sort = "call",
    page: Annotated[int, Query(ge=1, le=2_000)] = 1,
) -> Response:
    """The list; or, with `q`, whoever an identifier or number belongs to. A single one is opened at once."""

    def work(room: Room) -> dict[str, Any]:
        found = room.card(lambda: _looked_up(room, q)) if q.strip() else None
        only = found.shown if found is not None and found.state == "ok" else None
        return {"q": q, "sort": sort, "place": page, "found": found, "list": room.card(lambda: _listed(room, sort, page, only))}

    facts = await visit.run(CUSTOMERS, lambda room: {**visit.frame(room, CUSTOMERS), **work(room)})
    found = facts["found"]
    if found is not None and found.state == "ok" and len(found.shown) == 1:
        return go(f"/customers/{found.shown[0]}")
    return visit.show("customers.html", facts)


def _looked_up(room: Room, q: str) -> list[int]:
    """The persons whom an identifier belongs to; a bare number may be a person's own."""
    text = q.strip()
    if not room.may("find"):
        raise NotAllowed(f"No line of access.yaml (functions) lets {room.lens.role} look up a person by an identifier.")
    persons = room.people.find_for(room.reader, text)
    if not persons and text.isdecimal() and len(text) < 10:
        persons = room.people.visible(room.reader, [int(text)])
    return persons


def _listed(room: Room, sort: Sort, page: int, only: list[int] | None) -> dict[str, Any]:
    order, needed = ORDER[sort]
    joined = {
        "churn": room.has("churn") and room.sees("churn", "person_id", *RISK),
        "customer_value": room.has("customer_value") and room.sees("customer_value", "person_id", *VALUE),
    }
    if not all(joined[t] for t in needed):
        order = ORDER["recent"][0] if room.sees("profiles", "last_seen_at") else "p.person_id"
    columns = ["p.person_id", *(f"p.{c}" for c in SHOWN if room.sees("profiles", c))]
    tables = "profiles p"
    if joined["churn"]:
        columns += [f"c.{c}" for c in RISK]
        tables += " LEFT JOIN churn c ON c.person_id = p.person_id"
    if joined["customer_value"]:
        columns += [f"v.{c}" for c in VALUE]
        tables += " LEFT JOIN customer_value v ON v.person_id = p.person_id"
    where = f" WHERE p.person_id IN ({', '.join(map(str, only)) or '-1'})" if only is not None else ""
    answer = room.ask(
        f"SELECT {', '.join(columns)} FROM {tables}{where} ORDER BY {order}, p.person_id "
        f"LIMIT {MOST + 1} OFFSET {(page - 1) * MOST}",
    )
    rows = [_told(room, row) for row in answer.rows[:MOST]]
    return {"rows": rows, "more": len(answer) > MOST, "veiled": answer.veiled, "joined": joined}


def _told(room: Room, row: Row) -> Row:
    """A row with the reason why she may leave, in words."""
    reason, points = row.get("reason_1"), row.get("points_1")
    if not reason or not points or points <= 0:
        return row | {"why": ""}
    named = word(reason, WORDS)
    language = room.tongue.language
    said = f"{named.to(language)}{'：' if language == 'zh' else ': '}{shown(row['value_1'], named.unit, language)}"
    return row | {"why": said[:1].upper() + said[1:]}
