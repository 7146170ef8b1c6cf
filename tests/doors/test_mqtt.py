"""mqtt.py against a real Mosquitto: what the broker has acknowledged to a device is in the lake exactly once."""

from __future__ import annotations

import hashlib
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from given_sent import sent
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from test_tracked import Serving

from given_tiny import Tiny
from servers import Mosquitto, mosquitto
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


def heard(capfd: pytest.CaptureFixture[str], what: str = "is listened to") -> str:
    """Returns what was told, once that is in it."""
    until, told = time.monotonic() + 20, ""
    while what not in told and time.monotonic() < until:
        told += capfd.readouterr().err
        time.sleep(0.01)
    assert what in told, told
    return told


class Names:
    """Stands for the master key where nothing is sealed."""

    def name_of(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def seal(self, label: str, plain: bytes, aad: bytes = b"") -> bytes:
        raise AssertionError

    def open(self, label: str, sealed: bytes, aad: bytes = b"") -> bytes:
        raise AssertionError


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
        time.sleep(0.3)


@pytest.mark.parametrize("protocol", ["5", pytest.param("3.1.1", marks=pytest.mark.heavy)])
def test_what_came_while_nobody_listened_and_over_restarts_of_the_broker_is_there_once(
    tiny: Tiny, mosquitto: Mosquitto, protocol: str, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny.write("fleet", fleet(mosquitto.port, protocol=protocol))
    with listening(tiny) as tracked:
        heard(capfd)
        device = Device(mosquitto)
        device.readings(range(20))
        assert soon(tiny, tracked, 20).total() == 20
    device.readings(range(20, 40))
    device.end()
    mosquitto.stop()
    mosquitto.start()
    with listening(tiny) as tracked:
        assert soon(tiny, tracked, 40).total() == 40
        heard(capfd)
        mosquitto.stop()
        mosquitto.start()
        device = Device(mosquitto)
        heard(capfd)
        device.readings(range(40, 60))
        found = soon(tiny, tracked, 60)
        device.end()
    assert found == Counter(range(60))


@pytest.mark.parametrize("kills", [1, pytest.param(12, marks=pytest.mark.heavy)])
def test_kill_9_in_the_midst_loses_nothing_that_was_acknowledged_and_doubles_nothing(
    tiny: Tiny, device: Device, capfd: pytest.CaptureFixture[str], kills: int
) -> None:
    with listening(tiny):
        heard(capfd)  # from now on the broker keeps what comes
    each, amidst, before = 600, 0, 0
    for number in range(kills):
        serving = Serving(tiny.root)
        sending = threading.Thread(target=device.readings, args=(range(number * each, (number + 1) * each),))
        sending.start()
        until = time.monotonic() + 20
        while not any(p.stat().st_size for p in tiny.root.glob("var/journal/fleet/*.open")) and time.monotonic() < until:
            time.sleep(0.001)
        time.sleep(0.02 * (number % 5))
        serving.end(signal.SIGKILL)
        sending.join(30)
        after = landed(tiny).total()
        amidst += before < after < (number + 1) * each
        before = after
    with listening(tiny) as tracked:
        found = soon(tiny, tracked, kills * each)
    assert found == Counter(range(kills * each))
    assert amidst > kills / 2, "killed when some were safe and others were not"


def test_a_broken_message_waits_in_quarantine_and_a_device_speaks_for_itself_alone(
    tiny: Tiny, device: Device, capfd: pytest.CaptureFixture[str]
) -> None:
    with listening(tiny) as tracked:
        heard(capfd)
        device.publish("fleet/d1/temperature", b"21.5 degrees")
        device.publish("fleet/d1/temperature", b"")
        device.publish("fleet/d1/temperature", {"v": "warm"})
        device.publish("fleet/d1/temperature", [{"v": 1}, 5, {"v": 2, "device_id": "d9", "metric": "alarm"}])
        device.publish("fleet/d1/other/temperature", {"v": 9})
        assert soon(tiny, tracked, 2) == Counter([1, 2])
    with tiny.open() as app:
        known = f"SELECT DISTINCT key_id, metric FROM {app.lake.relation('readings')}"
        assert [metric for _, metric in rows(app.con, known)] == ["temperature"], "one device, one metric"
        reasons = Counter(kept.reason for kept in app.quarantine.listed())
    assert reasons == {"Datatype-Mismatch": 4}


def test_what_a_broker_retains_is_taken_once(tiny: Tiny, device: Device, capfd: pytest.CaptureFixture[str]) -> None:
    device.publish("fleet/d1/temperature", {"v": 7}, retain=True)
    for _ in range(2):
        with listening(tiny) as tracked:
            heard(capfd)
            assert soon(tiny, tracked, 1) == Counter([7])


def test_what_the_disk_refuses_is_not_acknowledged_and_comes_again(tiny: Tiny, device: Device) -> None:
    told, kept, full = Subscription.of(tiny.config.sources[0], tiny.root, Names()), list[bytes](), threading.Event()
    said = list[str]()

    def append(lines: Sequence[bytes]) -> None:
        if not full.is_set():
            full.set()
            raise OSError(28, "No space left on device")
        kept.extend(lines)

    listener = Listener(told, append, Names(), tiny.clock, said.append)
    try:
        until = time.monotonic() + 20
        while not said and time.monotonic() < until:
            time.sleep(0.01)
        device.readings(range(50))
        while len(kept) < 50 and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        listener.stop()
    assert {json.loads(line[22:])["v"] for line in kept} == set(range(50))
    assert any("No space left" in what for what in said)


def test_what_fails_while_it_is_kept_is_told_and_comes_again(tiny: Tiny, mosquitto: Mosquitto) -> None:
    told, said, kept = Subscription.of(tiny.config.sources[0], tiny.root, Names()), list[str](), list[bytes]()

    def append(lines: Sequence[bytes]) -> None:
        if not any("ZeroDivisionError" in what for what in said):
            raise ZeroDivisionError
        kept.extend(lines)

    listener = Listener(told, append, Names(), tiny.clock, said.append)
    try:
        until = time.monotonic() + 20
        while not said and time.monotonic() < until:
            time.sleep(0.01)
        device = Device(mosquitto)
        device.readings(range(3))
        device.end()
        while len(kept) < 3 and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        listener.stop()
    assert {json.loads(line[22:])["v"] for line in kept} == {0, 1, 2}


def test_a_broker_that_refuses_us_is_told_of_without_a_secret_and_tried_again(
    tiny: Tiny, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_PASSWORD", "wrong-password")
    with listening(tiny):
        told = heard(capfd, "refuses us")
    assert "fleet" in told and "wrong-password" not in told


def test_tls_trusts_the_contracts_authority_alone(
    tiny: Tiny, mosquitto: Mosquitto, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    port = mosquitto.tls()
    device = Device(mosquitto)
    tiny.write("fleet", fleet(port).replace("mqtt://", "mqtts://"))
    with listening(tiny):
        assert "SSLCertVerificationError" in heard(capfd, "tried again")
    tiny.write("fleet", fleet(port, caFile=str(mosquitto.authority)).replace("mqtt://", "mqtts://"))
    with listening(tiny) as tracked:
        heard(capfd)
        device.readings(range(5))
        assert soon(tiny, tracked, 5).total() == 5
    device.end()
