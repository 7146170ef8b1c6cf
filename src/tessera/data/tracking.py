"""The tracking API's bodies -> events in one form: what the SDKs of Segment and RudderStack really send, made plain.

Lenient where the SDKs differ (nulls, numbers as ids, traits in the context, no message id), strict where an event would mean
nothing. Nothing here knows of contracts, people or the disk. Source: Segment's HTTP tracking API and RudderStack's HTTP API, as
their SDKs keep to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from tessera.errors import BadInput

Event = dict[str, Any]

TYPES = ("identify", "track", "page", "screen", "group", "alias")
FIRST_LETTERS = {name[0]: name for name in TYPES}
BATCH = "batch"
BATCHES = ("batch", "b", "import")

MESSAGE_ID_CHARS = 100
EVENTS_MOST = 2_500
IDS = ("userId", "anonymousId", "previousId", "groupId", "messageId")
MERGED = ("context", "integrations")
"""Objects of a batch that hold for each of its events, where the event does not say otherwise."""

_decoded = msgspec.json.Decoder(dict[str, Any]).decode
_encoded = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class Refused:
    """One event of a batch that is none: its text, and why in RudderStack's words."""

    text: bytes
    reason: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Body:
    """What one request holds. write_key: as the body has it. events: those that are events, in their order. size: its bytes."""

    write_key: str | None
    events: list[Event]
    refused: list[Refused]
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """events: in one batch. How large one may be, its source says (config.Door)."""

    events: int = EVENTS_MOST


def kind_of(path: str) -> str | None:
    """The type of event that a path of the API is for ('batch' for many), or None.

    >>> kind_of("/v1/t"), kind_of("/v1/batch"), kind_of("/v1/nothing")
    ('track', 'batch', None)
    """
    name = path.removeprefix("/v1/").rstrip("/")
    if name in BATCHES:
        return BATCH
    return name if name in TYPES else FIRST_LETTERS.get(name)


def read(data: bytes, kind: str, received_at: datetime, limits: Limits | None = None) -> Body:
    """The events of a request's body. kind: see `kind_of`. received_at: the server's moment, UTC.

    Raises BadInput, with a sentence for whoever sent it, where the whole is no body: no JSON object, no or too many events.
    """
    limits = limits or Limits()
    try:
        body = _decoded(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as wrong:
        raise BadInput(f"The body is no JSON object: {wrong}") from None
    key = body.pop("writeKey", None)
    write_key = key if isinstance(key, str) and key else None
    if kind != BATCH:
        return _body(write_key, [{**body, "type": kind}], {}, received_at, len(data))
    listed = body.get("batch")
    if not isinstance(listed, list) or not listed:
        raise BadInput('A batch holds its events as a list: {"batch": [...]}, at least one.')
    if len(listed) > limits.events:
        raise BadInput(f"The batch holds {len(listed)} events; at most {limits.events} are taken at once.")
    return _body(write_key, listed, body, received_at, len(data))


def line_of(event: Event) -> bytes:
    """An event as one line of JSON, as it is landed."""
    return _encoded(event)


def _body(write_key: str | None, listed: list[Any], around: Event, received_at: datetime, size: int) -> Body:
    events, refused = list[Event](), list[Refused]()
    for one in listed:
        if not isinstance(one, dict):
            refused.append(Refused(text=_encoded(one), reason="Datatype-Mismatch", detail="an event is an object"))
            continue
        event = plain(one, around, received_at)
        problem = _problem(event)
        if problem is None:
            events.append(event)
        else:
            reason, detail = problem
            refused.append(Refused(text=line_of(event), reason=reason, detail=detail))
    return Body(write_key=write_key, events=events, refused=refused, size=size)


def plain(sent: Event, around: Event, received_at: datetime) -> Event:
    """An event in our form: no nulls, ids as text, a message id, traits where they belong, its time by our clock."""
    event = {name: value for name, value in sent.items() if value is not None}
    event.pop("writeKey", None)
    for name in MERGED:
        if isinstance(whole := around.get(name), dict) and whole:
            own = event.get(name)
            event[name] = {**whole, **own} if isinstance(own, dict) else whole
    for name in IDS:
        value = event.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            event[name] = str(value)
        elif value is not None and (not isinstance(value, str) or not value.strip()):
            del event[name]
    message = event.get("messageId")
    if message is None or len(message) > MESSAGE_ID_CHARS:
        event["messageId"] = str(uuid4())
    if event.get("type") in ("identify", "group") and not isinstance(event.get("traits"), dict):
        context = event.get("context")
        traits = context.get("traits") if isinstance(context, dict) else None
        event["traits"] = traits if isinstance(traits, dict) else {}
    return _timed(event, around, received_at)


def _timed(event: Event, around: Event, received_at: datetime) -> Event:
    """Sets receivedAt, originalTimestamp and timestamp: when it happened, corrected by how far the sender's clock is off."""
    original = moment(event.get("originalTimestamp")) or moment(event.get("timestamp"))
    sent = moment(event.get("sentAt")) or moment(around.get("sentAt"))
    at = original or received_at
    if original is not None and sent is not None:
        at = received_at - (sent - original)
    event["receivedAt"] = _text(received_at)
    event["timestamp"] = _text(min(at, received_at))
    if original is not None:
        event["originalTimestamp"] = _text(original)
    return event


def moment(value: object) -> datetime | None:
    """A time as it was sent: ISO 8601 (without a zone: UTC), or milliseconds since 1970; None if it is none.

    >>> moment("2026-03-01T10:00:00.5Z") == moment(1772359200500)
    True
    """
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    except (ValueError, OverflowError):
        pass
    return None


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _problem(event: Event) -> tuple[str, str] | None:
    """Why it is no event: the violation's name, and a sentence."""
    return next(_problems(event), None)


def _problems(event: Event) -> Iterator[tuple[str, str]]:
    kind = event.get("type")
    if kind not in TYPES:
        yield "Unknown-Violation", f"type is none of {', '.join(TYPES)}"
    elif kind == "alias":
        if "previousId" not in event or "userId" not in event:
            yield "Required-Missing", "an alias has previousId and userId"
    elif "userId" not in event and "anonymousId" not in event:
        yield "Required-Missing", "an event has userId or anonymousId"
    elif kind == "track" and not isinstance(event.get("event"), str):
        yield "Required-Missing", "a track has the name of its event"
    elif kind == "group" and "groupId" not in event:
        yield "Required-Missing", "a group has groupId"
    for name in ("properties", "traits", "context", "integrations"):
        if not isinstance(event.get(name, {}), dict):
            yield "Datatype-Mismatch", f"{name} is an object"
