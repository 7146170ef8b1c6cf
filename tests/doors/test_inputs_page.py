"""docs/inputs.md: its contracts are read without a mistake, and its examples are in the lake as it says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from given_sent import served

from tessera.contract_sent import broker
from tessera.data.sources import door as journals
from tessera.data.sources.posted import Form
from tessera.lake.engine import rows

PAGE = (Path(__file__).parents[2] / "docs" / "inputs.md").read_text("utf-8")
ENV = {"SHOP_WEBHOOK_SECRET": "made up for this test", "MQTT_USER": "fleet", "MQTT_PASSWORD": "made up too"}


def test_the_pages_contracts_land_the_pages_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENV.items():
        monkeypatch.setenv(name, value)
    shop, fleet = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
    (order,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    (message,) = re.findall(r"publishes `(.*?)`", PAGE)
    # The page's broker is nowhere: its message is put into the journal as the door puts it.
    with served(tmp_path / "w", {"shop-orders": shop}) as found:
        signed = base64.b64encode(hmac.digest(ENV["SHOP_WEBHOOK_SECRET"].encode(), order.encode(), hashlib.sha256)).decode()
        assert found.post("shop-orders", order.encode(), X_Shopify_Hmac_Sha256=signed)[0] == 200
        told = found.landed("shop-orders", "orders", "order_id, status, amount_cents")
        tiny = found.tiny
    assert told == [(str(json.loads(order)["id"]), "paid", 40310)]
    tiny.write("fleet", fleet)
    contract = next(c for c in tiny.config.sources if c.name == "fleet")
    assert contract.mqtt and broker(contract.connection, ENV).filter == "fleet/+/+"
    with tiny.open() as app:
        said = broker(contract.connection, ENV).fields("fleet/d7/temperature")
        journal = journals.journal(app.config.var, "fleet", app.state, app.secrets)
        for text in (message, '{"v": 3}'):
            journal.append(journals.lines_posted(Form.of(contract).read(text.encode(), tiny.clock(), said)))
        journal.close()
        app.sync(["fleet"])
        readings = app.lake.relation("readings")
        first, second = rows(app.con, f"SELECT occurred_at, metric, value, unit FROM {readings} ORDER BY value DESC")
    assert first == (datetime(2026, 3, 1, 9, tzinfo=UTC), "temperature", 21.5, "C")
    assert second[0].date() == tiny.day.date() and second[2] == 3
