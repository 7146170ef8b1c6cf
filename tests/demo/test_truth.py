"""The truth beside the files agrees with the files."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest

from tessera.demo.shop import PURPOSES, REWORDED, START, WORDINGS
from tessera.demo.world import Summary

STAMP = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def rows(path: Path) -> list[dict[str, Any]]:
    table: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return table


@pytest.fixture(scope="module")
def counts(world: Path) -> dict[str, Any]:
    made: dict[str, Any] = json.loads((world / "truth/counts.json").read_bytes())
    return made


@pytest.fixture(scope="module")
def events(world: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted((world / "events").iterdir())
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


@pytest.fixture(scope="module")
def people(world: Path) -> list[dict[str, Any]]:
    return rows(world / "truth/people.parquet")


@pytest.fixture(scope="module")
def customers(world: Path) -> list[dict[str, Any]]:
    text = csv.ConvertOptions(column_types={"customer_id": "string"}, strings_can_be_null=False)
    table: list[dict[str, Any]] = csv.read_csv(world / "crm/customers.csv", convert_options=text).to_pylist()
    return table


def test_the_summary_the_counts_and_the_files_agree(
    made: tuple[Path, Summary], counts: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    world, summary = made
    shop, con = sqlite3.connect(world / "shop/shop.db"), duckdb.connect()
    found = {
        "crm": con.sql(f"FROM '{world}/crm/customers.csv'").shape[0],
        "touches": con.sql(f"FROM '{world}/touches/touches.csv'").shape[0],
        "rates": con.sql(f"FROM '{world}/rates/rates.csv'").shape[0],
        "posts": len((world / "posts/posts.jsonl").read_bytes().splitlines()),
        "telemetry": pq.read_metadata(world / "telemetry/readings.parquet").num_rows,
        "web_events": len(events),
        **{t: shop.execute(f"SELECT count(*) FROM {t}").fetchone()[0]
           for t in ("orders", "order_items", "payments", "devices")},
    }  # fmt: skip
    assert found == {name: source["rows"] for name, source in counts["sources"].items()}
    assert (summary.customers, summary.events, summary.orders) == (found["crm"], found["web_events"], found["orders"])


def test_the_money_of_the_valid_orders_is_counted(world: Path, counts: dict[str, Any]) -> None:
    shop = sqlite3.connect(world / "shop/shop.db")
    valid = shop.execute(
        "SELECT currency, count(*), sum(amount_cents) FROM orders WHERE length(currency) = 3 AND ordered_at LIKE '20%' "
        "AND amount_cents IS NOT NULL GROUP BY 1 ORDER BY 1"
    ).fetchall()
    expected = [(c, o["orders"], o["amount_cents"]) for c, o in counts["orders_by_currency"].items()]
    assert valid == expected
    assert sum(n for _, n, _ in valid) == counts["sources"]["orders"]["valid"]
    unequal = shop.execute(
        "SELECT count(*) FROM orders o JOIN (SELECT order_id, sum(amount_cents) s FROM order_items GROUP BY 1) i "
        "USING (order_id) WHERE o.amount_cents <> i.s"
    ).fetchone()
    assert unequal == (0,)


def test_broken_rows_are_counted_by_reason(
    counts: dict[str, Any], events: list[dict[str, Any]], customers: list[dict[str, Any]]
) -> None:
    told = counts["sources"]["web_events"]["broken_by"]
    assert told["Required-Missing"]["messageId"] == sum(e["messageId"] is None for e in events)
    assert told["Required-Missing"]["type"] == sum(e["type"] is None for e in events)
    assert told["Datatype-Mismatch"]["timestamp"] == sum(not STAMP.fullmatch(e["timestamp"]) for e in events)
    price = [e for e in events if isinstance(e.get("properties", {}).get("price"), str)]
    assert told["Datatype-Mismatch"]["price"] == len(price) > 0
    crm = counts["sources"]["crm"]["broken_by"]
    assert crm["Datatype-Mismatch"]["email"] == sum(bool(c["email"]) and "@" not in c["email"] for c in customers)
    assert crm["Datatype-Mismatch"]["birthday"] == sum("-13-" in c["birthday"] for c in customers)
    assert crm["Required-Missing"]["customer_id"] == sum(not c["customer_id"] for c in customers)
    names = [e["messageId"] for e in events if e["messageId"]]
    assert counts["sources"]["web_events"]["doubled"] == len(names) - len(set(names)) > 0


def test_some_are_entered_twice_and_some_share_a_phone(people: list[dict[str, Any]], world: Path) -> None:
    accounts = [p for p in people if p["customer_ids"]]
    assert 0.04 < sum(len(p["customer_ids"]) == 2 for p in accounts) / len(accounts) < 0.09
    shared = [i for i in rows(world / "truth/identifiers.parquet") if i["shared"]]
    assert {i["kind"] for i in shared} == {"phone", "anonymous_id"}
    by_value: dict[str, set[int]] = {}
    for i in shared:
        by_value.setdefault(i["value"], set()).add(i["human_id"])
    assert all(len(humans) >= 2 for humans in by_value.values())


def test_every_identifier_in_the_files_belongs_to_somebody(
    world: Path, people: list[dict[str, Any]], events: list[dict[str, Any]], customers: list[dict[str, Any]]
) -> None:
    known = {(i["kind"], i["value"]) for i in rows(world / "truth/identifiers.parquet")}
    seen = {("user_id", c["customer_id"]) for c in customers if c["customer_id"]}
    seen |= {("email", c["email"].strip().lower()) for c in customers if "@" in c["email"]}
    seen |= {("user_id", e["userId"]) for e in events if "userId" in e}
    seen |= {("anonymous_id", e["anonymousId"]) for e in events if "anonymousId" in e}
    seen |= {("email", e["traits"]["email"]) for e in events if "traits" in e}
    shop = sqlite3.connect(world / "shop/shop.db")
    seen |= {("email", email) for (email,) in shop.execute("SELECT DISTINCT email FROM orders")}
    seen |= {("device_id", device) for (device,) in shop.execute("SELECT device_id FROM devices")}
    assert seen <= known
    assert len({p["human_id"] for p in people}) == len(people) == 1_500


def test_nobody_buys_after_leaving_and_failed_devices_are_silent(world: Path, orders: pa.Table) -> None:
    con = duckdb.connect()
    con.register("orders", orders)
    late = con.execute(f"""
        SELECT count(*) FROM orders o JOIN '{world}/truth/orders.parquet' t USING (order_id)
        JOIN '{world}/truth/people.parquet' p USING (human_id)
        WHERE p.leaves AND try_cast(o.ordered_at AS TIMESTAMPTZ) >= p.left_at""").fetchone()
    assert late == (0,)
    facts = con.execute(f"""
        SELECT count(*) FILTER (occurred_at > failed_at),
          avg(value) FILTER (fails AND occurred_at > failed_at - INTERVAL 7 DAY) > 2 * avg(value) FILTER (NOT fails)
        FROM '{world}/telemetry/readings.parquet' JOIN '{world}/truth/devices.parquet' d USING (device_id)
        WHERE metric = 'vibration' AND d.model LIKE 'Thermo%'""").fetchone()
    assert facts == (0, True)


def test_channels_cause_what_they_are_said_to_cause(world: Path) -> None:
    told = json.loads((world / "truth/channels.json").read_bytes())
    orders = rows(world / "truth/orders.parquet")
    assert told["orders"] == len(orders)
    for name, channel in told["channels"].items():
        first = sum(o["caused_by"] == name and o["first"] for o in orders)
        later = sum(o["caused_by"] == name and not o["first"] for o in orders)
        assert (channel["caused_first"], channel["caused_later"]) == (first, later)
    assert told["channels"]["direct"]["share"] == 0 < told["channels"]["direct"]["touches"]
    assert sum(c["share"] for c in told["channels"].values()) == pytest.approx(1, abs=1e-4)
    rate = {n: (c["caused_first"] + c["caused_later"]) / c["touches"] for n, c in told["channels"].items()}
    assert rate["email"] > rate["social"] > rate["display"] > 0


def test_consents_end_with_the_last_explicit_choice(
    world: Path, people: list[dict[str, Any]], events: list[dict[str, Any]], customers: list[dict[str, Any]]
) -> None:
    owner = {number: p["human_id"] for p in people for number in p["customer_ids"]}
    browser = {number: p["human_id"] for p in people if p["kind"] == "visitor" for number in p["anonymous_ids"]}
    said: dict[tuple[int, str], list[tuple[str, bool]]] = {}
    for c in customers:
        valid = c["customer_id"] and (not c["email"] or "@" in c["email"])
        valid = valid and "-13-" not in c["birthday"] and c["tier"] != "platinumm"
        for purpose in ("analytics", "personalise", "marketing", "sharing"):
            if valid and c[f"consent_{purpose}"]:
                choice = (c["updated_at"].strftime("%Y-%m-%dT%H:%M:%S"), c[f"consent_{purpose}"] == "yes")
                said.setdefault((owner[c["customer_id"]], purpose), []).append(choice)
    for e in events:
        for purpose, yes in e.get("context", {}).get("consent", {}).get("categoryPreferences", {}).items():
            human = owner[e["userId"]] if "userId" in e else browser[e["anonymousId"]]
            said.setdefault((human, purpose), []).append((e["timestamp"][:19], yes))
    states = rows(world / "truth/consents.parquet")
    assert len(states) == 4 * len(people)
    for state in states:
        choices = sorted(said.get((state["human_id"], state["purpose"]), []))
        expected = {"given"} if choices and choices[-1][1] else {"refused", "withdrawn"} if choices else {"none"}
        assert state["state"] in expected
    assert {s["state"] for s in states} == {"given", "refused", "withdrawn", "none"}


def test_who_was_asked_by_the_new_words_says_yes_to_marketing_more_often(customers: list[dict[str, Any]]) -> None:
    asked = {w: [c for c in customers if str(c["consent_wording"]) == w] for w in WORDINGS}
    since = START + timedelta(days=REWORDED)
    assert all(c["updated_at"].replace(tzinfo=UTC) < since for c in asked[WORDINGS[0]])
    assert all(c["updated_at"].replace(tzinfo=UTC) >= since for c in asked[WORDINGS[1]])
    answered = [c for c in customers if any(c[f"consent_{p}"] for p in PURPOSES)]
    assert len(answered) == sum(map(len, asked.values()))

    def rate(wording: str, purpose: str) -> float:
        said = [c[f"consent_{purpose}"] for c in asked[wording] if c[f"consent_{purpose}"]]
        return said.count("yes") / len(said)

    gains = {p: rate(WORDINGS[1], p) - rate(WORDINGS[0], p) for p in PURPOSES}
    assert max(gains, key=lambda p: gains[p]) == "marketing" and gains["marketing"] > 0.05
