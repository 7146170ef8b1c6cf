"""Touches and the orders they cause: the truth that attribution looks for.

A person orders by herself, as her archetype and the season go; and each touch may cause one order more, with the
strength of its channel times her response. Who orders by herself often comes directly, or over a search for our name:
those touches stand right before an order and cause nothing, which is the trap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tessera.demo.people import ACCOUNT, NEVER, VISITOR, Crowd
from tessera.demo.shop import ARCHETYPES, CHANNELS, DAY_S, END_S, GIFT_GIVER, STRENGTH, Bools, Floats, Ints, moments

SEARCH, EMAIL, DISPLAY, DIRECT = (CHANNELS.index(name) for name in ("search", "email", "display", "direct"))
FADING_D = 45
"""Who leaves grows quiet that many days before."""


@dataclass(frozen=True, kw_only=True)
class Touches:
    """Touches by person and time: channel (place in CHANNELS), whether clicked or opened, which browser she used."""

    person: Ints
    at: Ints
    channel: Ints
    clicked: Bools
    browser: Ints

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Orders by person and time: which touch caused it (-1: none), where it was made, which browser she used."""

    person: Ints
    at: Ints
    touch: Ints
    place: Ints
    browser: Ints
    first: Bools

    def __len__(self) -> int:
        return len(self.person)


PLACES = ("web", "app", "store")


def fades(rng: np.random.Generator, who: Crowd, person: Ints, at: Ints) -> Bools:
    """Which moments stay: of the last weeks before somebody leaves, two in five."""
    left = who.left[person]
    fading = (left < NEVER) & (at >= (left - FADING_D) * DAY_S)
    kept = ~fading | (rng.random(len(person)) < 0.4)
    return np.asarray(kept & (at < np.minimum(left * DAY_S, END_S)))


def browser_of(rng: np.random.Generator, who: Crowd, person: Ints) -> Ints:
    """A browser for each moment: mostly the person's first."""
    counts = np.array([len(ids) for ids in who.browsers])[person]
    return np.asarray(np.floor(rng.random(len(person)) ** 1.7 * counts), dtype=np.int64)


def touches_and_orders(who: Crowd) -> tuple[Touches, Orders]:
    """All touches and all orders of a block, each touch at most the cause of one order."""
    rng = who.rng
    active = (who.until - who.since) / 365
    years = np.where(who.kind == VISITOR, active * 0.6, active)
    person = _repeat(rng, np.array([a.touches for a in ARCHETYPES])[who.archetype] * years)
    at = moments(rng, who.since[person], who.until[person])
    stay = fades(rng, who, person, at)
    person, at = person[stay], at[stay]
    channel = _channels(rng, who, person)
    moved = rng.random(len(person)) < STRENGTH[channel] * who.response[person]
    due = at + (rng.exponential(1.1 * DAY_S, len(person))).astype(np.int64) + 600
    caused = np.flatnonzero(moved & (due < who.until[person] * DAY_S) & (who.kind[person] != VISITOR))

    own, own_at = _own_orders(rng, who, active)
    ordered = np.concatenate([person[caused], own])
    ordered_at = np.concatenate([due[caused], own_at])
    browser = browser_of(rng, who, ordered)
    place = np.where(
        who.app[ordered] & (rng.random(len(ordered)) < 0.5), 1, np.where(rng.random(len(ordered)) < 0.1, 2, 0)
    )

    alone = np.arange(len(ordered)) >= len(caused)
    direct = alone & (place == 0) & (rng.random(len(ordered)) < 0.45)
    branded = alone & (place == 0) & ~direct & (rng.random(len(ordered)) < 0.2)
    traps = np.flatnonzero(direct | branded)
    count = len(person)
    all_channels = np.concatenate([channel, np.where(direct, DIRECT, SEARCH)[traps]])
    all_at = np.concatenate([at, np.maximum(ordered_at[traps] - rng.integers(120, 3600, len(traps)), 0)])
    all_persons = np.concatenate([person, ordered[traps]])
    clicked = _clicked(rng, all_channels)
    clicked[caused] |= rng.random(len(caused)) < 0.7
    clicked[count:] = True
    touch_browser = np.concatenate([browser_of(rng, who, person), browser[traps]])

    by_touch = np.lexsort((all_at, all_persons))
    new_place = np.empty(len(by_touch), dtype=np.int64)
    new_place[by_touch] = np.arange(len(by_touch))
    cause = np.concatenate([new_place[caused], np.full(len(own), -1)])
    by_order = np.lexsort((ordered_at, ordered))
    sorted_person = ordered[by_order]
    return (
        Touches(
            person=all_persons[by_touch],
            at=all_at[by_touch],
            channel=all_channels[by_touch],
            clicked=clicked[by_touch],
            browser=touch_browser[by_touch],
        ),
        Orders(
            person=sorted_person,
            at=ordered_at[by_order],
            touch=cause[by_order],
            place=place[by_order],
            browser=browser[by_order],
            first=np.concatenate(([True], sorted_person[1:] != sorted_person[:-1]))[: len(sorted_person)],
        ),
    )


def _repeat(rng: np.random.Generator, rate: Floats) -> Ints:
    return np.repeat(np.arange(len(rate)), rng.poisson(rate))


def _own_orders(rng: np.random.Generator, who: Crowd, active: Floats) -> tuple[Ints, Ints]:
    """Orders nobody caused: as often as she is eager, as busy as the season is."""
    rate = np.array([a.orders for a in ARCHETYPES])[who.archetype] * who.eager * active
    person = _repeat(rng, np.where(who.kind == VISITOR, 0.0, np.where(who.kind == ACCOUNT, rate, rate * 0.6)))
    at = moments(rng, who.since[person], who.until[person], gifts=who.archetype[person] == GIFT_GIVER)
    stay = fades(rng, who, person, at)
    return person[stay], at[stay]


def _channels(rng: np.random.Generator, who: Crowd, person: Ints) -> Ints:
    """Each touch's channel by the archetype's mix; whose e-mail nobody knows sees a banner instead."""
    cumulative = np.cumsum(np.array([a.mix for a in ARCHETYPES]), axis=1)[who.archetype[person]]
    channel = (rng.random(len(person))[:, None] > cumulative[:, :-1]).sum(axis=1)
    return np.where((channel == EMAIL) & (who.kind[person] == VISITOR), DISPLAY, channel)


def _clicked(rng: np.random.Generator, channel: Ints) -> Bools:
    """Banners and posts are mostly seen, letters mostly opened; who comes over the others has clicked."""
    return np.asarray(rng.random(len(channel)) < np.array([1.0, 0.55, 0.3, 0.08, 1.0, 1.0])[channel])
