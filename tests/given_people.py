"""A small shop with every kind of record, made of rows that a test can read."""

from __future__ import annotations

import csv
import getpass
import gzip
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Person:
    """One customer; every value is hers alone."""

    number: int

    @property
    def user_id(self) -> str:
        return f"cust-{70010007 + self.number * 37}"

    @property
    def email(self) -> str:
        return f"mira.quandt{self.number}@post{self.number}.example"

    @property
    def phone(self) -> str:
        return f"+4479{11204417 + self.number * 7919:08d}"

    @property
    def name(self) -> str:
        return f"Mirabel{self.number} Quandtova{self.number}"

    @property
    def street(self) -> str:
        return f"{self.number + 3} Withywind Lane{self.number}"

    @property
    def device_id(self) -> str:
        return f"hub-{0xBEEF0000 + self.number * 977:x}"

    @property
    def anonymous_id(self) -> str:
        return f"anon-{0xA0B1C2D30000 + self.number * 65537:x}"

    def order(self, n: int) -> str:
        return f"ORD-{880000 + self.number * 100 + n}"


def contract(
    name: str,
    record: str,
    path: str,
    fields: Sequence[str],
    *,
    format: str = "csv",
    sync: str = "append",
    currency: str | None = None,
    amounts: str = "cents",
    rank: int = 0,
) -> str:
    """A data contract; a field is "name key=value ..." with the keys of a contract's property (required=true, ...)."""
    properties = []
    for line in fields:
        field, *pairs = line.split()
        facts = dict(p.split("=", 1) for p in pairs)
        top: dict[str, Any] = {"name": field}
        for key in ("required", "unique", "primaryKey", "logicalType", "physicalName"):
            if key in facts:
                top[key] = {"true": True}.get(facts[key], facts[key])
        custom = [
            {"property": k, "value": {"true": True, "false": False}.get(facts[k], facts[k])}
            for k in ("mapsTo", "identifier", "category", "consent", "sealed", "joins")
            if k in facts
        ]
        properties.append({**top, **({"customProperties": custom} if custom else {})})
    ours = {"record": record, "sync": sync, "amounts": amounts, "rank": rank}
    if currency:
        ours["currency"] = currency
    return json.dumps(
        {
            "apiVersion": "v3.1.0",
            "kind": "DataContract",
            "id": f"urn:test:{name}",
            "name": name,
            "version": "1.0.0",
            "status": "active",
            "servers": [{"server": "local", "type": "local", "path": path, "format": format}],
            "customProperties": [{"property": k, "value": v} for k, v in ours.items()],
            "schema": [{"name": name, "properties": properties}],
        },
        indent=1,
    )


