"""A made-up stream: what it decides with, and its lines as the door hands them on, the same for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import msgspec

from tessera.action.decide import Model
from tessera.action.keyed import Forget, Handed, Setting, State
from tessera.action.learned import Learned
from tessera.action.nearby import Nearby
from tessera.data.live_folds import LIVE, empty, micros
from tessera.decision_points import Candidate, Cap, Outcome, Point, Stock

START = micros(datetime(2026, 11, 1, tzinfo=UTC))
MINUTE, DAY = 60_000_000, 86_400_000_000

POINTS = [
    Point(
        name="home_banner", purpose="personalise", on=("Product Viewed", "Signed In"), control=0.1, explore=0.1,
        context=("event.device", "products_viewed > 3"),
        candidates=(
            Candidate(id="welcome", when="products_viewed < 2", show={"text": "欢迎", "picture": None}),
            Candidate(id="basket", when="cart_additions > 0 AND days_since(last_seen_at) < 30", show="your basket", weight=1.5),
            Candidate(id="sensor", product="p7", when="tier = 'gold' AND days_since(customer_since) > 90"),
            Candidate(id="next", recommend=True, most=8),
        ),
        fallback={"text": "hello"}, outcome=Outcome(event="Product Added", within_s=3600),
        cap=Cap(times=2, within_s=7200), stock=Stock(file="decisions/stock.csv", product="sku", left="left"),
    ),
    Point(
        name="basket_note", purpose="marketing", on=("Product Added",), control=0.0, explore=0.0,
        candidates=(
            Candidate(id="gift", when="event.amount_cents >= 2500 AND event.country IN ('DE', 'CN')"),
            Candidate(id="post", when="last_product_id = 'p3'"),
        ),
        cap=Cap(times=1, within_s=86_400),
    ),
]  # fmt: skip


def setting(seed: int = 7) -> Setting:
    """Two points, and a model of one that has learned."""
    some = Random(seed)
    learned, nearby = Learned(), Nearby()
    for product in range(60):
        nearby.seen(f"p{product}", f"p{some.randrange(60)}")
        nearby.seen(f"p{product}", f"p{some.randrange(60)}")
    for candidate in ("welcome", "basket", "sensor", "next"):
        for context in ("phone|true", "phone|false", "laptop|true", "?|false"):
            trials = some.randrange(500)
            learned.add("home_banner", candidate, "p7" if candidate == "sensor" else "", context, trials, trials // 11)
    stock = {"home_banner": {f"p{n}": float(some.randrange(4)) for n in range(60)}}
    model = Model(learned=learned, nearby=nearby, stock=stock)
    return Setting(points=POINTS, models={"personalise": model}, ranks={"web": 2, "app": 5})


def lines(many: int, seed: int = 7, people: int = 0) -> Iterator[str]:
    """So many lines of a tenth as many people: some late, some without leave, some who are forgotten, some who turn out to be
    one with somebody."""
    some, encode = Random(seed), msgspec.json.Encoder().encode
    people = people or max(1, many // 10)
    for number in range(many):
        person, at = f"{some.randrange(people):08x}", START + number * MINUTE // 4
        if some.random() < 0.004:
            yield encode(Forget(person)).decode()
            continue
        event = some.choice(("Product Viewed",) * 5 + ("Product Added", "Product Added", "Signed In", "", "Order Completed"))
        happened = at - (some.randrange(2 * DAY) if some.random() < 0.1 else 0)
        columns = {
            "type": "track" if event else "page", "event": event or None, "device": some.choice(("phone", "laptop", None)),
            "occurred_at": None if some.random() < 0.01 else datetime.fromtimestamp(happened / 1_000_000, UTC),
            "product_id": f"p{some.randrange(60)}" if event.startswith("Product") else None,
            "amount_cents": some.choice((None, 990, 2500, 12_000)), "country": some.choice(("DE", "FR", "CN")),
        }  # fmt: skip
        handed = Handed(
            person=person, id=f"m{seed}-{number}", at=at, source=some.choice(("web", "app")), table="events",
            columns={name: value for name, value in columns.items() if value is not None},
            key=some.choice((person, "k" + person)),
            may={"marketing": {}, **({"personalise": _turned(some)} if some.random() < 0.9 else {})},
            state=_joined(some, at) if some.random() < 0.01 else None,
        )  # fmt: skip
        yield encode(handed).decode()


def _turned(some: Random) -> dict[str, Any]:
    since = datetime.fromtimestamp((START - some.randrange(300) * DAY) / 1_000_000, UTC)
    return {"tier": some.choice(("gold", "basic")), "customer_since": since} if some.random() < 0.7 else {}


def _joined(some: Random, at: int) -> State:
    """A state as the live engine would tell it."""
    partials = empty()
    for place, fold in enumerate(LIVE):
        if fold.kind == "count" and fold.table == "events":
            partials[place] = some.randrange(9)
        elif fold.field == "last_product_id":
            partials[place] = (2, at - DAY, f"p{some.randrange(60)}")
        elif fold.field in ("first_seen_at", "last_seen_at"):
            partials[place] = at - DAY
    viewed = {"x": [(at - DAY, "p1")], "y": [(at - 5, "p2")]}
    return State(partials=partials, viewed=viewed, shown=[("home_banner", "welcome", at - MINUTE)])
