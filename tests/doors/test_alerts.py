"""doors.alerts: each trouble is told once, once more when it is over, to each channel, without anybody's data."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from given_tiny import DAY, Tiny
from tessera.config import AlertsConfig
from tessera.doors import alerts
from tessera.doors.alerts import Alerts, Message, Trouble, standing, webhook, words
from tessera.doors.certificate import self_signed
from tessera.doors.http.desk import Desk
from tessera.doors.http.turns import TurnEnd
from tessera.doors.http.watch import Watch
from tessera.doors.log import Log
from tessera.doors.metrics import Metrics
from tessera.errors import BadInput, BadUrl
from tessera.outward import Target

LATE = Trouble(kind="late", about="crm", facts={})
MESSAGE = Message(workspace="tiny", kind="late", about="crm", raised=True, since="2026-03-01", sentence="crm is late.")


class Taking:
    """A channel that takes messages, or does not."""

    def __init__(self) -> None:
        self.took, self.down = list[Message](), False

    def __call__(self, message: Message) -> None:
        if self.down:
            raise BadInput("The webhook answers with 500.")
        self.took.append(message)


def look(made: Alerts, app: Any, found: list[Trouble]) -> list[str]:
    sent, failed = made.send(made.due(app, found))
    made.sent(app, sent)
    return failed


def test_each_trouble_is_told_once_and_once_more_when_it_is_over(tmp_path: Path) -> None:
    chat, mail = Taking(), Taking()
    with Tiny(tmp_path / "w").open() as app:
        made = Alerts({"chat": chat, "mail": mail})
        mail.down = True
        assert look(made, app, [LATE]) == ["mail: The webhook answers with 500."]
        assert look(Alerts({"chat": chat, "mail": mail}), app, [LATE]), "a restart repeats nothing; who has not got it is told"
        mail.down = False
        assert not look(made, app, [LATE]) and not look(made, app, [LATE])
        assert [m.raised for m in chat.took] == [m.raised for m in mail.took] == [True]
        chat.down = True
        assert look(made, app, []) and not chat.took[1:]
        chat.down = False
        look(made, app, [])
        look(made, app, [])
        assert [m.raised for m in chat.took] == [m.raised for m in mail.took] == [True, False]
        assert chat.took[1].sentence == f"It is over: {chat.took[0].sentence}" and "The source crm" in chat.took[0].sentence
        assert app.state.items(alerts.SPACE) == {}
        look(made, app, [LATE])
        assert len(chat.took) == 3, "a trouble that comes again is told again"


def test_every_sentence_is_there_in_both_languages_and_takes_the_same_facts() -> None:
    import string

    def marks(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, chinese = words("en"), words("zh-Hans")
    assert english is not chinese and {k: marks(v) for k, v in english.items()} == {k: marks(v) for k, v in chinese.items()}
    assert words("de") is english


def test_late_sources_bad_quality_and_a_full_disk_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = Tiny(tmp_path / "w")
    path = tiny.root / "sources" / "events.odcs.yaml"
    text = path.read_text("utf-8") + "slaProperties:\n  - {property: latency, value: 1, unit: h}\n"
    tiny.write("events", text)
    tiny.events([{"id": f"m{n}", "type": "page", "user": "ann", "at": DAY.isoformat()} for n in range(2)])
    with tiny.open() as app:
        assert standing(app, AlertsConfig(disk_percent=1)) == [], "nothing was measured yet"
        app.turn()
        tiny.day = tiny.day.replace(month=6)
        wrong = standing(app, AlertsConfig(disk_percent=1))
        assert {t.name for t in wrong} == {"late/events", "quality/unowned"}
        assert all("ann" not in t.sentence("en") + t.sentence("zh") for t in wrong)
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr("tessera.doors.alerts.shutil.disk_usage", lambda _: usage(100, 95, 5))
        (full,) = [t for t in standing(app, AlertsConfig(disk_percent=10)) if t.kind == "disk"]
        assert "5.0 %" in full.sentence("en")
        app.state.put(alerts.SPACE, full.name, {"since": "", "told": [], "sentence": ""})
        monkeypatch.setattr("tessera.doors.alerts.shutil.disk_usage", lambda _: usage(100, 89, 11))
        assert any(t.kind == "disk" for t in standing(app, AlertsConfig(disk_percent=10))), "a little more is not yet in order"


def test_a_failed_turn_and_a_source_that_cannot_be_read_are_told_until_one_goes_well(tmp_path: Path) -> None:
    tiny, chat, log = Tiny(tmp_path / "w"), Taking(), tmp_path / "log"
    with (tiny.root / "tessera.yaml").open("a", encoding="utf-8") as file:
        file.write('alerts: {webhook: "${ALERT_WEBHOOK}", disk_percent: 1}\n')
    desk = Desk(tiny.root, open_=tiny.open)
    try:
        with desk.app() as app:
            watch = Watch(app.config, metrics := Metrics(app.config.var), Log(log), {"chat": chat})
        counted, told = watch.looks(None)
        source = {"name": "crm", "rows": 0, "error": "The file cannot be read."}
        for end in (
            TurnEnd(seconds=1, landed=[source]), TurnEnd(seconds=1, failure="The vault does not work."), TurnEnd(seconds=1),
        ):  # fmt: skip
            watch.turned(end)
            counted(desk)
            told(desk)
        said = [(m.kind, m.raised) for m in chat.took]
        assert said == [("source", True), ("turn", True), ("source", False), ("turn", False)]
        assert b'tessera_turns_total{result="failed"} 1.0' in metrics.text()
        events = [json.loads(line)["event"] for line in log.read_text("utf-8").splitlines()]
        assert events == ["alert.raised", "alert.raised", "alert.over", "alert.over"]
    finally:
        desk.close()


def test_a_webhook_is_posted_to_over_https_and_never_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    took: list[dict[str, Any]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            took.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(took) == 1 else 500)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    cert, key = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as up:
        up.socket = server.wrap_socket(up.socket, server_side=True)
        threading.Thread(target=up.serve_forever, daemon=True).start()
        there = Target(scheme="https", host="localhost", port=up.server_port, address="127.0.0.1", path="/hook")
        monkeypatch.setenv("HOOK", "https://hooks.example.org/hook")
        send = webhook("${HOOK}", check=lambda _: there, tls=ssl.create_default_context(cafile=str(cert)))
        send(MESSAGE)
        with pytest.raises(BadInput, match="500"):
            send(MESSAGE)
        up.shutdown()
    assert took[0] == {
        "text": "[tiny] crm is late.", "workspace": "tiny", "alert": "late", "about": "crm", "state": "raised",
        "since": "2026-03-01",
    }  # fmt: skip
    monkeypatch.setenv("HOOK", "https://127.0.0.1/hook")
    with pytest.raises(BadUrl):
        webhook("${HOOK}")(MESSAGE)
    with pytest.raises(BadUrl, match="https"):
        webhook("${HOOK}", check=lambda _: Target(scheme="http", host="x", port=80, address="192.0.2.1", path="/"))(MESSAGE)
    with pytest.raises(BadInput, match="not set"):
        webhook("${NO_HOOK_OF_OURS}")(MESSAGE)


def test_a_letter_goes_to_each_address_and_says_the_sentence() -> None:
    from tessera.doors.outbox import Letter

    sent: list[Letter] = []

    class Kept:
        def send(self, letter: Letter) -> None:
            sent.append(letter)

    alerts.mail(Kept(), ("a@example.org", "b@example.org"))(MESSAGE)
    assert [letter.to for letter in sent] == ["a@example.org", "b@example.org"]
    assert sent[0].subject == "[tiny] crm is late." and sent[0].text.startswith("crm is late.\n")
