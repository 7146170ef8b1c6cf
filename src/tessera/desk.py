"""The desk where customers' requests are worked: opened, checked, run, extended, refused; each act once, also after a kill.

Every act of a request can be repeated: what is done is found and not done again. So a run that was killed at any point is
finished by the next run, and no entry of the ledger is written twice (see trust/requests.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from pyroaring import BitMap

from tessera import copies, receipt, request_receipt
from tessera.config import Config, Purpose
from tessera.copies import About, Duty
from tessera.data.corrections import Corrections
from tessera.errors import BadInput, NotAllowed, NotFound
from tessera.lake.engine import Connection
from tessera.lake.store import Lake
from tessera.people import People
from tessera.trust import access
from tessera.trust.entries import Keys
from tessera.trust.ledger import Ledger
from tessera.trust.permits import Permits
from tessera.trust.requests import Check, How, Kind, Request, Requests, due
from tessera.trust.rights import Rights
from tessera.trust.rights_copy import Copy
from tessera.trust.secrets import Secrets
from tessera.trust.vault import Vault
from tessera.words import KINDS, Clock, spelt

ROLE = "officer"
"""Whoever works at the desk acts in this role; a customer at her own door acts for herself."""

CHANGE = "change "
"""How the name of a text begins that is a correction's new value."""

STALE = "stale"
"""The state's space of keys whose persons the next turn computes anew, by what made them so."""

INTERESTS, MARKETING = ("legitimate_interest", "public_interest"), "marketing"
"""Lawful bases that can be objected to (GDPR, Art. 21(1)), and the data uses that can in any case (Art. 21(2))."""

FILED: tuple[Kind, ...] = ("access", "portability")
"""Requests whose answer is a file."""


class OfSeveral(BadInput):
    """An identifier that does not say who asks. persons: by number, all whose it is."""

    def __init__(self, persons: Sequence[int]) -> None:
        self.persons = tuple(persons)
        numbers = ", ".join(map(str, persons))
        super().__init__(f"That identifier is of several people ({numbers}). Make sure which, and name her number.")


@dataclass(frozen=True, kw_only=True)
class Rooms:
    """What the desk asks of the house. working: while it is held, nobody else writes tables. relist: brings the erasure list
    up to date and says why it could not."""

    config: Config
    lake: Lake
    vault: Vault
    ledger: Ledger
    people: People
    rights: Rights
    permits: Permits
    corrections: Corrections
    secrets: Secrets
    con: Connection
    clock: Clock
    working: Callable[[], AbstractContextManager[None]]
    relist: Callable[[], str]


