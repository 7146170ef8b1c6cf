"""The pages over a large workspace: server time of each place, first paint, fifty staff at once, how soon news arrive.

`python bench/pages.py DIR` on a workspace that is filled (bench/insight.py makes one of a million people). For the time of the run
fifty accounts are added to its access.yaml and a source at the door to its sources, and the server takes no turn by itself (a turn
has the workspace for itself, and pages answer 503 meanwhile); then its files are as they were. Prints a row for each place: median
and p95 of the time to the first byte in ms, of RUNS requests after two to warm up, by one person alone; first paint in Chromium,
cold browser; seconds from an event being sent, or a customer's page being opened, to the row on the screen; fifty staff.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import random
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from live import SOURCE
from tessera.app import App
from tessera.doors.http.callers import CUSTOMER_COOKIE, STAFF_COOKIE
from tessera.doors.pages import places
from tessera.doors.tracked import write_key
from tessera.trust.access import SUBJECT
from tessera.trust.sessions import Sessions

HERS = ("/me", "/me/data", "/me/uses", "/me/requests")
RUNS, NEWS, STAFF, THINK_S, FOR_S = 100, 20, 50, (4.0, 12.0), 60.0
PORT = 8377
HOST = f"127.0.0.1:{PORT}"


def main() -> None:
    """All of it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("dir", type=Path)
    asked.add_argument("--only", default="", help="paths that begin so")
    asked.add_argument("--quick", action="store_true", help="server times alone")
    told = asked.parse_args()
    with served(told.dir) as (cookies, people, hers, key):
        paths = [p.path for p in places.MENU.pages if "{" not in p.path and p.path.startswith(told.only)]
        measured(cookies[0], paths, people, hers)
        if told.quick:
            return
        painted(told.dir, ["/", "/customers", f"/customers/{people[0]}", "/segments", "/attribution", "/explore"])
        news(told.dir, cookies[0], key, people[0], hers[0])
        at_once(cookies, paths, people)
        worked(cookies, paths, people)


@contextmanager
def served(root: Path) -> Iterator[tuple[list[str], list[int], list[str], str]]:
    """The workspace behind `tessera serve`: cookies of fifty people, numbers of customers and cookies of theirs, a write key."""
    access, source = root / "access.yaml", root / "sources" / "web.odcs.yaml"
    if source.exists():
        raise SystemExit(f"{source} is here already, and this bench would take it away")
    settings = root / "tessera.yaml"
    before = {path: path.read_text("utf-8") for path in (access, settings)}
    actors = "".join(f'  - {{name: "account:staff{i}", roles: [owner]}}\n' for i in range(STAFF))
    access.write_text(before[access].replace("actors:\n", f"actors:\n{actors}", 1), "utf-8")
    settings.write_text(f"{before[settings].rstrip()}\nserve: {{turn_every: never}}\n", "utf-8")
    source.write_text(SOURCE, "utf-8")
    server = None
    try:
        with App(root) as app:
            sessions = Sessions(app.state, app.clock)
            cookies = [sessions.begin("staff", f"account:staff{i}") for i in range(STAFF)]
            reader = app.reader("owner", "operate")
            people = [n for (n,) in app.answers.ask("SELECT person_id FROM churn ORDER BY probability LIMIT 400", reader).rows()]
            hers = [sessions.begin("customer", SUBJECT, app.people.keys(n)[0]) for n in people[: RUNS + 2]]
            key = write_key(app.secrets, "web")
        command = [sys.executable, "-m", "tessera", "-w", str(root), "serve", "--plain-http", "--port", str(PORT)]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert server.stdout is not None
        started = time.perf_counter()
        while "Serving" not in (line := server.stdout.readline()):
            assert line, "the server ended"
        print(f"serve listens after {time.perf_counter() - started:.1f} s")
        yield cookies, people, hers, key
    finally:
        if server is not None:
            server.terminate()
            server.wait(60)
        for path, text in before.items():
            path.write_text(text, "utf-8")
        source.unlink()


