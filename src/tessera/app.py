"""What an open workspace can be asked to do: land, turn, answer, erase, keep copies; each act is an entry of the ledger."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from pyroaring import BitMap

from tessera import ancestry, backup, decided
from tessera.backup import Backup
from tessera.breach import Found, Sought, look
from tessera.config import Contract
from tessera.data import comebacks, profiles, said, sources
from tessera.data.comebacks import Act
from tessera.data.landed import Landed
from tessera.data.quality import QUALITY, kpis
from tessera.data.quarantine import Opened, Replayed
from tessera.data.raw import ORDERS, QUARANTINE, RATES, RAW
from tessera.data.steps import acts
from tessera.desk import STALE
from tessera.errors import BadInput, BadSource, NotConsented, NotFound, Refused
from tessera.house import MACHINE, House, find, settings, words
from tessera.lake.engine import literal, mapped, rows
from tessera.lake.step import Step
from tessera.lake.view import View, over
from tessera.loop import STEPS, Turn, Turned, tables
from tessera.trust import access, consent, explained
from tessera.trust.access import Reader
from tessera.trust.anchor import Anchored, Yes
from tessera.trust.answers import Answer
from tessera.trust.entries import Keys, Use
from tessera.trust.erasures import ErasureList
from tessera.trust.expiry import Burnt
from tessera.trust.explained import Cell, Explained
from tessera.trust.rights import Plan, Swept
from tessera.trust.secrets import Secrets
from tessera.trust.sessions import Sessions
from tessera.trust.tables import CONSENTS, MEMBERSHIP
from tessera.trust.versions import Standing
from tessera.words import Progress, silent


@dataclass(frozen=True, kw_only=True)
class Erasure:
    """What an erasure did at once, and when the rest is due."""

    plan: Plan
    entry: int
    due: datetime | None
    swept: Swept | None
    unlisted: str = ""
    """Why the erasure list that is kept elsewhere could not be brought up to date; empty if it was, or is not kept."""
    held: Sequence[dict[str, Any]] = ()
    """What legal duties keep of her: purpose, table, rows, until."""


class App(House):
    """One open workspace: what it can be asked to do."""

    # data

    def sync(self, names: Iterable[str] = (), progress: Progress = silent) -> dict[str, Landed | BadSource]:
        """Lands what is new at the sources (all, or those named); one that fails is told of, and the others go on."""
        wanted = list(names)
        for n in wanted:
            self.contract(n)
        with self._working():
            with self.landing.session():
                made = self._sync(wanted, progress)
            decided.tell(self)
            return made

    def _sync(self, wanted: list[str], progress: Progress) -> dict[str, Landed | BadSource]:
        made: dict[str, Landed | BadSource] = {}
        for contract in self.config.sources:
            if wanted and contract.name not in wanted:
                continue
            landed = Landed(source=contract.name)
            try:
                chunks = sources.read(contract, self.config, self.state, self.secrets)
                made[contract.name] = self.landing.land(contract, chunks, progress, into=landed)
                self._synced(contract, landed)
            except BadSource as bad:
                made[contract.name] = bad
                self._synced(contract, landed, bad.reason)
            except BaseException:
                # On a full disk this may fail too, and the first error is the one to tell.
                with suppress(Exception):
                    self._synced(contract, landed, "it broke off; run it again")
                raise
        return made

    def turn(
        self, *, full: bool = False, rest: bool = False, sync: bool = True, progress: Progress = silent
    ) -> tuple[dict[str, Any], Turned]:
        """One turn: lands what is new, runs the stale steps, and what is due of erasures and old versions. rest: without what
        moves by the day and was made today."""
        with self._working():
            with self.landing.session():
                landed = self._sync([], progress) if sync else {}
            decided.tell(self)
            if waits := self.state.items(STALE):
                self.landing.touch(sorted({k for keys in waits.values() for k in keys}), [(STALE, n) for n in waits])
            self.corrections.settle()
            self.endings.reopen()
            turn = Turn(self.config, self.lake, self.gate, self.con, self.clock, self.vault)
            done = turn.run(self._tell, full=full, rest=rest, progress=progress)
            # Who is who may have become known only now: her other records are judged too.
            if self.corrections.settle():
                done = turn.run(self._tell, rest=rest, progress=progress)
            for purpose in {step.purpose for step in STEPS if step.name in done.ran}:
                self.permits.used(self.config.purposes[purpose])  # one turn is one use
            self.endings.burn()
            self.upkeep()
            if turn.models.forgotten():
                done.ran |= turn.run(self._tell, rest=rest, progress=progress).ran
            keep = timedelta(days=self.config.history_days)
            for table in self.lake.tables:
                self.lake.compact(self.con, table)
                self.lake.vacuum(table, keep)
            if self.anchors.due():
                # What fails here, a chain or its settings, fails no turn: the next one tries again.
                try:
                    done.anchored = self.anchor()
                except BadInput as no:
                    done.anchored = no
            return dict(landed), done

    def refit(self, model: str, progress: Progress = silent) -> Turned:
        """Fits a model anew from what stands, and brings up to date what hangs on it. Raises NotFound."""
        known = sorted({step.model for step in STEPS if step.model})
        if model not in known:
            raise NotFound("Model", model, known)
        self.state.put("refit", model, self.clock().isoformat())
        return self.turn(sync=False, progress=progress)[1]

    def anchor(self) -> Anchored:
        """Anchors the ledger's head now, with all that waits for the chain (see Anchors.now); where none is named, on the
        embedded one from now on. Raises BadChain or BadInput."""
        with self._working():
            self.anchors.begin()
            wanted = self.anchors.asked is not None and self.anchors.asked.consents
            return self.anchors.now(self._standing if wanted else None)

    def synced(self) -> dict[str, dict[str, Any]]:
        """By source, its last sync: at, rows, kept, quarantined, error; sources that never were are not there."""
        return self.state.items("synced")

    def check(self, name: str) -> list[str]:
        """Sentences on a source: whether it is reached, and how it compares with its contract. Raises BadSource."""
        return sources.check(self.contract(name), self.config, self.state, self.secrets)

    def replay(self, numbers: Iterable[int] | None = None, source: str | None = None, progress: Progress = silent) -> Replayed:
        """Lands quarantined rows again that keep their contract now: those named, those of a source, or all."""
        if source is not None:
            self.contract(source)
        with self._working():
            done = self.quarantine.replay(numbers, source, progress)
        for name, landed in done.landed.items():
            self._use("replay", "operate", [(self.landing_table(self.contract(name)), None)], rows=landed.kept)
        return done

    def contract(self, name: str) -> Contract:
        """The source's contract; NotFound with the nearest name."""
        found = {c.name: c for c in self.config.sources}
        if name not in found:
            raise NotFound("Source", name, found)
        return found[name]

    def landing_table(self, contract: Contract) -> str:
        """The raw table that a source fills."""
        return RAW[contract.record].name

    # reading

    def reader(self, role: str | None, purpose: str, actor: str | None = None) -> Reader:
        """An actor (by default the user of this machine) in a role, for a purpose. Raises as `access.who`."""
        return access.who(self.config, role, purpose, actor)

    def sql(self, question: str, *, purpose: str, role: str | None = None) -> Answer:
        """Answers one SELECT through the gate; what is refused is in the ledger too."""
        try:
            reader = self.reader(role, purpose)
        except Refused as no:
            known = role if role in self.config.access.roles else ""
            use = Use(actor=self._me(), role=known or "", act="read", purpose=purpose, verdict="refused", reason=no.reason)
            self.ledger.append(use)
            raise
        return self.answers.ask(question, reader)

    def answer(
        self, her: Reader, key: int, purpose: str, *, agree: bool, language: str, until: datetime | None = None,
        once: bool = False,
    ) -> str:  # fmt: skip
        """A customer's own answer to a purpose, at her own door; it holds from the next read on. Returns the state that it is
        now in. key: the identifier by which she came in. until, once: when her yes ends, at a moment or with the first use.
        Raises NotFound for a purpose, BadInput for one without consent, or for an end that is none."""
        self.people.check_purpose(purpose)
        asked = self.config.purposes[purpose]
        if not asked.needs_consent:
            raise BadInput(f"{purpose} rests on another basis than consent ({asked.basis}), so there is nothing to choose.")
        if (until or once) and not agree:
            raise BadInput("Only a yes ends: leave out until and once, or agree.")
        if (until and once) or (until and until <= self.clock().astimezone(UTC)):
            raise BadInput("A yes ends at a moment to come (until), or with its first use (once); give one of them.")
        assert her.subject
        rows_ = self.answers.ask(f"SELECT state FROM consents WHERE purpose = {literal(purpose)}", her).table
        before = set(rows_.column(0).to_pylist())
        state = "given" if agree else "withdrawn" if "given" in before else "refused"
        told = said.Said(
            key=key, purpose=purpose, state=state, wording=asked.version, language=language, until=until
        )
        with self._working():
            while not said.land(self.landing, self.con, told):
                if self.people.subject(key) is None:
                    raise NotFound("Person", str(her.subject.person))
        if agree:
            self.permits.reopen((k, purpose) for k in her.subject.keys)
        if until or once:
            self.permits.end({(key, purpose): until})
        keys, ends = self.ledger.keep(BitMap([her.subject.person]), "person"), f", {_ends(until)}" if until or once else ""
        self.ledger.append(
            Use(actor=her.actor.name, role=her.role, act="consent", purpose=purpose, rows=1, keys=keys, note=state + ends)
        )
        return state

    def end_consent(self, person: int, purpose: str, until: datetime | None) -> None:
        """A customer allows a purpose until a moment, or (None) for one use; whoever notes it for her is an officer.

        At the end the purpose is closed to her data with the next read, and the next turn burns what was held for it alone.
        Raises NotFound for a person or a purpose, BadInput for a purpose that rests on no consent, NotConsented without a yes.
        """
        self.people.check_purpose(purpose)
        asked = self.config.purposes[purpose]
        reader = access.who(self.config, "officer", "operate", self._me())
        if not asked.needs_consent:
            raise BadInput(f"{purpose} rests on another basis than consent ({asked.basis}), so there is nothing to end.")
        keys = self.people.keys(person)
        if not keys:
            raise NotFound("Person", str(person))
        if BitMap(keys).isdisjoint(self.permits.ids(asked, "key")):
            raise NotConsented(purpose)
        self.permits.end({(keys[0], purpose): until})
        self.ledger.append(
            Use(
                actor=reader.actor.name, role=reader.role, act="consent", purpose=purpose,
                keys=self.ledger.keep(BitMap(keys), "key"), note=_ends(until),
            )
        )

    def explain(self, role: str, table: str, column: str | None = None, *, purpose: str) -> Explained:
        """What a role sees of a table or column for a purpose, and which line says so; nobody's data is read."""
        return explained.explain(self.gate, role, table, column, purpose)

    def matrix(self, role: str | None = None, purpose: str | None = None) -> list[Cell]:
        """Every cell of who may see what for what; of one role or for one purpose, if named."""
        return explained.matrix(self.gate, [role] if role else (), [purpose] if purpose else ())

    def approve(self, change: str, actor: str | None = None, roles: Collection[str] | None = None) -> Standing:
        """Approves the change of access that waits, named by its digest; in force from the next opening on.

        actor: by default the user of this machine. roles: those of hers that count where she is (None: all)."""
        self.standing = self.versions.approve(self._said, self.standing, change, actor or self._me(), roles)
        return self.standing

    def quarantined(self, number: int, *, purpose: str, role: str | None = None, actor: str | None = None) -> Opened:
        """A quarantined row as it came, for whom its contract's categories are all clear; yes and no are entries. actor: by
        default the user of this machine."""
        reader = self.reader(role, purpose, actor)
        said = Use(actor=reader.actor.name, role=reader.role, act="read", purpose=purpose, note=f"quarantined row {number}")
        try:
            opened = self.quarantine.show(number, reader)
        except Refused as no:
            self.ledger.append(msgspec.structs.replace(said, verdict="refused", reason=no.reason))
            raise
        keys = self.ledger.keep(BitMap(opened.keys), "key") if opened.keys else None
        at = ((QUARANTINE.name, self.lake.version(QUARANTINE.name) or 0),)
        use = msgspec.structs.replace(said, tables=at, categories=opened.categories, rows=1, keys=keys)
        self.ledger.append(use)
        return opened

    def unrated(self) -> list[tuple[str, int]]:
        """Currencies in which orders have no rate of their day, and how many orders that is; no row of anybody."""
        if self.lake.version(ORDERS.name) is None:
            return []
        purpose = self.config.purposes["operate"]
        views = {t: self.gate.for_step(t, purpose) for t in (ORDERS.name, RATES.name)}
        self.gate.load(self.con, views.values())
        return [(str(c), int(n)) for c, n in rows(self.con, over(views, profiles.unrated(self.config.currency)))]

    def quality(self) -> list[dict[str, Any]]:
        """How each department's data stands against its goal, worst first (see quality.kpis); counts, no row."""
        select = kpis(self.lake.relation(QUALITY.name), [c.name for c in self.config.sources], self.clock())
        with mapped("quality"):
            found: list[dict[str, Any]] = self.con.sql(select).to_arrow_table().to_pylist()
        return found

    # erasure

    def erase(self, persons: Iterable[int], *, sweep: bool = False) -> Erasure:
        """Erases people: at once through gate and vault; physically now or with the next sweep."""
        begun: list[str] = []
        with mapped("the erasure"):
            plan, proofs = self.rights.erase(persons, begun.append)
            held = self.rights.duties.told(begun[0])
        keys = self.ledger.keep(BitMap(plan.who.keys), "key")
        note = "; ".join(f"{p.store}: {p.note or p.removed}" for p in proofs)
        use = Use(actor=self._me(), role="owner", act="erase", purpose="operate", keys=keys, note=note[:200])
        entry = self.ledger.append(use)
        unlisted = self._relist()
        swept = self.sweep() if sweep else None
        return Erasure(plan=plan, entry=entry.seq, due=self.rights.due(), swept=swept, unlisted=unlisted, held=held)

    def welcome(
        self, act: Act, identifiers: Mapping[str, str], choices: Mapping[str, comebacks.Answer], *, by: str, role: str = "",
        wording: str = "", language: str = "en",
    ) -> list[int]:
        """A customer's own act at a door that has signed her in, with a new choice: the only way back after an erasure.

        by: the door, or the program that stands at it, in a role. See Comebacks.welcome; her keys, and an entry of the ledger.
        """
        with self._working():
            keys = self.comebacks.welcome(act, identifiers, choices, wording=wording, language=language)
        kept = self.ledger.keep(BitMap(keys), "key")
        self.ledger.append(Use(actor=by, role=role, act="welcome", purpose="operate", keys=kept, note=f"{act}, a new choice"))
        return keys

    def breach(self, sought: Sought, *, listed: bool = False) -> Found:
        """Who was held by certain uses (see breach.look)."""
        return look(self.config, self.ledger, self.people, self.clock, sought, self._me(), listed=listed)

    def sweep(self) -> Swept:
        """The physical part of all erasures that wait."""
        with self._working():
            swept = self.rights.sweep()
            if swept.people:
                self.ledger.append(
                    Use(actor=MACHINE, role="machine", act="sweep", purpose="operate", rows=sum(swept.rows.values()))
                )
            return swept

    def burn(self) -> Burnt:
        """Takes out of the files what is too old now, whatever day the next burn is due."""
        with self._working():
            return self.expiry.burn(self._me(), "owner")

    def upkeep(self) -> None:
        """What is due of erasures, ends and terms: with each turn, and by itself under `serve`."""
        with self._working():
            self.letters.clear()
            due, over = self.rights.due(), self.expiry.due()
            if due is not None and due <= self.clock():
                self.sweep()
            if self.endings.due():
                self.endings.burn()
            self._lapse()
            if over is not None and over <= self.clock():
                self.expiry.burn(MACHINE, "machine")

    def _lapse(self) -> None:
        """What a legal duty kept of erased people goes when its time is over. The entry first: a kill after it makes the next
        turn write it once more, and never less."""
        over = self.rights.duties.over()
        if over:
            use = Use(actor=MACHINE, role="machine", act="lapse", purpose="operate", rows=len(over), note="legal duties over")
            self.ledger.append(use)
            self.rights.duties.lapse(over)

    # keys and copies

    def rotate(self, progress: Progress = silent) -> tuple[int, int]:
        """A new epoch of the vault (see Vault.rotate): its number, and how many records were sealed again."""
        self.state.put("keys", "rotated", self.clock().astimezone(UTC).isoformat())
        epoch, cells = self.vault.rotate(progress)
        self.note("rotate", f"vault epoch {epoch}: {cells} records sealed again, older keys destroyed")
        return epoch, cells

    def backup(self, file: Path, keys: Sequence[Secrets], progress: Progress = silent) -> Backup:
        """Writes a backup that each of these keys opens, between two writes of tables (see backup.write)."""
        with self._working():
            rooms = (self.state, self.vault, self.ledger, self.lake)
            made = backup.write(self.config.root, file, rooms, keys, self.secrets, self.clock(), progress)
        self.state.put("backup", "last", self.clock().astimezone(UTC).isoformat())
        self.note("backup", f"{made.members} parts, {made.size} bytes, opens with {', '.join(made.opens_with)}")
        return made


    def restored(self, made: str, known: ErasureList | None) -> int | None:
        """Erases again whom a list names, in a workspace that was just restored; says how many people were here again."""
        Sessions(self.state, self.clock).end_all()  # whoever was signed out since is not signed in again
        self.state.drop("keys", "erasures")  # the list elsewhere knows more than this workspace may
        if known is None:
            self.note("restore", f"backup of {made}, no erasures replayed")
            return None
        with self._working():
            who = self.rights.replay(known)
        kept = self.ledger.keep(BitMap(who.keys), "key") if who.keys else None
        self.note("restore", f"backup of {made}, erasures known until {known.at} replayed", kept)
        self.sweep()
        return len(who.persons)

    def note(self, act: str, note: str, keys: Keys | None = None) -> None:
        """Enters into the ledger what the owner of the machine did with the workspace as a whole."""
        use = Use(actor=self._me(), role="owner", act=act, purpose="operate", keys=keys, note=note[:200])
        self.ledger.append(use)

    # parts


    def _standing(self) -> Iterable[Yes]:
        """Every yes that holds now, for the root over them; that they were read is an entry."""
        if any(self.lake.version(t.name) is None for t in (CONSENTS, MEMBERSHIP)):
            return ()
        purpose = self.config.purposes["operate"]
        views = {t.name: self.gate.for_step(t.name, purpose) for t in (CONSENTS, MEMBERSHIP)}
        self.gate.load(self.con, views.values())
        at = self.clock().astimezone(UTC).isoformat()
        select = consent.standing(self.config.purposes.values(), at, acts(self.config))
        found = self.con.execute(over(views, select)).fetchnumpy()
        self.ledger.append(
            Use(
                actor=MACHINE, role="machine", act="anchor", purpose="operate", rows=len(found["bit"]),
                tables=tuple((v.table, v.version) for v in views.values() if v.version is not None),
                categories=tuple(sorted({c for v in views.values() for c in v.categories})),
                keys=self.ledger.keep(self.permits.ids(purpose, "key"), "key", "at most"),
                note="the root over all consents that hold",
            )
        )
        return zip(*(found[c].tolist() for c in ("bit", "key_id", "until")), strict=True)


    def _tell(self, step: Step, views: Iterable[View], version: int, rows: int) -> None:
        views = list(views)
        purpose = self.config.purposes[step.purpose]
        keys = self.ledger.keep(self.permits.ids(purpose, "key", step.upkeep), "key", "at most")
        entry = self.ledger.append(
            Use(
                actor=MACHINE,
                role="machine",
                act="step",
                purpose=step.purpose,
                tables=tuple((v.table, v.version) for v in views if v.version is not None),
                categories=tuple(sorted({c for v in views for c in v.categories})),
                rows=rows,
                keys=keys,
                note=f"{step.name} -> {step.writes.name} version {version}{_opened(step)}",
            )
        )
        ancestry.record(step, self.config, views, version, rows, entry.seq, self.clock())

    def _synced(self, contract: Contract, landed: Landed, error: str = "") -> None:
        """Notes how a sync ended; what landed is an entry of the ledger, also if the rest could not be read."""
        at, counts = self.clock().astimezone(UTC).isoformat(), ("rows", "kept", "quarantined")
        self.state.put("synced", contract.name, {"at": at, "error": error, **{c: getattr(landed, c) for c in counts}})
        if landed.kept or landed.quarantined:
            self._use("landing", "operate", [(self.landing_table(contract), None)], rows=landed.kept)


def _opened(step: Step) -> str:
    return "; opened " + ", ".join(f"{table}.{column}" for table, column in step.opens) if step.opens else ""


def _ends(until: datetime | None) -> str:
    return f"ends {until.astimezone(UTC).isoformat(timespec='seconds')}" if until else "ends with the first use"


__all__ = ["App", "Erasure", "Refused", "find", "settings", "tables", "words"]
