"""doors.banner: it asks before anything is sent, sends what was chosen, and lands as her answer; a no to selling stays one."""

from __future__ import annotations

import asyncio
import http.server
import json
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from given_tiny import EVENTS, Tiny, contract
from tessera.doors.banner import Banner, script, settings
from tessera.lake.engine import rows

NODE, CHROMIUM = shutil.which("node"), shutil.which("chromium") or shutil.which("chromium-browser")
RUN = Path(__file__).parents[1] / "node" / "banner.js"
CHOICES = "context.consent.categoryPreferences"
FIELDS = {
    "messageId": EVENTS["id"], "type": EVENTS["type"], "event": EVENTS["event"], "userId": EVENTS["user"],
    "anonymousId": EVENTS["cookie"], "timestamp": EVENTS["at"],
    "stats": {"physicalName": f"{CHOICES}.stats", "consent": "analytics"},
    "ads": {"physicalName": f"{CHOICES}.ads", "consent": "sharing"},
    "gpc": {"consent": "sharing", "signal": "gpc"},
}  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """A source at the door whose contract reads what a banner sends."""
    made = Tiny(tmp_path / "w")
    for other in ("crm", "orders"):
        (made.root / "sources" / f"{other}.odcs.yaml").unlink()
    text = contract("events", FIELDS, path="x", format="json", record="event", sync="append", rank="5")
    for name in ("stats", "ads"):  # a property's physicalName stands beside it
        place = {"property": "physicalName", "value": f"{CHOICES}.{name}"}
        text = text.replace(f'"name": "{name}", ', f'"name": "{name}", "physicalName": "{CHOICES}.{name}", ')
        text = text.replace(json.dumps(place) + ", ", "")
    made.write("events", text.replace("type: local, path: x, format: json", "type: api, location: /v1"))
    return made


def asked(tiny: Tiny) -> dict[str, Any]:
    (source,) = tiny.config.sources
    told = settings(tiny.config, source, "k")
    assert told is not None
    return told


def run(tiny: Tiny, tmp_path: Path, *, gpc: bool = False, language: str = "en", click: str = "all") -> Any:
    if NODE is None:
        pytest.skip("node is not installed")
    file = tmp_path / "made.js"
    file.write_bytes(script(asked(tiny)))
    words = [NODE, str(RUN), str(file), str(gpc).lower(), language, click]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_asks_about_the_purposes_that_the_contract_reads_in_their_own_words(tiny: Tiny) -> None:
    told = asked(tiny)
    purposes = tiny.config.purposes
    assert [(p["id"], p["gpc"]) for p in told["purposes"]] == [("stats", False), ("ads", True)]
    assert told["purposes"][0]["en"] == purposes["analytics"].sentence["en"]
    assert told["purposes"][1]["zh"] == purposes["sharing"].sentence["zh"]
    assert len(script({})) <= 6 * 1024, "as it is served, without the sentences"


def test_nothing_is_sent_and_no_script_runs_before_she_has_chosen(tiny: Tiny, tmp_path: Path) -> None:
    told = run(tiny, tmp_path)
    assert told["before"] == {"sent": 0, "ran": 0, "stored": []}
    assert told["asked"]["role"] == "dialog" and told["asked"]["lang"] == "en"
    assert [i["checked"] for i in told["inputs"]] == [False, False], "no yes stands there before she says it"
    (sent,) = told["sent"]
    assert sent["url"] == "https://cdp.example.org/v1/t" and sent["body"]["writeKey"] == "k"
    assert sent["body"]["event"] == "Segment Consent Preference Updated"
    chosen = {"stats": True, "ads": True}
    assert sent["body"]["context"]["consent"]["categoryPreferences"] == chosen == told["now"] == told["events"][0]
    assert told["ran"] == ["any", "ads", "stats"] and told["marked"]["context"]["consent"]["categoryPreferences"] == chosen
    assert told["open"] == told["again"] == 0, "she is asked once"


