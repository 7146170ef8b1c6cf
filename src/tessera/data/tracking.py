"""The tracking API's bodies -> events in one form: what the SDKs of Segment and RudderStack really send, made plain.

Lenient where the SDKs differ (nulls, numbers as ids, traits in the context, no message id), strict where an event would mean
nothing. Nothing here knows of contracts, people or the disk. Source: Segment's HTTP tracking API and RudderStack's HTTP API, as
their SDKs keep to them.
"""

from __future__ import annotations

import re
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
OBJECTS = ("properties", "traits", "context", "integrations")
MERGED = ("context", "integrations")
"""Objects of a batch that hold for each of its events, where the event does not say otherwise."""

_CANONICAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[01][0-9]:[0-9:]{5}\.[0-9]{3}Z|[0-9-]{10}T2[0-3]:[0-9:]{5}\.[0-9]{3}Z")

_decoded = msgspec.json.Decoder(dict[str, Any]).decode
_encoded = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True)
class Refused:
    """One event of a batch that is none: its text, and why in RudderStack's words."""

    text: bytes
    reason: str
    detail: str


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What one request holds. write_key: as the body has it. events: those that are events, in their order. size: its bytes."""

    write_key: str | None
    events: list[Event]
    refused: list[Refused]
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits:
    """events: in one batch. How large one may be, its source says (config.Door)."""

    events: int = EVENTS_MOST


class Received:
    """When a request came: the server's moment, UTC, and its text."""

    __slots__ = ("at", "text")

    def __init__(self, at: datetime) -> None:
        self.at, self.text = at, _text(at)

    def corrected(self, original: datetime, sent: datetime | None) -> datetime:
        """When something happened that its sender says was then, and sent at `sent` by the same clock; never in the future."""
        if sent is not None:
            try:
                original = self.at - (sent - original)
            except OverflowError:
                return self.at
        return min(original, self.at)


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
    key, at = body.pop("writeKey", None), Received(received_at)
    write_key = key if isinstance(key, str) and key else None
    if kind != BATCH:
        body["type"] = kind
        return _body(write_key, [body], {}, at, len(data))
    listed = body.get("batch")
    if not isinstance(listed, list) or not listed:
        raise BadInput('A batch holds its events as a list: {"batch": [...]}, at least one.')
    if len(listed) > limits.events:
        raise BadInput(f"The batch holds {len(listed)} events; at most {limits.events} are taken at once.")
    return _body(write_key, listed, body, at, len(data))


def line_of(event: Event) -> bytes:
    """An event as one line of JSON, as it is landed."""
    return _encoded(event)


def _body(write_key: str | None, listed: list[Any], around: Event, at: Received, size: int) -> Body:
    events: list[Event] = []
    refused: list[Refused] = []
    merged, sent_at = _around(around) if around else (around, None)
    for one in listed:
        if not isinstance(one, dict):
            refused.append(Refused(text=_encoded(one), reason="Datatype-Mismatch", detail="an event is an object"))
            continue
        event = _plain(one, merged, sent_at, at)
        problem = _problem(event)
        if problem is None:
            events.append(event)
        else:
            refused.append(Refused(text=line_of(event), reason=problem[0], detail=problem[1]))
    return Body(write_key=write_key, events=events, refused=refused, size=size)


def plain(sent: Event, around: Event, received_at: datetime) -> Event:
    """An event in our form: no nulls, ids as text, a message id, traits where they belong, its time by our clock."""
    return _plain(sent, *_around(around), Received(received_at))


def _around(around: Event) -> tuple[Event, datetime | None]:
    """What holds for each event of a batch: objects that are merged into it, and when it was sent."""
    merged = {name: whole for name in MERGED if isinstance(whole := around.get(name), dict) and whole}
    return merged, moment(around.get("sentAt"))


def _plain(sent: Event, merged: Event, sent_at: datetime | None, received: Received) -> Event:
    event = {name: value for name, value in sent.items() if value is not None}
    event.pop("writeKey", None)
    for name, whole in merged.items():
        own = event.get(name)
        event[name] = {**whole, **own} if isinstance(own, dict) else whole
    for name in IDS:
        value = event.get(name)
        if value is None or (type(value) is str and value and not value.isspace()):
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            event[name] = str(value)
        else:
            del event[name]
    message = event.get("messageId")
    if message is None or len(message) > MESSAGE_ID_CHARS:
        event["messageId"] = str(uuid4())
    if event.get("type") in ("identify", "group") and not isinstance(event.get("traits"), dict):
        context = event.get("context")
        traits = context.get("traits") if isinstance(context, dict) else None
        event["traits"] = traits if isinstance(traits, dict) else {}
    _time(event, sent_at, received)
    return event


def _time(event: Event, sent_at: datetime | None, received: Received) -> None:
    """Sets receivedAt, originalTimestamp and timestamp: when it happened, corrected by how far the sender's clock is off.

    Where an event has both times, `timestamp` is the caller's own (RudderStack's Node SDK sends the moment of the call beside
    it) or was corrected before (events that a server passes on), so it is kept, as RudderStack keeps it.
    """
    given, called = event.get("timestamp"), event.get("originalTimestamp")
    at, original = moment(given) if given is not None else None, moment(called) if called is not None else None
    event["receivedAt"] = event["timestamp"] = received.text
    if at is None and original is None:
        return
    sent = moment(event["sentAt"]) if "sentAt" in event else None
    if original is None:
        original, called = at, given
        at = None
    assert original is not None
    happened = min(at, received.at) if at is not None else received.corrected(original, sent or sent_at)
    original_text = called if _canonical(called) else _text(original)
    event["originalTimestamp"] = original_text
    if happened is original:
        event["timestamp"] = original_text
    elif happened < received.at:
        event["timestamp"] = _text(happened)


def moment(value: object) -> datetime | None:
    """A time as it was sent: ISO 8601 (without a zone: UTC), or milliseconds since 1970; None if it is none.

    >>> moment("2026-03-01T10:00:00.5Z") == moment(1772359200500)
    True
    """
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            if found.tzinfo is UTC:
                return found
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
    except (ValueError, OverflowError):
        pass
    return None


def _text(at: datetime) -> str:
    """A moment (UTC) to the millisecond. msgspec writes it in a fifth of the time that isoformat takes."""
    text = _encoded(at)
    return (str(text[1:24], "ascii") if len(text) > 22 else str(text[1:20], "ascii") + ".000") + "Z"


def _canonical(text: object) -> bool:
    """Whether a moment that was read is written as `_text` writes it, as JavaScript's SDKs do."""
    return isinstance(text, str) and _CANONICAL.fullmatch(text) is not None


def _problem(event: Event) -> tuple[str, str] | None:
    """Why it is no event: the violation's name, and a sentence."""
    kind = event.get("type")
    if kind not in TYPES:
        return "Unknown-Violation", f"type is none of {', '.join(TYPES)}"
    if kind == "alias":
        if "previousId" not in event or "userId" not in event:
            return "Required-Missing", "an alias has previousId and userId"
    elif "userId" not in event and "anonymousId" not in event:
        return "Required-Missing", "an event has userId or anonymousId"
    elif kind == "track" and not isinstance(event.get("event"), str):
        return "Required-Missing", "a track has the name of its event"
    elif kind == "group" and "groupId" not in event:
        return "Required-Missing", "a group has groupId"
    for name in OBJECTS:
        if name in event and not isinstance(event[name], dict):
            return "Datatype-Mismatch", f"{name} is an object"
    return None
