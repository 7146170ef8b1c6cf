"""Website and app events in Segment's form: visits step by step, sign-ins, devices, complaints and consent choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tessera.demo.causes import Touches
from tessera.demo.crm import Choice
from tessera.demo.names import COUNTRIES
from tessera.demo.people import ACCOUNT, NEVER, VISITOR, Crowd
from tessera.demo.sessions import (
    ADDED,
    BOUGHT,
    CATEGORY,
    CHECKOUT,
    HOME,
    IDENTIFIED,
    SEARCHED,
    VIEWED,
    Sessions,
    received,
    steps,
)  # fmt: skip
from tessera.demo.shop import CHANNELS, CURRENCIES, DAY_S, DAYS, END_S, PURPOSES, SHELF, TOPICS, iso
from tessera.demo.tally import MISSING, MISTYPED, Fault, Row, Tally
from tessera.demo.touches import campaign

SITE = "https://shop.tessera.example"
FAULTS = (
    Fault("messageId", None, MISSING),
    Fault("timestamp", "yesterday at noon", MISTYPED),
    Fault("properties.price", "on request", MISTYPED),
    Fault("type", None, MISSING),
)
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15_6) AppleWebKit/605.1.15 Version/19.0 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
)
_REFERRERS = {
    "search": "https://search.example/",
    "social": "https://social.example/",
    "affiliate": "https://deals.example/",
}
_NAMES = {
    SEARCHED: "Products Searched", VIEWED: "Product Viewed", ADDED: "Product Added", CHECKOUT: "Checkout Started",
    BOUGHT: "Order Completed",
}  # fmt: skip


@dataclass
class Told:
    """What a block's people did on the website and in the app: the rows, the choices among them, the browsers seen."""

    rows: list[Row] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    browsers: set[str] = field(default_factory=set)


def events(
    who: Crowd, visits: Sessions, touches: Touches, orders: list[Row], tally: Tally, asked: list[Choice]
) -> Told:
    """All events of a block, in the order in which they reached us, the doubled ones twice."""
    told = Told()
    _visited(told, who, visits, touches, orders)
    _registered(told, who)
    _complained(told, who)
    _chose(told, who, asked)
    told.browsers = {row["anonymousId"] for row in told.rows if "anonymousId" in row}
    _, doubles = tally.dirty(
        "web_events",
        told.rows,
        who.rng,
        faults=FAULTS,
        broken=0.001,
        doubled=0.004,
        eligible=lambda row: row["type"] in ("page", "screen"),
    )
    told.rows += doubles
    told.rows.sort(key=lambda row: str(row["receivedAt"]))
    return told


def _ids(rng: np.random.Generator, count: int) -> list[str]:
    text = rng.bytes(count * 12).hex()
    return [text[i : i + 24] for i in range(0, count * 24, 24)]


def _visited(told: Told, who: Crowd, visits: Sessions, touches: Touches, orders: list[Row]) -> None:
    walked = steps(who, visits)
    count = len(walked.session)
    stamps = iso(walked.at, walked.ms)
    arrived = iso(*received(who.rng, walked.at, walked.ms))
    ids = _ids(who.rng, count)
    leaks = (who.rng.random(count) < 0.004).tolist()
    what, place, product = walked.what.tolist(), walked.place.tolist(), walked.product.tolist()
    contexts = _contexts(who, visits, touches)
    signed = visits.signed.tolist()
    people, browsers, bought = visits.person.tolist(), visits.browser.tolist(), visits.order.tolist()
    app = visits.app.tolist()
    for n, s in enumerate(walked.session.tolist()):
        person, step = people[s], what[n]
        item = SHELF[product[n]]
        currency = who.currency(person)
        path = "/" if step == HOME else f"/{item.topic}" if step in (CATEGORY, SEARCHED) else f"/{item.topic}/{item.id}"
        query = f"?email={who.email[person].replace('@', '%40')}" if leaks[n] and who.email[person] else ""
        row: Row = {
            "messageId": ids[n],
            "anonymousId": who.browsers[person][browsers[s]],
            "timestamp": stamps[n],
            "receivedAt": arrived[n],
        }
        if signed[s] and place[n] >= 1 and who.kind[person] == ACCOUNT:
            row["userId"] = who.customer_ids[person][0]
        context: dict[str, Any] = contexts[s]
        if app[s]:
            context = context | {"screen": {"name": path}}
        else:
            page = {"url": SITE + path + query}
            if place[n] == 0 and "campaign" in context:
                page["referrer"] = _REFERRERS.get(context["campaign"]["source"], "")
            context = context | {"page": page}
        row["context"] = context
        if step == IDENTIFIED:
            row |= {"type": "identify", "traits": _traits(who, person)}
        elif step in (HOME, CATEGORY):
            row |= {"type": "screen" if app[s] else "page", "name": "Home" if step == HOME else item.topic.title()}
            row["properties"] = {"category": item.topic} if step == CATEGORY else {}
        else:
            row |= {"type": "track", "event": _NAMES[step]}
            row["properties"] = {"category": item.topic, "product_id": item.id}
            if step == SEARCHED:
                row["properties"] = {"category": item.topic, "query": item.name.lower()}
            elif step == BOUGHT:
                order = orders[bought[s]]
                row["properties"] = {"order_id": order["order_id"], "product_id": item.id, "currency": currency}
                if order["amount_cents"] is not None:
                    row["properties"]["price"] = order["amount_cents"] / 100
            else:
                row["properties"] |= {"price": round(item.cents * CURRENCIES[currency], -1) / 100, "currency": currency}
        told.rows.append(row)


