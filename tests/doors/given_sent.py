"""Sources that come by themselves, in a tiny workspace whose door is served in this process."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from given_tiny import Tiny, contract
from tessera.app import App
from tessera.doors.collect import DoorLimits
from tessera.doors.tracked import Tracked, write_key
from tessera.lake.engine import rows

LOCAL = "  - {server: local, type: local, path: x, format: json}\n"


def sent(name: str, fields: Mapping[str, Mapping[str, Any]], record: str, server: Mapping[str, Any]) -> str:
    """A contract of a source of that server. Of a field's facts, `physicalName` stands beside the property."""
    plain = {n: {k: v for k, v in f.items() if k != "physicalName"} for n, f in fields.items()}
    text = contract(name, plain, path="x", format="json", record=record, sync="append", rank="5")
    assert LOCAL in text
    for field, facts in fields.items():
        if physical := facts.get("physicalName"):
            text = text.replace(f'{{"name": "{field}",', f'{{"name": "{field}", "physicalName": {json.dumps(physical)},')
    return text.replace(LOCAL, f"  - {json.dumps(server)}\n")


def webhook(name: str, **told: str) -> dict[str, Any]:
    """The server of a webhook."""
    custom = [{"property": key, "value": value} for key, value in told.items()]
    return {"server": "hook", "type": "api", "location": f"/v1/webhook/{name}", "customProperties": custom}


@dataclass
class Served:
    """A tiny workspace and its door, both open in this process."""

    tiny: Tiny
    app: App
    tracked: Tracked
    port: int

    def key(self, source: str) -> str:
        return write_key(self.app.secrets, source)

    def post(self, source: str, body: Any, *, key: str | None = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """One body to the webhook of a source, with its key; headers by their names, with _ for -."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"X-Write-Key": self.key(source) if key is None else key}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            path = f"/v1/webhook/{source}"
            connection.request("POST", path, data, told | {n.replace("_", "-"): v for n, v in headers.items()})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def landed(self, source: str, table: str, columns: str) -> list[tuple[Any, ...]]:
        """What the lake has of a source, once all that was accepted is landed."""
        self.tracked.roll()
        self.app.sync([source])
        if self.app.lake.version(table) is None:
            return []
        return rows(
            self.app.con, f"SELECT {columns} FROM {self.app.lake.relation(table)} WHERE source = ? ORDER BY ALL", [source]
        )

    def quarantined(self, source: str) -> list[tuple[str, str]]:
        """Reason and field of what waits in quarantine."""
        return sorted((k.reason, k.field) for k in self.app.quarantine.listed() if k.source == source)


@contextmanager
def served(root: Path, contracts: Mapping[str, str], limits: DoorLimits | None = None) -> Iterator[Served]:
    """The workspace with these sources alone, and its door."""
    tiny = Tiny(root)
    for other in ("crm", "events", "orders"):
        (tiny.root / "sources" / f"{other}.odcs.yaml").unlink()
    for name, text in contracts.items():
        tiny.write(name, text)
    tracked = Tracked(tiny.clock, limits)
    with tiny.open() as app:
        tracked.open(app)
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(tracked.collector, lifespan="off", log_config=None, access_log=False))
            thread = threading.Thread(target=lambda: server.run(sockets=[sock]), daemon=True)
            thread.start()
            until = time.monotonic() + 20
            while not server.started and time.monotonic() < until:
                time.sleep(0.01)
            try:
                yield Served(tiny, app, tracked, sock.getsockname()[1])
            finally:
                server.should_exit = True
                thread.join(20)
                tracked.close()
