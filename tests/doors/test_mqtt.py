"""mqtt.py against a real Mosquitto: what the broker has acknowledged to a device is in the lake exactly once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from given_sent import sent
from given_tiny import Tiny
from servers import Mosquitto, mosquitto
from tessera.data.sources.names import Keeper
from tessera.doors.mqtt import Listener, Subscription
from tessera.doors.tracked import Tracked
from tessera.lake.engine import rows

__all__ = ["mosquitto"]

FLEET = {
    "device_id": {"required": True, "identifier": "device_id"},
    "at": {"logicalType": "timestamp", "required": True, "mapsTo": "occurred_at", "physicalName": "receivedAt"},
    "metric": {"required": True, "mapsTo": "metric"},
    "number": {"logicalType": "number", "required": True, "mapsTo": "value", "physicalName": "v"},
}


def fleet(port: int, **told: str) -> str:
    address = f"mqtt://${{FLEET_USER}}:${{FLEET_PASSWORD}}@127.0.0.1:{port}/fleet/{{device_id}}/{{metric}}"
    custom = [{"property": k, "value": v} for k, v in {"connection": address, **told}.items()]
    return sent("fleet", FLEET, "reading", {"server": "broker", "type": "custom", "customProperties": custom})


@pytest.fixture
def tiny(tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    monkeypatch.setenv("FLEET_USER", mosquitto.user)
    monkeypatch.setenv("FLEET_PASSWORD", mosquitto.password)
    made = Tiny(tmp_path / "w")
    for other in ("crm", "events", "orders"):
        (made.root / "sources" / f"{other}.odcs.yaml").unlink()
    made.write("fleet", fleet(mosquitto.port))
    return made


class Device:
    """Publishes numbered readings, each acknowledged by the broker (QoS 1)."""

    def __init__(self, broker: Mosquitto) -> None:
        self.client = Client(CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(broker.user, broker.password)
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def publish(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.client.publish(topic, data, qos=1, retain=retain).wait_for_publish(20)

    def readings(self, numbers: Sequence[int]) -> None:
        told = [self.client.publish(f"fleet/d{n % 7}/temperature", json.dumps({"v": n}), qos=1) for n in numbers]
        for one in told:
            one.wait_for_publish(20)

    def end(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def device(mosquitto: Mosquitto) -> Iterator[Device]:
    made = Device(mosquitto)
    yield made
    made.end()


@contextmanager
def listening(tiny: Tiny) -> Iterator[Tracked]:
    """The sources of the workspace, subscribed to in this process; the workspace is open for others meanwhile."""
    tracked = Tracked(tiny.clock)
    with tiny.open() as app:
        tracked.open(app)
    try:
        yield tracked
    finally:
        tracked.close()


def landed(tiny: Tiny) -> Counter[int]:
    with tiny.open() as app:
        app.sync()
        if app.lake.version("readings") is None:
            return Counter()
        return Counter(int(v) for (v,) in rows(app.con, f"SELECT value FROM {app.lake.relation('readings')}"))


def soon(tiny: Tiny, tracked: Tracked, many: int) -> Counter[int]:
    """What is in the lake, once so many readings are, or after a while."""
    until = time.monotonic() + 20
    while True:
        tracked.roll()
        found = landed(tiny)
        if found.total() >= many or time.monotonic() > until:
            return found
        time.sleep(0.1)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_came_while_nobody_listened_and_over_a_restart_of_the_broker_is_there_once(
    tiny: Tiny, mosquitto: Mosquitto, protocol: str
) -> None:
    tiny.write("fleet", fleet(mosquitto.port, protocol=protocol))
    with listening(tiny) as tracked:
        device = Device(mosquitto)
        time.sleep(0.5)
        device.readings(range(20))
        assert soon(tiny, tracked, 20).total() == 20
    device.readings(range(20, 40))
    device.end()
    mosquitto.stop()
    mosquitto.start()
    with listening(tiny) as tracked:
        assert soon(tiny, tracked, 40).total() == 40
        mosquitto.stop()
        mosquitto.start()
        device = Device(mosquitto)
        time.sleep(2)
        device.readings(range(40, 60))
        found = soon(tiny, tracked, 60)
        device.end()
    assert found == Counter(range(60))
