"""The truth beside the shop's files: who is who, who leaves, which channel caused what, which device fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa

from tessera.demo.causes import Orders, Touches
from tessera.demo.crm import Choice
from tessera.demo.people import NEVER, Crowd
from tessera.demo.shop import ARCHETYPES, CHANNELS, DAY_S, PURPOSES, START, STRENGTH, TOPICS
from tessera.demo.tally import Row
from tessera.demo.telemetry import Fleet

_KINDS = ("account", "guest", "visitor")
_WHEN = pa.timestamp("us", tz="UTC")
_TEXTS = pa.list_(pa.string())
_PEOPLE = pa.schema({
    "human_id": pa.int64(), "kind": pa.string(), "segment": pa.string(), "interests": _TEXTS, "customer_ids": _TEXTS,
    "emails": _TEXTS, "phones": _TEXTS, "anonymous_ids": _TEXTS, "device_ids": _TEXTS, "leaves": pa.bool_(),
    "left_at": _WHEN,
})  # fmt: skip
_IDENTIFIERS = pa.schema({"kind": pa.string(), "value": pa.string(), "human_id": pa.int64(), "shared": pa.bool_()})
_CONSENTS = pa.schema({"human_id": pa.int64(), "purpose": pa.string(), "state": pa.string(), "at": _WHEN})
_ORDERS = pa.schema({
    "order_id": pa.string(), "human_id": pa.int64(), "first": pa.bool_(), "caused_by": pa.string(),
    "touch_id": pa.string(),
})  # fmt: skip
_POSTS = pa.schema({
    "post_id": pa.string(), "human_id": pa.int64(), "topic": pa.string(), "mood": pa.string(), "language": pa.string(),
})  # fmt: skip
_LISTS = {
    "user_id": "customer_ids",
    "email": "emails",
    "phone": "phones",
    "anonymous_id": "anonymous_ids",
    "device_id": "device_ids",
}


def _moment(seconds: int) -> datetime:
    return START + timedelta(seconds=int(seconds))


def people(who: Crowd, crm: Iterable[Row], seen: set[str]) -> list[Row]:
    """One row a human: all that is hers, and what she will do.

    crm: the CRM's rows; seen: the anonymous ids that occur in events and touches, the only ones listed. Identifiers
    read as they should once spelled alike: e-mails in lower case, telephone numbers in E.164.
    """
    entries = {row["customer_id"]: row for row in crm}
    rows = []
    for i in range(len(who)):
        mine = [entries[number] for number in who.customer_ids[i] if number in entries]
        typed = {row["email"].strip().lower() for row in mine}
        emails = [who.email[i]] if who.email[i] else []
        leaves = bool(who.left[i] < NEVER)
        rows.append({
            "human_id": who.first + i,
            "kind": _KINDS[who.kind[i]],
            "segment": ARCHETYPES[who.archetype[i]].name,
            "interests": [TOPICS[topic] for topic in dict.fromkeys(who.likes[i].tolist())],
            "customer_ids": who.customer_ids[i],
            "emails": emails + ([who.second_email[i]] if who.second_email[i] in typed else []),
            "phones": [who.phone[i]] if any(row["phone"] for row in mine) else [],
            "anonymous_ids": [browser for browser in who.browsers[i] if browser in seen],
            "device_ids": [who.device[i]] if who.device[i] else [],
            "leaves": leaves,
            "left_at": _moment(who.left[i] * DAY_S) if leaves else None,
        })  # fmt: skip
    return rows


def people_table(rows: list[Row]) -> pa.Table:
    """people.parquet."""
    return pa.Table.from_pylist(rows, _PEOPLE)


def identifiers(rows: list[Row]) -> pa.Table:
    """identifiers.parquet: each value of each human; what two humans have is shared (a phone, a tablet)."""
    held = [(kind, value, row["human_id"]) for row in rows for kind, column in _LISTS.items() for value in row[column]]
    counts = Counter((kind, value) for kind, value, _ in held)
    made = [{"kind": k, "value": v, "human_id": human, "shared": counts[k, v] > 1} for k, v, human in held]
    return pa.Table.from_pylist(made, _IDENTIFIERS)


def consents(who: Crowd, choices: list[Choice]) -> pa.Table:
    """consents.parquet: each human's last word on each purpose; "withdrawn" is a no after a yes, "none" no answer."""
    last: dict[tuple[int, int], tuple[str, int]] = {}
    for choice in sorted(choices, key=lambda c: c.at):
        for p, says in enumerate(choice.says):
            if says is not None:
                before = last.get((choice.person, p), ("none", 0))[0]
                state = "given" if says else "withdrawn" if before in ("given", "withdrawn") else "refused"
                last[choice.person, p] = (state, choice.at)
    made = []
    for i in range(len(who)):
        for p, purpose in enumerate(PURPOSES):
            found = last.get((i, p))
            state, at = (found[0], _moment(found[1])) if found else ("none", None)
            made.append({"human_id": who.first + i, "purpose": purpose, "state": state, "at": at})
    return pa.Table.from_pylist(made, _CONSENTS)


