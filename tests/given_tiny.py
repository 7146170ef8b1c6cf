"""A tiny workspace for tests: a CRM export, tracked events and orders, each a file that a test writes row by row."""

from __future__ import annotations

import copy
import csv
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tessera.app import App, settings
from tessera.config import Config
from tessera.scaffold import init

DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
"""The first day of all tests."""

HEAD = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:tiny:{name}
name: {name}
version: 1.0.0
status: active
servers:
  - {{server: local, type: local, path: {path}, format: {format}}}
customProperties:
  - {{property: record, value: {record}}}
  - {{property: sync, value: {sync}}}
  - {{property: rank, value: {rank}}}
schema:
  - name: {name}
    properties:
"""

CRM = {
    "id": {"required": True, "primaryKey": True, "unique": True, "identifier": "user_id"},
    "name": {"mapsTo": "name", "category": "user.name"},
    "email": {"mapsTo": "email", "identifier": "email", "category": "user.contact.email"},
    "phone": {"mapsTo": "phone", "identifier": "phone", "category": "user.contact.phone_number"},
    "city": {"mapsTo": "city", "category": "user.location"},
    "updated": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "marketing": {"logicalType": "boolean", "consent": "marketing"},
}
EVENTS = {
    "id": {"required": True, "unique": True, "mapsTo": "message_id", "category": "user.unique_id.pseudonymous"},
    "type": {"required": True, "mapsTo": "type", "category": "user.behavior"},
    "event": {"mapsTo": "event", "category": "user.behavior"},
    "user": {"identifier": "user_id"},
    "mail": {"identifier": "email", "category": "user.contact.email"},
    "cookie": {"identifier": "anonymous_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "category": "user.behavior"},
    "product": {"mapsTo": "product_id", "category": "user.behavior.browsing_history"},
    "ip": {"category": "user.device.ip_address", "sealed": True},
    "analytics": {"consent": "analytics"},
    "marketing": {"consent": "marketing"},
}
ORDERS = {
    "id": {"required": True, "primaryKey": True, "unique": True, "mapsTo": "order_id"},
    "user": {"identifier": "user_id"},
    "mail": {"identifier": "email", "category": "user.contact.email"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "status": {"mapsTo": "status"},
    "cents": {"logicalType": "integer", "required": True, "mapsTo": "amount_cents"},
}
OWN = ("required", "primaryKey", "unique", "logicalType")
"""What stands beside a property; the rest are its customProperties."""


def contract(name: str, fields: Mapping[str, Mapping[str, Any]], **head: str) -> str:
    """A data contract of a few lines."""
    lines = [HEAD.format(name=name, **head)]
    for field, facts in fields.items():
        own = {k: v for k, v in facts.items() if k in OWN}
        custom = [{"property": k, "value": v} for k, v in facts.items() if k not in OWN]
        lines.append(f"      - {json.dumps({'name': field, **own, 'customProperties': custom})}\n")
    return "".join(lines)


class Tiny:
    """One tiny workspace and its three sources; `day` is what its clock says."""

    def __init__(
        self, root: Path, caps: str = "{email: 2, phone: 1, device_id: 1, anonymous_id: 1}", *, insight: bool = False
    ) -> None:
        """insight: whether anything is learned beside segments; few tests ask, and each turn takes twice as long."""
        self.root, self.day, self.files = root, DAY, 0
        init(root, user=_user())
        (root / "tessera.yaml").write_text(
            f"version: 1\nname: tiny\nlanguages: [en, zh]\ncurrency: EUR\ntime_zone: UTC\nmemory: 512MB\nthreads: 1\n"
            f"as_of: 2026-12-31\ncaps: {caps}\n"
        )
        if not insight:
            (root / "insight.yaml").write_text("without: [attribution, value, churn, recommend, interests, upkeep]\n")
        for folder in ("crm", "events", "orders"):
            (root / "in" / folder).mkdir(parents=True)
        for source, fields, ending, record, sync, rank in (
            ("crm", CRM, "csv", "person", "snapshot", "20"),
            ("events", EVENTS, "jsonl", "event", "append", "5"),
            ("orders", ORDERS, "csv", "order", "append", "10"),
        ):
            kind = "json" if ending == "jsonl" else ending
            path = f"in/{source}/*.{ending}"
            self.write(source, contract(source, fields, path=path, format=kind, record=record, sync=sync, rank=rank))
        self._config: Config | None = None

    def write(self, source: str, text: str) -> None:
        """A source's contract, anew."""
        (self.root / "sources" / f"{source}.odcs.yaml").write_text(text)
        self._config = None

    @property
    def config(self) -> Config:
        """What its files say, read once."""
        if self._config is None:
            self._config = settings(self.root)
        return self._config

    def copied(self, to: Path) -> Tiny:
        """The same workspace, as it stands, in another folder."""
        shutil.copytree(self.root, to, ignore=shutil.ignore_patterns("*.sock"))
        made = copy.copy(self)
        made.root, made._config = to, None
        return made

    def clock(self) -> datetime:
        """A second passes whenever somebody looks."""
        self.day += timedelta(seconds=1)
        return self.day

    def open(self) -> App:
        """The workspace, owned by this process."""
        return App(self.root, wait_s=5, clock=self.clock, config=self.config)

    def crm(self, rows: Iterable[Mapping[str, Any]]) -> Path:
        """The CRM's export: the whole, each time."""
        return self._csv("crm", CRM, rows)

    def orders(self, rows: Iterable[Mapping[str, Any]]) -> Path:
        """A file of new or changed orders."""
        return self._csv("orders", ORDERS, rows)

    def events(self, rows: Iterable[Mapping[str, Any]]) -> Path:
        """A file of new events."""
        text = "".join(json.dumps(dict(r)) + "\n" for r in rows)
        return self.put("events", text.encode(), "jsonl")

    def put(self, source: str, data: bytes, ending: str) -> Path:
        """A file with a name that sorts after all before it."""
        self.files += 1
        path = self.root / "in" / source / f"{self.files:05}.{ending}"
        path.write_bytes(data)
        return path

    def _csv(self, source: str, fields: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Path:
        self.files += 1
        path = self.root / "in" / source / f"{self.files:05}.csv"
        with path.open("w", newline="") as out:
            told = csv.DictWriter(out, list(fields), restval="")
            told.writeheader()
            told.writerows({k: "" if v is None else v for k, v in r.items()} for r in rows)
        return path


def _user() -> str:
    import getpass

    return os.environ.get("USER") or getpass.getuser()


def loose(app: App) -> list[str]:
    """Parquet files that no kept version of any table has."""
    found = []
    for table in app.lake.tables:
        alive: set[str] = set()
        newest = app.lake.version(table)
        if newest is not None:
            for number in range(newest + 1):
                if app.lake.kept(table, number):
                    alive |= set(app.lake.files(table, number))
        found += [str(p) for p in app.lake.folder(table).rglob("*.parquet") if str(p) not in alive]
    return found