SYSTEM = "category=system.operations"
CONTRACTS: dict[str, str] = {
    "crm": contract(
        "crm",
        "person",
        "in/crm/*.csv",
        [
            "customer_id identifier=user_id primaryKey=true required=true",
            "name mapsTo=name",
            "email mapsTo=email identifier=email",
            "phone mapsTo=phone identifier=phone",
            "street mapsTo=address",
            "birthday mapsTo=born",
            "city mapsTo=city",
            "region mapsTo=region",
            "country mapsTo=country",
            "language mapsTo=language",
            "tier mapsTo=tier",
            "created mapsTo=since logicalType=timestamp",
            f"updated mapsTo=occurred_at logicalType=timestamp required=true {SYSTEM}",
            "analytics consent=analytics",
            "marketing consent=marketing",
            "notes category=user.content.private sealed=true",
            f"score {SYSTEM}",
        ],
        sync="snapshot",
        rank=20,
    ),
    "desk": contract(
        "desk",
        "person",
        "in/desk/*.jsonl",
        [
            "ticket primaryKey=true required=true mapsTo=tier",
            "mail physicalName=who.mail mapsTo=email identifier=email",
            "phone physicalName=who.phone mapsTo=phone identifier=phone",
            f"at mapsTo=occurred_at logicalType=timestamp required=true {SYSTEM}",
        ],
        format="json",
    ),
    "orders": contract(
        "orders",
        "order",
        "in/orders/*.csv",
        [
            "order_id mapsTo=order_id primaryKey=true required=true",
            "customer_id identifier=user_id",
            f"at mapsTo=occurred_at logicalType=timestamp required=true {SYSTEM}",
            "status mapsTo=status",
            "amount mapsTo=amount_cents logicalType=integer required=true",
            "currency mapsTo=currency",
            "channel mapsTo=channel",
            "country mapsTo=country",
            f"gift {SYSTEM}",
        ],
    ),
    "lines": contract(
        "lines",
        "order_line",
        "in/lines/*.csv",
        [
            "order_id mapsTo=order_id required=true primaryKey=true",
            "line mapsTo=line required=true primaryKey=true",
            f"at mapsTo=occurred_at logicalType=timestamp {SYSTEM}",
            "product mapsTo=product_id",
            "text mapsTo=description",
            "quantity mapsTo=quantity logicalType=integer",
            "amount mapsTo=amount_cents logicalType=integer",
            "currency mapsTo=currency",
            "country mapsTo=country",
            f"colour {SYSTEM}",
        ],
    ),
    "payments": contract(
        "payments",
        "payment",
        "in/payments/*.csv",
        [
            "payment_id mapsTo=payment_id primaryKey=true required=true",
            "order_id mapsTo=order_id",
            "mail identifier=email",
            f"at mapsTo=occurred_at logicalType=timestamp {SYSTEM}",
            "method mapsTo=method",
            "status mapsTo=status",
            "amount mapsTo=amount_cents logicalType=integer",
            "currency mapsTo=currency",
            f"terminal {SYSTEM}",
        ],
    ),
    "web": contract(
        "web",
        "event",
        "in/web/*.jsonl*",
        [
            "messageId mapsTo=message_id required=true unique=true",
            "type mapsTo=type",
            "event mapsTo=event",
            "anonymousId identifier=anonymous_id",
            "userId identifier=user_id",
            "mail physicalName=traits.email identifier=email",
            "device physicalName=context.device.id identifier=device_id",
            "timestamp mapsTo=occurred_at logicalType=timestamp required=true category=user.behavior",
            "receivedAt mapsTo=received_at logicalType=timestamp",
            "product physicalName=properties.product mapsTo=product_id",
            "price physicalName=properties.price mapsTo=amount_cents logicalType=number",
            "currency physicalName=properties.currency mapsTo=currency",
            "url physicalName=context.page.url mapsTo=url",
            "channel physicalName=context.campaign.source mapsTo=channel",
            "campaign physicalName=context.campaign.name mapsTo=campaign",
            "kind physicalName=context.device.type mapsTo=device",
            "country physicalName=context.country mapsTo=country",
            f"shelf physicalName=properties.shelf {SYSTEM}",
            "first physicalName=traits.first category=user.name.first sealed=true",
        ],
        format="json",
        amounts="units",
    ),
    "posts": contract(
        "posts",
        "post",
        "in/posts/*.jsonl",
        [
            "id mapsTo=post_id required=true unique=true",
            "author identifier=user_id",
            "at mapsTo=occurred_at logicalType=timestamp",
            "network mapsTo=network",
            "language mapsTo=language",
            "text mapsTo=text",
            f"topic {SYSTEM}",
        ],
        format="json",
    ),
    "telemetry": contract(
        "telemetry",
        "reading",
        "in/telemetry/*.parquet",
        [
            "device identifier=device_id required=true",
            "at mapsTo=occurred_at logicalType=timestamp",
            "metric mapsTo=metric",
            "value mapsTo=value logicalType=number",
            "unit mapsTo=unit",
            "model mapsTo=model",
            "error mapsTo=error_code",
            f"room {SYSTEM}",
        ],
        format="parquet",
    ),
    "touches": contract(
        "touches",
        "touch",
        "in/touches/*.csv",
        [
            "touch_id mapsTo=touch_id primaryKey=true required=true",
            "phone identifier=phone",
            "at mapsTo=occurred_at logicalType=timestamp",
            "channel mapsTo=channel",
            "campaign mapsTo=campaign",
            "kind mapsTo=kind",
            "cost mapsTo=amount_cents logicalType=integer",
            "currency mapsTo=currency",
            f"creative {SYSTEM}",
        ],
    ),
    "fx": contract(
        "fx",
        "rate",
        "in/fx/*.csv",
        [
            "currency mapsTo=currency required=true",
            "day mapsTo=valid_from logicalType=date",
            "rate mapsTo=rate logicalType=number",
        ],
    ),
}
"""By source; every kind of record is there."""


