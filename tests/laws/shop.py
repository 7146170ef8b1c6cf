"""A small shop on its second day: what is known of it, and what waits at its sources. For laws about interruptions."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from given_tiny import Tiny
from laws.picture import Value
from tessera.app import App
from tessera.lake.engine import name, rows

HER = "u1"
HERS: tuple[Value, ...] = (("user_id", "u1"), ("email", "a@x.org"), ("anonymous_id", "k1"))
"""The identifiers of the person whom the laws erase."""

UNIVERSE: list[Value] = [
    *(("user_id", f"u{i}") for i in range(1, 5)),
    *(("email", f"{c}@x.org") for c in "abcd"),
    ("phone", "+4411111111"),
    *(("anonymous_id", f"k{i}") for i in range(1, 6)),
]

RANDOM = ("batch", "record_id", "quarantine_id", "at", "vanished_at")
"""Columns whose values depend on when a row came."""


def customer(number: int, mail: str, day: int, **facts: Any) -> dict[str, Any]:
    updated = f"2026-02-{day:02}T00:00:00Z"
    return {"id": f"u{number}", "name": f"Name{number}", "email": f"{mail}@x.org", "updated": updated, **facts}


def known(root: Path) -> Tiny:
    """The first day, landed and turned; a copy of the one that this process has made."""
    return twin(_first_day(), root)


@cache
def _first_day() -> Tiny:
    folder = tempfile.mkdtemp(prefix="first-day-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    tiny = Tiny(Path(folder) / "shop")
    tiny.crm([customer(1, "a", 1, marketing="true"), customer(2, "b", 1), customer(3, "c", 1, phone="+4411111111")])
    tiny.events(
        [
            {"id": "m1", "type": "page", "user": "u1", "cookie": "k1", "at": "2026-02-01T10:00:00Z", "ip": "10.0.0.1"},
            {"id": "m2", "type": "page", "cookie": "k2", "at": "2026-02-01T11:00:00Z", "analytics": "yes"},
        ]
    )
    tiny.orders([{"id": f"o{i}", "user": f"u{i}", "at": f"2026-02-0{i}T00:00:00Z", "cents": 100 * i} for i in (1, 2, 3)])
    with tiny.open() as app:
        app.turn()
    return tiny


def waiting(tiny: Tiny) -> None:
    """The second day, as files: changed, new, vanished, doubled and broken rows, of her and of others."""
    tiny.crm(
        [
            customer(1, "a", 9, marketing="false", city="Bern"),
            customer(3, "c", 9, phone="+4411111111", city="Basel"),
            customer(4, "d", 9, marketing="true"),
            {"id": "u5", "email": "no mail", "updated": "2026-02-09T00:00:00Z"},
        ]
    )
    events = [
        {"id": "m3", "type": "page", "user": "u1", "cookie": "k3", "at": "2026-02-09T10:00:00Z", "ip": "10.0.0.3"},
        {"id": "m4", "type": "page", "user": "u2", "cookie": "k2", "at": "2026-02-09T11:00:00Z", "marketing": "yes"},
        {"id": "m4", "type": "page", "user": "u2", "cookie": "k2", "at": "2026-02-09T11:00:00Z"},
        {"id": "m5", "type": "page", "cookie": "k4", "at": "2026-02-09T12:00:00Z", "ip": "10.0.0.4"},
        {"id": "m6", "type": "page", "cookie": "k1", "at": "2026-02-09T12:00:00Z", "analytics": "withdrawn"},
        {"id": "m7", "type": "page", "cookie": "k2", "at": "yesterday"},
    ]
    tiny.put("events", "".join(json.dumps(e) + "\n" for e in events).encode() + b"{not json\n", "jsonl")
    tiny.orders(
        [
            {"id": "o3", "user": "u3", "at": "2026-02-03T00:00:00Z", "cents": 350},
            {"id": "o4", "mail": "a@x.org", "at": "2026-02-09T00:00:00Z", "cents": 400},
            {"id": "o5", "mail": "d@x.org", "at": "2026-02-09T00:00:00Z", "cents": 500},
        ]
    )


def twin(tiny: Tiny, root: Path) -> Tiny:
    """The same workspace once more, with its keys and all."""
    shutil.copytree(tiny.root, root)
    made = Tiny.__new__(Tiny)
    made.__dict__.update(tiny.__dict__ | {"root": root, "_config": None})
    return made


def contents(app: App, but: tuple[str, ...] = ("quality",)) -> dict[str, list[tuple[Any, ...]]]:
    """Every table's rows, sorted, without what depends on when they came; keys and persons as whether there is one.

    but: tables left out; quality is a diary of measurements, each with its time.
    """
    found = {}
    for table in app.lake.tables.values():
        if table.name in but:
            continue
        items = []
        for c in table.columns:
            keyed = c.sealed or c.name in (*table.owners, "person_id") or c.name.startswith(("key_", "email_k", "phone_k"))
            if c.name not in RANDOM:
                items.append(f"{name(c.name)} IS NULL" if keyed else f"{name(c.name)}::VARCHAR")
        made = rows(app.con, f"SELECT {', '.join(items)} FROM {app.lake.relation(table.name)}")
        found[table.name] = sorted(made, key=repr)
    return found


def orphans(app: App) -> int:
    """How many sealed records of the vault no row names."""
    named: set[int] = set()
    for table in app.lake.tables.values():
        if "record_id" in table.names:
            select = f"SELECT DISTINCT record_id FROM {app.lake.relation(table.name)} WHERE record_id IS NOT NULL"
            named |= {int(r[0]) for r in rows(app.con, select)}
    return app.vault.counts()["records"] - len(app.vault.unseal(named))
