"""contract_sent.py: what a contract says of a webhook or of a broker, and what it says wrongly, by file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from given_sent import sent, webhook
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from given_workspace import WORDS, given
from tessera.config import Contract, Mqtt, Webhook
from tessera.contract_sent import broker
from tessera.errors import BadInput, BadWorkspace
from tessera.workspace import load

ENV = {"SECRET": "made up", "HOST": "10.1.2.3", "USER": "u", "PASSWORD": "a:b/c@d", "PORT": "8884"}
FIELDS = {"id": {"required": True, "unique": True, "mapsTo": "message_id"}, "type": {"required": True, "mapsTo": "type"}}


def made(root: Path, server: dict[str, Any], fields: dict[str, Any] = FIELDS) -> Contract:
    given(root)
    (root / "sources" / "crm.odcs.yaml").unlink()
    (root / "sources" / "shop.odcs.yaml").write_text(sent("shop", fields, "event", server))
    return load(root, words=WORDS, env=ENV, expressions=lambda text: "It is odd." if text == "odd" else None).sources[0]


def mqtt(address: str, **told: Any) -> dict[str, Any]:
    custom = [{"property": k, "value": v} for k, v in {"connection": address, **told}.items()]
    return {"server": "broker", "type": "custom", "customProperties": custom}


def test_a_location_says_whether_the_door_takes_any_json(tmp_path: Path) -> None:
    found = made(tmp_path / "a", webhook("shop", rows="data.orders", signatureHeader="X-Sig", signatureSecret="${SECRET}"))
    assert (found.kind, found.format, found.sync) == ("http", "json", "append")
    assert found.webhook == Webhook(rows="data.orders", header="X-Sig", secret="${SECRET}", encoding="hex")
    assert made(tmp_path / "b", {"server": "sdk", "type": "api", "location": "/v1"}).webhook is None


def test_a_connection_to_a_broker_is_a_subscription(tmp_path: Path) -> None:
    found = made(tmp_path / "a", mqtt("mqtts://${USER}:${PASSWORD}@${HOST}:${PORT}/fleet/{device}/+/#", protocol="3.1.1"))
    assert (found.kind, found.mqtt) == ("mqtt", Mqtt(protocol="3.1.1"))
    at = broker(found.connection, ENV)
    assert (at.host, at.port, at.tls, at.user, at.password) == ("10.1.2.3", 8884, True, "u", "a:b/c@d")
    assert at.filter == "fleet/+/+/#" and at.fields("fleet/d7/x/y/z") == {"device": "d7"}
    plain = broker("mqtt://[::1]/a/{b}", ENV)
    assert (plain.host, plain.port, plain.tls, plain.user, plain.filter) == ("::1", 1883, False, "", "a/+")


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (webhook("shop", signatureHeader="X-Sig"), "need each other"),
        (webhook("shop", signatureHeader="X-Sig", signatureSecret="hunter2"), "secrets are named, never written"),
        (webhook("shop", signatureHeader="X-Sig", signatureSecret="${SECRET:-x}"), "secrets are named, never written"),
        (webhook("shop", signatureHeader="X-Sig", signatureSecret="${OTHER}"), "OTHER"),
        (webhook("shop", signatureHeader="a b", signatureSecret="${SECRET}"), "the name of a header"),
        (webhook("shop", signatureEncoding="base64"), "signatureHeader"),
        (webhook("shop", signatureEncodin="base64"), "signatureEncoding"),
        (webhook("shop", rows="a..b"), "the path of a list"),
        (mqtt("mqtt://${HOST}/a"), "mqtts://"),
        (mqtt("mqtts://u:hunter2@${HOST}/a"), "never written"),
        (mqtt("mqtts://${GONE}/a"), "GONE"),
        (mqtt("mqtts://broker"), "an address such as"),
        (mqtt("mqtts://broker:99999/a"), "an address such as"),
        (mqtt("mqtts://broker/a{b}/c"), "whole levels"),
        (mqtt("mqtts://broker/a/#/c"), "whole levels"),
        (mqtt("mqtts://broker/{a}/{a}"), "each field once"),
        (mqtt("mqtts://broker/$SYS/#"), "does not begin with $"),
        (mqtt("mqtts://broker/a", protocol="4"), "3.1.1"),
        (mqtt("mqtt://localhost/a", caFile="x.pem"), "mqtts://"),
    ],
)
def test_a_mistake_is_named_by_file_and_line(tmp_path: Path, server: dict[str, Any], said: str) -> None:
    with pytest.raises(BadWorkspace) as wrong:
        made(tmp_path / "a", server)
    (line,) = wrong.value.faults
    assert line.startswith("sources/shop.odcs.yaml:") and said in line and "hunter2" not in line


def test_a_network_in_clear_is_asked_for_by_name(tmp_path: Path) -> None:
    assert made(tmp_path / "a", mqtt("mqtt://broker/a", plain=True)).mqtt == Mqtt()
    assert made(tmp_path / "b", mqtt("mqtt://127.0.0.1/a")).mqtt == Mqtt()


def test_an_expression_is_judged_and_stands_alone(tmp_path: Path) -> None:
    assert made(tmp_path / "a", webhook("shop"), {**FIELDS, "x": {"expression": "a || b"}}).fields[2].expression == "a || b"
    both = {"expression": "a", "physicalName": "x"}
    for name, field, said in (("b", {"expression": "odd"}, "It is odd."), ("c", both, "only one")):
        with pytest.raises(BadWorkspace, match=said):
            made(tmp_path / name, webhook("shop"), {**FIELDS, "x": field})
    columns = {"server": "f", "type": "local", "path": "x", "format": "csv"}
    with pytest.raises(BadWorkspace, match="comes as columns"):
        made(tmp_path / "d", columns, {**FIELDS, "x": {"expression": "a"}})


@drawn(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_address_breaks_it(text: str) -> None:
    try:
        found = broker("mqtt://" + text, ENV)
    except BadInput:
        return
    assert found.host and 0 < found.port < 65_536 and found.topic
