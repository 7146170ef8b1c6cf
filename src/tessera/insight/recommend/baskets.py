"""Who bought what, basket by basket, as arrays: what the recommender learns from and is judged on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Baskets:
    """Baskets of people, each one's oldest first.

    items: how many items there are; they are numbers from 0. item: the rows, each item of a basket once. row: where the
    rows of each basket begin, and the end. day: of each basket, in days from any day on. first: where the baskets of each
    person begin, and the end.
    """

    items: int
    item: Ints
    row: Ints
    day: Floats
    first: Ints

    @property
    def people(self) -> int:
        """How many people."""
        return len(self.first) - 1

    @cached_property
    def many(self) -> Ints:
        """How many baskets each person has."""
        return np.diff(self.first)

    @cached_property
    def basket(self) -> Ints:
        """The basket of each row."""
        return np.repeat(np.arange(len(self.day)), np.diff(self.row))

    @cached_property
    def person(self) -> Ints:
        """The person of each basket."""
        return np.repeat(np.arange(self.people), self.many)

    def until(self, kept: Ints) -> Baskets:
        """The first `kept` baskets of each person; people and items keep their numbers."""
        nth = np.arange(len(self.day)) - self.first[self.person]
        stays = nth < kept[self.person]
        sizes = np.diff(self.row)
        return Baskets(
            items=self.items, item=self.item[np.repeat(stays, sizes)], row=starts(sizes[stays]), day=self.day[stays],
            first=starts(np.minimum(self.many, kept)),
        )  # fmt: skip

    def of(self, people: Ints) -> Baskets:
        """Some people alone, in that order, under new numbers; items keep theirs."""
        _, baskets = spread(self.first[people], self.first[people + 1])
        _, rows = spread(self.row[baskets], self.row[baskets + 1])
        return Baskets(
            items=self.items, item=self.item[rows], row=starts(np.diff(self.row)[baskets]), day=self.day[baskets],
            first=starts(self.many[people]),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Moments at which is asked what comes next. person; known: how many of her baskets are over; day: now."""

    person: Ints
    known: Ints
    day: Floats

    def __len__(self) -> int:
        return len(self.person)

    def some(self, which: npt.NDArray[np.bool_] | Ints | slice) -> Moments:
        """Some of them."""
        return Moments(person=self.person[which], known=self.known[which], day=self.day[which])


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """A moment and an item that its person bought before, sorted by both. moment, item: their numbers. count: in how many
    baskets. back: how many baskets ago the last time (0: in the last one). age, oldest: days since the last and the first
    time. fresh: the sum over the times of FADES ** back; lately: of 0.5 ** (age / 45)."""

    moment: Ints
    item: Ints
    count: Floats
    back: Floats
    age: Floats
    oldest: Floats
    fresh: Floats
    lately: Floats


FADES = 0.85
"""What each earlier basket counts beside the one after it."""
LATELY_DAYS = 45.0


def sorted_rows(person: Ints, basket: Ints, item: Ints, day: Floats, items: int, people: int) -> Baskets:
    """Rows that are sorted by person (0 to people - 1) and by time, rows of a basket together -> baskets.

    basket: any number that differs between a person's baskets. No basket may have an item twice.
    """
    if not len(item):
        nothing = np.zeros(0)
        return Baskets(items=items, item=item, row=np.zeros(1, np.int64), day=nothing, first=np.zeros(people + 1, np.int64))
    new = np.r_[True, (np.diff(person) != 0) | (np.diff(basket) != 0)]
    begins = np.flatnonzero(new)
    return Baskets(
        items=items, item=item.astype(np.int64), row=np.r_[begins, len(item)], day=day[begins].astype(np.float64),
        first=starts(np.bincount(person[begins], minlength=people)),
    )  # fmt: skip


def history(baskets: Baskets, moments: Moments) -> Pairs:
    """What the person of each moment bought before it."""
    first = baskets.first[moments.person]
    moment, row = spread(baskets.row[first], baskets.row[first + moments.known])
    basket, item = baskets.basket[row], baskets.item[row]
    back = ((first + moments.known - 1)[moment] - basket).astype(np.float64)
    age = np.maximum(moments.day[moment] - baskets.day[basket], 0.0)
    key = moment * baskets.items + item
    order = np.argsort(key, kind="stable")
    key, back, age = key[order], back[order], age[order]
    at = np.flatnonzero(np.r_[True, np.diff(key) != 0]) if len(key) else np.zeros(0, np.int64)
    if not len(at):
        none = np.zeros(0)
        return Pairs(moment=at, item=at, count=none, back=none, age=none, oldest=none, fresh=none, lately=none)
    return Pairs(
        moment=key[at] // baskets.items, item=key[at] % baskets.items,
        count=np.diff(np.r_[at, len(key)]).astype(np.float64),
        back=np.minimum.reduceat(back, at), age=np.minimum.reduceat(age, at), oldest=np.maximum.reduceat(age, at),
        fresh=np.add.reduceat(FADES**back, at), lately=np.add.reduceat(0.5 ** (age / LATELY_DAYS), at),
    )  # fmt: skip


def targets(baskets: Baskets, moments: Moments) -> tuple[Ints, Ints]:
    """What is in the basket right after each moment: moment and item, one row each."""
    basket = baskets.first[moments.person] + moments.known
    moment, row = spread(baskets.row[basket], baskets.row[basket + 1])
    return moment, baskets.item[row]


def repeated(baskets: Baskets) -> float:
    """The share of rows, first baskets aside, whose item was in an earlier basket of the same person."""
    person = baskets.person[baskets.basket]
    later = baskets.basket > baskets.first[person]
    if not later.any():
        return 0.0
    key = person * baskets.items + baskets.item
    _, at = np.unique(key, return_index=True)
    known = np.ones(len(key), bool)
    known[at] = False
    return float(known[later].mean())


def spread(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """Ranges -> for each number within them: which range, and the number.

    >>> [x.tolist() for x in spread(np.array([5, 9]), np.array([7, 10]))]
    [[0, 0, 1], [5, 6, 9]]
    """
    sizes = end - begin
    which = np.repeat(np.arange(len(sizes)), sizes)
    return which, np.arange(len(which)) + np.repeat(begin - starts(sizes)[:-1], sizes)


def starts(sizes: Ints) -> Ints:
    """Where pieces of these sizes begin, and the end of all."""
    found: Ints = np.r_[0, np.cumsum(sizes)].astype(np.int64)
    return found
