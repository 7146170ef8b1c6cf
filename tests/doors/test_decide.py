"""`POST /v1/decide` of a real server: who may ask, what is answered, what is pushed, and that a kill loses no decision."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from given_deciding import BANNER, HELP, Shop, said_yes, served, shop
from test_tracked import Serving

from tessera.app import App
from tessera.lake.engine import rows


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop whose people have agreed and whose server runs."""
    made = shop(tmp_path_factory.mktemp("deciding") / "w")
    with served(made):
        for event in said_yes(["ann", "bob", "eve"]):
            made.track(**event)
    with App(made.tiny.root) as app:
        app.turn()
    with served(made):
        yield made


def test_what_is_shown_comes_with_its_id_and_the_reason_only_where_it_is_asked_for(running: Shop) -> None:
    told = running.decide("banner", userId="ann", id="one")
    assert set(told) == {"id", "decision", "candidate", "product", "show", "by"}
    assert (told["candidate"], told["show"]) == ("welcome", {"title": {"en": "Welcome", "zh": "欢迎"}})
    why = running.decide("banner", userId="ann", id="one", explain=True)["reason"]
    assert [s["candidate"] for s in why["scored"]] == ["welcome"] and why["context"] == "false"
    assert [(d["candidate"], d["why"]) for d in why["dropped"]] == [("looked_at", "no_product")]


