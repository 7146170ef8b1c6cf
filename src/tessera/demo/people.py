"""One block of the shop's people: who each of them really is, whom she lives with, when she comes and leaves."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from tessera.demo.names import COUNTRIES, plain
from tessera.demo.shop import ARCHETYPES, DAYS, MODELS, TOPICS, Bools, Floats, Ints

BLOCK = 1_000
"""People per block: each block has its own generator and knows nothing of the others, so any size streams."""
ACCOUNT, GUEST, VISITOR = 0, 1, 2
NEVER = 10_000
"""The day on which she leaves who stays."""

_MAIL = ("example.com", "example.org", "example.net", "post.example", "mail.example")


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """The people of one block, column by column; person i is human `first + i`.

    kind: ACCOUNT (in the CRM), GUEST (orders with an e-mail only), VISITOR (browses only). joined and left are days
    after START (joined may be negative, left is NEVER for who stays); since and until are the same, cut to the history.
    response: how easily she is moved by a touch (mean 1). lives_with: whose phone she shares, or -1. browsers: her
    anonymous ids, the first used most. customer_ids: empty, one, or two for who was entered twice. device: its number,
    or "" for who has none; registered: the day she registered it.
    """

    first: int
    rng: np.random.Generator
    kind: Ints
    archetype: Ints
    country: Ints
    joined: Ints
    left: Ints
    since: Ints
    until: Ints
    eager: Floats
    basket: Floats
    response: Floats
    likes: Ints
    app: Bools
    lives_with: Ints
    first_name: list[str]
    last_name: list[str]
    email: list[str]
    second_email: list[str]
    phone: list[str]
    address: list[tuple[str, str, str]]
    browsers: list[list[str]]
    customer_ids: list[list[str]]
    device: list[str]
    model: list[str]
    registered: Ints

    def __len__(self) -> int:
        return len(self.kind)

    def currency(self, person: int) -> str:
        """What she pays in."""
        return COUNTRIES[self.country[person]].currency


def crowd(seed: int, block: int, size: int) -> Crowd:
    """The people of one block: the same seed and block give the same people, whatever the other blocks are."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, block]))
    first = block * BLOCK
    kind = rng.choice(3, size, p=[0.8, 0.1, 0.1])
    archetype = rng.choice(len(ARCHETYPES), size, p=[a.share for a in ARCHETYPES])
    joined = rng.integers(-900, DAYS - 5, size)
    leaves = rng.random(size) < np.array([a.leaves for a in ARCHETYPES])[archetype]
    earliest = np.maximum(joined, 0) + 45
    left = np.where(leaves & (earliest < DAYS - 10), rng.integers(np.minimum(earliest, DAYS - 11), DAYS - 10), NEVER)
    lives_with = _households(rng, kind)
    country = rng.choice(len(COUNTRIES), size, p=[c.share for c in COUNTRIES])
    shared = np.flatnonzero(lives_with >= 0)
    country[shared] = country[lives_with[shared]]
    names = _names(rng, country, lives_with)
    emails = [_email(rng, names[i], first + i) if kind[i] != VISITOR else "" for i in range(size)]
    seconds = [f"{plain(a)[0]}.{plain(b)}.{first + i}@work.example" for i, (a, b) in enumerate(names)]
    return Crowd(
        first=first,
        rng=rng,
        kind=kind,
        archetype=archetype,
        country=country,
        joined=joined,
        left=left,
        since=np.maximum(joined, 0),
        until=np.minimum(left, DAYS),
        eager=rng.gamma(0.9, 1 / 0.9, size),
        basket=rng.lognormal(-0.2, 0.65, size) * np.array([a.basket for a in ARCHETYPES])[archetype],
        response=rng.gamma(2.0, 0.5, size),
        likes=_likes(rng, archetype),
        app=(rng.random(size) < 0.35) & (kind == ACCOUNT),
        lives_with=lives_with,
        first_name=[a for a, _ in names],
        last_name=[b for _, b in names],
        email=emails,
        second_email=seconds,
        phone=_phones(first, country, lives_with),
        address=_addresses(rng, country, lives_with),
        browsers=_browsers(rng, lives_with),
        customer_ids=_customer_ids(rng, block, kind),
        device=_devices(rng, first, kind, archetype),
        model=[MODELS[m] for m in rng.integers(0, len(MODELS), size)],
        registered=np.minimum(np.maximum(joined, -400) + rng.integers(0, 60, size), DAYS - 3),
    )


def _households(rng: np.random.Generator, kind: Ints) -> Ints:
    """Some share the line of their neighbour in the block, two to a phone; both have accounts."""
    lives_with = np.full(len(kind), -1)
    wants = rng.random(len(kind)) < 0.06
    for i in range(1, len(kind)):
        if wants[i] and kind[i] == ACCOUNT and kind[i - 1] == ACCOUNT and lives_with[i - 1] < 0:
            lives_with[i] = i - 1
    return lives_with


