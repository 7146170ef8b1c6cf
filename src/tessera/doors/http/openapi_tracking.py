"""The tracking door's part of /v1/openapi.json: what SDKs, pages and other systems send, by which paths, with which key.

The door itself is raw ASGI and describes nothing, so its forms stand here by hand, and schemathesis holds the door to them.
They say what is taken as an event; the door is more lenient, and keeps what is none in the quarantine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tessera.data.sources.posted import ROWS_MOST
from tessera.data.tracking import BATCHES, EVENTS_MOST, FIRST_LETTERS, MESSAGE_ID_CHARS, TYPES
from tessera.doors import banner
from tessera.doors.collect import IGNORED, SAID, WEBHOOKS

Made = dict[str, Any]
Operation = tuple[str, str, Made]

TAG = "tracking"
SCHEMES: Made = {
    "writeKey": {"type": "http", "scheme": "basic", "description": "A source's write key as user name, no password."},
    "writeKeyBearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
    "writeKeyHeader": {"type": "apiKey", "in": "header", "name": "X-Write-Key", "description": "The write key."},
    "writeKeyQuery": {"type": "apiKey", "in": "query", "name": "writeKey", "description": "The write key."},
}
"""A write key opens its source's door and nothing else; in the body it may stand too (`writeKey`)."""

SECURED = [{name: list[str]()} for name in SCHEMES]

POSTED = (400, 401, 404, 405, 413, 415, 429, 503)
ASKED = (400, 401, 404, 405, 429, 503)

_TEXT = {"type": "string"}
_ID = {"type": ["string", "number", "null"], "description": "Text; a number is taken as its text, null as nothing."}
_TIME = {"type": ["string", "number", "null"], "description": "ISO 8601, or milliseconds since 1970."}
_OBJECT = {"type": ["object", "null"]}
_NAMES = {
    "track": ("event",), "identify": (), "page": (), "screen": (), "group": ("groupId",), "alias": ("previousId", "userId"),
}  # fmt: skip
"""What each type of event has to say besides whose it is."""

_SUMMARIES = {
    "track": "Something that somebody did", "identify": "Who somebody is", "page": "A page that she saw",
    "screen": "A screen that she saw", "group": "What she belongs to", "alias": "Two names of one person",
}  # fmt: skip


def add(document: Made) -> None:
    """Adds the paths of the tracking door to a document, and what they point to."""
    parts = document["components"]
    parts["schemas"] |= _schemas()
    parts["responses"] |= {f"Unsent{status}": _unsent(status) for status in sorted({*POSTED, *ASKED})}
    for method, path, operation in operations():
        document["paths"].setdefault(path, {})[method] = operation