def ask(connection: http.client.HTTPConnection, cookie: str, path: str, name: str = STAFF_COOKIE) -> tuple[int, float, bytes]:
    """Status, seconds to the first byte, body."""
    started = time.perf_counter()
    connection.request("GET", path, headers={"Host": HOST, "Cookie": f"{name}={cookie}", "Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    first = time.perf_counter() - started
    return answer.status, first, answer.read()


def measured(cookie: str, paths: list[str], people: list[int], hers: list[str]) -> None:
    """Each place by one person alone; each of her own pages by customers who have not looked before."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    staff = [*((path, [path]) for path in paths), ("/customers/{person}", [f"/customers/{n}" for n in people])]
    rows = [(name, addresses, [cookie], STAFF_COOKIE) for name, addresses in staff]
    rows += [(path, [path], hers, CUSTOMER_COOKIE) for path in HERS]
    print(f"{'place':32} {'median':>7} {'p95':>7} {'first':>7}  ms; kB gzip")
    for name, addresses, cookies, kind in rows:
        times, size, status = list[float](), 0, 0
        for i in range(RUNS + 2):
            status, took, body = ask(connection, cookies[i % len(cookies)], addresses[i % len(addresses)], kind)
            times.append(took * 1000)
            size = max(size, len(body))
            time.sleep(0.06)  # within what one caller may ask
        warm = sorted(times[2:])
        p95 = warm[int(0.95 * (len(warm) - 1))]
        print(f"{name:32} {statistics.median(warm):7.0f} {p95:7.0f} {times[0]:7.0f}  {size / 1000:5.1f}  {status}", flush=True)


def news(root: Path, cookie: str, key: str, person: int, hers: str) -> None:
    """Seconds to the row in an open page: of an event from its sending, at /live; of a look at a customer, at her own page."""
    from playwright.sync_api import sync_playwright

    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
    secret = base64.b64encode(f"{key}:".encode()).decode()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu"])
        live, seen, told = entered(browser, root), list[float](), list[float]()
        live.goto(f"http://{HOST}/live?source=web", wait_until="load")
        for i in range(NEWS):
            live.wait_for_timeout(1_000 + 37 * i)  # at another time of the server's look each time
            event = {"messageId": f"{time.time()}", "event": f"Seen {i}", "userId": "bench", "type": "track"}
            started = time.perf_counter()
            connection.request("POST", "/v1/track", json.dumps(event), {"Host": HOST, "Authorization": f"Basic {secret}"})
            connection.getresponse().read()
            live.wait_for_selector(f"#feed b:text-is('Seen {i}')", timeout=10_000)
            seen.append(time.perf_counter() - started)
        live.close()
        me = browser.new_context(extra_http_headers={"Cookie": f"{CUSTOMER_COOKIE}={hers}"}).new_page()
        me.goto(f"http://{HOST}/me", wait_until="load")
        for i in range(NEWS):
            me.wait_for_timeout(1_500 + 37 * i)
            before = me.locator("#told").inner_html()
            started = time.perf_counter()
            ask(connection, cookie, f"/customers/{person}")
            me.wait_for_function("html => document.querySelector('#told').innerHTML !== html", arg=before, timeout=10_000)
            told.append(time.perf_counter() - started)
        browser.close()
    for what, took in (("an event at /live", sorted(seen)), ("a look at her at /me", sorted(told))):
        print(f"{what}: median {statistics.median(took):.2f} s, p95 {took[int(0.95 * (NEWS - 1))]:.2f}, last {took[-1]:.2f}", flush=True)


def entered(browser: Any, root: Path) -> Any:
    """A window of whom `tessera open` lets in."""
    command = [sys.executable, "-m", "tessera", "-w", str(root), "-q", "open"]
    link = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    page = browser.new_context().new_page()
    page.goto(re.sub(r"^https?://[^/]+", f"http://{HOST}", link), wait_until="load")
    return page


def _chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("google-chrome")


def painted(root: Path, paths: list[str]) -> None:
    """First contentful paint in a cold browser, median of five."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=_chromium(), args=["--no-sandbox", "--disable-gpu"])
        page = entered(browser, root)
        page.route("**/*", lambda route: route.continue_())  # so that its own store is not asked
        for path in paths:
            took = []
            for _ in range(5):
                page.goto(f"http://{HOST}{path}", wait_until="load")
                paint = "performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)"
                while not (at := page.evaluate(paint)):  # after the load, at times
                    page.wait_for_timeout(20)
                took.append(at[0])
            print(f"first paint {path:30} {statistics.median(took):6.0f} ms", flush=True)
        browser.close()


def at_once(cookies: list[str], paths: list[str], people: list[int]) -> None:
    """Fifty people ask at the same moment."""
    found: list[tuple[int, float]] = []
    gate = threading.Barrier(STAFF)

    def one(i: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        connection.connect()
        gate.wait()
        status, took, _ = ask(connection, cookies[i], f"/customers/{people[i]}" if i % 2 else paths[i % len(paths)])
        found.append((status, took))

    _all(one)
    took = sorted(t for _, t in found)
    print(f"{STAFF} at once: {Counter(s for s, _ in found)}, median {took[STAFF // 2]:.2f} s, last {took[-1]:.2f} s", flush=True)


def worked(cookies: list[str], paths: list[str], people: list[int]) -> None:
    """Fifty people work for a minute: a page, some seconds of reading, the next."""
    found: list[tuple[int, float]] = []
    until = time.monotonic() + FOR_S

    def one(i: int) -> None:
        chance = random.Random(i)
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        time.sleep(chance.uniform(0, THINK_S[1]))
        while time.monotonic() < until:
            path = f"/customers/{chance.choice(people)}" if chance.random() < 0.5 else chance.choice(paths)
            try:
                status, took, _ = ask(connection, cookies[i], path)
            except (OSError, http.client.HTTPException):  # it was idle for longer than the server keeps a connection
                connection.close()
                status, took, _ = ask(connection, cookies[i], path)
            found.append((status, took))
            time.sleep(chance.uniform(*THINK_S))

    _all(one)
    took = sorted(t for _, t in found)
    print(
        f"{STAFF} staff for {FOR_S:.0f} s: {len(found)} pages, {json.dumps(Counter(s for s, _ in found))}, "
        f"median {took[len(took) // 2] * 1000:.0f} ms, p95 {took[int(0.95 * (len(took) - 1))] * 1000:.0f} ms"
    )


def _all(one: object) -> None:
    threads = [threading.Thread(target=one, args=(i,)) for i in range(STAFF)]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
