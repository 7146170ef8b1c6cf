"""Makes the bench's inputs: events, orders and people as Parquet, skewed, and a workspace over them.

`python bench/world.py DIR --people 1000000` writes DIR/raw (20 events a person in 20 files, two orders a person, one CRM
row a person) and the increment DIR/more (1 % new events, orders and CRM rows); `workspace` writes DIR/acme.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import duckdb

import tessera

EVENTS = """
    WITH a AS (
        SELECT {first} + i AS i, ((floor({people} * pow(random(), 2))::BIGINT * 7919 + 13) % {people}) AS p,
               random() r1, random() r2, random() r3, random() r4, random() r5, random() r6
        FROM range({n}) t(i)
    ), b AS (
        SELECT *, CASE WHEN r6 < {fresh} THEN 100000000 + i % 20000
                       WHEN p < {people} // 2 AND r1 < 0.3 THEN {people} + p
                       WHEN r1 > 0.9995 THEN (p + 1) % {people} ELSE p END AS aid FROM a
    )
    SELECT CASE WHEN r5 < 0.996 THEN uuid()::VARCHAR ELSE md5(((i // 2) % 100000)::VARCHAR) END AS message_id,
           CASE WHEN r5 > 0.999 THEN 'bogus' WHEN r2 < 0.6 THEN 'page' WHEN r2 < 0.97 THEN 'track' ELSE 'identify' END AS type,
           ['Page Viewed', 'Product Viewed', 'Product Added', 'Cart Viewed', 'Checkout Started', 'Search', 'App Opened',
            'Wishlist'][1 + (r2 * 7.99)::INT % 8] AS event,
           'a' || md5('a' || aid) AS anonymous_id,
           CASE WHEN r3 < 0.10 THEN 'customer-' || p END AS user_id,
           CASE WHEN r3 BETWEEN 0.07 AND 0.15 THEN 'user' || p || '@mail' || (p % 97) || '.example.com' END AS email,
           TIMESTAMP '{day}' + to_microseconds(((r4 * {days}) * 86400e6)::BIGINT) AS occurred_at,
           TIMESTAMP '{day}' + to_microseconds(((r4 * {days}) * 86400e6 + r1 * 3e6)::BIGINT) AS received_at,
           'P' || floor(5000 * pow(r1, 2))::INT AS product_id,
           CASE WHEN r2 > 0.6 THEN (r1 * 20000)::BIGINT END AS amount_cents,
           'https://shop.example.com/p/' || floor(5000 * pow(r1, 2))::INT AS url,
           'c' || (r1 * 40)::INT AS category, (r2 * 50)::INT AS position
    FROM b"""

ORDERS = """
    SELECT 'o' || ({first} + i) AS order_id, 'customer-' || p AS user_id,
           'user' || p || '@mail' || (p % 97) || '.example.com' AS email,
           TIMESTAMP '{day}' + to_seconds((r * {days} * 86400)::BIGINT) AS occurred_at,
           (exp(3 + r2 * 4) * 100)::BIGINT AS amount_cents, 'EUR' AS currency, 'paid' AS status
    FROM (SELECT i, ((floor({people} * pow(random(), 2))::BIGINT * 7919 + 13) % {people}) AS p, random() r, random() r2
          FROM range({n}) t(i))"""

PEOPLE = """
    SELECT 'customer-' || i AS user_id, 'user' || i || '@mail' || (i % 97) || '.example.com' AS email,
           '+4915' || lpad((i * 7)::VARCHAR, 9, '0') AS phone, 'Name' || (i % 50000) || ' Sur' || i AS name,
           '{city}' || (i % 300) AS city, ['de', 'en', 'zh'][1 + i % 3] AS language,
           TIMESTAMP '{day}' + to_seconds(i % 8000000) AS updated_at, random() < 0.62 AS analytics,
           random() < 0.45 AS marketing, random() < 0.8 AS personalise
    FROM {rows}"""


def make(root: Path, people: int) -> None:
    """Writes raw/ and more/."""
    con = duckdb.connect()
    con.execute("SET threads=2; SET memory_limit='4GB'; SET preserve_insertion_order=false; SELECT setseed(0.5)")
    con.execute(f"SET temp_directory='{root}/spill'")

    def write(path: Path, select: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        con.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")

    for f in range(20):
        day = f"2025-{1 + f // 2:02d}-{1 + 14 * (f % 2):02d}"
        facts = {"first": f * people, "n": people, "people": people, "fresh": 0, "day": day, "days": 14}
        write(root / "raw" / "events" / f"e{f:02d}.parquet", EVENTS.format(**facts))
    many = max(1, people // 5)
    late = {"people": people, "day": "2025-11-01", "days": 1}
    write(root / "more" / "events" / "e20.parquet", EVENTS.format(first=20 * people, n=many, fresh=0.05, **late))
    orders = ORDERS.format(first=0, n=2 * people, people=people, day="2025-01-01", days=300)
    write(root / "raw" / "orders" / "o0.parquet", orders)
    write(root / "more" / "orders" / "o1.parquet", ORDERS.format(first=2 * people, n=max(1, people // 50), **late))
    write(root / "raw" / "crm" / "c0.parquet", PEOPLE.format(city="City", day="2025-01-01", rows=f"range({people}) t(i)"))
    new = f"SELECT i FROM range({people}, {people} + {people} // 300) t(i)"
    some = f"({new} UNION ALL SELECT i FROM range(0, {people}, 143) t(i))"
    write(root / "more" / "crm" / "c1.parquet", PEOPLE.format(city="Town", day="2025-11-01", rows=some))
    shutil.rmtree(root / "spill", ignore_errors=True)


def workspace(root: Path, memory: str = "2500MB") -> Path:
    """A workspace over what `make` wrote, at root/acme (made anew)."""
    acme = root / "acme"
    shutil.rmtree(acme, ignore_errors=True)
    tessera.init(acme)
    settings = acme / "tessera.yaml"
    settings.write_text(settings.read_text() + f"\nmemory: {memory}\nthreads: 2\nas_of: 2025-11-02\n")
    for kind in ("events", "orders", "crm"):
        (acme / "in" / kind).mkdir(parents=True)
        for file in sorted((root / "raw" / kind).glob("*.parquet")):
            (acme / "in" / kind / file.name).symlink_to(file.resolve())
    (acme / "sources" / "crm.odcs.yaml").write_text(contract("crm", "person", "append", CRM))
    (acme / "sources" / "orders.odcs.yaml").write_text(contract("orders", "order", "append", ORDER))
    (acme / "sources" / "events.odcs.yaml").write_text(contract("events", "event", "append", EVENT))
    return acme


def more(root: Path) -> None:
    """Hands the increment to the workspace."""
    for kind in ("events", "orders", "crm"):
        for file in sorted((root / "more" / kind).glob("*.parquet")):
            (root / "acme" / "in" / kind / file.name).symlink_to(file.resolve())


CRM = (
    ("user_id", "string", "required", {"identifier": "user_id"}),
    ("email", "string", "", {"identifier": "email", "mapsTo": "email"}),
    ("phone", "string", "", {"identifier": "phone", "mapsTo": "phone"}),
    ("name", "string", "", {"mapsTo": "name"}),
    ("city", "string", "", {"mapsTo": "city"}),
    ("language", "string", "", {"mapsTo": "language"}),
    ("updated_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
    ("analytics", "boolean", "", {"consent": "analytics"}),
    ("marketing", "boolean", "", {"consent": "marketing"}),
    ("personalise", "boolean", "", {"consent": "personalise"}),
)
ORDER = (
    ("order_id", "string", "primary", {"mapsTo": "order_id"}),
    ("user_id", "string", "required", {"identifier": "user_id"}),
    ("email", "string", "", {"identifier": "email"}),
    ("occurred_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
    ("amount_cents", "integer", "required", {"mapsTo": "amount_cents"}),
    ("currency", "string", "required", {"mapsTo": "currency"}),
    ("status", "string", "", {"mapsTo": "status"}),
)
EVENT = (
    ("message_id", "string", "primary", {"mapsTo": "message_id"}),
    ("type", "string", "required", {"mapsTo": "type", "enum": ["page", "track", "identify", "screen", "group", "alias"]}),
    ("event", "string", "", {"mapsTo": "event"}),
    ("anonymous_id", "string", "required", {"identifier": "anonymous_id"}),
    ("user_id", "string", "", {"identifier": "user_id"}),
    ("email", "string", "", {"identifier": "email"}),
    ("occurred_at", "timestamp", "required", {"mapsTo": "occurred_at"}),
    ("received_at", "timestamp", "", {"mapsTo": "received_at"}),
    ("product_id", "string", "", {"mapsTo": "product_id"}),
    ("amount_cents", "integer", "", {"mapsTo": "amount_cents"}),
    ("url", "string", "", {"mapsTo": "url"}),
    ("category", "string", "", {"category": "system.operations"}),
    ("position", "integer", "", {"category": "system.operations"}),
)


def contract(name: str, record: str, sync: str, fields: tuple[tuple[str, str, str, dict[str, object]], ...]) -> str:
    lines = [
        "apiVersion: v3.1.0", "kind: DataContract", f"id: urn:bench:{name}", f"name: {name}", "version: 1.0.0",
        "status: active", "team: {name: bench}", "servers:",
        f"  - {{server: files, type: local, path: in/{name}/*.parquet, format: parquet}}",
        f"customProperties: [{{property: record, value: {record}}}, {{property: sync, value: {sync}}}]",
        "schema:", f"  - name: {name}", "    properties:",
    ]  # fmt: skip
    for column, kind, need, ours in fields:
        lines += [f"      - name: {column}", f"        logicalType: {kind}"]
        lines += ["        required: true"] if need else []
        lines += ["        primaryKey: true"] if need == "primary" else []
        lines.append("        customProperties:")
        for key, v in ours.items():
            text = "[" + ", ".join(map(str, v)) + "]" if isinstance(v, list) else v
            lines.append(f"          - {{property: {key}, value: {text}}}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dir", type=Path)
    parser.add_argument("--people", type=int, default=100_000)
    asked = parser.parse_args()
    make(asked.dir, asked.people)
