"""The CRM's customers.csv: one row a customer, with its typos, its people entered twice and its empty cells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from tessera.demo.names import COUNTRIES, full_name, spelled
from tessera.demo.people import Crowd
from tessera.demo.shop import DAY_S, DAYS, PURPOSES, REWORDED, WORDINGS, Bools, Ints, iso
from tessera.demo.tally import MISSING, MISTYPED, Fault, Row, Tally

COLUMNS = (
    "customer_id", "name", "first_name", "last_name", "email", "email_verified", "phone", "street", "city",
    "region", "country", "language", "birthday", "tier", "created_at", "updated_at",
    "consent_analytics", "consent_personalise", "consent_marketing", "consent_sharing", "consent_wording", "notes",
)  # fmt: skip
FAULTS = (
    Fault("email", "not an address", MISTYPED),
    Fault("birthday", "1989-13-45", MISTYPED),
    Fault("customer_id", "", MISSING),
    Fault("tier", "platinumm", MISTYPED),
)
_ASKED = ((0.66, 0.16), (0.56, 0.22), (0.44, 0.33), (0.14, 0.52))
"""For each purpose the shares who said yes and no; the others have not answered."""
_CLEARER = (0.0, 0.0, 0.08, 0.0)
"""So many more say yes, and fewer no, since the words are new: those of marketing say now what is written, and how often."""
_NOTES = (
    "Asked for a call back, speak to {name}.",
    "Parcel goes to the neighbour, {name} is out until six.",
    "Prefers e-mail. Unhappy about the last delivery.",
    "Wants an offer for {topic} in spring.",
)
_CHINESE_NOTE = "客户{name}希望晚上联系"


@dataclass(frozen=True)
class Choice:
    """One explicit answer: whose, when (seconds after START), and per purpose yes, no or no answer (None)."""

    person: int
    at: int
    says: tuple[bool | None, ...]


def customers(who: Crowd, tally: Tally) -> tuple[list[Row], list[Choice]]:
    """The CRM rows of a block, and the consent choices in those that do not break the contract."""
    rng = who.rng
    people = [(i, n) for i, ids in enumerate(who.customer_ids) for n in range(len(ids))]
    count = len(people)
    person = np.array([i for i, _ in people], dtype=np.int64)
    again = np.array([n for _, n in people], dtype=np.int64)
    created = who.joined[person] * DAY_S + rng.integers(0, DAY_S, count) + again * rng.integers(0, 30 * DAY_S, count)
    created = np.minimum(created, (DAYS - 1) * DAY_S)
    updated = created + (rng.random(count) * (DAYS * DAY_S - 1 - created)).astype(np.int64)
    texts = _texts(who, rng, people)
    newly = updated >= REWORDED * DAY_S
    answers = _answers(rng, again, newly)
    rows = [
        text | {"created_at": since, "updated_at": until} | _shown(says, WORDINGS[new])
        for text, since, until, says, new in zip(texts, iso(created), iso(updated), answers, newly.tolist(), strict=True)
    ]
    spoiled, _ = tally.dirty("crm", rows, rng, faults=FAULTS, broken=0.003)
    lost = {id(row) for row in spoiled}
    choices = [
        Choice(i, int(at), says)
        for (i, _), at, says, row in zip(people, updated, answers, rows, strict=True)
        if id(row) not in lost and any(answer is not None for answer in says)
    ]
    return [{column: row[column] for column in COLUMNS} for row in rows], choices


def _shown(says: tuple[bool | None, ...], wording: str) -> Row:
    made = {f"consent_{p}": {True: "yes", False: "no", None: ""}[s] for p, s in zip(PURPOSES, says, strict=True)}
    return made | {"consent_wording": wording if any(s is not None for s in says) else ""}


def _answers(rng: np.random.Generator, again: Ints, newly: Bools) -> list[tuple[bool | None, ...]]:
    """Who was entered a second time is seldom asked again. newly: who was asked by the new words."""
    draws = rng.random((len(again), len(PURPOSES)))
    asked = (again == 0) | (rng.random(len(again)) < 0.35)
    return [
        tuple(
            None if not ask or draw >= yes + no else bool(draw < yes + (more if new else 0))
            for draw, (yes, no), more in zip(line, _ASKED, _CLEARER, strict=True)
        )
        for ask, line, new in zip(asked, draws, newly, strict=True)
    ]


def _texts(who: Crowd, rng: np.random.Generator, people: list[tuple[int, int]]) -> list[Row]:
    """Who she is, as somebody typed it."""
    draws = rng.random((len(people), 12)).tolist()
    births = rng.integers(18 * 365, 80 * 365, len(who)).tolist()
    rows: list[Row] = []
    for (i, again), u in zip(people, draws, strict=True):
        land = COUNTRIES[who.country[i]]
        street, city, region = who.address[i]
        first, last, email = who.first_name[i], who.last_name[i], who.email[i]
        phone = spelled(who.phone[i], land, int(u[0] * 8))
        verified = u[1] < 0.85
        if again:
            first, last = _typed(first, u[2]), _typed(last, u[3])
            if u[4] < 0.55 or who.lives_with[i] >= 0:
                verified, phone = True, phone if u[5] < 0.4 else ""
            else:
                email, verified = (who.second_email[i], False) if u[5] < 0.6 else ("", False)
        note = ""
        if u[6] < 0.08:
            topic = ("heating", "lighting")[i % 2]
            words = _CHINESE_NOTE if land.code == "CN" else _NOTES[int(u[6] / 0.08 * len(_NOTES))]
            note = words.format(name=full_name(first, last, land.code), topic=topic)
        rows.append({
            "customer_id": who.customer_ids[i][again],
            "name": full_name(first, last, land.code),
            "first_name": first.upper() if u[7] < 0.03 else first,
            "last_name": last.upper() if u[7] < 0.02 else last,
            "email": _cased(email, u[8]),
            "email_verified": "yes" if verified and email else "no",
            "phone": "" if u[9] < 0.12 and not (again and not verified) else phone,
            "street": "" if u[10] < 0.07 else street,
            "city": _typed(city, u[3]) if again and u[10] > 0.7 else city,
            "region": "" if u[10] < 0.1 else region,
            "country": land.code,
            "language": land.language,
            "birthday": "" if u[11] < 0.3 else (date(2008, 1, 1) - timedelta(days=births[i])).isoformat(),
            "tier": "basic" if who.basket[i] < 1.1 else "plus" if who.basket[i] < 2.4 else "gold",
            "notes": note,
        })  # fmt: skip
    return rows


def _cased(email: str, draw: float) -> str:
    """An e-mail as people type it: now and then capitals, or a space behind."""
    return email.upper() if draw < 0.02 else email.title() if draw < 0.06 else email + " " if draw < 0.065 else email


def _typed(name: str, draw: float) -> str:
    """A name with a slip of the finger in two of three cases: letters swapped, lost, doubled, or an umlaut dropped.

    >>> [_typed("Fischer", draw) for draw in (0.1, 0.3, 0.5, 0.9)]
    ['Fsicher', 'Fscher', 'Fiischer', 'Fischer']
    """
    if len(name) < 3 or draw >= 0.66:
        return name.replace("ü", "u").replace("ö", "o") if draw < 0.8 else name
    at = 1 + int(draw * 1e6) % (len(name) - 2)
    match int(draw / 0.22):
        case 0:
            return name[:at] + name[at + 1] + name[at] + name[at + 2 :]
        case 1:
            return name[:at] + name[at + 1 :]
        case _:
            return name[:at] + name[at] + name[at:]
