"""`POST /v1/decide` and the stream of decisions that events have led to. Raw ASGI: an answer in milliseconds.

Who asks holds an API key whose role may `decide`, and which is good for the purpose of what is decided. A write key does not
do: browsers show it, and what somebody is shown tells of her.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from tessera.action.decide import Decision
from tessera.doors.callers import DECIDE, SHOW, Holder
from tessera.doors.collect import Answer
from tessera.doors.deciding import Deciding, NotYet, Question
from tessera.doors.grouped import Overloaded
from tessera.doors.http import answers
from tessera.doors.http.answers import TooMany
from tessera.doors.limits import Meter, Rate, origin
from tessera.doors.pushed import document, shown
from tessera.errors import BadInput, TesseraError

PATH, STREAM = "/v1/decide", "/v1/decisions"
BODY_BYTES, MOST_HERE, WORD = 64 * 1024, 64, 256
WAITING = 1_000
"""Decisions that wait for one who listens; of one who is too slow the oldest are left out, and counted."""
LISTENERS = 64
MOST_ASKED = 8
BEAT_S = 15.0
END = b""
HEAD = [
    (b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
]  # fmt: skip

_IDS = {"userId": "user_id", "email": "email", "phone": "phone", "deviceId": "device_id", "anonymousId": "anonymous_id"}
Plain = str | int | float | bool | None


class Ask(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The body of a request. id: names the request, so that one sent again has the same answer; else it is drawn. context:
    what the caller says of the place, which rules know as `here.NAME`. explain: also tell why."""

    decision: str
    user_id: str | int | None = None
    anonymous_id: str | int | None = None
    email: str | None = None
    phone: str | None = None
    device_id: str | int | None = None
    context: dict[str, Plain] = {}
    id: str = ""
    explain: bool = False


_ASK, _JSON = msgspec.json.Decoder(Ask), msgspec.json.Encoder()


class TooLarge(BadInput):
    """A body beyond what is taken, or that ended too soon."""

    def __init__(self) -> None:
        super().__init__(f"The body is larger than {BODY_BYTES:,} bytes, or ended too soon.")


class Misread(BadInput):
    """A body that is not of the declared form."""


class Listening:
    """Who listens to decisions, each with a queue of her own."""

    def __init__(self) -> None:
        self._queues: list[tuple[frozenset[str], asyncio.Queue[bytes]]] = []

    def told(self, decision: Decision, who: tuple[str, str]) -> None:
        """Gives a decision to all who listen to its point."""
        if not self._queues:
            return
        text = _JSON.encode(document(decision, who))
        event = b"id: %s\nevent: %s\ndata: %s\n\n" % (decision.id.encode(), decision.decision.encode(), text)
        for wanted, queue in self._queues:
            if decision.decision in wanted:
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(event)

    def add(self, decisions: frozenset[str]) -> asyncio.Queue[bytes]:
        """A queue of what is decided at these points. Raises TooMany."""
        if len(self._queues) >= LISTENERS:
            raise TooMany(5)
        queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._queues.append((decisions, queue))
        return queue

    def close(self) -> None:
        """Ends all queues: the server stops."""
        for _, queue in self._queues:
            _end(queue)

    def remove(self, queue: asyncio.Queue[bytes]) -> None:
        """Nobody listens there any more."""
        self._queues = [one for one in self._queues if one[1] is not queue]