def test_who_may_not_ask_is_told_so_and_stands_in_the_ledger(running: Shop) -> None:
    ask = {"decision": "banner", "userId": "ann"}
    assert running.ask("POST", "/v1/decide", ask, key="")[0] == 401
    running.keys["forged"] = running.keys["shop"][:-4] + "AAAA"
    assert running.ask("POST", "/v1/decide", ask, key="forged")[0] == 401
    running.keys["write"] = running.write_key
    assert running.ask("POST", "/v1/decide", ask, key="write")[0] == 401, "a write key is no secret"
    for key, said in (("other", "not for this purpose"), ("mute", "lets key:mute ask what to show")):
        status, told = running.ask("POST", "/v1/decide", ask, key=key)
        assert status == 403 and said in told["error"]["message"]
    status, told = running.ask("POST", "/v1/decide", {"decision": "help", "userId": "a", "explain": True}, key="other")
    assert status == 200 or "see a person" in told["error"]["message"]
    assert running.ask("GET", "/v1/ledger?limit=20")[0] == 200
    uses = running.ask("GET", "/v1/ledger?limit=20")[1]
    assert {("key:other", "decide"), ("key:mute", "decide")} <= {
        (u["actor"], u["act"]) for u in uses if u["verdict"] == "refused"
    }


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"decision": "baner", "userId": "a"}, 404, "Did you mean 'banner'?"),
        ({"decision": "banner"}, 422, "Say who it is about"),
        ({"userId": "a"}, 422, "decision"),
        ({"decision": "banner", "userId": "a", "usrId": 1}, 422, "usrId"),
        ({"decision": "banner", "userId": ["a"]}, 422, "user"),
        ({"decision": "banner", "userId": "a", "context": {"x": {"y": 1}}}, 422, "context"),
        ({"decision": "banner", "userId": "a", "context": {f"f{n}": 1 for n in range(65)}}, 422, "at most 64 facts"),
        ({"decision": "banner", "userId": "a", "id": "x" * 300}, 422, "at most 256 characters"),
        (b"{", 422, "It is no JSON"), (b"\xff\xfe", 422, "It is no JSON"), (b"[" * 5_000, 422, "declared form"),
        (b" " * 70_000, 413, "larger than"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_answered_with_what_is_wrong(running: Shop, body: Any, status: int, said: str) -> None:
    got, told = running.ask("POST", "/v1/decide", body)
    assert got == status and said.lower() in told["error"]["message"].lower()


def test_the_other_methods_are_refused(running: Shop) -> None:
    assert running.ask("GET", "/v1/decide")[0] == 405 and running.ask("POST", "/v1/decisions", {})[0] == 405


def test_who_listens_is_told_of_the_decisions_that_events_lead_to(running: Shop) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
    connection.request("GET", "/v1/decisions?decision=help", headers={"Authorization": f"Bearer {running.keys['other']}"})
    answer = connection.getresponse()
    assert answer.status == 200 and answer.getheader("content-type") == "text/event-stream"
    running.track("Page", user="zoe")
    running.track("Cart Left", user="zoe")
    lines = []
    while not any(line.startswith("data: ") for line in lines):
        lines.append(answer.readline().decode().rstrip("\n"))
    told = json.loads(next(line for line in lines if line.startswith("data: "))[6:])
    assert (told["decision"], told["candidate"], told["userId"]) == ("help", "chat", "zoe")
    assert f"id: {told['id']}" in lines and "event: help" in lines
    connection.close()
    assert running.ask("GET", "/v1/decisions?decision=banner", key="other")[0] == 403, "its key is not good for that purpose"
    assert running.ask("GET", "/v1/decisions?decision=none")[0] == 404


def test_kill_9_loses_no_decision_that_was_answered_and_doubles_none(tmp_path: Path) -> None:
    made = shop(tmp_path / "w", {"help": HELP.replace("when: event.channel = 'web' OR event.event = 'Cart Left', ", "")})
    answered: list[str] = []
    for _ in range(3):
        serving = Serving(made.tiny.root)
        made.port = serving.port
        stop = time.monotonic() + 0.4

        def asking(stop: float = stop) -> None:
            while time.monotonic() < stop + 5:
                try:
                    answered.append(made.decide("help", userId=f"u{len(answered) % 9}")["id"])
                except (OSError, http.client.HTTPException):
                    return

        threads = [threading.Thread(target=asking, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.4)
        serving.end(signal.SIGKILL)
        for thread in threads:
            thread.join(20)
    with App(made.tiny.root) as app:
        app.turn()
        landed = [i for (i,) in rows(app.con, f"SELECT decision_id FROM {app.lake.relation('decisions')}")]
        told = sum(e.rows or 0 for e in app.ledger.entries() if e.act == "decide")
    assert len(answered) > 20 and set(answered) <= set(landed) and len(landed) == len(set(landed)) == told


def test_a_webhook_gets_what_was_pushed_also_after_it_was_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, Any]] = []
    away = [2]

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            away[0] -= 1
            self.send_response(503 if away[0] >= 0 else 200)
            self.end_headers()
            if away[0] < 0:
                got.extend(json.loads(body)["decisions"])

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{server.server_port}/decisions")
    made = shop(tmp_path / "w", {"help": HELP + 'push: {webhook: "${HOOK}"}\n'})
    with served(made):
        for n in range(5):
            made.track("Cart Left", user=f"u{n}")
        until = time.monotonic() + 15
        while len(got) < 5 and time.monotonic() < until:
            time.sleep(0.05)
    server.shutdown()
    assert sorted(d["userId"] for d in got) == [f"u{n}" for n in range(5)] and away[0] < 0


def test_a_turn_beside_the_server_is_taken_up_without_a_gap(tmp_path: Path) -> None:
    """While a command has the workspace, questions are answered from memory; after it, from what it has made."""
    made = shop(tmp_path / "w", {"banner": BANNER})
    with served(made):
        for event in said_yes(["ann"]):
            made.track(**event)
        assert made.decide("banner", userId="ann")["by"] == "no_consent", "a yes counts with the turn"
        with App(made.tiny.root, wait_s=20) as app:
            for _ in range(20):
                assert made.decide("banner", userId="ann")["by"] == "no_consent"
            app.turn()
        until = time.monotonic() + 15
        while made.decide("banner", userId="ann")["by"] == "no_consent" and time.monotonic() < until:
            time.sleep(0.05)
        assert made.decide("banner", userId="ann")["candidate"] == "welcome"
        made.track("Product Viewed", user="ann", product="p1")
        assert made.decide("banner", userId="ann")["candidate"] == "fallback"
