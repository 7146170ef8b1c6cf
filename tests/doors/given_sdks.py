"""The official SDKs of both vendors, installed once for each lock file, and programs that send with them."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "sdk"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TRACKS = 60

PYTHON = """
import {module} as sdk, sys
from datetime import datetime, UTC
key, url, name = sys.argv[1:]
sdk.write_key, sdk.{host} = key, url
sdk.on_error = lambda error, batch: print("failed", error)
at = datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
for n in range({tracks}):
    more = {{"n": n, "words": "größer 商品"}}
    sdk.track(f"{{name}}-{{n % 9}}", f"{{name}} {{n}}", more, timestamp=at, message_id=f"{{name}}-{{n}}")
sdk.identify(f"{{name}}-1", {{"email": "ann@example.org"}})
sdk.page(anonymous_id="c1", name="Home")
sdk.group(f"{{name}}-1", "g1")
sdk.alias("c1", f"{{name}}-1")
sdk.screen(f"{{name}}-1", name="Start")
sdk.flush()
sdk.shutdown()
"""
NODE_SEGMENT = """
const { Analytics } = require('@segment/analytics-node')
const [key, url, name] = process.argv.slice(2)
const sdk = new Analytics({ writeKey: key, host: url })
sdk.on('error', e => { console.log('failed', e); process.exitCode = 1 })
"""
NODE_RUDDER = """
const Analytics = require('@rudderstack/rudder-sdk-node')
const [key, url, name] = process.argv.slice(2)
const sdk = new Analytics(key, { dataPlaneUrl: url })
"""
NODE = """
const timestamp = new Date('2026-02-03T04:05:06.789Z')
for (let n = 0; n < TRACKS; n++)
  sdk.track({ userId: `${name}-${n % 9}`, event: `${name} ${n}`, properties: { n, words: 'größer 商品' }, timestamp,
              messageId: `${name}-${n}` })
sdk.identify({ userId: `${name}-1`, traits: { email: 'ann@example.org' } })
sdk.page({ anonymousId: 'c1', name: 'Home' })
sdk.group({ userId: `${name}-1`, groupId: 'g1' })
sdk.alias({ previousId: 'c1', userId: `${name}-1` })
sdk.screen({ userId: `${name}-1`, name: 'Start' })
""".replace("TRACKS", str(TRACKS))
FLUSH = {"segment": "sdk.closeAndFlush()", "rudder": "sdk.flush(() => setTimeout(() => process.exit(), 300))"}

PAGE = """<!doctype html><meta charset="utf-8"><title>A shop</title><script src="/sdk.js"></script><script>
const say = text => fetch('/said', { method: 'POST', body: String(text) })
addEventListener('error', e => say('error ' + e.message)); addEventListener('unhandledrejection', e => say('error ' + e.reason))
const key = '%(key)s', url = '%(url)s', name = '%(name)s'
%(script)s
</script>"""
WEB_SEGMENT = """
const sdk = AnalyticsNext.AnalyticsBrowser.load({ writeKey: key, cdnURL: url })
const options = n => ({ timestamp: new Date('2026-02-03T04:05:06.789Z') })
"""
WEB_RUDDER = """
const sdk = new rudderanalytics.RudderAnalytics()
sdk.load(key, url, { configUrl: url, logLevel: 'DEBUG', pluginsSDKBaseURL: location.origin, lockIntegrationsVersion: true })
const options = n => undefined
"""
WEB = """
const sent = []
sent.push(sdk.identify(`${name}-1`, { email: 'ann@example.org' }))
for (let n = 0; n < TRACKS; n++) sent.push(sdk.track(`${name} ${n}`, { n, words: 'größer 商品' }, options(n)))
sent.push(sdk.page('Home'), sdk.group('g1'), sdk.alias(`${name}-2`))
Promise.all(sent).then(() => say('done'))
""".replace("TRACKS", str(TRACKS))


@contextlib.contextmanager
def _once(said: bytes, name: str) -> Iterator[tuple[Path, bool]]:
    """A folder in the user's cache for what some files ask for, for one process at a time; and whether it is ready."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tessera-tests"
    folder = base / f"{name}-{hashlib.sha256(said).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, (folder / "ready").exists()
        (folder / "ready").touch()