class DecideDoor:
    """The door. var: of the workspace, where faults of ours are logged."""

    def __init__(self, deciding: Deciding, var: Path, rate: Rate | None = None) -> None:
        self.deciding, self.callers, self.listening, self._var = deciding, deciding.callers, Listening(), var
        deciding.told.append(self.listening.told)
        self._wrong = Meter(Rate(burst=30, every_s=2.0))
        self._rate = Meter(rate or Rate(burst=20_000, every_s=0.0001))

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Whether a request is for this door."""
        return scope["path"] in (PATH, STREAM)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address, headers = scope["client"][0] if scope.get("client") else "", dict(scope["headers"])
        if scope["path"] == STREAM and scope["method"] != "GET":
            await answers.plain(405, {"allow": "GET"})(scope, receive, send)
        elif scope["path"] == STREAM:
            try:
                await self._stream(scope, self._caller(address, headers), receive, send)
            except TesseraError as no:
                await self._refused(no)(scope, receive, send)
        elif scope["method"] != "POST":
            await answers.plain(405, {"allow": "POST"})(scope, receive, send)
        else:
            status, head, body = await self.post(address, headers, await _body(receive))
            await send({"type": "http.response.start", "status": status, "headers": head})
            await send({"type": "http.response.body", "body": body})

    async def post(self, address: str, headers: Mapping[bytes, bytes], data: bytes | None) -> Answer:
        """The answer to a question. data: None for a body that is too large, or did not come. Awaits nothing but futures."""
        try:
            body = _JSON.encode(await self._answered(self._caller(address, headers), data))
        except TesseraError as no:
            return _told(self._refused(no))
        except OSError:
            return _told(answers.plain(503, {"retry-after": "5"}))
        return 200, [*HEAD, (b"content-length", b"%d" % len(body))], body

    async def _answered(self, holder: Holder, data: bytes | None) -> dict[str, Any]:
        if data is None or len(data) > BODY_BYTES:
            raise TooLarge
        self.callers.check(holder, DECIDE)
        ask = _read(data)
        self._checked(holder, ask.decision, DECIDE)
        if ask.explain:
            self._checked(holder, ask.decision, SHOW)
        who = {kind: str(value) for kind in _IDS.values() if (value := getattr(ask, kind)) is not None}
        if not who:
            raise Misread(f"Say who it is about: one of {', '.join(_IDS)}.")
        decision = await self.deciding.answer(
            Question(decision=ask.decision, who=who, here=ask.context, event_id=ask.id or uuid.uuid4().hex, again=bool(ask.id))
        )
        told = shown(decision)
        if ask.explain:
            told["reason"] = {"context": decision.context, "scored": decision.scored, "dropped": decision.dropped}
        return told

    def _checked(self, holder: Holder, decision: str, function: str) -> None:
        self.callers.check(holder, function, self.deciding.purpose(decision))

    async def _stream(self, scope: Scope, holder: Holder, receive: Receive, send: Send) -> None:
        """Server-sent events: one for each decision that an event has led to, from now on."""
        self.callers.check(holder, DECIDE)
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_ASKED)
        except ValueError:
            raise BadInput(f"The address has too many parameters; at most {MOST_ASKED} are read.") from None
        if set(query) - {"decision"}:
            raise BadInput("This address takes decision, once for each point, and no other parameter.")
        asked = query.get("decision", [])
        wanted = frozenset(asked or self.deciding.names())
        for decision in sorted(wanted):
            self._checked(holder, decision, DECIDE)
        queue = self.listening.add(wanted)
        gone = asyncio.ensure_future(_gone(receive, queue))
        try:
            head = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": head})
            event = b": decisions\n\n"
            while event != END:
                await send({"type": "http.response.body", "body": event, "more_body": True})
                try:
                    event = await asyncio.wait_for(queue.get(), BEAT_S)
                except TimeoutError:
                    event = b": still here\n\n"
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.listening.remove(queue)
            gone.cancel()

    def _caller(self, address: str, headers: Mapping[bytes, bytes]) -> Holder:
        try:
            holder = self.callers.find(headers.get(b"authorization", b"").decode("latin-1"))
        except TesseraError:
            if wait := self._wrong.take(origin(address) if address else "?"):
                raise TooMany(wait) from None
            raise
        if wait := self._rate.take(holder.key.id):
            raise TooMany(wait)
        return holder

    def _refused(self, no: TesseraError) -> JSONResponse:
        if isinstance(no, TooLarge):
            return answers.plain(413)
        if isinstance(no, Misread):
            return answers.told(422, "BadRequest", str(no))
        if isinstance(no, Overloaded | NotYet):
            return answers.plain(429 if isinstance(no, Overloaded) else 503, {"retry-after": "1"})
        return answers.of(no, self._var)


def _read(body: bytes) -> Ask:
    try:
        ask = _ASK.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as no:
        said = str(no) if isinstance(no, msgspec.ValidationError) else "It is no JSON."
        raise Misread(f"The body is not of the declared form. {said} See /v1/openapi.json") from None
    if len(ask.context) > MOST_HERE or any(isinstance(v, str) and len(v) > WORD for v in (*ask.context.values(), ask.id)):
        raise Misread(f"context has at most {MOST_HERE} facts; each of them, and id, at most {WORD} characters.")
    return ask


async def _body(receive: Receive) -> bytes | None:
    parts, size, more = list[bytes](), 0, True
    while more:
        message = await receive()
        part = message.get("body", b"")
        size, more = size + len(part), message.get("more_body", False)
        if message["type"] == "http.disconnect" or size > BODY_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _told(made: JSONResponse) -> Answer:
    return made.status_code, made.raw_headers, bytes(made.body)


async def _gone(receive: Receive, queue: asyncio.Queue[bytes]) -> None:
    """Ends a queue once its listener has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    _end(queue)


def _end(queue: asyncio.Queue[bytes]) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(END)
