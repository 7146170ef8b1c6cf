"""Live events: what the tracking door accepts as it comes, as the viewer may see it; how much, and what was turned away."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from tessera.config import SENT, Contract
from tessera.decision_file import SOURCE as DECISIONS
from tessera.doors.flow import Flow
from tessera.doors.http.callers import site_of
from tessera.doors.http.watching import PATH as STREAM
from tessera.doors.http.watching import may_watch
from tessera.doors.pages.menu import Page
from tessera.doors.pages.pictures.spark import spark
from tessera.doors.pages.room import Room
from tessera.doors.pages.taste import known_query
from tessera.doors.pages.tongue import N_, Tongue
from tessera.doors.pages.visit import Visit, Visitor
from tessera.doors.tracked import write_key

router = APIRouter(include_in_schema=False, dependencies=[Depends(known_query)])
LIVE = Page(name="live", path="/live", title=N_("Live events"), icon="radio", group="act", function="tables", key="l")
PAGES = (LIVE,)
FLOW = "/live/flow"

HOW = {"sdk": N_("SDKs of the website and apps"), "webhook": N_("Webhook"), "mqtt": N_("Devices, by MQTT")}
REASONS = {
    "Unplanned-Event": N_("The tracking plan names no such event"),
    "Required-Missing": N_("A property that it must have is missing"),
    "Additional-Properties": N_("Has properties that the plan does not name"),
    "Datatype-Mismatch": N_("A value is not of the form that it should have"),
    "Unknown-Violation": N_("Too large, or could not be compared with the plan"),
    "noted": N_("Properties beyond the plan, noted and kept"),
    "dropped": N_("Its sender did not agree, so nothing was kept"),
    "anonymous": N_("Its sender did not agree; kept without who it was"),
    "doubles": N_("Came again under the same message id, counted once"),
}
"""What became of events that did not go through as they came (`Policy.counts`), in words."""
KEPT = ("noted", "anonymous")
Name = Annotated[str, Query(max_length=200)]


@router.get(LIVE.path)
async def live(visit: Visitor, source: Name = "", event: Name = "") -> Response:
    """The page. source, event: which events are followed."""

    def work(room: Room) -> dict[str, Any]:
        chosen = _chosen(room, source)
        return {
            **_flow(visit, room, source), "event": event, "chosen": chosen.name if chosen else "",
            "feed": room.card(lambda: _feed(room, chosen, event)) if chosen else None,
            "send": _snippets(room, chosen, site_of(visit.request).url) if chosen else None,
            "files": [c.name for c in room.app.config.sources if c.kind not in SENT and c.record == "event"],
        }  # fmt: skip

    return await visit.page(LIVE, "live.html", work)


@router.get(FLOW)
async def flow(visit: Visitor, source: Name = "") -> Response:
    """The figures alone, as they are now: the open page asks for them when it hears that events came."""
    return await visit.page(LIVE, "live_flow.html", lambda room: _flow(visit, room, source))


def _sources(room: Room) -> list[Contract]:
    return [c for c in room.app.config.sources if c.kind in SENT and c.name != DECISIONS]


def _chosen(room: Room, name: str) -> Contract | None:
    """The source that is followed: the one asked for, else the first at the tracking door."""
    able = [c for c in _sources(room) if c.kind == "http"]
    return next((c for c in able if c.name == name), able[0] if able else None)


def _flow(visit: Visit, room: Room, source: str) -> dict[str, Any]:
    site = site_of(visit.request)
    passes = site.pulse.flow if site.pulse else Flow()
    counts = site.tracked.counts() if site.tracked else {}
    waiting = room.app.quarantine.waiting()
    sources = _sources(room)
    top = max((max(passes.steps(c.name)) for c in sources), default=0)
    rows = [_row(c, passes, Counter(counts.get(c.name, {})), waiting.get(c.name, 0), room.tongue, top) for c in sources]
    why: Counter[str] = Counter()
    for name in (c.name for c in sources):
        why.update({reason: many for reason, many in counts.get(name, {}).items() if reason != "events"})
    return {
        "source": source, "sources": rows, "flow_at": FLOW, "began_s": passes.age_s,
        "total": {n: sum(row[n] for row in rows) for n in ("rate", "came", "refused", "doubles", "dropped", "waiting")},
        "why": [(REASONS.get(r, r), many, r in KEPT) for r, many in why.most_common() if many],
    }  # fmt: skip


def _row(contract: Contract, passes: Flow, became: Counter[str], waiting: int, tongue: Tongue, top: int) -> dict[str, Any]:
    steps = passes.steps(contract.name)
    how = "mqtt" if contract.kind == "mqtt" else "webhook" if contract.webhook else "sdk"
    refused = sum(n for reason, n in became.items() if reason not in ("events", "doubles", "dropped", *KEPT))
    label = tongue(
        "Events of {source} in the last five minutes, by five seconds: {n} in all, {most} at the most.",
        source=contract.name, n=tongue.number(sum(steps)), most=tongue.number(max(steps)),
    )  # fmt: skip
    return {
        "name": contract.name, "how": HOW[how], "kind": contract.kind, "plan": contract.door.plan or "",
        "rate": passes.rate(contract.name), "came": passes.totals().get(contract.name, 0), "refused": refused,
        "doubles": became["doubles"], "dropped": became["dropped"], "waiting": waiting, "idle_s": passes.idle_s(contract.name),
        "spark": spark(steps, label, top=top),
    }  # fmt: skip


def _feed(room: Room, contract: Contract, event: str) -> dict[str, Any]:
    """What the page's script follows, and of what the viewer sees nothing. Raises NotAllowed where she sees nothing at all."""
    lens = room.lens
    passing = may_watch(room.app, contract.name, lens.role, lens.purpose, room.caller.actor)
    return {
        "at": STREAM, "asks": {"source": contract.name, "role": lens.role, "purpose": lens.purpose, "event": event},
        "hidden": passing.hidden, "veiled": passing.veiled, "named": passing.names_events,
        "consent": passing.reader.purpose.needs_consent, "zone": room.tongue.zone,
    }  # fmt: skip


def _snippets(room: Room, contract: Contract, url: str) -> dict[str, Any]:
    """How an event is sent to this very server, from a shell and from a page."""
    key = write_key(room.app.secrets, contract.name)
    if contract.webhook is not None:
        body = json.dumps({"id": "42"})
        shell = f"curl {url}/v1/webhook/{contract.name} -H 'X-Write-Key: {key}' \\\n  -d '{body}'"
        return {"key": key, "shell": shell, "page": ""}
    body = json.dumps({"event": "Product Viewed", "userId": "u-1", "properties": {"product_id": "lamp-7"}})
    shell = f"curl {url}/v1/track -u {key}: -H 'Content-Type: application/json' \\\n  -d '{body}'"
    page = (
        f'fetch("{url}/v1/track", {{\n  method: "POST", keepalive: true, headers: {{"Content-Type": "application/json"}},\n'
        f'  body: JSON.stringify({{writeKey: "{key}", event: "Product Viewed", anonymousId: "a-1",\n'
        '    properties: {product_id: "lamp-7"}}),\n});'
    )
    return {"key": key, "shell": shell, "page": page}