class Desk:
    """The requests of an open workspace. me: the account that works here.

    In every call `by` is None for whoever has the role officer; a door that has signed a customer in says "customer".
    """

    def __init__(self, rooms: Rooms, requests: Requests, me: str, role: str = "") -> None:
        self.rooms, self.requests, self.me, self._role = rooms, requests, me, role

    def acting(self, actor: str, role: str) -> Desk:
        """The same desk, worked by another actor, in a role of hers that a door has made sure of."""
        return Desk(replace(self.rooms, people=self.rooms.people.acting(actor)), self.requests, actor, role)

    # what is asked

    def open(
        self,
        kind: Kind,
        *,
        person: int | None = None,
        value: str | None = None,
        channel: str = "staff",
        note: str = "",
        purpose: str | None = None,
        changes: Mapping[str, str] | None = None,
        spared: Sequence[str] = (),
        by: str | None = None,
    ) -> Request:
        """Opens a request of a person, by her number or by any identifier of hers.

        An identifier of nobody opens one too: the answer will be that we hold nothing. note: free text, sealed. purpose:
        what an objection is to. changes: of a correction, field -> value. spared: purposes that a restriction leaves open.
        Raises NotFound for an unknown number, BadInput where an identifier is of several people or a fact does not fit.
        """
        actor, role = self._who(by)
        self._check_facts(kind, purpose, changes, spared)
        if person is None:
            person = self._one(value or "")
        key = self._anchor(person, value)
        now = self.rooms.clock().astimezone(UTC)
        texts = {"note": note, "asked": (value or "") if person is None else ""}
        if changes:
            texts |= {CHANGE + field: value for field, value in self.rooms.corrections.check(changes).items()}
        request = Request(
            id=self.requests.state.next("request"), kind=kind, opened_at=now.isoformat(), channel=channel,
            due=due(now, self.rooms.config.requests).isoformat(), key=key, person=person, purpose=purpose,
            spared=tuple(spared),
        )  # fmt: skip
        return self.requests.note(request, f"{kind} received", actor, role, texts, keys=self._keys(request))

    def ask_identity(self, number: int, how: How, by: str | None = None) -> Request:
        """Notes that the customer was asked to show who she is, and how."""
        actor, role = self._who(by)
        request = self._waiting(number)
        check = Check(how=how, by=actor, at=self._now())
        request = msgspec.structs.replace(request, status="verifying", check=check)
        return self.requests.note(request, f"identity asked for by {how}", actor, role)

    def verify(self, number: int, how: How, by: str | None = None) -> Request:
        """Notes that she is who she says, and how that was made sure. Nothing is done for anybody unverified."""
        actor, role = self._who(by)
        request = self._waiting(number)
        person = self._person(request)
        check = Check(state="verified", how=how, by=actor, at=self._now())
        request = msgspec.structs.replace(request, status="in progress", check=check, person=person)
        return self.requests.note(request, f"identity verified by {how}", actor, role, keys=self._keys(request))

    def extend(self, number: int, reason: str, by: str | None = None) -> Request:
        """Gives a request more time, once, for a reason that the customer is told."""
        actor, role = self._who(by)
        request = self._waiting(number)
        if request.extended:
            raise BadInput(f"Request {number} was extended already; the law allows it once.")
        if not reason.strip():
            raise BadInput("An extension needs a reason, which the customer is told.")
        later = date.fromisoformat(request.due) + timedelta(days=self.rooms.config.requests.extension_days)
        changed = {"due": later.isoformat(), "extended": True}
        return self._said(request, "extension", reason, f"extended to {later}", actor, role, **changed)

    def refuse(self, number: int, reason: str, by: str | None = None) -> Request:
        """Closes a request with a no, for a reason that the customer is told."""
        actor, role = self._who(by)
        request = self._waiting(number)
        if request.running:
            raise BadInput(f"Request {number} is under way and cannot be refused. Finish it: tessera request run {number}")
        if not reason.strip():
            raise BadInput("A refusal needs a reason, which the customer is told.")
        return self._said(request, "refusal", reason, "refused", actor, role, status="refused")

    def run(self, number: int, out: Path | None = None, *, language: str = "en", by: str | None = None) -> Request:
        """Does what is asked, to its end; what a kill left is finished, and what is done is not done again.

        out: where the copy goes (access, portability). language: of its first page. Raises NotAllowed if her identity is not
        verified, or if her records were joined or split since.
        """
        actor, role = self._who(by)
        request = self.requests.get(number)
        if request.status == "done" and (request.kind not in FILED or out is None):
            return request
        if request.status == "refused":
            raise BadInput(f"Request {number} was refused. Open another one.")
        if request.kind in FILED and out is None:
            raise BadInput(f"Request {number} is for a copy. Say where it goes: tessera request run {number} -o FILE.zip")
        if request.check.state != "verified":
            raise NotAllowed(f"Nobody has made sure who asks in request {number}.", f"Try: tessera request verify {number}")
        if not request.running:
            self._check_same(request, actor, role)
            request = msgspec.structs.replace(request, running=True)
            request = self.requests.note(request, "begun", actor, role, keys=self._keys(request))
        act = {
            "erasure": self._erased, "correction": self._corrected, "restriction": self._restricted,
            "objection": self._objected,
        }.get(request.kind)  # fmt: skip
        request, keys = act(request) if act else self._copied(request, out or Path(), language)
        return self._done(request, keys, actor, role)

    def read(self, number: int, by: str | None = None) -> dict[str, str]:
        """What was written to a request, in clear; that somebody read it is an entry."""
        actor, role = self._who(by)
        request = self.requests.get(number)
        texts = self.requests.texts(request)
        self.requests.note(request, "texts read", actor, role, keys=self._keys(request))
        return texts

    def lift(self, number: int, reason: str, by: str | None = None) -> Request:
        """Ends a restriction or an objection. The customer is told before a restriction ends (GDPR, Art. 18(3)): the reason
        stands on her receipt."""
        actor, role = self._who(by)
        request = self.requests.get(number)
        if request.kind not in ("restriction", "objection") or request.status != "done" or request.outcome.get("lifted"):
            raise BadInput(f"Request {number} is no restriction or objection in force.")
        if not reason.strip():
            raise BadInput("An end needs a reason, which the customer is told.")
        person = self._person(request)
        with self.rooms.lake.state.together():
            if person is not None:
                # A name of its own: the turn that settles the beginning must not drop the end.
                self.rooms.lake.state.put(STALE, f"{request.id} lifted", self._members(person))
            self.rooms.permits.release(request.id)
            request = msgspec.structs.replace(request, outcome={**request.outcome, "lifted": self._now()})
            self.requests.put(request)
        return self._said(request, "end", reason, "lifted", actor, role)

    def all(self, by: str | None = None) -> list[Request]:
        """All requests, the most urgent first; no text of anybody."""
        self._who(by)
        return self.requests.all()

    def get(self, number: int, by: str | None = None) -> Request:
        """One request; no text of anybody. NotFound if there is none."""
        self._who(by)
        return self.requests.get(number)

    def receipt(self, number: int, by: str | None = None) -> dict[str, Any]:
        """The signed receipt of a request as it stands."""
        request = self.get(number, by)
        checkpoint = str(self.rooms.ledger.checkpoint().note)
        key = self.rooms.secrets.signing_key()
        texts = self.requests.texts(request)
        return request_receipt.receipt(self.rooms.config, request, texts, self._now(), checkpoint, key)

    def days_left(self, request: Request) -> int:
        """Until a request is due, of today."""
        return request.days_left(self.rooms.clock().astimezone(UTC).date())

    def objectable(self) -> list[str]:
        """The purposes to which the law lets a customer object: what rests on an interest, and direct marketing in any case."""
        purposes = self.rooms.config.purposes.values()
        return [p.name for p in purposes if p.basis in INTERESTS or p.data_use.startswith(MARKETING)]

    def whose(self, request: Request) -> int | None:
        """Whose a request is by now; None where we hold nothing of whoever asks."""
        return self._person(request)

    def duties(self, person: int) -> tuple[Duty, ...]:
        """What legal duties would keep of a person, were she erased now: how much, and nothing of what it says."""
        rooms = self.rooms
        if not rooms.rights.duties.holding:
            return ()
        with rooms.con.cursor() as con:
            return tuple(self._duties(Copy(rooms.lake, rooms.vault, con, self._members(person), person)))

    # what is done

    def _copied(self, request: Request, out: Path, language: str) -> tuple[Request, Keys | None]:
        rooms, person = self.rooms, self._person(request)
        copy = None if person is None else Copy(rooms.lake, rooms.vault, rooms.con.cursor(), self._members(person), person)
        try:
            head = rooms.ledger.checkpoint()
            about = About(
                request=request.id, person=person, made_at=rooms.clock(),
                consents=self._consents(person), uses=lambda: rooms.people.uses(person) if person is not None else (),
                duties=tuple(self._duties(copy)), **self._closed(request),
                checkpoint=str(head.note), size=head.size, root=head.root.hex(),
            )  # fmt: skip
            portable = request.kind == "portability"
            made = copies.write(out, rooms.config, copy, about, language=language, portable=portable)
        finally:
            if copy is not None:
                copy.con.close()
        outcome = {
            "rows": made.rows, "files": made.files, "manifest": made.manifest,
            "versions": [list(v) for v in made.versions], "categories": list(made.categories),
        }  # fmt: skip
        return msgspec.structs.replace(request, outcome=outcome), self._keys(request)

    def _erased(self, request: Request) -> tuple[Request, Keys | None]:
        rooms, person = self.rooms, self._person(request)
        if request.erasure is None and person is None:
            return msgspec.structs.replace(request, outcome={"keys": 0, "held": []}), None
        if request.erasure is None:
            begun: list[Request] = []

            def began(erasure: str) -> None:
                begun.append(msgspec.structs.replace(request, erasure=erasure))
                self.requests.put(begun[0])

            plan, proofs = rooms.rights.erase([int(person or 0)], began)
            erasure = str(begun[0].erasure)
        else:
            erasure = request.erasure
            plan, proofs = rooms.rights.again(erasure)
        request = self.requests.get(request.id)  # what she wrote is gone
        swept = rooms.rights.due()
        outcome = {
            "keys": len(plan.who.keys),
            "tables": {t: {"rows": n, "fate": fate} for t, (n, fate) in sorted(plan.rows.items())},
            "held": rooms.rights.duties.told(erasure),
            "sweep": swept.date().isoformat() if swept else None,
            "stores": {p.store: p.note or str(p.removed) for p in proofs},
            "unlisted": rooms.relist(),
        }
        keys = rooms.ledger.keep(BitMap(plan.who.keys), "key") if plan.who.keys else None
        return msgspec.structs.replace(request, outcome=outcome), keys

    def _corrected(self, request: Request) -> tuple[Request, Keys | None]:
        """Lands the new values; the next turn brings them into her profile and all that is made from it."""
        key, _ = self._held(request)
        texts = self.requests.texts(request)
        changes = {n.removeprefix(CHANGE): v for n, v in texts.items() if n.startswith(CHANGE)}
        with self.rooms.working():
            self.rooms.corrections.land(request.id, key, changes)
        return msgspec.structs.replace(request, outcome={"fields": sorted(changes)}), self._keys(request)

    def _restricted(self, request: Request) -> tuple[Request, Keys | None]:
        """Her data is stored and not used (GDPR, Art. 18): at the very next read, and in all that is made from then on."""
        key, members = self._held(request)
        with self.rooms.lake.state.together():
            self.rooms.lake.state.put(STALE, str(request.id), members)
            self.rooms.permits.restrict(request.id, key, request.spared)
        open_still = [p.name for p in self.rooms.config.purposes.values() if key not in self.rooms.permits.barred(p)]
        return msgspec.structs.replace(request, outcome={"open_still": open_still}), self._keys(request)

    def _objected(self, request: Request) -> tuple[Request, Keys | None]:
        """One purpose is closed to her data (GDPR, Art. 21), whatever a source says of her consent later."""
        key, members = self._held(request)
        with self.rooms.lake.state.together():
            self.rooms.lake.state.put(STALE, str(request.id), members)
            self.rooms.permits.close_to(request.id, key, request.purpose or "")
        return msgspec.structs.replace(request, outcome={"closed": [request.purpose]}), self._keys(request)

    def _held(self, request: Request) -> tuple[int, list[int]]:
        """A key of hers, and all of them. NotFound where we hold nothing of her."""
        person = self._person(request)
        if request.key is None or person is None:
            raise NotFound("Person", "of this request")
        return request.key, self._members(person)

    def _done(self, request: Request, keys: Keys | None, actor: str, role: str) -> Request:
        """Closes a request; a file that is asked for once more is another act of it."""
        again = request.status == "done"
        asked = request.texts.get("asked")
        if asked is not None:
            self.rooms.vault.erase((), [asked])
        texts = {n: r for n, r in request.texts.items() if n != "asked"}
        outcome = request.outcome
        tables = tuple((str(t), int(v)) for t, v in outcome.get("versions", ()))
        categories = tuple(outcome.get("categories", ()))
        request = msgspec.structs.replace(
            request, status="done", running=False, texts=texts,
            outcome={k: v for k, v in outcome.items() if k not in ("versions", "categories")},
        )  # fmt: skip
        act = f"{request.kind} done{' again' if again else ''}"
        return self.requests.note(request, act, actor, role, keys=keys, tables=tables, categories=categories)

    # parts

    def _who(self, by: str | None) -> tuple[str, str]:
        """Who acts: an officer, whom else a door has let work here, or the customer whom it has signed in."""
        if by is not None:
            return by, ""
        if self._role:
            return self.me, self._role
        return access.who(self.rooms.config, ROLE, "operate", self.me).actor.name, ROLE

    def _check_facts(
        self, kind: Kind, purpose: str | None, changes: Mapping[str, str] | None, spared: Iterable[str]
    ) -> None:
        if purpose is not None and kind != "objection":
            raise BadInput(f"A purpose belongs to an objection, not to {kind}.")
        if changes and kind != "correction":
            raise BadInput(f"New values belong to a correction, not to {kind}.")
        if spared and kind != "restriction":
            raise BadInput(f"Purposes that stay open belong to a restriction, not to {kind}.")
        for named in (*spared, *((purpose,) if purpose else ())):
            self.rooms.people.check_purpose(named)
        if kind == "objection":
            self._check_objection(purpose)
        if kind == "correction":
            self.rooms.corrections.check(changes or {})

    def _check_objection(self, named: str | None) -> None:
        """Raises BadInput where the law lets nobody object."""
        purposes, objectable = self.rooms.config.purposes, self.objectable()
        if named is None:
            raise BadInput(f"An objection is to a purpose. Give --purpose: {', '.join(objectable) or 'none here can be'}.")
        if named not in objectable:
            basis = purposes[named].basis
            other = "withdraw her consent" if basis == "consent" else "restrict or erase"
            raise BadInput(f"The purpose {named} rests on {basis}: to that nobody can object. Instead: {other}.")

    def _one(self, value: str) -> int | None:
        """The only person of an identifier; None for nobody's."""
        found = self.rooms.people.find(value)
        if len(found) > 1:
            raise OfSeveral(found)
        return found[0] if found else None

    def _anchor(self, person: int | None, value: str | None) -> int | None:
        """The key by which she is found again: the identifier that she named, else her oldest."""
        if person is None:
            return None
        members = self._members(person)
        named = [self.rooms.vault.resolve(kind, [s], mint=False)[0] for kind in KINDS if value and (s := spelt(kind, value))]
        return next((int(k) for k in named if int(k) in members), members[0])

    def _members(self, person: int) -> list[int]:
        found = self.rooms.people.keys(person)
        if not found:
            raise NotFound("Person", str(person))
        return found

    def _person(self, request: Request) -> int | None:
        """Whose the request is by now: persons join and split, her key stays."""
        if request.key is None:
            asked = self.requests.texts(request).get("asked")
            return self._one(asked) if asked else None
        return self.rooms.people.person_of(request.key)

    def _keys(self, request: Request) -> Keys | None:
        person = None if request.person is None else self._person(request)
        members = [] if person is None else self.rooms.people.keys(person)
        return self.rooms.ledger.keep(BitMap(members), "key") if members else None

    def _check_same(self, request: Request, actor: str, role: str) -> None:
        """What is done is done to the person whose identity was checked."""
        person = self._person(request)
        if person == request.person:
            return
        changed = msgspec.structs.replace(request, status="verifying", check=Check())
        self.requests.note(changed, "her records were joined or split: identity to be verified again", actor, role)
        raise NotAllowed(
            f"The records behind request {request.id} were joined or split since her identity was verified.",
            f"Look (tessera person why {person}) and verify again." if person else "Verify again.",
        )

    def _waiting(self, number: int) -> Request:
        request = self.requests.get(number)
        if not request.open:
            raise BadInput(f"Request {number} is {request.status} already.")
        return request

    def _said(self, request: Request, name: str, text: str, act: str, actor: str, role: str, **changed: Any) -> Request:
        request = msgspec.structs.replace(request, **changed)
        return self.requests.note(request, act, actor, role, {name: text.strip()})

    def _closed(self, request: Request) -> dict[str, tuple[str, ...]]:
        """The purposes that are closed to her data by her own requests."""
        key, permits = request.key, self.rooms.permits
        purposes = [] if key is None else [p for p in self.rooms.config.purposes.values() if self._barred(p, key)]
        objected = {to for held, to in permits.objections() if key is not None and held in self._of_one(key)}
        return {
            "objections": tuple(p.name for p in purposes if p.name in objected),
            "restricted": tuple(p.name for p in purposes if p.name not in objected),
        }

    def _of_one(self, key: int) -> set[int]:
        person = self.rooms.people.person_of(key)
        return {key} if person is None else {key, *self.rooms.people.keys(person)}

    def _barred(self, purpose: Purpose, key: int) -> bool:
        return key in self.rooms.permits.bars(purpose, "key")

    def _consents(self, person: int | None) -> dict[str, Any] | None:
        if person is None:
            return None
        said = self.rooms.people.said(person)
        ends = self.rooms.permits.endings(self.rooms.people.keys(person))
        return receipt.receipt(self.rooms.config, person, said, ends, self.rooms.clock().astimezone(UTC))

    def _duties(self, copy: Copy | None) -> Iterable[Duty]:
        if copy is None:
            return
        kept = list(self.rooms.rights.duties.of(copy))
        for purpose in self.rooms.rights.duties.holding:
            mine = [k for k in kept if k.duty == purpose.name]
            if mine:
                until = max(k.until for k in mine).isoformat()
                yield Duty(purpose=purpose.name, sentence=purpose.sentence, tables=purpose.holds, rows=len(mine), until=until)

    def _now(self) -> str:
        moment: datetime = self.rooms.clock()
        return moment.astimezone(UTC).isoformat()