def operations() -> Iterator[Operation]:
    """Every path of the door: its method, its address, what is said of it."""
    for name in TYPES:
        for path in (f"/v1/{name}", f"/v1/{name[0]}"):
            yield "post", path, _post(_SUMMARIES[name], _form(name.capitalize()))
    for name in BATCHES:
        yield "post", f"/v1/{name}", _post("Many events", _form("Batch"))
    for path in IGNORED:
        yield "post", path, _public("What analytics.js says of itself: answered, and not kept", _form("Anything"), POSTED)
    kinds = [*TYPES, *FIRST_LETTERS, *BATCHES]
    for prefix in ("/beacon/v1/", "/api/s/", "/api/s/s2s/"):
        yield "post", prefix + "{kind}", _post("One event or many, by its kind", _form("Anything"), _kind(kinds))
    fields = [_query(name) for name in ("event", "name", "userId", "anonymousId", "messageId", "timestamp")]
    yield "get", "/pixel/v1/{kind}", {
        **_told("One event, its fields in the query", ASKED, {"image/gif": {"schema": {"type": "string", "format": "binary"}}}),
        "parameters": [_kind(["track", "page", "t", "p"]), *fields], "security": SECURED,
    }  # fmt: skip
    key = {"name": "key", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[^/]+$"}}
    yield "get", "/v1/projects/{key}/settings", {
        **_told("What Segment's SDKs ask for first", ASKED, _form("Settings")), "parameters": [key],
    }  # fmt: skip
    for path in ("/sourceConfig", "/sourceConfig/"):
        told = _told("What RudderStack's SDKs ask for first", ASKED, _form("SourceConfig"))
        yield "get", path, {**told, "security": SECURED}
    source = {"name": "source", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[^/]+$"}}
    yield "post", WEBHOOKS + "{source}", {
        **_post(f"What another system sends: any JSON, one row or a list of at most {ROWS_MOST:,}", _form("Anything"), source),
    }  # fmt: skip
    script = {"text/javascript": {"schema": _TEXT}}
    yield "get", banner.PATH, {
        "tags": [TAG], "summary": "The consent banner of a source",
        "parameters": [{**_query("writeKey"), "required": True}],
        "responses": {
            "200": {"description": "The script.", "content": script},
            "400": {"description": "The address has too many parameters.", "content": script},
            "404": {"description": "No banner for this write key; the script says so on the console.", "content": script},
            "429": {"description": SAID[429], "headers": _RETRY, "content": script},
        },
    }  # fmt: skip


def _schemas() -> Made:
    """The forms that the paths point to, by name."""
    common = {
        "messageId": {**_ID, "description": f"At most {MESSAGE_ID_CHARS} characters; who sends none is given one."},
        "userId": _ID, "anonymousId": _ID, "timestamp": _TIME, "originalTimestamp": _TIME, "sentAt": _TIME,
        "context": _OBJECT, "integrations": _OBJECT, "properties": _OBJECT, "traits": _OBJECT,
        "writeKey": {"type": ["string", "null"]},
    }  # fmt: skip
    made: Made = {}
    for name, needs in _NAMES.items():
        own = {need: _TEXT if need == "event" else {"type": ["string", "number"]} for need in needs}
        event: Made = {"type": "object", "properties": {**common, **own}}
        if needs:
            event["required"] = list(needs)
        if name != "alias":
            whose = ({"required": [one], "properties": {one: {"type": "string", "pattern": r"\S"}}} for one in _WHOSE)
            event["anyOf"] = list(whose)
        made[name.capitalize()] = event
    one_of = [{"allOf": [_ref(n.capitalize()), {"required": ["type"], "properties": {"type": {"const": n}}}]} for n in TYPES]
    made["Batch"] = {
        "type": "object", "required": ["batch"],
        "properties": {
            "batch": {"type": "array", "minItems": 1, "maxItems": EVENTS_MOST, "items": {"anyOf": one_of}},
            "context": _OBJECT, "integrations": _OBJECT, "sentAt": _TIME, "writeKey": {"type": ["string", "null"]},
        },
    }  # fmt: skip
    made["Anything"] = {"description": "JSON."}
    made["Kept"] = _exactly(success={"const": True})
    made["Unsent"] = _exactly(success={"const": False}, code={"type": "string", "pattern": "^[1-5][0-9]{2}$"}, message=_TEXT)
    plan = _exactly(apiKey=_TEXT, apiHost=_TEXT, protocol={"enum": ["https", "http"]})
    made["Settings"] = _exactly(integrations=_exactly(**{"Segment.io": plan}))
    source = _exactly(
        id=_TEXT, name=_TEXT, config={"type": "object"}, enabled={"type": "boolean"}, destinations={"type": "array"}
    )
    made["SourceConfig"] = _exactly(source=source)
    return made


_WHOSE = ("userId", "anonymousId")
_RETRY = {"Retry-After": {"description": "Seconds until it may be sent again.", "schema": _TEXT}}


def _exactly(**properties: Made) -> Made:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _ref(name: str) -> Made:
    return {"$ref": f"#/components/schemas/{name}"}


def _form(name: str) -> Made:
    return {"application/json": {"schema": _ref(name)}}


def _query(name: str) -> Made:
    return {"name": name, "in": "query", "schema": _TEXT}


def _kind(kinds: list[str]) -> Made:
    return {"name": "kind", "in": "path", "required": True, "schema": {"enum": kinds}}


def _post(summary: str, body: Made, *parameters: Made) -> Made:
    """What is kept for the source of its write key. JSON whatever its Content-Type, plain or gzip."""
    made = {**_public(summary, body, POSTED), "security": SECURED}
    return {**made, "parameters": list(parameters)} if parameters else made


def _public(summary: str, body: Made, statuses: tuple[int, ...]) -> Made:
    return {**_told(summary, statuses, _form("Kept")), "requestBody": {"required": True, "content": body}}


def _told(summary: str, statuses: tuple[int, ...], answer: Made) -> Made:
    told: Made = {"200": {"description": "All of it is safe on disk.", "content": answer}}
    told |= {str(status): {"$ref": f"#/components/responses/Unsent{status}"} for status in statuses}
    return {"tags": [TAG], "summary": summary, "responses": told}


def _unsent(status: int) -> Made:
    made: Made = {"description": SAID[status], "content": _form("Unsent")}
    if status in (429, 503):
        made["headers"] = _RETRY
    if status == 405:
        made["headers"] = {"Allow": {"description": "What it takes.", "schema": _TEXT}}
    return made
