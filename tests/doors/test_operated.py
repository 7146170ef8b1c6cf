"""`tessera serve` as whoever operates it sees it: TLS by itself, a stop that loses nothing, turns, health, metrics, its log."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from given_tiny import EVENTS, Tiny, contract
from tessera.doors.certificate import fingerprint
from tessera.doors.cli import main
from tessera.lake.engine import rows

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
FIELDS = {
    "messageId": EVENTS["id"], "type": EVENTS["type"], "event": EVENTS["event"], "userId": EVENTS["user"],
    "anonymousId": EVENTS["cookie"], "timestamp": EVENTS["at"],
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """A workspace with one source, at the tracking door."""
    made = Tiny(tmp_path / "w")
    for other in ("crm", "orders"):
        (made.root / "sources" / f"{other}.odcs.yaml").unlink()
    text = contract("events", FIELDS, path="x", format="json", record="event", sync="append", rank="5")
    made.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))
    return made


class Serving:
    """`tessera serve` as a process of its own, as it starts by itself: with TLS."""

    def __init__(self, root: Path, *words: str) -> None:
        self.root, self.err = root, root / "err"
        with self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tessera", "-w", str(root), "serve", "--port", "0", "--json", *words],
                stdout=subprocess.PIPE, stderr=err,
            )  # fmt: skip
        assert self.process.stdout
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline().decode()
            assert line, self.err.read_text("utf-8")
            text += line
        self.said = json.loads(text)
        self.port = int(self.said["url"].rpartition(":")[2])
        own = root / "var" / "tls" / "cert.pem"
        self.context = ssl.create_default_context(cafile=str(own) if own.exists() else None)

    def connection(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection("localhost", self.port, context=self.context, timeout=20)

    def ask(self, method: str, path: str, body: Any = None, key: str = "") -> tuple[int, bytes]:
        connection = self.connection()
        try:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.err.read_text("utf-8").splitlines()]

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


def key_of(root: Path, capsys: Any) -> str:
    capsys.readouterr()
    assert main(["-w", str(root), "source", "list", "--json"]) == 0
    return str(json.loads(capsys.readouterr().out)[0]["write_key"])


def soon(true: Callable[[], bool], wait_s: float = 40.0) -> bool:
    until = time.monotonic() + wait_s
    while not true() and time.monotonic() < until:
        time.sleep(0.1)
    return true()


def configured(root: Path, text: str) -> None:
    with (root / "tessera.yaml").open("a", encoding="utf-8") as file:
        file.write(text)


def test_it_starts_with_tls_1_3_of_its_own_and_a_sigterm_under_load_loses_nothing(tiny: Tiny, capsys: Any) -> None:
    key, serving = key_of(tiny.root, capsys), Serving(tiny.root)
    safe: list[str] = []
    try:
        jsonschema.validate(serving.said, json.loads((SCHEMAS / "serve.json").read_text("utf-8")))
        cert = tiny.root / "var" / "tls" / "cert.pem"
        assert serving.said["certificate"] == str(cert) and serving.said["sha256"] == fingerprint(cert)
        old = ssl.create_default_context(cafile=str(cert))
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", serving.port)) as plain, pytest.raises(ssl.SSLError):
            old.wrap_socket(plain, server_hostname="localhost")
        assert serving.ask("GET", "/healthz")[0] == 200

        def send(name: str) -> None:
            connection, number = serving.connection(), 0
            try:
                while True:
                    number += 1
                    event = {"event": "Viewed", "userId": "u1", "messageId": f"{name}-{number}", "writeKey": key}
                    connection.request("POST", "/v1/track", json.dumps(event))
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 200:
                        safe.append(f"{name}-{number}")
            except (OSError, http.client.HTTPException):
                return

        threads = [threading.Thread(target=send, args=(f"s{n}",), daemon=True) for n in range(4)]
        for thread in threads:
            thread.start()
        assert soon(lambda: len(safe) > 40)
    finally:
        assert serving.end() == 0, "it ends by itself, not by the signal"
    for thread in threads:
        thread.join(20)
    assert [line["event"] for line in serving.log()] == ["serve.started", "serve.stopped"]
    assert not list((tiny.root / "var" / "journal").rglob("*.open")), "the journals are closed"
    with tiny.open() as app:
        app.turn()
        found = Counter(str(m) for (m,) in rows(app.con, f"SELECT message_id FROM {app.lake.relation('events')}"))
    assert set(safe) <= found.keys() and set(found.values()) == {1}


@pytest.mark.heavy
def test_turns_run_on_a_schedule_and_are_counted_and_logged_without_anybody_s_data(tiny: Tiny, capsys: Any) -> None:
    key = key_of(tiny.root, capsys)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    configured(tiny.root, f"serve: {{turn_every: 3s, metrics_port: {port}}}\n")
    access = tiny.root / "access.yaml"
    access.write_text(
        access.read_text("utf-8").replace("actors:\n", 'actors:\n  - {name: "key:scrape", roles: [owner]}\n', 1)
        .replace("functions:\n", "functions:\n  - {roles: [owner], may: [metrics]}\n", 1), "utf-8",
    )  # fmt: skip
    assert main(["-w", str(tiny.root), "apikey", "new", "scrape", "--role", "owner", "--purpose", "operate", "-q"]) == 0
    scrape = capsys.readouterr().out.strip()
    serving = Serving(tiny.root)

    def measured(name: str, **labels: str) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        families = text_string_to_metric_families(text)
        found = [s.value for f in families for s in f.samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(found)

    try:
        batch = [{"type": "track", "event": "Viewed", "userId": "ann@example.org", "messageId": f"m{n}"} for n in range(5)]
        sent = {"batch": [*batch, batch[0], {"type": "page"}], "writeKey": key}
        assert serving.ask("POST", "/v1/batch", sent)[0] == 200
        assert serving.ask("GET", "/readyz") == (200, b'{"status":"ready"}')
        assert measured("tessera_events_total", source="events", result="accepted") == 5, "a double is no event"
        assert measured("tessera_events_total", source="events", result="refused") == 1
        assert measured("tessera_journal_write_seconds_count", source="events") >= 1
        assert measured("tessera_requests_total", door="tracking", status="200") == 1
        assert measured("tessera_disk_free_bytes") > 0
        assert soon(lambda: measured("tessera_landed_rows_total", source="events", result="kept") == 5)
        assert measured("tessera_landed_rows_total", source="events", result="doubles") == 0
        assert measured("tessera_turns_total", result="ok") >= 1 and measured("tessera_turns_total", result="failed") == 0
        assert time.time() - measured("tessera_turn_last_success_timestamp_seconds") < 60
        assert measured("tessera_journal_bytes") == 0
        assert soon(lambda: any(line["event"] == "turn.ended" and line["rows"] for line in serving.log()))

        assert serving.ask("GET", "/metrics")[0] == 401, "never public, on this machine neither"
        told: list[tuple[int, bytes]] = []
        assert soon(lambda: told.append(serving.ask("GET", "/metrics", key=scrape)) or told[-1][0] != 503)
        assert told[-1][0] == 200 and b"tessera_events_total" in told[-1][1]
        assert key.encode() not in told[-1][1] and b"ann@" not in told[-1][1]
    finally:
        assert serving.end() == 0
    written = serving.err.read_text("utf-8")
    assert key not in written and scrape not in written and "ann@" not in written and "Traceback" not in written
    assert all({"at", "level", "event"} <= line.keys() for line in serving.log())


@pytest.mark.heavy
def test_a_turn_that_fails_is_told_and_the_door_goes_on(tiny: Tiny, capsys: Any) -> None:
    key = key_of(tiny.root, capsys)
    configured(tiny.root, "serve: {turn_every: 1s}\n")
    log = tiny.root / "serve.log"
    serving = Serving(tiny.root, "--plain-http", "--log-file", str(log))
    try:
        purposes = tiny.root / "purposes.yaml"
        kept = purposes.read_text("utf-8")
        purposes.write_text("purposes: 7\n", "utf-8")
        assert soon(lambda: log.exists() and "turn.failed" in log.read_text("utf-8"))
        assert log.stat().st_mode & 0o777 == 0o600
        connection = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=20)
        connection.request("POST", "/v1/track", json.dumps({"event": "x", "userId": "u", "writeKey": key}))
        assert connection.getresponse().status == 200
        connection.close()
        purposes.write_text(kept, "utf-8")
        assert soon(lambda: "turn.ended" in log.read_text("utf-8"))
    finally:
        assert serving.end() == 0
    failed = next(line for line in map(json.loads, log.read_text("utf-8").splitlines()) if line["event"] == "turn.failed")
    assert "purposes.yaml" in failed["message"]


@pytest.mark.heavy
def test_a_certificate_by_tessera_yaml_takes_the_place_of_our_own(tiny: Tiny, tmp_path: Path) -> None:
    from tessera.doors.certificate import self_signed

    self_signed(tmp_path)
    configured(tiny.root, 'serve: {turn_every: never, tls: {cert: "${OPS_TLS}/cert.pem", key: "${OPS_TLS}/key.pem"}}\n')
    os.environ["OPS_TLS"] = str(tmp_path)
    try:
        serving = Serving(tiny.root)
        try:
            serving.context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
            assert serving.ask("GET", "/v1/health")[0] == 200
            assert not (tiny.root / "var" / "tls").exists(), "none is made where one is named"
        finally:
            assert serving.end() == 0
    finally:
        del os.environ["OPS_TLS"]
