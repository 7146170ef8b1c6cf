"""webhook.py: what others post as JSON is in the lake as its contract says, whatever kind of record it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from given_sent import Served, sent, served, webhook

from tessera.data.sources import door as journals

SECRET = "made up for this test"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.7444.60 Safari/537.36"
ORDERS = {
    "order": {"physicalName": "id", "required": True, "primaryKey": True, "unique": True, "mapsTo": "order_id"},
    "customer": {"physicalName": "customer.id", "identifier": "user_id"},
    "email": {"physicalName": "customer.email", "identifier": "email", "category": "user.contact.email"},
    "name": {"expression": "customer.first_name || ' ' || customer.last_name", "category": "user.name"},
    "at": {"physicalName": "created_at", "logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "status": {"physicalName": "financial_status", "mapsTo": "status"},
    "cents": {"logicalType": "integer", "required": True, "mapsTo": "amount_cents",
              "expression": "round(total_price::DECIMAL(18, 2) * 100)::BIGINT"},
}  # fmt: skip
LINES = {
    "order": {"physicalName": "%.id", "required": True, "primaryKey": True, "mapsTo": "order_id"},
    "line": {"physicalName": "id", "required": True, "primaryKey": True, "mapsTo": "line"},
    "customer": {"physicalName": "%.customer.id", "identifier": "user_id"},
    "at": {"physicalName": "%.created_at", "logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "sku": {"mapsTo": "product_id"},
    "quantity": {"logicalType": "integer", "mapsTo": "quantity"},
    "price": {"logicalType": "number", "mapsTo": "unit_price"},
}
PEOPLE = {
    "id": {"required": True, "primaryKey": True, "unique": True, "identifier": "user_id"},
    "city": {"mapsTo": "city", "category": "user.location"},
    "updated": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "physicalName": "receivedAt"},
}
POSTS = {
    "id": {"required": True, "unique": True, "mapsTo": "post_id"},
    "author": {"physicalName": "user.handle", "identifier": "user_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "expression": "to_timestamp(at::BIGINT)"},
    "network": {"mapsTo": "network"},
    "first_tag": {"mapsTo": "language", "expression": "tags[1].lang"},
}
VISITS = {
    "id": {"required": True, "unique": True, "mapsTo": "message_id"},
    "user": {"identifier": "user_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "agent": {"physicalName": "browser.agent", "mapsTo": "device"},
    "network": {"physicalName": "browser.ip", "category": "user.device.ip_address"},
}
READINGS = {
    "device": {"required": True, "identifier": "device_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at"},
    "metric": {"required": True, "mapsTo": "metric"},
    "value": {"logicalType": "number", "required": True, "mapsTo": "value"},
}
ORDER = {
    "id": 820982911946154508, "created_at": "2026-02-28T12:00:00+01:00", "financial_status": "paid", "total_price": "403.10",
    "customer": {"id": 7, "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"},
    "line_items": [
        {"id": 1, "sku": "lamp", "quantity": 2, "price": "199.05"}, {"id": 2, "sku": "bulb", "quantity": 1, "price": "5"},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    told = {"signatureHeader": "X-Shopify-Hmac-Sha256", "signatureEncoding": "base64"}
    signed = webhook("shop", signatureSecret="${SHOP_SECRET}", **told)
    hub = webhook("hub", signatureHeader="X-Hub-Signature-256", signatureSecret="${SHOP_SECRET}")
    contracts = {
        "shop": sent("shop", ORDERS, "order", signed),
        "lines": sent("lines", LINES, "order_line", webhook("lines", rows="line_items")).replace(
            "value: order_line}", "value: order_line}\n  - {property: amounts, value: units}"
        ),
        "people": sent("people", PEOPLE, "person", webhook("people", rows="data.people")),
        "posts": sent("posts", POSTS, "post", webhook("posts")),
        "meters": sent("meters", READINGS, "reading", webhook("meters")),
        "hub": sent("hub", READINGS, "reading", hub),
        "visits": sent("visits", VISITS, "event", webhook("visits")),
    }  # fmt: skip
    with (
        patch.dict(os.environ, {"SHOP_SECRET": SECRET}),
        served(tmp_path_factory.mktemp("hooks") / "w", contracts) as made,
    ):
        yield made


def signature(data: bytes, secret: str = SECRET) -> bytes:
    return hmac.digest(secret.encode(), data, hashlib.sha256)


def test_a_signed_order_is_in_the_lake_as_its_contract_says(door: Served) -> None:
    data = json.dumps(ORDER, indent=2).encode()
    signed = base64.b64encode(signature(data)).decode()
    for _ in range(2):
        assert door.post("shop", data, X_Shopify_Hmac_Sha256=signed) == (200, {"success": True})
    (found,) = door.landed("shop", "orders", "order_id, occurred_at, status, amount_cents, key_id IS NOT NULL")
    at = datetime(2026, 2, 28, 11, tzinfo=UTC)
    assert found == ("820982911946154508", at, "paid", 40310, True), "once, although it came twice, and no digit is lost"


@pytest.mark.parametrize(
    "told",
    [
        {}, {"X_Shopify_Hmac_Sha256": ""}, {"X_Shopify_Hmac_Sha256": "no base64!"}, {"X_Shopify_Hmac_Sha256": "é"},
        {"X_Shopify_Hmac_Sha256": base64.b64encode(signature(b"{}", "another")).decode()},
        {"X_Shopify_Hmac_Sha256": signature(b"{}").hex()},
    ],
)  # fmt: skip
def test_a_body_that_the_secret_did_not_sign_is_refused_and_kept_nowhere(door: Served, told: dict[str, str]) -> None:
    before = door.quarantined("shop")
    assert door.post("shop", b"{}", **told)[0] == 401
    assert door.landed("shop", "orders", "1") in ([], [(1,)]) and door.quarantined("shop") == before


def test_githubs_way_of_signing_is_understood(door: Served) -> None:
    data = json.dumps({"device": "d1", "at": "2026-03-01T08:00:00Z", "metric": "t", "value": 1}).encode()
    assert door.post("hub", data, X_Hub_Signature_256="sha256=" + signature(data).hex())[0] == 200
    assert door.post("hub", data + b" ", X_Hub_Signature_256="sha256=" + signature(data).hex())[0] == 401
    assert len(door.landed("hub", "readings", "1")) == 1


def test_the_elements_of_a_list_inside_are_rows_that_see_what_is_around_them(door: Served) -> None:
    assert door.post("lines", ORDER)[0] == 200
    assert door.landed("lines", "order_lines", "order_id, line, product_id, quantity, amount_cents") == [
        ("820982911946154508", "1", "lamp", 2, 39810), ("820982911946154508", "2", "bulb", 1, 500)
    ]  # fmt: skip


def test_person_records_posts_and_readings_come_in_too(door: Served) -> None:
    people = {"data": {"people": [{"id": "p1", "city": "Kiel"}, {"id": "p2", "city": "Bonn"}]}}
    posts = [{"id": "a", "user": {"handle": "p1"}, "at": 1772355600, "network": "x", "tags": [{"lang": "de"}]},
             {"id": "b", "user": {"handle": "p2"}, "at": 1772355601, "network": "y", "tags": []}]  # fmt: skip
    reading = {"device": "d1", "at": "2026-03-01T08:00:00Z", "metric": "temperature", "value": 21.5}
    assert [door.post(s, b)[0] for s, b in (("people", people), ("posts", posts), ("meters", reading))] == [200] * 3
    assert [city for (city,) in door.landed("people", "records", "city")] == ["Bonn", "Kiel"]
    at = datetime(2026, 3, 1, 9, tzinfo=UTC)
    found = door.landed("posts", "posts", "post_id, occurred_at, network, language")
    assert found[0] == ("a", at, "x", "de") and found[1][0] == "b" and found[1][3] is None
    assert door.landed("meters", "readings", "metric, value") == [("temperature", 21.5)]


def test_what_breaks_the_contract_or_is_no_row_waits_in_quarantine_with_the_reason(door: Served) -> None:
    good = {"device": "d1", "at": "2026-03-01T08:00:00Z", "metric": "temperature", "value": 20}
    before = len(door.landed("meters", "readings", "1"))
    assert door.post("meters", [good, {**good, "value": "warm"}, 7, {"metric": "x"}])[0] == 200
    status, told = door.post("meters", b'{"device": ')
    assert status == 400 and "no JSON" in told["message"]
    status, told = door.post("people", {"data": {}})
    assert status == 400 and "data.people" in told["message"]
    assert len(door.landed("meters", "readings", "1")) == before + 1
    door.landed("people", "records", "1")
    reasons = [reason for reason, _ in door.quarantined("meters")]
    assert sorted(reasons) == ["Datatype-Mismatch"] * 3 + ["Required-Missing"]
    assert [reason for reason, _ in door.quarantined("people")] == ["Required-Missing"]


def test_of_a_whole_address_and_user_agent_only_what_many_share_is_kept(door: Served) -> None:
    visit = {"id": "v1", "user": "u1", "at": "2026-03-01T08:00:00Z", "browser": {"agent": CHROME, "ip": "203.0.113.77"}}
    broken = {**visit, "id": "v2", "at": "no time", "browser": {"agent": CHROME, "ip": "2001:db8:77:1::42"}}
    assert door.post("visits", [visit, broken])[0] == 200
    door.tracked.roll()
    waits = journals.segments(door.app.config.var, "visits", door.app.secrets)
    text = b"".join(line for number in waits.waiting() for block in waits.read(number) for line in block)
    assert b"203.0.113.0" in text and b"2001:db8:77::" in text and b"Chrome 142 on Windows" in text
    assert not any(whole in text for whole in (b"203.0.113.77", b"::42", b"7444", b"NT 10"))
    assert door.landed("visits", "events", "message_id, device") == [("v1", "Chrome 142 on Windows")]


def test_a_key_opens_its_own_source_alone(door: Served) -> None:
    assert door.post("meters", {}, key=door.key("posts"))[0] == 401
    assert door.post("meters", {}, key="")[0] == 401
    assert door.post("nothing", {}, key=door.key("posts"))[0] == 401
    assert door.post("../track", {}, key=door.key("posts"))[0] == 401
