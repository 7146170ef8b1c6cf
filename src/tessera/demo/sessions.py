"""Visits to the website and the app: who came when, in which browser, what for, and each step she took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tessera.demo.causes import Orders, Touches, browser_of, fades
from tessera.demo.people import ACCOUNT, GUEST, Crowd
from tessera.demo.shop import DAY_S, END_S, POPULAR, PRODUCT_TOPIC, SHELF, Bools, Ints, moments

HOME, CATEGORY, SEARCHED, VIEWED, ADDED, CHECKOUT, BOUGHT, IDENTIFIED = range(8)
"""The steps of a visit."""


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Visits by person and start; touch and order say what each came from and led to (-1: nothing)."""

    person: Ints
    start: Ints
    browser: Ints
    app: Bools
    signed: Bools
    touch: Ints
    order: Ints
    product: Ints
    steps: Ints

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """Every step of every visit: which visit, the place in it, what, when (seconds, milliseconds), which product."""

    session: Ints
    place: Ints
    what: Ints
    at: Ints
    ms: Ints
    product: Ints


def sessions(who: Crowd, touches: Touches, orders: Orders, main: Ints) -> Sessions:
    """Visits that led to an order, that followed a click, and for no reason at all."""
    rng = who.rng
    online = np.flatnonzero(orders.place < 2)
    led = set(orders.touch[orders.touch >= 0].tolist())
    came = touches.clicked & (rng.random(len(touches)) < 0.6)
    came &= ~np.isin(np.arange(len(touches)), np.fromiter(led, dtype=np.int64, count=len(led)))
    clicks = np.flatnonzero(came)
    days = np.maximum(who.since - 25, 0)
    idle = np.repeat(
        np.arange(len(who)), rng.poisson((who.until - days) / 365 * (0.6 + 1.2 * np.minimum(who.eager, 4)))
    )
    idle_at = moments(rng, days[idle], who.until[idle])
    stay = fades(rng, who, idle, idle_at)
    idle, idle_at = idle[stay], idle_at[stay]

    person = np.concatenate([orders.person[online], touches.person[clicks], idle])
    start = np.concatenate([orders.at[online], touches.at[clicks] + 5, idle_at])
    order = np.concatenate([online, np.full(len(clicks) + len(idle), -1)])
    touch = np.concatenate([orders.touch[online], clicks, np.full(len(idle), -1)])
    browser = np.concatenate([orders.browser[online], touches.browser[clicks], browser_of(rng, who, idle)])
    count = len(person)
    app = np.where(order >= 0, orders.place[order] == 1, who.app[person] & (touch < 0) & (rng.random(count) < 0.5))
    known = who.kind[person] == ACCOUNT
    signed = known & (rng.random(count) < np.where(order >= 0, 0.2, 0.12))
    signed |= (who.kind[person] == GUEST) & (order >= 0) & (rng.random(count) < 0.5)
    liked = rng.random(count) < 0.6
    some = rng.choice(len(SHELF), count, p=POPULAR / POPULAR.sum())
    product = np.where(order >= 0, main[order], np.where(liked, _of_topic(rng, who.likes[person, 0]), some))
    steps = np.where(order >= 0, 5 + rng.poisson(1.4, count), 1 + rng.geometric(0.45, count)) + signed
    by = np.lexsort((start, person))
    return Sessions(
        person=person[by], start=start[by], browser=browser[by], app=app[by], signed=signed[by],
        touch=touch[by], order=order[by], product=product[by], steps=np.minimum(steps, 20)[by],
    )  # fmt: skip


def _of_topic(rng: np.random.Generator, topic: Ints) -> Ints:
    """A product of each topic; three stand on the shelf for each."""
    return np.asarray(np.searchsorted(PRODUCT_TOPIC, topic) + rng.integers(0, 3, len(topic)))


def steps(who: Crowd, made: Sessions) -> Steps:
    """Each visit step by step; one that led to an order ends with it, at the order's very second."""
    rng = who.rng
    session = np.repeat(np.arange(len(made)), made.steps)
    opens = np.cumsum(made.steps) - made.steps
    place = np.arange(len(session)) - opens[session]
    left = made.steps[session] - 1 - place
    buys = made.order[session] >= 0
    what = rng.choice(np.array([CATEGORY, SEARCHED, VIEWED]), len(session), p=[0.32, 0.1, 0.58])
    what[place == 0] = HOME
    for back, step in ((2, ADDED), (1, CHECKOUT), (0, BOUGHT)):
        what[buys & (left == back)] = step
    what[made.signed[session] & (place == 1)] = IDENTIFIED
    what[~buys & (what == VIEWED) & (rng.random(len(session)) < 0.09)] = ADDED

    gaps = np.ceil(rng.gamma(0.8, 55.0, len(session))).astype(np.int64)
    run = np.cumsum(gaps)
    ends = opens + made.steps - 1
    at = np.where(
        buys,
        made.start[session] - (run[ends][session] - run),
        made.start[session] + run - run[opens][session],
    )
    other = (what == VIEWED) & (rng.random(len(session)) < 0.35)
    near = _of_topic(rng, PRODUCT_TOPIC[made.product][session])
    return Steps(
        session=session,
        place=place,
        what=what,
        at=np.clip(at, 0, END_S - 1),
        ms=rng.integers(0, 1000, len(session)),
        product=np.where(other, near, made.product[session]),
    )


def received(rng: np.random.Generator, at: Ints, ms: Ints) -> tuple[Ints, Ints]:
    """When each event reached us (seconds, milliseconds): at once, or in one of a hundred cases days later."""
    days_late = rng.random(len(at)) < 0.01
    came = at + np.where(days_late, rng.integers(DAY_S, 6 * DAY_S, len(at)), rng.integers(1, 4, len(at)))
    in_time = came < END_S
    return np.where(in_time, came, at), np.where(in_time, rng.integers(0, 1000, len(at)), ms)
