"""The first run: a workspace that holds nothing yet greets with three ways in: a made-up shop, a source by form, an event."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tessera import new_source
from tessera.app import App
from tessera.data.profiles import PROFILES
from tessera.data.raw import RAW
from tessera.doors.auth import Caller
from tessera.doors.http.callers import site_of
from tessera.doors.limits import loopback
from tessera.doors.pages import turning
from tessera.doors.pages.menu import Page
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_
from tessera.doors.pages.visit import Visitor, form, go
from tessera.doors.tracked import write_key
from tessera.errors import BadInput
from tessera.trust import functions

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
WELCOME = Page(name="welcome", path="/welcome", title=N_("Begin"), icon="house", listed=False)
OPERATED = Page(name="operated", path="/welcome", title=N_("Begin"), icon="house", function="operate", listed=False)
PAGES: tuple[Page, ...] = ()
DOOR = "website"
"""What the first source at the tracking door is called."""


def bare(app: App) -> bool:
    """Whether nothing has landed here yet."""
    return app.lake.version(PROFILES.name) is None and all(app.lake.version(t.name) is None for t in RAW.values())


def ways(room: Room, request: Request) -> dict[str, Any]:
    """What the three ways show."""
    app, site = room.app, site_of(request)
    running, door = site.running, next((c for c in app.config.sources if c.kind == "http" and c.webhook is None), None)
    pulse = running.pulse if running else None
    return {
        "may_operate": room.may("operate"), "may_write": may_write(room),
        "sources": [c.name for c in app.config.sources if c.kind != "decisions"], "folder": str(app.config.root / "files"),
        "door": door and {
            "name": door.name, **snippets(app, door.name, site.url),
            "came": pulse.flow.totals().get(door.name, 0) if pulse else 0, "at": pulse.flow.at(door.name) if pulse else None,
        },
        "shop_way": _shop(request), "under": turning.under(request),
    }  # fmt: skip


def snippets(app: App, source: str, url: str) -> dict[str, str]:
    """How events are sent to a source, with its own write key: from a terminal, and from a page of a website."""
    key = write_key(app.secrets, source)
    own = app.config.var / "tls" / "cert.pem"
    trusted = f" --cacert {own}" if url.startswith("https") and loopback(urlsplit(url).hostname or "") and own.exists() else ""
    curl = (
        f"curl {url}/v1/track -u {key}:{trusted} \\\n  -H 'Content-Type: application/json' \\\n"
        '  -d \'{"event": "Product Viewed", "userId": "u1", "properties": {"product_id": "lamp-7"}}\''
    )
    script = (
        "import { AnalyticsBrowser } from '@segment/analytics-next'\n\n"
        f"const analytics = AnalyticsBrowser.load({{\n  writeKey: '{key}',\n  cdnURL: '{url}',\n}})\n"
        "analytics.track('Product Viewed', { product_id: 'lamp-7' })"
    )
    return {"key": key, "curl": curl, "script": script}


def _shop(request: Request) -> dict[str, Any] | None:
    """How it stands with the made-up shop; None where this server makes none. here: whether it is asked from this machine: to
    others its address is of no use."""
    running = site_of(request).running
    if running is None or running.shop is None:
        return None
    shop, host = running.shop, (urlsplit(f"//{request.headers.get('host', '')}").hostname or "")
    # Browsers keep cookies by name and host, whatever the port: under this machine's other name nobody is signed out here.
    link = shop.making.link.replace("//127.0.0.1:", "//localhost:", 1) if host != "localhost" else shop.making.link
    return {
        **asdict(shop.making), "link": link, "command": shop.command, "folder": str(shop.folder),
        "here": loopback(host) and request.client is not None and loopback(request.client.host),
    }  # fmt: skip


@router.post("/welcome/shop")
async def shop(visit: Visitor) -> Response:
    """Makes the made-up shop beside this workspace, or opens the one that is there."""
    await form(visit.request)
    running = site_of(visit.request).running

    def work(room: Room) -> None:
        found = _shop(visit.request)
        if running is None or running.shop is None or found is None or not found["here"]:
            raise BadInput("The shop is made from this machine alone. At a terminal: tessera demo")
        running.shop.make()

    await visit.run(OPERATED, work)
    return go("/")


@router.post("/welcome/door")
async def door(visit: Visitor) -> Response:
    """Opens a door for events: a source with the usual contract of one, which its owner then makes hers."""
    await form(visit.request)

    def work(room: Room) -> None:
        role = writing(room.app, visit.caller, room.lens.role)
        if not any(c.kind == "http" and c.webhook is None for c in room.app.config.sources):
            new_source.connect(room.app, new_source.tracking(DOOR, room.app), visit.caller.actor, role)

    await visit.run(OPERATED, work, reopens=lambda _: True)
    return go("/")


def may_write(room: Room) -> bool:
    """Whether the viewer can add a source by herself: see `writing`, and `new_source.connect`."""
    return room.may("operate") and room.may("approve") and room.app.config.access.changes is None


def writing(app: App, caller: Caller, role: str) -> str:
    """The role in which somebody adds a source to the workspace's files: one that sees to sources and applies changes. Raises
    NotAllowed."""
    functions.check(app.config.access, role, "operate")
    functions.check(app.config.access, role, "approve")
    return role