def test_a_no_is_a_choice_too_and_holds_the_scripts_back(tiny: Tiny, tmp_path: Path) -> None:
    told = run(tiny, tmp_path, click="none", language="zh-CN")
    assert told["now"] == {"stats": False, "ads": False} and told["ran"] == ["any"]
    assert told["asked"]["lang"] == "zh-Hans" and "全部拒绝" in told["asked"]["texts"]
    told = run(tiny, tmp_path, click="save")
    assert told["now"] == {"stats": True, "ads": False} and told["ran"] == ["any", "stats"]


def test_global_privacy_control_is_a_no_to_selling_whatever_is_clicked(tiny: Tiny, tmp_path: Path) -> None:
    told = run(tiny, tmp_path, gpc=True, click="all")
    assert told["now"] == {"stats": True, "ads": False}
    assert told["inputs"][1] == {"name": "ads", "disabled": True, "checked": False}


def test_only_a_write_key_with_a_banner_gets_one(tiny: Tiny) -> None:
    banner = Banner()
    banner.sources = {"k": asked(tiny)}

    def get(query: bytes, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
        told: list[Any] = []

        async def send(message: Any) -> None:
            told.append(message)

        scope = {"type": "http", "method": method, "path": "/banner.js", "query_string": query, "client": ("192.0.2.1", 1)}
        asyncio.run(banner(scope, None, send))  # type: ignore[arg-type]
        return told[0]["status"], dict(told[0]["headers"]), told[1]["body"]

    status, headers, body = get(b"writeKey=k")
    assert status == 200 and body == script(asked(tiny)) and headers[b"cross-origin-resource-policy"] == b"cross-origin"
    assert get(b"writeKey=x")[0] == 404 and get(b"")[0] == 404 and get(b"writeKey=k", "POST")[0] == 405


@pytest.mark.heavy
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_in_a_browser_her_choice_comes_in_from_another_origin_and_lands_as_her_answer(tiny: Tiny, tmp_path: Path) -> None:
    from test_operated import Serving

    from tessera.doors.tracked import write_key

    with tiny.open() as app:
        key = write_key(app.secrets, "events")
    with (tiny.root / "tessera.yaml").open("a", encoding="utf-8") as file:
        file.write("serve: {turn_every: never}\n")
    serving = Serving(tiny.root, "--plain-http")
    page = f"""<!doctype html><html lang="en"><title>shop</title><body><p id="told">waiting</p>
        <script type="text/plain" data-consent="stats">document.getElementById("told").textContent += " stats-ran";</script>
        <script type="text/plain" data-consent="ads">document.getElementById("told").textContent += " ads-ran";</script>
        <script src="http://127.0.0.1:{serving.port}/banner.js?writeKey={key}"></script>
        <script>
          addEventListener("DOMContentLoaded", () => {{
            const told = document.getElementById("told"), box = document.querySelector("[role=dialog]");
            const fetched = performance.getEntriesByType("resource").length;
            told.textContent = "focus:" + document.activeElement.id + " before:" + fetched;
            box.querySelector("input[name=stats]").click();
            box.querySelector("button[name=save]").click();
          }});
        </script>"""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_: Any) -> None: ...

    try:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page) as up:
            threading.Thread(target=up.serve_forever, daemon=True).start()
            words = [str(CHROMIUM), "--headless=new", "--no-sandbox", f"--user-data-dir={tmp_path / 'profile'}",
                     "--virtual-time-budget=5000", "--dump-dom", f"http://127.0.0.1:{up.server_port}/"]  # fmt: skip
            done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
            up.shutdown()
    finally:
        assert serving.end() == 0
    assert "focus:tessera-consent-head before:1" in done.stdout, "the banner alone was fetched before the choice"
    assert "stats-ran" in done.stdout.partition("<script")[0] and "ads-ran" not in done.stdout.partition("<script")[0]
    with tiny.open() as app:
        app.turn()
        said = rows(app.con, f"SELECT purpose, state FROM {app.lake.relation('consents')} ORDER BY purpose")
    assert [(p, s) for p, s in said] == [("analytics", "given"), ("sharing", "refused")]
