"""What a source's own rules do with a request's events before anything of them is written.

In this order: what its sender's consent refuses, doubles, what would tell more of her device or place than is kept, events
too large, and its tracking plan. What is refused goes into the quarantine with the reason; what is dropped for consent leaves
a count and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import msgspec

from tessera.config import Contract
from tessera.data import generalised
from tessera.data.message_ids import Hashes
from tessera.data.plans import Plan
from tessera.data.said_at_door import Consents, Event, one_form
from tessera.data.tracking import Body, Refused, line_of
from tessera.doors import first_party
from tessera.doors.seen import Seen

GPC = b"sec-gpc"

LOST = "an event is an object"
"""Of what is none, nothing is kept but this: nobody knows what is in it."""


class Asked(msgspec.Struct, frozen=True):
    """A request, as far as its events depend on it. address: where it came from; headers: in small letters."""

    address: str = ""
    headers: Mapping[bytes, bytes] = msgspec.field(default_factory=dict)


class Taken:
    """What a request's events have become. Whoever has written `body` (or has failed to) says so by `settle`. cookie: the
    Set-Cookie of the answer, or empty."""

    cookie = b""
    _others: Sequence[asyncio.Future[bool]] = ()
    _waiters: Sequence[asyncio.Future[bool]] = ()

    def __init__(self, policy: Policy, body: Body) -> None:
        self.body, self._policy = body, policy
        self.fresh: list[int] = []

    def settle(self, safe: bool) -> None:
        """The events are written, or none of them is."""
        self._policy.settled(self.fresh, safe)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(safe)

    async def others(self) -> bool:
        """Whether the doubles among them are safe too, which other requests are writing just now."""
        return not self._others or all([await other for other in self._others])

    def awaits(self, other: Taken) -> None:
        """Some event is a double of one that another request is writing."""
        if other is not self:
            waiter = asyncio.get_running_loop().create_future()
            other._waiters = (*other._waiters, waiter)
            self._others = (*self._others, waiter)


class Policy:
    """The rules of one source. seen: None where no message id is remembered. counts: by what became of them, events since
    the start."""

    def __init__(
        self, contract: Contract, hashes: Hashes, *, plan: Plan | None = None, seen: Seen | None = None,
        hour: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        self.door, self.seen, self._plan, self._hashes, self._hour = contract.door, seen, plan, hashes, hour
        self._consents = Consents(contract)
        self._flying: dict[int, Taken] = {}
        self.counts: Counter[str] = Counter()

    def follow(self, before: Policy) -> None:
        """Goes on where the rules of the same source stood before its files were read anew: what is under way there, too."""
        self.counts, self._flying = before.counts, before._flying
        self.seen = before.seen if self.door.dedupe_hours else None
        if self.seen is not None:
            self.seen.hours = self.door.dedupe_hours

    def taken(self, body: Body, asked: Asked) -> Taken:
        """Makes of a request's events, in place, what is to be written. `settle` is owed for it, whatever comes of that."""
        made = Taken(self, body)
        try:
            self._take(made, body, asked)
        except BaseException:
            made.settle(False)
            raise
        return made

    def settled(self, fresh: list[int], safe: bool) -> None:
        """As `Taken.settle`: what was not written after all is no double when it comes again."""
        for number in fresh:
            self._flying.pop(number, None)
            if not safe and self.seen is not None:
                self.seen.forget(number)

    # parts

    def _take(self, made: Taken, body: Body, asked: Asked) -> None:
        door, seen, plan = self.door, self.seen, self._plan
        keep, large = door.address == "generalise", body.size > door.event_bytes
        lenient = door.consent == "keep" or not self._consents.wanted
        gpc, hour = asked.headers.get(GPC) == b"1", self._hour()
        where = _where(asked.address, asked.headers.get(b"user-agent", b""))
        browser = self._browser(made, asked, gpc) if door.cookie_domain else ""
        events, refused = list[Event](), list[Refused]()
        flying, fresh, hashed = self._flying, made.fresh, self._hashes.of
        for event in body.events:
            one_form(event)
            if gpc:
                self._consents.note_gpc(event)
            found = event if lenient else self._consented(event)
            if found is None:
                continue
            if seen is not None:
                number = hashed(found["messageId"])
                if not seen.add(number, hour):
                    self._double(number, made)
                    continue
                flying[number] = made
                fresh.append(number)
            if found is event:
                if where:
                    _fill(event, where)
                if browser:
                    _fill(event, {first_party.PLACE: browser})
                generalised.generalise(event, keep_address=keep)
            if (large or plan) and (no := self._violation(found, large)) is not None:
                refused.append(no)
            else:
                events.append(found)
        refused += [told for one in body.refused if (told := self._refused(one, gpc, keep)) is not None]
        body.events[:], body.refused[:] = events, refused
        self.counts["events"] += len(events)
        for no in refused:
            self.counts[no.reason] += 1

    def _consented(self, event: Event) -> Event | None:
        """The event as its sender's consent lets it be kept."""
        if not self._consents.refused(event):
            return event
        if self.door.consent == "anonymous":
            name = f"{self._hashes.of('anonymous ' + event['messageId']):020x}"
            if (found := self._consents.anonymous(event, name)) is not None:
                generalised.generalise(found, keep_address=False)
                self.counts["anonymous"] += 1
                return found
        self.counts["dropped"] += 1
        return None

    def _browser(self, made: Taken, asked: Asked, gpc: bool) -> str:
        """The id of a browser whose page shares our domain, and which refuses nothing; what it refuses takes the id back."""
        domain, known = self.door.cookie_domain, first_party.sent(asked.headers)
        for event in made.body.events:
            one_form(event)
            if isinstance(context := event.get("context"), dict):
                context.pop(first_party.PLACE, None)  # the door's own word
        if not made.body.events or not first_party.within(asked.headers, domain):
            return ""
        if gpc or any(map(self._consents.refused, made.body.events)):
            made.cookie = first_party.taken_back(domain) if known else b""
            return ""
        if not known:
            known = first_party.new()
            made.cookie = first_party.given(known, domain)
        return known

    def _double(self, number: int, made: Taken) -> None:
        self.counts["doubles"] += 1
        if (other := self._flying.get(number)) is not None:
            made.awaits(other)

    def _violation(self, event: Event, large: bool) -> Refused | None:
        if large and (size := len(text := line_of(event))) > self.door.event_bytes:
            detail = f"the event has {size} bytes; at most {self.door.event_bytes} are taken"
            return Refused(text=text[: self.door.event_bytes], reason="Unknown-Violation", detail=detail)
        if self._plan is None:
            return None
        violations = self._plan.violations(event)
        if self.door.additional == "note" and violations:
            extra = [v for v in violations if v.type == "Additional-Properties"]
            self.counts["noted"] += len(extra)
            violations = [v for v in violations if v not in extra]
        if not violations:
            return None
        return Refused(text=line_of(event), reason=violations[0].type, detail=msgspec.json.encode(violations).decode())

    def _refused(self, one: Refused, gpc: bool, keep: bool) -> Refused | None:
        """What is no event, as it may be kept: under the same rules."""
        try:
            event = msgspec.json.decode(one.text)
        except msgspec.MsgspecError:
            event = None
        if not isinstance(event, dict):
            return Refused(text=b"null", reason=one.reason, detail=LOST)
        if gpc and isinstance(event.get("context", {}), dict):
            self._consents.note_gpc(event)
        one_form(event)
        if self.door.consent != "keep" and self._consents.refused(event):
            self.counts["dropped"] += 1
            return None
        generalised.generalise(event, keep_address=keep)
        return Refused(text=line_of(event)[: self.door.event_bytes], reason=one.reason, detail=one.detail)


@lru_cache(8192)
def _where(address: str, sent: bytes) -> dict[str, str]:
    """What the SDK of a page or an app leaves to the server: its network and its user agent. Of a server of yours that sends
    for others both would tell of itself, and its user agent is no browser's."""
    agent = generalised.agent(sent.decode("latin-1")) if sent else ""
    if " on " not in agent:
        return {}
    found = {"userAgent": agent}
    if generalised.from_outside(address) and (network := generalised.address(address)):
        found["ip"] = network
    return found


def _fill(event: Event, where: Mapping[str, str]) -> None:
    context = event.setdefault("context", {})
    for name, value in where.items():
        if context.get(name) is None:
            context[name] = value