def _contexts(who: Crowd, visits: Sessions, touches: Touches) -> list[dict[str, Any]]:
    """What each visit's events say of the browser and of the campaign she came by."""
    draws = who.rng.integers(1, 255, (len(visits), 3)).tolist()
    made = []
    for s, (person, browser, touch, app) in enumerate(
        zip(visits.person.tolist(), visits.browser.tolist(), visits.touch.tolist(), visits.app.tolist(), strict=True)
    ):
        land = COUNTRIES[who.country[person]]
        agent = (person + browser) % 4
        context: dict[str, Any] = {
            "device": {"type": "ios" if agent == 3 else "android"}
            if app
            else {"type": "mobile" if agent == 3 else "desktop"},
            "ip": "198.{}.{}.{}".format(*draws[s]),
            "locale": f"{land.language}-{land.code}",
            "userAgent": "TesseraShop/4.2" if app else _AGENTS[agent],
        }
        if touch >= 0 and not app and touches.channel[touch] < len(CHANNELS) - 1:
            name, channel = campaign(int(touches.channel[touch]), int(touches.at[touch]))
            medium = {"email": "email", "display": "banner", "affiliate": "referral"}.get(channel, "cpc")
            context["campaign"] = {"name": name, "source": channel, "medium": medium}
        made.append(context)
    return made


def _traits(who: Crowd, person: int) -> Row:
    if who.kind[person] != ACCOUNT:
        return {"email": who.email[person]}
    return {"email": who.email[person], "firstName": who.first_name[person], "lastName": who.last_name[person]}


def _add(told: Told, who: Crowd, person: int, at: int, row: Row) -> None:
    """One event of its own, outside a visit."""
    (stamp,), (came,) = iso(np.array([at]), np.array([0])), iso(np.array([min(at + 1, END_S - 1)]), np.array([5]))
    base: Row = {"messageId": who.rng.bytes(12).hex(), "timestamp": stamp, "receivedAt": came}
    land = COUNTRIES[who.country[person]]
    base["context"] = {"device": {"type": "mobile"}, "locale": f"{land.language}-{land.code}"} | row.pop("context", {})
    told.rows.append(base | row)


def _registered(told: Told, who: Crowd) -> None:
    """Most devices are registered in the app, where the customer is signed in."""
    by_app = who.rng.random(len(who)) < 0.7
    for i, device in enumerate(who.device):
        if device and by_app[i] and 0 <= who.registered[i] < who.left[i]:
            what = {"device_id": device, "model": who.model[i]}
            row = {"type": "track", "event": "Device Registered", "userId": who.customer_ids[i][0], "properties": what}
            _add(told, who, i, int(who.registered[i]) * DAY_S + 36_000, row)


def _complained(told: Told, who: Crowd) -> None:
    """Most who leave have complained in their last weeks; few others ever do."""
    draw = who.rng.random(len(who))
    day = who.rng.integers(4, 32, len(who))
    for i in np.flatnonzero(who.kind == ACCOUNT).tolist():
        leaves = who.left[i] < NEVER
        if draw[i] < (0.65 if leaves else 0.05):
            on = int(who.left[i] - day[i]) if leaves else int(max(who.since[i], who.until[i] - 9 * day[i]))
            what = {"category": TOPICS[who.likes[i, 0]], "reason": ("late delivery", "broken", "price")[i % 3]}
            row = {
                "type": "track",
                "event": "Support Ticket Opened",
                "userId": who.customer_ids[i][0],
                "properties": what,
            }
            _add(told, who, i, max(on, 0) * DAY_S + 50_000, row)


def _chose(told: Told, who: Crowd, asked: list[Choice]) -> None:
    """Some change their mind on the website: signed in, or, who only browses, at the cookie banner."""
    before = {choice.person: choice.says for choice in asked}
    draws = who.rng.random((len(who), 2 + len(PURPOSES)))
    for i, u in enumerate(draws.tolist()):
        kind = who.kind[i]
        if u[0] >= (0.15 if kind == ACCOUNT else 0.4 if kind == VISITOR else 0.0) or who.since[i] >= who.until[i]:
            continue
        fallback = (False,) * len(PURPOSES)
        old = before.get(i, fallback)
        withdraws = u[0] < 0.07 and any(old)
        says = tuple(
            False if withdraws and share < 0.75 else bool(past) if share < 0.3 else share < 0.75
            for past, share in zip(old, u[2:], strict=True)
        )
        at = int(who.since[i] * DAY_S + u[1] * ((min(who.until[i], DAYS) - who.since[i]) * DAY_S - 1))
        consent = {"consent": {"categoryPreferences": dict(zip(PURPOSES, says, strict=True))}}
        row: Row = {"type": "track", "event": "Segment Consent Preference Updated", "context": consent}
        row |= {"userId": who.customer_ids[i][0]} if kind == ACCOUNT else {"anonymousId": who.browsers[i][0]}
        _add(told, who, i, at, row)
        told.choices.append(Choice(i, at, says))
