"""The pages over a real, filled shop: made once for all workers of a run, copied for each module that serves it; browsers that
are signed in."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from given_served import WIDE, Told, answered, listening

from tessera.app import App
from tessera.demo import workspace, world
from tessera.doors import opening
from tessera.doors.http.beside import Beside
from tessera.doors.http.callers import STAFF_COOKIE
from tessera.doors.http.desk import Desk
from tessera.doors.http.pulse import Pulse
from tessera.doors.http.server import Running
from tessera.doors.http.watch import Watch
from tessera.doors.limits import Limits
from tessera.doors.log import Log
from tessera.doors.metrics import Metrics
from tessera.doors.tail import Taps
from tessera.doors.tracked import Tracked
from tessera.trust.sessions import Sessions

CHROMIUM = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
PEOPLE, SEED = 2_000, 7
THEN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PATIENT = replace(WIDE, wait_s=30.0)
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@dataclass
class Open:
    """A running server over a workspace. cookie: of a session of the user of this machine."""

    root: Path
    desk: Desk
    port: int
    url: str
    cookie: str = ""
    pulse: Pulse = field(default_factory=Pulse)
    tracked: Tracked | None = None

    def ask(
        self, method: str, path: str, form: Mapping[str, Any] | None = None, *, lens: str = "", lang: str = "en",
        headers: Mapping[str, str] | None = None, signed_in: bool = True, cookies: str = "",
    ) -> Told:  # fmt: skip
        """One request without a browser. form: what a form of ours would send. lens: ROLE/PURPOSE."""
        kept = [f"{STAFF_COOKIE}={self.cookie}"] if signed_in else []
        kept += [f"tessera-lens={lens}"] if lens else []
        kept += [f"tessera-taste={lang}."] + ([cookies] if cookies else [])
        sent = {"Host": f"127.0.0.1:{self.port}", "Cookie": "; ".join(kept), "Origin": self.url}
        data = None
        if form is not None:
            data, sent["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
        return answered(self.port, method, path, data, sent | dict(headers or {}))

    def get(self, path: str, **more: Any) -> Told:
        """A page."""
        return self.ask("GET", path, **more)

    def post(self, path: str, form: Mapping[str, Any], **more: Any) -> Told:
        """A form."""
        return self.ask("POST", path, form, **more)

    def run(self, work: Any) -> Any:
        """Work in the open workspace, as a request does it."""
        with self.desk.app() as app:
            done = work(app)
            self.pulse.worked(app)
            return done

    def sign_in(self, context: Any, *, lens: str = "", lang: str = "en", theme: str = "light") -> Any:
        """A browser window, signed in by a link as `tessera open` prints it: Chromium takes a __Host- cookie over plain HTTP
        from this machine's own server alone, and from no test. Returns a new page of it."""
        told = {"tessera-taste": f"{lang}.{theme}", **({"tessera-lens": lens} if lens else {})}
        context.add_cookies([{"name": n, "value": v, "url": self.url} for n, v in told.items()])
        token = self.run(lambda app: opening.mint(app, app.me))
        page = context.new_page()
        page.goto(f"{self.url}{opening.PATH}?token={token}&to=/sign-in", wait_until="load")
        return page

    def sign_in_customer(self, context: Any, person: int, *, lang: str = "en", theme: str = "light") -> Any:
        """A browser window on a made-up customer's own page, by the link that the owner of a demo may have."""
        context.add_cookies([{"name": "tessera-taste", "value": f"{lang}.{theme}", "url": self.url}])
        token = self.run(lambda app: opening.mint(app, app.me, customer=person))
        page = context.new_page()
        page.goto(f"{self.url}{opening.PATH}?token={token}", wait_until="load")
        return page


def from_then() -> Any:
    """A clock that begins on the shop's today and goes on from there, so that pictures of pages stay the same."""
    began = time.monotonic()
    return lambda: THEN + timedelta(seconds=time.monotonic() - began)


def made(root: Path) -> Path:
    """The filled shop."""
    world.make(root / "world", PEOPLE, SEED)
    workspace.write(root)
    with App(root, wait_s=10, clock=from_then()) as app:
        app.turn()
    return root


@contextmanager
def opened(root: Path, limits: Limits = PATIENT, clock: Any = None) -> Iterator[Open]:
    """Serves a workspace for the time of a `with`."""
    now = clock or (lambda: datetime.now(UTC))
    metrics, log, taps, pulse = Metrics(root / "var"), Log(root / "serve.log"), Taps(), Pulse()
    tracked = Tracked(now, told=(metrics.written, taps.written, pulse.written))
    pulse.hear(tracked.deciding)
    desk = Desk(root, wait_s=limits.wait_s, open_=lambda: App(root, wait_s=10, clock=clock), beside=Beside((tracked, pulse)))

    def running() -> Running:
        with desk.app() as app:
            return Running(metrics=metrics, log=log, watch=Watch(app.config, metrics, log), taps=taps, pulse=pulse)

    with listening(desk, limits, tracked, running) as (port, url):
        with desk.app() as app:
            cookie = Sessions(app.state, app.clock).begin("staff", app.me)
        yield Open(root, desk, port, url, cookie, pulse, tracked)


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium, as the system has it."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        try:
            yield chromium
        finally:
            chromium.close()