def python_sdks() -> Path:
    """A Python that has both Python SDKs; skips where they cannot be had."""
    asked = HERE / "requirements.txt"
    with _once(asked.read_bytes() + sys.version.encode(), "python-sdks") as (folder, ready):
        python = folder / "venv" / "bin" / "python"
        if not ready:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder / "venv")], check=True, timeout=300)
            install = ["-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "-r", str(asked)]
            done = subprocess.run([str(python), *install], capture_output=True, text=True, timeout=600)
            if done.returncode:
                pytest.skip(f"the Python SDKs cannot be installed: {done.stderr[-300:]}")
        return python


def npm_sdks() -> Path:
    """The folder of modules that has the Node and browser SDKs; skips where they cannot be had."""
    if not (shutil.which("npm") and shutil.which("node")):
        pytest.skip("npm or node is not installed")
    with _once(b"".join((HERE / name).read_bytes() for name in NPM_FILES), "npm-sdks") as (folder, ready):
        if not ready:
            for name in NPM_FILES:
                shutil.copy(HERE / name, folder / name)
            install = ["npm", "install", "--no-save", "--omit=optional"]
            done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=600)
            if done.returncode:
                pytest.skip(f"the Node SDKs cannot be installed: {done.stderr[-300:]}")
        return folder / "node_modules"


def python_sends(module: str, host: str, key: str, url: str, name: str) -> None:
    """Sends with a Python SDK until all of it is delivered."""
    program = PYTHON.format(module=module, host=host, tracks=TRACKS)
    done = subprocess.run([str(python_sdks()), "-c", program, key, url, name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "failed" not in done.stdout, done.stdout + done.stderr


def node_sends(vendor: str, key: str, url: str, name: str) -> None:
    """Sends with a Node SDK until all of it is delivered."""
    modules, head = npm_sdks(), {"segment": NODE_SEGMENT, "rudder": NODE_RUDDER}[vendor]
    program = "const [, ...rest] = process.argv; process.argv = ['node', 'x', ...rest]\n" + head + NODE + FLUSH[vendor]
    command = ["node", "-e", program, key, url, name]
    done = subprocess.run(command, cwd=modules.parent, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def browser_sends(vendor: str, key: str, url: str, name: str, folder: Path) -> None:
    """Sends with a browser's SDK, from a page of another origin in headless Chromium, until the page says that it is done."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    modules = npm_sdks()
    bundles = {
        "segment": (modules / "@segment/analytics-next/dist/umd", WEB_SEGMENT + WEB),
        "rudder": (modules / "@rudderstack/analytics-js/dist/npm/modern/bundled/umd", WEB_RUDDER + WEB),
    }
    scripts, script = bundles[vendor]
    said: list[str] = []

    class Shop(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = PAGE % {"key": key, "url": url, "name": name, "script": script}
            asked = self.path.partition("?")[0].strip("/")
            file = scripts / ("index.js" if asked == "sdk.js" else Path(asked).name)
            found = page.encode() if not asked else file.read_bytes() if file.is_file() else b""
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/javascript" if asked else "text/html")
            self.end_headers()
            self.wfile.write(found)

        def do_POST(self) -> None:
            said.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop) as shop:
        threading.Thread(target=shop.serve_forever, daemon=True).start()
        log = (folder / "chromium.log").open("wb")
        command = [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            "--disable-background-networking", f"--user-data-dir={folder / 'profile'}", f"http://localhost:{shop.server_port}/",
        ]  # fmt: skip
        with log, subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as browser:
            try:
                until = time.monotonic() + 60
                while not said and time.monotonic() < until:
                    time.sleep(0.1)
                assert said[:1] == ["done"], json.dumps(said)
                time.sleep(5)  # RudderStack's queue says nothing when it is empty
            finally:
                os.killpg(browser.pid, 9)
        shop.shutdown()