def _names(rng: np.random.Generator, country: Ints, lives_with: Ints) -> list[tuple[str, str]]:
    size = len(country)
    given, family = rng.random(size), rng.random(size) ** 1.4
    names: list[tuple[str, str]] = []
    for i in range(size):
        at = COUNTRIES[country[i]]
        first, last = at.first[int(given[i] * len(at.first))], at.last[int(family[i] * len(at.last))]
        if lives_with[i] >= 0:
            other, last = names[lives_with[i]]
            if other == first:
                first = at.first[(at.first.index(first) + 1) % len(at.first)]
        names.append((first, last))
    return names


def _email(rng: np.random.Generator, name: tuple[str, str], human: int) -> str:
    """An address of her own: her number in it makes it hers alone."""
    first, last = plain(name[0]), plain(name[1])
    way, host = rng.integers(0, 4), _MAIL[rng.integers(0, len(_MAIL))]
    return (f"{first}.{last}{human}", f"{first[0]}{last}{human}", f"{first}_{human}", f"{last}.{first}.{human}")[
        way
    ] + f"@{host}"


def _phones(first: int, country: Ints, lives_with: Ints) -> list[str]:
    """E.164 numbers: 8 digits by a one-to-one scramble of the human's number; who lives with another has her number."""
    phones: list[str] = []
    for i, at in enumerate(country):
        number = (first + i) * 48_271 * 7 % 99_999_989
        own = f"+{COUNTRIES[at].dial}{COUNTRIES[at].mobile}{number:08d}"
        phones.append(phones[lives_with[i]] if lives_with[i] >= 0 else own)
    return phones


def _addresses(rng: np.random.Generator, country: Ints, lives_with: Ints) -> list[tuple[str, str, str]]:
    draws = rng.random((len(country), 3))
    homes: list[tuple[str, str, str]] = []
    for i, at in enumerate(country):
        land = COUNTRIES[at]
        city, region = land.cities[int(draws[i, 0] ** 1.5 * len(land.cities))]
        street = f"{land.streets[int(draws[i, 1] * len(land.streets))]} {1 + int(draws[i, 2] * 140)}"
        homes.append(homes[lives_with[i]] if lives_with[i] >= 0 else (street, city, region))
    return homes


def _browsers(rng: np.random.Generator, lives_with: Ints) -> list[list[str]]:
    """One to three anonymous ids each; half of those who live together also share a tablet."""
    counts = rng.choice([1, 2, 3], len(lives_with), p=[0.45, 0.38, 0.17])
    tablet = rng.random(len(lives_with)) < 0.5
    made: list[list[str]] = []
    for i, count in enumerate(counts):
        made.append([str(UUID(bytes=rng.bytes(16), version=4)) for _ in range(count)])
        if lives_with[i] >= 0 and tablet[i]:
            made[i].append(made[lives_with[i]][0])
    return made


def _customer_ids(rng: np.random.Generator, block: int, kind: Ints) -> list[list[str]]:
    """Numbers that tell nothing; six in a hundred customers were entered twice."""
    numbers = (rng.permutation(2 * BLOCK) + 100_000 + block * 2 * BLOCK).tolist()
    twice = rng.random(len(kind)) < 0.064
    ids: list[list[str]] = []
    for i, what in enumerate(kind):
        count = 0 if what != ACCOUNT else 2 if twice[i] else 1
        ids.append([f"C{numbers.pop()}" for _ in range(count)])
    return ids


def _devices(rng: np.random.Generator, first: int, kind: Ints, archetype: Ints) -> list[str]:
    """One smart device each for about a third of the people; its number is a scramble of its owner's."""
    owns = (rng.random(len(kind)) < np.array([a.device for a in ARCHETYPES])[archetype] * 1.15) & (kind == ACCOUNT)
    return [f"TS-{(first + i) * 2_654_435_761 % 2**32:08X}" if has else "" for i, has in enumerate(owns)]


def _likes(rng: np.random.Generator, archetype: Ints) -> Ints:
    """Two topics each, mostly of her archetype's three; the first is the stronger."""
    favourites = np.array([[TOPICS.index(topic) for topic in a.likes] for a in ARCHETYPES])[archetype]
    start = rng.integers(0, 3, len(archetype))
    rows = np.arange(len(archetype))
    likes = np.stack([favourites[rows, start], favourites[rows, (start + 1) % 3]], axis=1)
    odd = rng.random(likes.shape) < 0.12
    return np.where(odd, rng.integers(0, len(TOPICS), likes.shape), likes)
