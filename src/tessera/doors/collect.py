"""The tracking API: what the SDKs of Segment and RudderStack send, accepted once it is safe on disk. Raw ASGI: the hot path.

Answers are those that every SDK understands (measured against them): 200 {"success": true}; errors with `code` and `message`;
never 202, never a redirect. A batch with some bad events is taken: the good go on, the bad are kept with the reason.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from starlette.types import Receive, Scope, Send

from tessera.data import tracking
from tessera.data.tracking import Body
from tessera.doors import first_party
from tessera.doors.grouped import GroupCommit, Overloaded
from tessera.doors.limits import Meter, Rate, origin
from tessera.doors.policy import Asked, Policy
from tessera.errors import BadInput
from tessera.words import Clock

S = TypeVar("S")
Headers = Mapping[bytes, bytes]
Query = Mapping[str, list[str]]

PREFIXES = ("/v1/", "/beacon/v1/", "/api/s/s2s/", "/api/s/")
"""Where types and batches are posted: Segment's and RudderStack's paths, beacons, Jitsu's."""

POSTED: Mapping[bytes, str] = {
    f"{prefix}{name}".encode(): kind
    for prefix in PREFIXES
    for name in (*tracking.TYPES, *tracking.FIRST_LETTERS, *tracking.BATCHES)
    if (kind := tracking.kind_of(f"/v1/{name}")) is not None
}
"""The same in full, and of which type what is posted there is. What else leads to the door (a query behind it, another slash)
goes through ASGI."""

WEBHOOKS = "/v1/webhook/"
"""Where a source that is sent any JSON is posted to, with its name behind."""

IGNORED = ("/v1/m", "/v1/metrics")
"""What analytics.js posts about itself."""

_GOT = ("/pixel/v1/", "/v1/projects/", "/sourceConfig")
_OTHERS = (*_GOT, WEBHOOKS, *PREFIXES[1:])