class Shop:
    """A workspace folder and the rows of its sources; `write` puts them to disk."""

    def __init__(self, root: Path, people: int = 12) -> None:
        self.root, self.people = root, [Person(i) for i in range(people)]
        self.rows: dict[str, list[dict[str, Any]]] = {s: [] for s in CONTRACTS}
        self.tails: dict[str, list[str]] = {s: [] for s in CONTRACTS}
        """Lines put as they are after a source's rows."""
        for person in self.people:
            self._of(person)
        self.rows["fx"] = [{"currency": "GBP", "day": "2026-01-01", "rate": "1.15"}]

    def _of(self, p: Person) -> None:
        day = START + timedelta(days=p.number)
        at, later = day.isoformat(), (day + timedelta(days=40)).isoformat()
        yes = "yes" if p.number % 3 != 2 else "no"
        self.rows["crm"].append(
            {
                "customer_id": p.user_id,
                "name": p.name,
                "email": p.email,
                "phone": p.phone,
                "street": p.street,
                "birthday": f"19{70 + p.number % 30}-04-0{1 + p.number % 9}",
                "city": "Bath" if p.number % 2 else "Lyon",
                "region": "north" if p.number % 2 else "south",
                "country": "GB",
                "language": "en",
                "tier": "gold" if p.number % 4 else "basic",
                "created": at,
                "updated": at,
                "analytics": yes,
                "marketing": "yes" if p.number % 2 else "no",
                "notes": f"called by {p.name}",
                "score": str(p.number),
                "nickname": f"Quandty{p.number}",
            }
        )
        self.rows["desk"].append(
            {
                "ticket": f"TCK-{66000 + p.number}",
                "who": {"mail": p.email, "phone": p.phone},
                "at": at,
                "mood": p.street,
            }
        )
        for n in range(2):
            self.rows["orders"].append(
                {
                    "order_id": p.order(n),
                    "customer_id": p.user_id,
                    "at": at if n else later,
                    "status": "paid",
                    "amount": str(1000 + p.number * 10 + n),
                    "currency": "EUR" if n else "GBP",
                    "channel": "web",
                    "country": "GB",
                    "gift": "no",
                }
            )
            self.rows["lines"].append(
                {
                    "order_id": p.order(n),
                    "line": "1",
                    "at": at if n else later,
                    "product": f"P{n}",
                    "text": "Lamp",
                    "quantity": "1",
                    "amount": str(900 + p.number * 10 + n),
                    "currency": "EUR",
                    "country": "GB",
                    "colour": "red",
                }
            )
            self.rows["payments"].append(
                {
                    "payment_id": f"PAY-{p.order(n)[4:]}",
                    "order_id": p.order(n),
                    "mail": p.email,
                    "at": at if n else later,
                    "method": "card",
                    "status": "paid",
                    "amount": str(1000 + p.number * 10 + n),
                    "currency": "EUR",
                    "terminal": "T1",
                }
            )
            self.rows["web"].append(event(p, f"MSG-{4400000 + p.number * 10 + n}", at, n))
        self.rows["posts"].append(
            {
                "id": f"PST-{5500000 + p.number}",
                "author": p.user_id,
                "at": at,
                "network": "birdsite",
                "language": "en",
                "text": f"I am {p.name}, write to {p.email}",
                "topic": "lamps",
            }
        )
        self.rows["telemetry"].append(
            {
                "device": p.device_id,
                "at": at,
                "metric": "power",
                "value": "3.5",
                "unit": "W",
                "model": "H1",
                "error": None,
                "room": "hall",
            }
        )
        self.rows["touches"].append(
            {
                "touch_id": f"TCH-{3300000 + p.number}",
                "phone": p.phone,
                "at": at,
                "channel": "sms",
                "campaign": "spring",
                "kind": "open",
                "cost": "3",
                "currency": "EUR",
                "creative": "A",
            }
        )

    def write(self, only: Iterable[str] = ()) -> Shop:
        """The workspace and its sources, all or some; a source written again has a newer time."""
        policy = files("tessera") / "demo" / "acme"
        (self.root / "sources").mkdir(parents=True, exist_ok=True)
        for name in ("tessera.yaml", "purposes.yaml", "access.yaml", "segments.yaml"):
            text = (policy / name).read_text("utf-8").replace("@USER@", getpass.getuser())
            if not (self.root / name).exists():
                (self.root / name).write_text(text, "utf-8")
        for source in list(only) or CONTRACTS:
            text = CONTRACTS[source]
            (self.root / "sources" / f"{source}.odcs.yaml").write_text(text, "utf-8")
            path, format = json.loads(text)["servers"][0]["path"], json.loads(text)["servers"][0]["format"]
            target = self.root / path.replace("*.jsonl*", "a.jsonl.gz").replace("*", "a")
            target.parent.mkdir(parents=True, exist_ok=True)
            put(target, format, self.rows[source], self.tails[source])
            stamp = time.time_ns()
            os.utime(target, ns=(stamp, stamp))
        return self


def event(p: Person, message: str, at: str, n: int) -> dict[str, Any]:
    return {
        "messageId": message,
        "type": "track" if n else "page",
        "event": "Product Viewed",
        "anonymousId": p.anonymous_id,
        **({"userId": p.user_id, "traits": {"email": p.email, "first": p.name.split()[0]}} if n else {}),
        "timestamp": at,
        "receivedAt": at,
        "properties": {"product": "P1", "price": 9.5, "currency": "EUR", "shelf": "s1", "wish": p.street},
        "context": {
            "page": {"url": "https://shop.example/lamps?src=mail#top"},
            "campaign": {"source": "web", "name": "spring"},
            "device": {"id": p.device_id, "type": "phone"},
            "country": "GB",
        },
    }


def put(path: Path, format: str, rows: Sequence[Mapping[str, Any]], tail: Sequence[str] = ()) -> None:
    """Rows as a file."""
    names = list(dict.fromkeys(k for r in rows for k in r))
    if format == "parquet":
        pq.write_table(pa.table({n: pa.array([r.get(n) for r in rows], pa.string()) for n in names}), path)
        return
    if format == "json":
        text = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows) + "".join(t + "\n" for t in tail)
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        return
    with open(path, "w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        f.writelines(t + "\n" for t in tail)
