"""Questions about one person: who she is, how she came together, what was done with her; each use is an entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from tessera import receipt as receipts
from tessera.config import Config
from tessera.data.raw import LINKS, RECORDS
from tessera.data.steps import acts
from tessera.data.why import Why, why
from tessera.errors import NotAllowed, NotConsented, NotFound
from tessera.lake.engine import Connection, rows
from tessera.lake.view import View, over
from tessera.portrait import Portrait, portrait
from tessera.trust import access, consent
from tessera.trust.access import Reader
from tessera.trust.anchor import Anchors
from tessera.trust.answers import Answers
from tessera.trust.commitments import Opening
from tessera.trust.entries import Entry, Use
from tessera.trust.gate import Gate
from tessera.trust.keysets import Unit
from tessera.trust.ledger import Ledger
from tessera.trust.members import Members
from tessera.trust.proofs import Proof, prove
from tessera.trust.tables import CONSENTS, MEMBERSHIP
from tessera.trust.vault import Vault
from tessera.words import KINDS, Clock, spelt

LOOKED_UP = {
    "user_id": "user.unique_id", "email": "user.contact.email", "phone": "user.contact.phone_number",
    "device_id": "user.device", "anonymous_id": "user.unique_id.pseudonymous",
}  # fmt: skip
"""The category of each kind of identifier: who looks somebody up by one has to see that in clear."""


class People:
    """What an open workspace can be asked of a person. me: the actor who asks."""

    def __init__(
        self, config: Config, gate: Gate, vault: Vault, ledger: Ledger, answers: Answers, con: Connection,
        clock: Clock, me: str, anchors: Anchors, members: Members,
    ) -> None:
        self.anchors, self.members = anchors, members
        self.config, self.gate, self.vault, self.ledger = config, gate, vault, ledger
        self.answers, self.con, self.clock, self.me = answers, con, clock, me

    def acting(self, actor: str) -> People:
        """The same questions, asked by another actor."""
        return People(
            self.config, self.gate, self.vault, self.ledger, self.answers, self.con, self.clock, actor, self.anchors,
            self.members,
        )  # fmt: skip

    def check_purpose(self, name: str | None) -> None:
        """Raises NotFound, with the nearest name, for a purpose that is none."""
        if name is not None and name not in self.config.purposes:
            raise NotFound("Purpose", name, self.config.purposes)

    def receipt(self, person: int, *, of: str | None, purpose: str, role: str | None) -> dict[str, Any]:
        """What a person has said, to one purpose or to all (see the module receipt); its digest is an entry of the ledger."""
        return self.receipt_for(access.who(self.config, role, purpose, self.me), person, of)

    def receipt_for(self, reader: Reader, person: int, of: str | None = None) -> dict[str, Any]:
        """The same for a reader that a door has before it."""
        if not self.known(person):
            raise NotFound("Person", str(person))
        about = self._about(reader, person)
        said = self.answers.ask(receipts.ASKED.format(person=int(person)), about).table.to_pylist()
        ends = self.gate.permits.endings(self.members.keys(person))
        made = receipts.receipt(self.config, person, said, ends, self.clock().astimezone(UTC), of)
        keys = self.ledger.keep(BitMap([person]), "person")
        self.ledger.append(
            Use(
                actor=reader.actor.name, role=reader.role, act="receipt", purpose=reader.purpose.name, rows=len(said),
                keys=keys, note=f"receipt {made['receipt_id']}",
            )
        )
        return made

    def known(self, person: int) -> bool:
        """Whether that number is a person's who is not being erased."""
        if person in self.gate.permits.blocked_persons:
            return False
        return bool(self.members.keys(person))

    def why(self, person: int) -> Why:
        """How a person's records were joined, without a value; NotFound for a number that is nobody's."""
        views = self._views(LINKS.name, MEMBERSHIP.name, upkeep=False)
        found = why(self.con, views, self.config.caps, person) if self.known(person) else None
        if found is None:
            raise NotFound("Person", str(person))
        keys = self.ledger.keep(BitMap(found.keys), "key")
        read = tuple((v.table, v.version) for v in views.values() if v.version is not None)
        self.ledger.append(
            Use(actor=self.me, role="", act="why", purpose="operate", tables=read, rows=len(found.pairs), keys=keys)
        )
        kinds = dict(zip(found.keys, self.vault.kind_of(list(found.keys)), strict=True))
        return replace(found, keys=kinds)

    def uses_of(self, person: int, limit: int) -> list[Entry]:
        """The newest ledger entries that touched a person or any of her keys; NotFound for a number of nobody."""
        return list(islice(self.uses(person), limit))

    def uses(self, person: int) -> Iterator[Entry]:
        """All of them, newest first, read as they are asked for."""
        hers = [self.ledger.of(ids, unit, newest_first=True) for unit, ids in self._ids_of(person).items()]
        return merge(*hers, key=lambda e: e.seq, reverse=True)

    def keys(self, person: int) -> list[int]:
        """Her identifiers by number, ascending; none for nobody, and for whoever is being erased."""
        return self.members.keys(person) if person not in self.gate.permits.blocked_persons else []

    def all_keys(self) -> BitMap:
        """Every identifier that is somebody's now."""
        return self._column("SELECT key_id FROM membership")

    def all_persons(self) -> BitMap:
        """Everybody who is somebody now."""
        return self._column("SELECT DISTINCT person_id FROM membership")

    def of_keys(self, keys: BitMap) -> BitMap:
        """The persons of a set of identifiers; those of nobody fall out."""
        if not keys:
            return BitMap()
        views = self._views(MEMBERSHIP.name)
        self.con.register("asked_keys", pa.table({"key_id": pa.array(np.asarray(keys.to_array()), pa.int32())}))
        try:
            found = self.con.execute(
                over(views, "SELECT DISTINCT person_id FROM membership SEMI JOIN asked_keys USING (key_id)")
            ).fetchnumpy()["person_id"]
        finally:
            self.con.unregister("asked_keys")
        return BitMap(np.asarray(found).astype(np.uint32))

    def _column(self, select: str) -> BitMap:
        views = self._views(MEMBERSHIP.name)
        (found,) = self.con.execute(over(views, select)).fetchnumpy().values()
        return BitMap(np.asarray(found).astype(np.uint32))

    def person_of(self, key: int) -> int | None:
        """Whose an identifier is by now; None if nobody's."""
        select = f"SELECT person_id FROM membership WHERE key_id = {int(key)}"
        found = rows(self.con, over(self._views(MEMBERSHIP.name), select))
        return int(found[0][0]) if found else None

    def said(self, person: int) -> list[dict[str, Any]]:
        """All that a person has said to purposes, for her own copy: whatever purpose she is restricted to."""
        views = self._views(CONSENTS.name, MEMBERSHIP.name)
        joined = "FROM consents JOIN membership USING (key_id)"
        asked = receipts.ASKED.format(person=int(person)).replace("FROM consents", joined)
        table = self.con.sql(over(views, f"SELECT * FROM ({asked})")).to_arrow_table()
        found: list[dict[str, Any]] = table.to_pylist()
        return found

    def proof(self, entry: int, person: int | None = None) -> Proof:
        """The proof of a ledger entry, and that it held a person; NotFound for a number of nobody, or if it did not."""
        return prove(self.ledger, entry, None if person is None else self._ids_of(person), self.anchors.over(entry))

    def commit(self, person: int, purpose: str, until: datetime | None = None) -> Opening:
        """A commitment of a person's own to her consent, for the chain (see Anchors.commit): its opening, for her alone.

        Goes to the chain with the next anchor. An entry of the ledger says that she asked, and not which commitment it is.
        Raises NotFound for a number of nobody or an unknown purpose, NotConsented, BadInput, BadChain.
        """
        keys = self._asked(person, purpose)
        made = self.anchors.commit(keys, self.config.purposes[purpose], until)
        self._committed("commit", keys, f"{purpose} until {until.isoformat() if until else 'she says so'}")
        return made

    def opening(self, person: int, purpose: str) -> Opening:
        """The opening of a person's consent under the newest anchored root (see Anchors.under). Raises as `commit`."""
        keys = self._asked(person, purpose)
        bit = 1 << self.config.purposes[purpose].bit
        views = self._views(CONSENTS.name, MEMBERSHIP.name)
        at = self.clock().astimezone(UTC).isoformat()
        hers = f"SELECT until FROM ({{}}) WHERE bit = {bit} AND key_id = {min(keys)}"
        select = consent.standing(self.config.purposes.values(), at, acts(self.config))
        found = rows(self.con, hers.format(over(views, select)))
        if not found:
            raise NotConsented(purpose)
        made = self.anchors.under(keys, self.config.purposes[purpose], int(found[0][0]))
        self._committed("opening", keys, purpose)
        return made

    def _asked(self, person: int, purpose: str) -> list[int]:
        self.check_purpose(purpose)
        if not self.known(person):
            raise NotFound("Person", str(person))
        return self.members.keys(person)

    def _committed(self, act: str, keys: list[int], note: str) -> None:
        kept = self.ledger.keep(BitMap(keys), "key")
        self.ledger.append(Use(actor=self.me, role="", act=act, purpose="operate", rows=1, keys=kept, note=note))

    def _ids_of(self, person: int) -> dict[Unit, list[int]]:
        """What the ledger's sets may have of a person: her keys, and her number; NotFound for a number of nobody."""
        if not self.known(person):
            raise NotFound("Person", str(person))
        return {"key": self.members.keys(person), "person": [person]}

    def portrait(self, person: int, *, purpose: str, role: str | None = None) -> Portrait:
        """All that a role may see of one person for a purpose, through the gate. NotAllowed if she is restricted, or
        objected to it."""
        self.check_purpose(purpose)
        return self.portrait_for(access.who(self.config, role, purpose, self.me), person)

    def portrait_for(self, reader: Reader, person: int) -> Portrait:
        """The same for a reader that a door has before it; she herself sees what nobody else may use."""
        with self.about(reader, person) as about:
            return portrait(self.answers, about, person, known=lambda _: True)

    @contextmanager
    def about(self, reader: Reader, person: int) -> Iterator[Reader]:
        """A page about one person, for the time of a `with`: a reader of her rows alone, whose entries hold her alone, whatever
        she asks. All that is asked meanwhile is one use of a consent that is good for one.

        Raises NotFound for a number of nobody, NotAllowed if she is restricted, or objected to the purpose."""
        members = self.keys(person)
        if not members:
            raise NotFound("Person", str(person))
        if reader.subject is None and person in self.gate.permits.bars(reader.purpose, "person"):
            raise NotAllowed(
                f"Person {person} is restricted or objected to {reader.purpose.name}, or her consent has ended.",
                "Her data is stored and not used. See: tessera request list --all",
            )
        try:
            yield replace(reader, about=access.Subject(person=person, keys=frozenset(members)))
        finally:
            if reader.subject is None:
                self.gate.permits.used(reader.purpose, members)  # the page is one use, not each question of it

    def _about(self, reader: Reader, person: int) -> Reader:
        """The reader of a page about one person: it reads her rows alone, and its entry holds her alone."""
        return replace(reader, about=access.Subject(person=person, keys=frozenset(self.members.keys(person))))

    def visible(self, reader: Reader, persons: Iterable[int]) -> list[int]:
        """Those of the persons whose profile the reader may see: her purpose has their consent, no row rule hides them."""
        asked = ", ".join(str(int(p)) for p in persons)
        if not asked:
            return []
        found = self.answers.ask(f"SELECT person_id FROM profiles WHERE person_id IN ({asked}) ORDER BY 1", reader)
        return [int(p) for p in found.table.column(0).to_pylist() if p not in self.gate.permits.blocked_persons]

    def find_for(self, reader: Reader, text: str) -> list[int]:
        """The persons whom an identifier belongs to, and whom the reader sees. Raises NotAllowed where no kind of identifier
        is clear for her role and purpose: who may not see e-mails may look nobody up by one."""
        access_, open_ = self.config.access, []
        for kind, category in LOOKED_UP.items():
            if access.verdict(access_, reader.role, reader.purpose, category).verdict == "clear":
                open_.append(kind)
        if not open_:
            raise NotAllowed(
                f"No kind of identifier is clear for {reader.role} and {reader.purpose.name}, so nobody can be looked up.",
                f"Ask {access_.contact}.",
            )
        return self.visible(reader, self.find(text, open_))

    def find(self, text: str, kinds: Iterable[str] = KINDS) -> list[int]:
        """The persons whom an identifier (of any of these kinds, as written anywhere) belongs to; empty if nobody."""
        select = "SELECT person_id, key_id FROM membership WHERE key_id IN ({0})"
        return self._find(text, MEMBERSHIP.name, select, kinds)

    def subject(self, key: int) -> Reader | None:
        """The person who has a key, as a reader of her own data; None where it is nobody's any more."""
        select = f"""SELECT DISTINCT person_id FROM membership WHERE key_id = {int(key)}"""
        found = rows(self.con, over(self._views(MEMBERSHIP.name), select))
        if key in self.gate.permits.blocked_keys or len(found) != 1:
            return None
        person = int(found[0][0])
        return access.herself(self.config, person, self.members.keys(person)) if self.known(person) else None

    def key_of(self, text: str, kinds: Iterable[str]) -> int:
        """The key of an identifier that joins somebody's records; 0 where it is nobody's. Unlike `find` it is no use of
        data, and no entry: it is asked for a customer who knocks at her own door."""
        for kind, spelling in _spellings(text, kinds):
            key = int(self.vault.resolve(kind, [spelling], mint=False)[0])
            if key > 0 and self.subject(key) is not None:
                return key
        return 0

    def stated(self, text: str) -> list[int]:
        """The persons in whose record an e-mail or phone stands that does not join it: unverified, or shared by many."""
        select = """SELECT m.person_id, r.key_id FROM records r JOIN membership m ON m.key_id = r.key_id
                    WHERE (r.email_key IN ({0}) OR r.phone_key IN ({0})) AND m.person_id NOT IN
                    (SELECT person_id FROM membership WHERE key_id IN ({0}))"""
        return self._find(text, RECORDS.name, select)

    def _find(self, text: str, table: str, select: str, kinds: Iterable[str] = KINDS) -> list[int]:
        """The persons whom a SELECT over the keys {0} of an identifier finds; that somebody looked is an entry."""
        resolved = (self.vault.resolve(kind, [spelt], mint=False) for kind, spelt in _spellings(text, kinds))
        keys = {int(k) for ks in resolved for k in ks if k > 0} - set(self.gate.permits.blocked_keys)
        if not keys:
            return []
        views = self._views(table, MEMBERSHIP.name)
        found = rows(self.con, over(views, select.format(", ".join(map(str, sorted(keys))))))
        persons = sorted({int(person) for person, _ in found})
        at = tuple((v.table, v.version) for v in views.values() if v.version is not None)
        kept = self.ledger.keep(BitMap(keys | {int(key) for _, key in found}), "key")
        self.ledger.append(
            Use(actor=self.me, role="", act="find", purpose="operate", tables=at, rows=len(persons), keys=kept)
        )
        return persons

    def _views(self, *tables: str, upkeep: bool = True) -> dict[str, View]:
        """These tables for the running of the service, with their permissions loaded. upkeep: also of people who are
        restricted: for who is who, and for what is hers to ask."""
        views = {t: self.gate.for_step(t, self.config.purposes["operate"], upkeep=upkeep) for t in tables}
        self.gate.load(self.con, views.values())
        return views


def _spellings(text: str, kinds: Iterable[str]) -> list[tuple[str, str]]:
    """The kinds an identifier may be of, each in its one spelling; none where nothing is left of the text."""
    return [(kind, spelling) for kind in kinds if (spelling := spelt(kind, text))]
