"""What a workspace says of people, in words that two workspaces share: identifier values instead of random numbers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from tessera.app import App
from tessera.data.profiles import FOLDS
from tessera.lake.engine import rows
from tessera.lake.view import over

Value = tuple[str, str]
Picture = dict[str, Any]


def picture(app: App, universe: Iterable[Value]) -> Picture:
    """The partition, each person's mask and profile, each identifier's activity, and what is left of sales.

    universe: every identifier that a row may have had, (kind, value).
    """
    of_key: dict[int, Value] = {}
    by_kind: dict[str, list[str]] = defaultdict(list)
    for kind, value in universe:
        by_kind[kind].append(value)
    for kind, values in by_kind.items():
        for value, key in zip(values, app.vault.resolve(kind, values, mint=False).tolist(), strict=True):
            if key > 0:
                of_key[key] = (kind, value)
    members: dict[int, set[Value]] = defaultdict(set)
    for key, person in _rows(app, "membership", "SELECT key_id, person_id FROM membership"):
        members[person].add(of_key[key])
    people = {person: frozenset(values) for person, values in members.items()}
    masks: dict[frozenset[Value], set[int]] = defaultdict(set)
    for person, mask in _rows(app, "mask", "SELECT person_id, mask FROM mask"):
        masks[people[person]].add(mask)
    merged = ", ".join(f"{f.merge()} AS {f.field}" for f in FOLDS if f.table not in ("records", "orders"))
    activity = {
        of_key[key]: tuple(cells)
        for key, *cells in _rows(app, "activity", f"SELECT key_id, {merged} FROM activity GROUP BY key_id")
    }
    orders = _rows(app, "orders", "SELECT key_id IS NULL, count(*), sum(amount_cents) FROM orders GROUP BY ALL")
    return {
        "people": {tuple(sorted(p)) for p in people.values()},
        "masks": {tuple(sorted(p)): m for p, m in masks.items()},
        "profiles": _profiles(app, people, of_key),
        "activity": activity,
        "orders": sorted(orders),
    }


def _profiles(app: App, people: dict[int, frozenset[Value]], of_key: dict[int, Value]) -> dict[Any, dict[str, Any]]:
    table = app.lake.table("profiles")
    found: dict[Any, dict[str, Any]] = {}
    for cells in _rows(app, "profiles", f"SELECT {', '.join(table.names)} FROM profiles"):
        row = dict(zip(table.names, cells, strict=True))
        for column in table.columns:
            if column.sealed and row[column.name] is not None:
                blob = app.vault.unseal([row[column.name]]).get(row[column.name])
                row[column.name] = json.loads(blob).get(column.name) if blob else "unreadable"
        for column in ("email_key", "phone_key"):
            row[column] = of_key.get(row[column], row[column])
        found[tuple(sorted(people[row.pop("person_id")]))] = row
    return found


def _rows(app: App, table: str, select: str) -> list[tuple[Any, ...]]:
    view = app.gate.for_step(table, app.config.purposes["operate"])
    app.gate.load(app.con, [view])
    return rows(app.con, over({table: view}, select))