OK = b'{"success":true}'
PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
ALLOW = b"GET, POST, OPTIONS"
SAID = {
    400: "The body is no event.", 401: "invalid write key", 404: "There is nothing here.",
    405: "This address does not take that method.", 413: "The body is too large.",
    415: "The body is coded in a way that is not known here; send it plain or by gzip.",
    429: "Too much comes from you. Send it again later.", 503: "The events could not be written. Send them again later.",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class DoorLimits:
    """body_bytes: of one request as it comes; inflated_bytes: the same unpacked; coming_bytes: of all that are on
    their way together. address, key: requests of one address, and of one write key."""

    body_bytes: int = 4_000_000
    inflated_bytes: int = 16_000_000
    coming_bytes: int = 256_000_000
    events: tracking.Limits = field(default_factory=tracking.Limits)
    address: Rate = field(default_factory=lambda: Rate(burst=20_000, every_s=0.0001))
    key: Rate = field(default_factory=lambda: Rate(burst=200_000, every_s=0.00001))


@dataclass(frozen=True, kw_only=True)
class SourceDoor:
    """A source that is sent to the door. policy: its own rules. lines: the lines of a request's events, as they go into the
    journal."""

    name: str
    lines: Callable[[Body], list[bytes]]
    group: GroupCommit
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class Hook:
    """A source that is sent any JSON at a path of its own. signed: whether a body comes from who has the secret. lines: those
    of a body, and why nothing in it could be taken, or nothing."""

    name: str
    signed: Callable[[Mapping[bytes, bytes], bytes], bool]
    lines: Callable[[bytes], tuple[list[bytes], str]]
    group: GroupCommit


Answer = tuple[int, Sequence[tuple[bytes, bytes]], bytes]
"""Status, headers, body."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """What is answered, before its headers. cookie: what it sets, or empty. retry_s: when to come again, in whole
    seconds. allow: the methods that the path takes instead."""

    status: int = 200
    body: bytes = OK
    kind: bytes = b"application/json"
    cookie: bytes = b""
    retry_s: int | None = None
    allow: bytes = b""


TAKEN = Said()


class Refused(Exception):
    """A request that is answered with an error. retry_s: as in Said. allow: the methods that the path takes instead."""

    def __init__(self, status: int, message: str = "", retry_s: int | None = None, allow: bytes = b"") -> None:
        self.status, self.message, self.retry_s, self.allow = status, message or SAID[status], retry_s, allow


class Collector:
    """The tracking door of all sources, by their write keys."""

    def __init__(self, sources: Mapping[str, SourceDoor], clock: Clock, limits: DoorLimits | None = None) -> None:
        self.sources, self.clock, self.limits = dict(sources), clock, limits or DoorLimits()
        self._coming = 0
        self.live: Callable[[str, int, Sequence[tracking.Event]], None] = lambda *_: None
        """Told of events that are safe, of their source and of the journal's segment that has them."""
        self.hooks: Mapping[str, Hook] = {}
        self._addresses, self._keys = Meter(self.limits.address), Meter(self.limits.key)

    @staticmethod
    def takes(scope: Scope) -> bool:
        """Whether a request is for this door."""
        path = scope["path"]
        return path in IGNORED or _posted(path) is not None or path.startswith(_OTHERS)

    async def post(self, kind: str, asked: Asked, data: bytes) -> Answer:
        """The answer to a body that was posted to one of POSTED, and came in whole. Awaits nothing but futures."""
        try:
            self._admitted(asked)
            if len(data) > self.limits.body_bytes:
                raise Refused(413)
            said = await self._events(kind, asked, {}, data)
        except (Refused, RecursionError) as no:
            said = _no(no)
        return self._answer(said, asked.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(scope["client"][0] if scope.get("client") else "", dict(scope["headers"]))
        try:
            said = await self._said(scope, asked, receive)
        except (Refused, RecursionError) as no:
            said = _no(no)
        status, headers, body = self._answer(said, asked.headers)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _said(self, scope: Scope, asked: Asked, receive: Receive) -> Said:
        path, method, headers = scope["path"], scope["method"], asked.headers
        if method == "OPTIONS":
            return Said(status=204, kind=b"text/plain", body=b"")
        self._admitted(asked)
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=64) if scope["query_string"] else {}
        except ValueError:
            raise Refused(400, "The address has too many parameters; at most 64 are read.") from None
        if method == "GET":
            return await self._got(path, asked, query, scope.get("scheme", "https"))
        if path.startswith(WEBHOOKS) and method == "POST":
            return await self._hooked(path, headers, query, receive)
        kind = _posted(path)
        if method != "POST" or (kind is None and path not in IGNORED):
            raise _strange(path, method)
        data = await self._body(headers, receive)
        return TAKEN if kind is None else await self._events(kind, asked, query, data)

    async def _events(self, kind: str, asked: Asked, query: Query, data: bytes) -> Said:
        """The hot path: a body's events, read, judged by their source's rules, and safe."""
        headers = asked.headers
        plain = self._plain(data, headers)
        try:
            body = tracking.read(plain, kind, self.clock().astimezone(UTC), self.limits.events)
        except BadInput as no:
            self._tracked(_key(headers, query, None))
            raise Refused(400, str(no)) from None
        cookie = await self._taken(self._tracked(_key(headers, query, body.write_key)), body, asked)
        return Said(cookie=cookie) if cookie else TAKEN

    async def _taken(self, source: SourceDoor, body: Body, asked: Asked) -> bytes:
        """Returns the cookie that the answer sets, or none, once the events are safe."""
        taken, segment = source.policy.taken(body, asked), None
        try:
            segment = await self._kept(source.group, source.lines(taken.body))
        finally:
            taken.settle(segment is not None)
        if segment:
            self.live(source.name, segment, taken.body.events)
        if not await taken.others():
            raise Refused(503, retry_s=1)
        return taken.cookie

    def _answer(self, said: Said, headers: Headers) -> Answer:
        if said is TAKEN and b"origin" not in headers:
            return TAKEN_ANSWER
        told = [(b"content-type", said.kind), (b"content-length", b"%d" % len(said.body)), *_cors(headers)]
        if said.retry_s is not None:
            told.append((b"retry-after", b"%d" % said.retry_s))
        if said.allow:
            told.append((b"allow", said.allow))
        if said.cookie:
            told.append((b"set-cookie", said.cookie))
        if b"origin" in headers and self._shares_domain(headers):
            told.append((b"access-control-allow-credentials", b"true"))
        return said.status, told, said.body

    def _admitted(self, asked: Asked) -> None:
        if self._addresses.take(origin(asked.address) if asked.address else "?"):
            raise Refused(429, retry_s=1)

    async def _got(self, path: str, asked: Asked, query: Query, scheme: str) -> Said:
        headers = asked.headers
        if path.startswith("/pixel/v1/"):
            event: dict[str, Any] = {name: values[0] for name, values in query.items() if name != "writeKey"}
            kind = tracking.kind_of("/v1/" + path.removeprefix("/pixel/v1/"))
            if kind not in ("track", "page"):
                raise Refused(404)
            body = tracking.read(msgspec.json.encode(event), kind, self.clock().astimezone(UTC), self.limits.events)
            cookie = await self._taken(self._tracked(_key(headers, query, None)), body, asked)
            return Said(body=PIXEL, kind=b"image/gif", cookie=cookie)
        if path.startswith("/v1/projects/") and path.endswith("/settings"):
            key = path.removeprefix("/v1/projects/").removesuffix("/settings")
            if key not in self.sources or not self.sources[key].policy.door.enabled:
                raise Refused(404)
            host = headers.get(b"host", b"").decode("latin-1")
            # A proxy on this machine that speaks TLS says so; whoever else says it misleads herself alone.
            secure = scheme == "https" or headers.get(b"x-forwarded-proto") == b"https"
            plan = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": "https" if secure else "http"}
            return Said(body=msgspec.json.encode({"integrations": {"Segment.io": plan}}))
        if path.rstrip("/") == "/sourceConfig":
            key = _key(headers, query, None)
            source = self._tracked(key)
            told = {"source": {"id": key, "name": source.name, "config": {}, "enabled": True, "destinations": []}}
            return Said(body=msgspec.json.encode(told))
        raise _strange(path, "GET")

    async def _hooked(self, path: str, headers: Headers, query: Query, receive: Receive) -> Said:
        """What is no row is kept too, for quarantine; who sent nothing else is told so."""
        hook = self._source(_key(headers, query, None), self.hooks)
        if path.removeprefix(WEBHOOKS).rstrip("/") != hook.name:
            raise Refused(401)
        data = self._plain(await self._body(headers, receive), headers)
        if not hook.signed(headers, data):
            raise Refused(401, "The signature of the body is missing, or does not fit.")
        lines, nothing = hook.lines(data)
        await self._kept(hook.group, lines)
        if nothing:
            raise Refused(400, nothing)
        return TAKEN

    async def _kept(self, group: GroupCommit, lines: list[bytes]) -> int:
        """The segment of the journal in which the lines are safe; 0 where there are none."""
        if not lines:
            return 0
        try:
            return await group.put(lines)
        except Overloaded as no:
            raise Refused(429, str(no), no.retry_s) from None
        except OSError:
            raise Refused(503, retry_s=5) from None

    def _tracked(self, key: str) -> SourceDoor:
        """The source of a write key, if it takes events just now."""
        source = self._source(key, self.sources)
        if not source.policy.door.enabled:
            raise Refused(404, "source is disabled")
        return source

    def _shares_domain(self, headers: Headers) -> bool:
        """Whether a page asks that a source of ours may know again by its cookie: only such a page may send it."""
        domains = {source.policy.door.cookie_domain for source in self.sources.values()} - {""}
        return any(first_party.within(headers, domain) for domain in domains)

    def _source(self, key: str, among: Mapping[str, S]) -> S:
        source = among.get(key)
        if source is None:
            raise Refused(401)
        if self._keys.take(key):
            raise Refused(429, retry_s=1)
        return source

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        parts, size, most = list[bytes](), 0, self.limits.body_bytes
        if headers.get(b"content-length", b"0").isdigit() and int(headers.get(b"content-length", b"0")[:19]) > most:
            raise Refused(413)
        more = True
        try:
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400)
                part = message.get("body", b"")
                size, more = size + len(part), message.get("more_body", False)
                self._coming += len(part)
                if size > most:
                    raise Refused(413)
                if self._coming > self.limits.coming_bytes:
                    raise Refused(429, retry_s=1)
                parts.append(part)
        finally:
            self._coming -= size
        return b"".join(parts)

    def _plain(self, data: bytes, headers: Headers) -> bytes:
        """What was packed, unpacked as far as it may go: a bomb stops in the midst. Some SDKs do not say that they pack."""
        coding = headers.get(b"content-encoding", b"").strip().lower()
        if coding not in (b"", b"identity", b"gzip"):
            raise Refused(415)
        if coding != b"gzip" and data[:2] != b"\x1f\x8b":
            return data
        unpacking = zlib.decompressobj(31)
        try:
            plain = unpacking.decompress(data, self.limits.inflated_bytes)
        except zlib.error:
            raise Refused(400, "The body says it is gzip, and is not.") from None
        if unpacking.unconsumed_tail:
            raise Refused(413)
        if not unpacking.eof:
            raise Refused(400, "The gzip ends before its end.")
        return plain