def devices(who: Crowd, made: Fleet) -> pa.Table:
    """devices.parquet: which device fails and when; a time after the shop's today is still to come."""
    owners = made.owner.tolist()
    at = [_moment(t) if fails else None for fails, t in zip(made.fails.tolist(), made.failed_at.tolist(), strict=True)]
    return pa.table({
        "device_id": pa.array([who.device[i] for i in owners], pa.string()),
        "human_id": pa.array([who.first + i for i in owners], pa.int64()),
        "model": pa.array([who.model[i] for i in owners], pa.string()),
        "fails": pa.array(made.fails.tolist(), pa.bool_()),
        "failed_at": pa.array(at, _WHEN),
    })  # fmt: skip


def orders(who: Crowd, made: Orders, touches: Touches, rows: list[Row], block: int) -> pa.Table:
    """orders.parquet: whose each order is, and the touch without which it would not have been."""
    facts = zip(rows, made.person.tolist(), made.touch.tolist(), made.first.tolist(), strict=True)
    return pa.Table.from_pylist([
        {
            "order_id": row["order_id"], "human_id": who.first + person, "first": first,
            "caused_by": CHANNELS[touches.channel[touch]] if touch >= 0 else None,
            "touch_id": f"T{block:05d}{touch:05d}" if touch >= 0 else None,
        }
        for row, person, touch, first in facts
    ], _ORDERS)  # fmt: skip


def posts(rows: list[Row]) -> pa.Table:
    """posts.parquet: who wrote each post, about what, in which mood."""
    return pa.Table.from_pylist(rows, _POSTS)


@dataclass
class Causes:
    """channels.json: how many orders each channel truly caused, first ones and later ones apart."""

    touches: Counter[int] = field(default_factory=Counter)
    first: Counter[int] = field(default_factory=Counter)
    later: Counter[int] = field(default_factory=Counter)

    def add(self, made: Orders, touches: Touches) -> None:
        """Count one block; -1 stands for the orders that nobody caused."""
        channel = np.append(touches.channel, -1)[made.touch]
        self.touches.update(touches.channel.tolist())
        self.first.update(channel[made.first].tolist())
        self.later.update(channel[~made.first].tolist())

    def facts(self) -> Row:
        """Counts, strength a touch, and each channel's share of all caused orders."""
        caused = sum((self.first + self.later).values()) - self.first[-1] - self.later[-1]
        return {
            "orders": sum((self.first + self.later).values()),
            "caused": caused,
            "uncaused": {"first": self.first[-1], "later": self.later[-1]},
            "channels": {
                name: {
                    "touches": self.touches[c],
                    "strength": float(STRENGTH[c]),
                    "caused_first": self.first[c],
                    "caused_later": self.later[c],
                    "share": round((self.first[c] + self.later[c]) / caused, 6) if caused else 0.0,
                }
                for c, name in enumerate(CHANNELS)
            },
        }
