"""Orders, their lines and payments, and the devices sold: the rows of the shop's database."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tessera.demo.causes import PLACES, Orders
from tessera.demo.names import COUNTRIES
from tessera.demo.people import Crowd
from tessera.demo.shop import (
    CURRENCIES,
    DAY_S,
    END_S,
    POPULAR,
    PRODUCT_THEN,
    PRODUCT_TOPIC,
    SHELF,
    Ints,
    iso,
)
from tessera.demo.tally import MISSING, MISTYPED, Fault, Row, Tally

ORDER_FAULTS = (
    Fault("currency", "EURO", MISTYPED),
    Fault("ordered_at", "yesterday", MISTYPED),
    Fault("amount_cents", None, MISSING),
)
LINE_FAULTS = (Fault("quantity", -1, MISTYPED), Fault("product_id", None, MISSING))
PAYMENT_FAULTS = (Fault("status", "maybe", MISTYPED), Fault("paid_at", None, MISSING))


@dataclass(frozen=True)
class Trade:
    """One block's rows for the database, and each order's main product."""

    orders: list[Row]
    lines: list[Row]
    payments: list[Row]
    devices: list[Row]
    main: Ints


def trade(who: Crowd, orders: Orders, block: int, tally: Tally) -> Trade:
    """The rows of a block's orders; an order's amount is the sum of its lines, in the buyer's currency."""
    rng, count = who.rng, len(orders)
    main = _main_products(who, orders)
    extra = np.minimum(rng.poisson(0.45 * who.basket[orders.person]), 6)
    quantity = 1 + rng.poisson(np.minimum(0.18 * who.basket[orders.person], 4.0))
    discount = np.where(rng.random(count) < 0.22, rng.choice([0.8, 0.85, 0.9], count), 1.0)
    status = _statuses(who, orders)
    times = iso(orders.at)
    touched = iso(np.minimum(orders.at + rng.integers(60, 12 * DAY_S, count), END_S - 1))
    paid = iso(np.minimum(orders.at + rng.integers(5, 400, count), END_S - 1))
    guest = rng.random(count) < 0.08
    second = rng.random(count) < 0.3
    aside = rng.choice(len(SHELF), int(extra.sum()), p=POPULAR / POPULAR.sum()).tolist()
    ways = rng.random((count, 2)).tolist()
    made = Trade([], [], [], [], main)
    english, chinese = [item.name for item in SHELF], [item.chinese for item in SHELF]
    for i, person in enumerate(orders.person.tolist()):
        order_id, currency = f"O{block:05d}{i:05d}", who.currency(person)
        ids = who.customer_ids[person]
        customer = None if not ids or guest[i] else ids[-1] if second[i] else ids[0]
        products = [int(main[i])] + [aside.pop() for _ in range(extra[i])]
        names = chinese if currency == "CNY" else english
        total = 0
        for line, product in enumerate(products, 1):
            pieces = int(quantity[i]) if line == 1 else 1
            cents = pieces * int(round(SHELF[product].cents * CURRENCIES[currency] * discount[i], -1))
            total += cents
            made.lines.append({
                "order_id": order_id, "line_no": line, "product_id": SHELF[product].id,
                "description": names[product], "quantity": pieces, "amount_cents": cents, "currency": currency,
                "ordered_at": times[i], "customer_id": customer, "updated_at": touched[i],
            })  # fmt: skip
        made.orders.append({
            "order_id": order_id, "customer_id": customer, "email": who.email[person], "ordered_at": times[i],
            "status": status[i], "amount_cents": total, "currency": currency, "channel": PLACES[orders.place[i]],
            "country": COUNTRIES[who.country[person]].code, "updated_at": touched[i],
        })  # fmt: skip
        made.payments.extend(_payments(made.orders[-1], paid[i], ways[i]))
    made.devices.extend(_devices(who))
    _count(made, rng, tally)
    return made


def _main_products(who: Crowd, orders: Orders) -> Ints:
    """What each order is about: often what follows the last one, else mostly what she likes, else what is popular."""
    rng, count = who.rng, len(orders)
    shares = np.array([np.where(topic == PRODUCT_TOPIC, POPULAR, 0.0) for topic in range(PRODUCT_TOPIC.max() + 1)])
    shares = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1)
    anything = np.cumsum(POPULAR / POPULAR.sum())
    follow, liked, which, draw = rng.random((4, count))
    topic = np.where(which < 0.65, who.likes[orders.person, 0], who.likes[orders.person, 1])
    fresh = np.where(
        liked < 0.7,
        (draw[:, None] > shares[topic][:, :-1]).sum(axis=1),
        (draw[:, None] > anything[:-1]).sum(axis=1),
    )
    main: Ints = np.array(fresh, dtype=np.int64)
    for i in np.flatnonzero(~orders.first & (follow < 0.35)):
        main[i] = PRODUCT_THEN[main[i - 1]]
    return main


def _statuses(who: Crowd, orders: Orders) -> list[str]:
    rng, count = who.rng, len(orders)
    drawn = rng.choice(["completed", "returned", "cancelled"], count, p=[0.91, 0.06, 0.03])
    return [str(s) for s in np.where(orders.at > END_S - 2 * DAY_S, "pending", drawn)]


def _payments(order: Row, paid_at: str, draw: list[float]) -> list[Row]:
    """One payment an order, now and then after one that failed; none for what was cancelled before."""
    if order["status"] == "cancelled":
        return []
    ways = ("alipay", "card", "wechat_pay") if order["currency"] == "CNY" else ("card", "paypal", "invoice")
    method = ways[0 if draw[0] < 0.55 else 1 if draw[0] < 0.85 else 2]
    tries = ("failed", "paid") if draw[1] < 0.03 else ("refunded",) if order["status"] == "returned" else ("paid",)
    return [
        {
            "payment_id": f"Y{order['order_id'][1:]}{n}", "order_id": order["order_id"],
            "customer_id": order["customer_id"], "paid_at": paid_at, "method": method, "status": status,
            "amount_cents": order["amount_cents"], "currency": order["currency"],
            "card_last4": f"{int(draw[1] * 1e9) % 10_000:04d}" if method == "card" else None,
            "updated_at": order["updated_at"],
        }
        for n, status in enumerate(tries)
    ]  # fmt: skip


def _devices(who: Crowd) -> list[Row]:
    at = iso(who.registered * DAY_S + 36_000)
    return [
        {"device_id": device, "customer_id": who.customer_ids[i][0], "model": who.model[i], "registered_at": at[i]}
        for i, device in enumerate(who.device)
        if device
    ]


def _count(made: Trade, rng: np.random.Generator, tally: Tally) -> None:
    """Break a few rows of each table and count the rest: the money is that of the orders that should land."""
    spoiled, _ = tally.dirty("orders", made.orders, rng, faults=ORDER_FAULTS, broken=0.001)
    tally.dirty("order_items", made.lines, rng, faults=LINE_FAULTS, broken=0.001)
    tally.dirty("payments", made.payments, rng, faults=PAYMENT_FAULTS, broken=0.001)
    tally.dirty("devices", made.devices, rng)
    lost = {id(order) for order in spoiled}
    for order in made.orders:
        if id(order) not in lost:
            tally.orders[order["currency"]] += 1
            tally.order_cents[order["currency"]] += order["amount_cents"]
