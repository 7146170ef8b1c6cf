"""What is known of the customer herself: every field with its source, her groups and orders; and why she sees what she sees."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from tessera.copy_words import column
from tessera.data.raw import CORRECTED
from tessera.doors.pages import her_sayings
from tessera.doors.pages.her_visit import Her, HerRoom
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.insight.churn.words import told
from tessera.insight.recommend.words import because
from tessera.insight.segments.names import label

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
PRODUCTS, DECIDED = 5, 5

OURS = ("keys", "records")
"""Fields of a profile that count how we keep her, and say nothing of her."""

CHOSEN: dict[str, str] = {
    "learned": N_("It is what others in a situation like yours liked best so far."),
    "explored": N_("It was picked by chance among what could be shown, so that we learn what works."),
    "control": N_("You are in a small group that always sees the usual, so that we can compare."),
    "nothing_left": N_("Nothing else could be shown, so you saw the usual."),
    "no_consent": N_("Your data was not looked at, so you saw the usual."),
}
"""How a decision was made -> why, in her words."""

CHURN = ("probability", "typical", "rest", *(f"{part}_{n}" for n in range(1, 5) for part in ("reason", "value", "points")))


@router.get("/me/data")
async def data(her: Her) -> Response:
    """The page."""
    return await her.page("me_data.html", _work)


def _work(room: HerRoom) -> dict[str, Any]:
    return {
        "known": room.card(lambda: _portrait(room)), "products": room.card(lambda: _products(room)),
        "leaving": room.card(lambda: _leaving(room)), "decided": room.card(lambda: _decided(room)),
    }  # fmt: skip


def _portrait(room: HerRoom) -> dict[str, Any]:
    tongue, made = room.tongue, room.app.people.portrait_for(room.her, room.person)
    fields = [
        {
            "name": column(t.field, tongue.language, "profiles"), "value": _value(room, t.field, t.value),
            "source": _source(room, t.source),
        }
        for t in made.traits
        if t.value is not None and t.field not in OURS
    ]
    return {
        "fields": fields, "unmade": bool(made.closed),
        "groups": [{"name": label(s["segment"], tongue.language), "since": s["valid_from"]} for s in made.segments],
        "orders": made.orders,
        "kinds": [{"name": her_sayings.table(c["kind"], tongue), **c} for c in made.counts if c["rows"]],
    }


def _value(room: HerRoom, field: str, value: Any) -> str:
    tongue = room.tongue
    if field.endswith("_cents"):
        return tongue.money(value)
    if hasattr(value, "year"):
        return tongue.day(value)
    return tongue.number(value, 0 if isinstance(value, int) else 2) if isinstance(value, int | float) else str(value)


def _source(room: HerRoom, name: str | None) -> str:
    if name == CORRECTED:
        return room.tongue("You corrected it")
    return room.tongue("From {source}", source=name) if name else ""


def _products(room: HerRoom) -> list[dict[str, str]]:
    """What we think of for her, each with the reason; nothing where none were made or her no has kept her out."""
    if not room.has("next_products"):
        return []
    day = room.app.ages.day()
    found = room.ask(
        "SELECT product_id, kind, times, every_days, last_bought, because, segment FROM next_products "
        f"ORDER BY rank LIMIT {PRODUCTS}"
    )
    return [
        {
            "product": r["product_id"],
            "why": because(
                r["kind"], room.tongue.language, times=r["times"] or 0, every=r["every_days"],
                since=float((day - r["last_bought"]).days) if r["last_bought"] else None, other=r["because"] or "",
                grouped=r["segment"] is not None,
            ),
        }
        for r in found
    ]  # fmt: skip


def _leaving(room: HerRoom) -> list[str]:
    if not room.has("churn"):
        return []
    found = room.ask(f"SELECT {', '.join(CHURN)} FROM churn LIMIT 1")
    return told(found[0], room.tongue.language, customer=True) if found else []


def _decided(room: HerRoom) -> list[dict[str, Any]]:
    if not room.has("decisions"):
        return []
    found = room.ask(
        "SELECT occurred_at, decision, candidate, product_id, chosen_by FROM decisions "
        f"ORDER BY occurred_at DESC LIMIT {DECIDED}"
    )
    return [
        {**r, "shown": r["product_id"] or r["candidate"], "why": room.tongue(CHOSEN.get(r["chosen_by"], CHOSEN["learned"]))}
        for r in found
    ]