def _no(why: Refused | RecursionError) -> Said:
    no = why if isinstance(why, Refused) else Refused(400, "The body is nested too deeply.")
    told = {"success": False, "code": str(no.status), "message": no.message}
    return Said(status=no.status, body=msgspec.json.encode(told), retry_s=no.retry_s, allow=no.allow)


def _posted(path: str) -> str | None:
    """The kind of what is posted to a path, or None."""
    for prefix in PREFIXES:
        if path.startswith(prefix):
            return tracking.kind_of("/v1/" + path.removeprefix(prefix))
    return None


def _strange(path: str, method: str) -> Refused:
    """What is said of a path that does not take the method, or is none."""
    if _posted(path) is not None or path in IGNORED or path.startswith(WEBHOOKS):
        return Refused(405, allow=b"POST, OPTIONS")
    return Refused(405, allow=b"GET, OPTIONS") if method != "GET" and path.startswith(_GOT) else Refused(404)


def _key(headers: Headers, query: Query, in_body: str | None) -> str:
    """The write key, wherever it was put; empty if nowhere."""
    scheme, _, given = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(given, validate=True).decode("utf-8", "replace").partition(":")[0]
        except ValueError:
            return ""
    if in_body:
        return in_body
    if header := headers.get(b"x-write-key", b""):
        return header.decode("latin-1")
    return query.get("writeKey", [""])[0] or (given if scheme.lower() == "bearer" else "")


def _cors(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Any page may send: its write key is no secret."""
    told = [(b"access-control-allow-origin", headers.get(b"origin", b"*")), (b"vary", b"Origin")]
    told.append((b"access-control-expose-headers", b"Retry-After"))
    if b"access-control-request-method" in headers:
        told += [(b"access-control-allow-methods", ALLOW), (b"access-control-max-age", b"900")]
        if asked := headers.get(b"access-control-request-headers"):
            told.append((b"access-control-allow-headers", asked))
    return told


TAKEN_ANSWER: Answer = (200, ((b"content-type", TAKEN.kind), (b"content-length", b"%d" % len(OK)), *_cors({})), OK)
"""What `_answer` makes for a server or an app, which have no origin."""
