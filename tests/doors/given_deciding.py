"""A tiny shop that decides what to show: a tracked source, two points, API keys, `tessera serve` as a process of its own."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from given_tiny import EVENTS, Tiny, contract
from tessera.app import App
from tessera.doors.tracked import write_key
from tessera.trust.apikeys import ApiKeys

FIELDS = {
    "messageId": EVENTS["id"], "type": EVENTS["type"], "event": EVENTS["event"], "userId": EVENTS["user"],
    "anonymousId": EVENTS["cookie"], "timestamp": EVENTS["at"], "product": EVENTS["product"],
    "agrees": {"consent": "personalise"},
}  # fmt: skip

BANNER = """\
decision: banner
purpose: personalise
control: 0
explore: 0
context: [orders > 0]
candidates:
  - {id: welcome, when: products_viewed = 0, show: {title: {en: Welcome, zh: 欢迎}}}
  - {id: looked_at, recommend: true, most: 5}
fallback: {title: {en: Our shop, zh: 我们的商店}}
outcome: {event: Product Added, within: 1h, same_product: true}
cap: {times: 2, within: 1d}
stock: {file: decisions/stock.csv, product: sku, left: left}
"""
HELP = """\
decision: help
purpose: operate
control: 0
explore: 0
on: [Cart Left]
candidates:
  - {id: chat, when: event.channel = 'web' OR event.event = 'Cart Left', show: chat}
fallback: nothing
"""


@dataclass
class Shop:
    """The workspace, and what its server is asked with."""

    tiny: Tiny
    port: int = 0
    write_key: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    def track(self, event: str, *, user: str = "", cookie: str = "", product: str = "", **more: Any) -> str:
        """Sends one event, and returns its message id once it is acknowledged."""
        message = str(more.pop("messageId", uuid.uuid4().hex))
        body = {"event": event, "messageId": message, "writeKey": self.write_key, **more}
        body |= {name: value for name, value in (("userId", user), ("anonymousId", cookie), ("product", product)) if value}
        status, said = self.ask("POST", "/v1/track", body, key="")
        assert status == 200, said
        return message

    def decide(self, decision: str, *, key: str = "shop", **asked: Any) -> dict[str, Any]:
        """What is to be shown."""
        status, said = self.ask("POST", "/v1/decide", {"decision": decision, **asked}, key=key)
        assert status == 200, said
        return dict(said)

    def ask(self, method: str, path: str, body: Any = None, *, key: str = "shop") -> tuple[int, Any]:
        """One request. key: whose API key goes along."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.keys[key]}"} if key else {})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            data = body if isinstance(body, bytes) else json.dumps(body)
            connection.request(method, path, data if body is not None else None, headers)
            answer = connection.getresponse()
            said = answer.read()
            return answer.status, json.loads(said) if said else None
        finally:
            connection.close()


def shop(root: Path, decisions: Mapping[str, str] | None = None, *, fields: Mapping[str, Any] = FIELDS) -> Shop:
    """The workspace with its keys: `shop` may decide for personalise and operate and see why, `other` for operate alone, `mute`
    may not decide."""
    tiny = Tiny(root)
    for other in ("crm", "orders"):
        (tiny.root / "sources" / f"{other}.odcs.yaml").unlink()
    text = contract("events", fields, path="x", format="json", record="event", sync="append", rank="5")
    tiny.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))
    (root / "decisions").mkdir()
    for name, text in (decisions or {"banner": BANNER, "help": HELP}).items():
        (root / "decisions" / f"{name}.yaml").write_text(text, "utf-8")
    (root / "decisions" / "stock.csv").write_text("sku,left\n" + "".join(f"p{n},5\n" for n in range(1, 30)))
    (root / "tessera.yaml").write_text((root / "tessera.yaml").read_text() + "serve: {turn_every: never}\n")
    access = root / "access.yaml"
    held = (("shop", "owner"), ("other", "service"), ("mute", "sales"))
    actors = "".join(f'  - {{name: "key:{n}", roles: [{r}]}}\n' for n, r in held)
    access.write_text(access.read_text("utf-8").replace("actors:\n", "actors:\n" + actors, 1), "utf-8")
    made = Shop(tiny)
    with App(root) as app:
        made.write_key = write_key(app.secrets, "events")
        keys = ApiKeys(app.state, app.clock)
        for name, role, purposes in (
            ("shop", "owner", ("personalise", "operate")), ("other", "service", ("operate",)), ("mute", "sales", ("operate",)),
        ):  # fmt: skip
            made.keys[name] = keys.new(name, (role,), purposes, 30)[0]
    return made


def said_yes(users: Iterator[str] | list[str], *, days: int = 1) -> list[dict[str, Any]]:
    """Events by which people agreed, some days ago."""
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    return [{"event": "Agreed", "user": u, "agrees": "yes", "timestamp": at} for u in users]


@contextmanager
def served(made: Shop) -> Iterator[Shop]:
    """Serves it for the time of a `with`; a stop that takes no time to be told of."""
    import signal

    from test_tracked import Serving

    serving = Serving(made.tiny.root)
    made.port = serving.port
    try:
        yield made
    finally:
        if serving.process.poll() is None:
            serving.end(signal.SIGTERM)
