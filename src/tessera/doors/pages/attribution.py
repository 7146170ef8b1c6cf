"""Attribution: which channel brought what by every model, which one earned its keep, and the ways that people took."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.doors.pages import insight
from tessera.doors.pages.insight import K
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures.marks import bar
from tessera.doors.pages.pictures.spans import Span, spans
from tessera.doors.pages.room import Room, Row
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor
from tessera.lake.engine import literal

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
ATTRIBUTION = Page(
    name="attribution", path="/attribution", title=N_("Attribution"), icon="git-branch", group="act", function="tables", key="a"
)
PAGES = (ATTRIBUTION,)

Kind = Literal["all", "first", "repeat"]
Measure = Literal["value", "orders"]
Model = Literal["markov", "first", "last", "linear", "position", "time_decay", "shapley"]
MODELS: dict[Model, tuple[str, str]] = {
    "markov": (N_("Markov"), N_("in proportion to what would be lost without the channel")),
    "first": (N_("First touch"), N_("all to the first touch")),
    "last": (N_("Last touch"), N_("all to the last touch")),
    "linear": (N_("Linear"), N_("to all touches alike")),
    "position": (N_("Position"), N_("40% to the first, 40% to the last, 20% to those between")),
    "time_decay": (N_("Time decay"), N_("the nearer to the order, the more; halved every 7 days")),
    "shapley": (N_("Shapley"), N_("to the channels of a path alike, each once")),
}
"""Model -> its name, and to whom it credits an order."""
KINDS: dict[Kind, str] = {"all": N_("All orders"), "first": N_("First purchase"), "repeat": N_("Repurchase")}
MEASURES: dict[Measure, tuple[str, str]] = {"value": (N_("Value"), "value_cents"), "orders": (N_("Orders"), "conversions")}
MOST = 60
CARD = "SELECT fitted_at, figures, settings FROM models WHERE model = 'attribution' AND status = 'champion'"


@router.get(ATTRIBUTION.path)
async def attribution(visit: Visitor, kind: Kind = "all", measure: Measure = "value", by: Model = "markov") -> Response:
    """All models side by side. kind: of orders; measure: what is shared out; by: the model that is lit."""

    def work(room: Room) -> dict[str, Any]:
        return {
            "kind": kind, "measure": measure, "by": by, "models": MODELS, "kinds": KINDS, "measures": MEASURES,
            "through": insight.elsewhere(room, ("channel_credits", ("channel", "conversions"))),
            "credits": room.card(lambda: _credits(room, kind, MEASURES[measure][1], by)),
            "told": room.card(lambda: _told(room)),
        }  # fmt: skip

    return await visit.page(ATTRIBUTION, "attribution.html", work)


@router.get(ATTRIBUTION.path + "/paths")
async def paths(visit: Visitor, channel: Annotated[str, Query(max_length=200)] = "") -> Response:
    """The ways that people took most, to an order or to none; with `channel`, those that led through it."""

    def work(room: Room) -> dict[str, Any]:
        return {
            "channel": channel, "k": K, "most": MOST, "paths": room.card(lambda: _paths(room, channel)),
            "through": insight.elsewhere(room, ("conversion_paths", ("path", "journeys"))),
            "told": room.card(lambda: _told(room)),
        }  # fmt: skip

    return await visit.page(ATTRIBUTION, "attribution_paths.html", work)


def _credits(room: Room, kind: Kind, measure: str, by: Model) -> dict[str, Any]:
    """Channels by models, what each cost, and how far the models agree."""
    if not room.has("channel_credits"):
        return {"rows": []}
    # Removal effects are told of first orders and of later ones apart.
    found = room.ask(
        f"""SELECT channel, model, {measure} AS credit, {measure}_low AS low, {measure}_high AS high, value_cents,
               removal_effect, people, touches FROM channel_credits WHERE kind = {literal(kind)}"""
    ).rows  # fmt: skip
    channels: dict[str, dict[str, Row]] = {}
    for row in found:
        channels.setdefault(row["channel"], {})[row["model"]] = row
    totals = {m: sum(c[m]["credit"] or 0 for c in channels.values()) for m in MODELS}
    spent, foreign = _costs(room)
    rows = [_channel(name, each, by, spent.get(name), kind) for name, each in channels.items()]
    told = [r for r in rows if r["credits"]]
    most = max((max(r["credits"].values()) for r in told), default=0)
    for row in told:
        row["bar"] = bar(row["credits"][by] / most if most else 0, "f-lapis")
    told.sort(key=lambda r: -r["credits"][by])
    return {
        "rows": told, "silent": len(rows) - len(told), "totals": totals, "foreign": foreign,
        "same": len({round(t, 3) for t in totals.values()}) == 1, "costed": any(r["cost"] for r in told),
        "removal": kind != "all", "picture": _picture(room, told, measure, by) if told else None, **_verdict(told),
    }  # fmt: skip


def _channel(name: str, each: dict[str, Row], by: Model, cost: int | None, kind: Kind) -> Row:
    """One channel's row. keep: whether its credited value covers its cost by every model (yes), by none (no), or by some."""
    lit = each[by]
    row: Row = {"channel": name, "people": lit["people"], "touches": lit["touches"], "low": lit["low"], "high": lit["high"]}
    if lit["credit"] is None:
        return row | {"credits": {}, "cost": None}
    credits = {m: each[m]["credit"] for m in MODELS}
    values = {m: each[m]["value_cents"] for m in MODELS}
    row |= {"credits": credits, "spread": (min(credits.values()), max(credits.values())), "value": values[by]}
    row |= {"removal": each["markov"]["removal_effect"] if kind != "all" else None, "cost": cost}
    row["per_touch"] = values[by] / lit["touches"] if lit["touches"] else None
    if cost:
        back = {m: v / cost for m, v in values.items()}
        least, most = min(back.values()), max(back.values())
        row |= {"back": back[by], "back_least": least, "back_most": most}
        row["keep"] = "yes" if least >= 1 else "no" if most < 1 else "some"
    return row


