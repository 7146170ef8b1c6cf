"""`tessera serve` with a source at its door: what it has acknowledged is in the lake exactly once, whatever happens to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from given_tiny import EVENTS, Tiny, contract
from tessera.doors.cli import main
from tessera.lake.engine import rows

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
FIELDS = {
    "messageId": EVENTS["id"], "type": EVENTS["type"], "event": EVENTS["event"], "userId": EVENTS["user"],
    "anonymousId": EVENTS["cookie"], "timestamp": EVENTS["at"],
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    made = Tiny(tmp_path / "w")
    for other in ("crm", "orders"):
        (made.root / "sources" / f"{other}.odcs.yaml").unlink()
    text = contract("events", FIELDS, path="x", format="json", record="event", sync="append", rank="5")
    made.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))
    return made


class Serving:
    """`tessera serve` as a process of its own, without TLS if not told otherwise."""

    def __init__(self, root: Path, *, tls: bool = False) -> None:
        words = ["-w", str(root), "--wait", "20", "serve", "--port", "0", *([] if tls else ["--plain-http"]), "--json"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tessera", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert self.process.stdout
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline().decode()
            assert line, "the server did not start"
            text += line
        self.port = int(json.loads(text)["url"].rpartition(":")[2])
        self.context = ssl.create_default_context(cafile=root / "var" / "tls" / "cert.pem") if tls else None

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(30)


class Sender(threading.Thread):
    """Sends single events as fast as it is answered, until it is told to stop; `safe`: what was acknowledged."""

    def __init__(self, port: int, key: str, name: str) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.named, self.safe, self.going = port, key, name, list[str](), True
        self.start()

    def run(self) -> None:
        try:
            connection, number = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20), 0
            while self.going:
                message = f"{self.named}-{number}"
                body = {"event": "Viewed", "userId": f"u{number % 7}", "messageId": message, "writeKey": self.key}
                connection.request("POST", "/v1/track", json.dumps(body))
                answer = connection.getresponse()
                answer.read()
                if answer.status == 200:
                    self.safe.append(message)
                number += 1
        except (OSError, http.client.HTTPException):
            return


def key_of(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["-w", str(tiny.root), "source", "list", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, json.loads((SCHEMAS / "source-list.json").read_text("utf-8")))
    (source,) = [s for s in told if s["kind"] == "http"]
    return str(source["write_key"])


def landed(tiny: Tiny) -> Counter[str]:
    with tiny.open() as app:
        app.turn()
        return Counter(str(m) for (m,) in rows(app.con, f"SELECT message_id FROM {app.lake.relation('events')}"))


def sent(port: int, key: str, name: str, seconds: float) -> list[Sender]:
    senders = [Sender(port, key, f"{name}-{n}") for n in range(4)]
    time.sleep(seconds)
    return senders


def safe_of(senders: list[Sender]) -> set[str]:
    for sender in senders:
        sender.going = False
        sender.join(30)
    return {message for sender in senders for message in sender.safe}


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.heavy)])
def test_kill_9_under_load_loses_nothing_that_was_acknowledged_and_doubles_nothing(
    tiny: Tiny, capsys: pytest.CaptureFixture[str], kills: int
) -> None:
    key, safe = key_of(tiny, capsys), set[str]()
    for number in range(kills):
        serving = Serving(tiny.root)
        senders = sent(serving.port, key, f"k{number}", 0.3 + 0.1 * (number % 5))
        serving.end(signal.SIGKILL)
        safe |= safe_of(senders)
    found = landed(tiny)
    assert len(safe) > 10 * kills
    assert safe <= found.keys() and set(found.values()) == {1}


def test_a_turn_beside_the_server_lands_what_was_sent_so_far_and_a_stop_loses_nothing(
    tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    key, serving = key_of(tiny, capsys), Serving(tiny.root)
    try:
        senders = sent(serving.port, key, "a", 0.5)
        before = {message for sender in senders for message in list(sender.safe)}
        assert main(["-w", str(tiny.root), "--wait", "20", "turn", "-q"]) == 0, "beside the server, which goes on"
        time.sleep(0.3)
        safe = safe_of(senders)
        assert before and before < safe
    finally:
        serving.end(signal.SIGTERM)
    found = landed(tiny)
    assert safe <= found.keys() and set(found.values()) == {1}


@pytest.fixture
def serving(tiny: Tiny) -> Iterator[Serving]:
    made = Serving(tiny.root)
    yield made
    made.end(signal.SIGTERM)


def ask(port: int, path: str, body: Any) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", path, json.dumps(body))
    return connection.getresponse().status


def test_what_is_no_event_is_in_quarantine_with_the_reason(
    tiny: Tiny, serving: Serving, capsys: pytest.CaptureFixture[str]
) -> None:
    key = key_of(tiny, capsys)
    batch = [{"type": "track", "userId": "u1"}, {"type": "page", "userId": "u1", "messageId": "m1"}]
    assert ask(serving.port, "/v1/batch", {"batch": batch, "writeKey": key}) == 200
    assert main(["-w", str(tiny.root), "--wait", "20", "source", "sync", "events", "-q"]) == 0
    capsys.readouterr()
    assert main(["-w", str(tiny.root), "--wait", "20", "quarantine", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["reason"] == "Required-Missing" and row["source"] == "events"