def _costs(room: Room) -> tuple[dict[str, int], int]:
    """By channel, what its touches cost in the workspace's currency; and how many touches cost something in another."""
    if not (room.has("touches") and room.sees("touches", "channel", "amount_cents", "currency")):
        return {}, 0
    own = f"coalesce(currency, {literal(room.app.config.currency)}) = {literal(room.app.config.currency)}"
    rows = room.ask(
        f"""SELECT trim(channel) AS channel, sum(amount_cents) FILTER (WHERE {own}) AS cents,
               count(*) FILTER (WHERE NOT ({own}) AND amount_cents > 0) AS abroad
            FROM touches WHERE channel IS NOT NULL GROUP BY trim(channel)"""
    ).rows  # fmt: skip
    return {r["channel"]: int(r["cents"]) for r in rows if r["cents"] is not None}, sum(r["abroad"] for r in rows)


def _verdict(rows: list[Row]) -> dict[str, Any]:
    """Which channels brought most, each by how many models; which brought back most for its cost; on which they disagree."""
    if not rows:
        return {}
    tops = Counter(max(rows, key=lambda r: r["credits"][m])["channel"] for m in MODELS).most_common()
    paid = [r for r in rows if r.get("back") is not None]
    torn = max(rows, key=lambda r: (r["spread"][1] - r["spread"][0]) / max(r["spread"][1], 1e-9))
    return {
        "tops": tops, "torn": torn,
        "best": max(paid, key=lambda r: r["back"]) if paid else None,
    }  # fmt: skip


def _picture(room: Room, rows: list[Row], measure: str, by: Model) -> Any:
    tongue = room.tongue

    def said(value: float) -> str:
        return tongue.money(value) if measure == "value_cents" else tongue.number(value)

    def axis(value: float) -> str:
        return tongue.short(value / 100) if measure == "value_cents" else tongue.short(value)

    drawn = [
        Span(
            name=r["channel"], chosen=r["credits"][by], others=[v for m, v in r["credits"].items() if m != by], low=r["low"],
            high=r["high"], sentence=tongue(
                "{channel}: {credit} by this model; {low} to {high} by all of them.", channel=r["channel"],
                credit=said(r["credits"][by]), low=said(r["spread"][0]), high=said(r["spread"][1]),
            ),
        )
        for r in rows
    ]  # fmt: skip
    return spans(drawn, tongue("What each model credits to each channel; the table has the numbers."), axis)


def _told(room: Room) -> dict[str, Any] | None:
    """What the model's card says: of when it is, window, order, and what was left out."""
    card = room.ask(CARD).first if room.has("models") else None
    if not card:
        return None
    figures = {name: f["value"] for name, f in json.loads(card["figures"]).items()}
    return {"at": card["fitted_at"], "settings": json.loads(card["settings"]), "figures": figures}


def _paths(room: Room, channel: str) -> dict[str, Any]:
    """The paths, most taken first; the rest, and those of few people, as one sum."""
    if not room.has("conversion_paths"):
        return {"rows": [], "channels": []}
    channels = [r["channel"] for r in room.ask("SELECT DISTINCT channel FROM channel_credits ORDER BY channel")]
    where = f" AND contains(' > ' || path || ' > ', {literal(f' > {channel} > ')})" if channel else ""
    rows = room.ask(
        f"""SELECT path, people, journeys, first_orders, repeat_orders, value_cents, days FROM conversion_paths
            WHERE path IS NOT NULL AND people >= {K}{where} ORDER BY journeys DESC, path LIMIT {MOST + 1}"""
    ).rows  # fmt: skip
    rest = room.ask(
        f"""SELECT sum(paths) AS paths, sum(journeys) AS journeys, sum(first_orders + repeat_orders) AS orders
            FROM conversion_paths WHERE path IS NULL OR people < {K}"""
    ).first  # fmt: skip
    most = max((r["journeys"] for r in rows), default=1)
    for row in rows:
        orders = row["first_orders"] + row["repeat_orders"]
        row |= {"steps": _steps(row["path"]), "orders": orders, "share": orders / row["journeys"] if row["journeys"] else None}
        row["bar"] = bar(row["journeys"] / most)
    return {"rows": rows[:MOST], "more": len(rows) > MOST, "rest": rest, "channels": channels}


def _steps(path: str) -> list[tuple[str, int]]:
    """The touches of a path; one that is repeated stands once, with how often.

    >>> _steps("email > email > search")
    [('email', 2), ('search', 1)]
    """
    found: list[tuple[str, int]] = []
    for name in path.split(" > "):
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1] + 1)
        else:
            found.append((name, 1))
    return found
