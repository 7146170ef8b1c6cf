"""Changes of the workspace's files: proposed, reviewed as a difference, applied with who and why; the files stay the truth.

A proposal is kept with the text that it was made from, in state.db: there a fact is durable when it is put, several are so
together, and a backup has them with the matrix in force, which lies there for the same reasons. It holds no person's value:
whom the files name works with us. Nothing is written to a file before somebody applies, and then only where the file is still
the one that the proposal was made from; whoever works with git is never written over. The file is replaced in one act, so after
a kill it is the old or the new one, and the next opening (`recover`) says which. Each step is an entry of the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from tessera.config import Access, Config
from tessera.errors import BadInput, NotAllowed, NotFound, TesseraError
from tessera.lake.state import State
from tessera.merge3 import Merged, merged
from tessera.trust.entries import NOTE_MOST, Entry, Use
from tessera.trust.traces import like_identifier
from tessera.words import Clock
from tessera.workspace_files import Opens, current, digest, listed, place, swept, would_be, write

SPACE, TEXTS = "changes", "changes.text"
SHOWN = 12
"""How many characters of a digest stand in notes."""

MOST_TEXT, MOST_WHY = 200_000, 120

Status = Literal["proposed", "applying", "applied", "withdrawn"]


class Ledger(Protocol):
    """What is asked of the ledger."""

    def append(self, use: Use) -> Entry: ...
    def entries(self, start: int = 0) -> Iterator[Entry]: ...
    def __len__(self) -> int: ...


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a proposal. since: entries of the ledger before it; entry: its own, None while it is owed."""

    at: str
    act: str
    by: str
    role: str = ""
    note: str = ""
    since: int = 0
    entry: int | None = None


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one file. base, digest: SHA-256 of what it was made from and of what is wanted; "" for a file that is not
    there. applier, role: whoever applies, while it is under way. told: why it was not applied, where that failed."""

    number: int
    file: str
    base: str
    digest: str
    why: str
    by: str
    at: str
    status: Status = "proposed"
    applier: str = ""
    role: str = ""
    told: str = ""
    history: tuple[Event, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it still waits for somebody."""
        return self.status in ("proposed", "applying")


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """Of a proposal: the text that it was made from, and the one that is wanted."""

    base: str
    text: str


@dataclass
class Applying:
    """A change whose file is written, until the workspace was opened with it. told: why it could not be; empty if it was."""

    root: Path
    proposal: Proposal
    base: str
    told: str = ""

    def undo(self, error: Exception) -> None:
        """Puts the old file back, unless somebody has changed it since; for when the workspace is closed and does not open."""
        self.told = str(error) if isinstance(error, TesseraError) else "It failed for a reason that the log has."
        if digest(current(self.root, self.proposal.file)) != self.proposal.digest:
            return
        if self.proposal.base:
            write(self.root, self.proposal.file, self.base)
        else:
            place(self.root, self.proposal.file).unlink()


class Changes:
    """The proposals of one workspace. opens: says what the files of a folder say, and raises BadWorkspace where a workspace
    could not be opened with them."""

    def __init__(self, root: Path, state: State, ledger: Ledger, clock: Clock, opens: Opens) -> None:
        self.root, self.state, self.ledger, self.clock, self._opens = root.absolute(), state, ledger, clock, opens

    # reading

    def get(self, number: int) -> Proposal:
        """One of them; NotFound."""
        found = self.state.get(SPACE, _name(number))
        if found is None:
            raise NotFound("Change", str(number))
        return msgspec.convert(found, Proposal)

    def all(self) -> list[Proposal]:
        """All of them, the newest first."""
        return [msgspec.convert(p, Proposal) for p in reversed(self.state.items(SPACE).values())]

    def texts(self, proposal: Proposal) -> Texts:
        """What it was made from, and what is wanted."""
        return msgspec.convert(self.state.get(TEXTS, _name(proposal.number)), Texts)

    def files(self) -> list[str]:
        """The files of the workspace that can be changed here and are there."""
        return listed(self.root)

    def text(self, file: str) -> str:
        """What stands in a file now; empty where there is none. Raises BadInput for one that is not changed here."""
        return current(self.root, file)

    def stale(self, proposal: Proposal) -> bool:
        """Whether the file is no longer the one that an open proposal was made from."""
        return proposal.status == "proposed" and digest(self.text(proposal.file)) != proposal.base

    def check(self, file: str, text: str) -> Config:
        """What the workspace would say with this text in the file's place. Raises BadWorkspace with every mistake, and
        nothing is written."""
        return would_be(self.root, file, text, self._opens)

    def merged(self, proposal: Proposal) -> Merged:
        """A stale proposal on what stands in the file now."""
        kept = self.texts(proposal)
        return merged(kept.base, self.text(proposal.file), kept.text)

    # acting

    def propose(self, file: str, text: str, why: str, by: str, role: str = "") -> Proposal:
        """A new proposal on the file as it stands.

        by, role: who proposes, in which role. Raises BadInput for a file that is not changed here, a text that changes nothing,
        or no why; BadWorkspace where the workspace could not be opened with it.
        """
        base = self.text(file)
        why = _sound(base, text, why)
        self.check(file, text)
        made = Proposal(
            number=self.state.next("change"), file=file, base=digest(base), digest=digest(text), why=why, by=by, at=self._now()
        )
        return self._put(made, "proposed", by, role, f"{file} {made.digest[:SHOWN]}; {why}", Texts(base=base, text=text))

    def amend(self, number: int, text: str, why: str, by: str, role: str = "") -> Proposal:
        """Another text for an open proposal, on the file as it stands now. Raises as `propose`; NotAllowed for another's."""
        found = self._waiting(number)
        if found.by != by:
            raise NotAllowed(f"Change {number} is another's.", f"Propose one of your own, or ask {found.by}.")
        base = self.text(found.file)
        why = _sound(base, text, why)
        self.check(found.file, text)
        made = msgspec.structs.replace(found, base=digest(base), digest=digest(text), why=why, told="")
        note = f"{found.file} {made.digest[:SHOWN]}; {why}"
        return self._put(made, "edited", by, role, note, Texts(base=base, text=text))

    def rebase(self, number: int, by: str, role: str = "") -> Proposal:
        """Takes a stale proposal onto the file as it stands now. Raises BadInput where both changed the same lines, BadInput
        where nothing of it is left to do, BadWorkspace where the two do not fit together."""
        found = self._waiting(number)
        base, done = self.text(found.file), self.merged(found)
        if done.clashes:
            raise BadInput(f"Change {number} and {found.file} as it stands changed the same lines. Edit it again.")
        if done.text == base:
            raise BadInput(f"All that change {number} asks for stands in {found.file} already. Withdraw it.")
        self.check(found.file, done.text)
        made = msgspec.structs.replace(found, base=digest(base), digest=digest(done.text), told="")
        note = f"{found.file} {made.digest[:SHOWN]}; onto {made.base[:SHOWN]}"
        return self._put(made, "rebased", by, role, note, Texts(base=base, text=done.text))

    def withdraw(self, number: int, by: str, role: str = "") -> Proposal:
        """Ends a proposal without a change."""
        found = self._waiting(number)
        return self._put(msgspec.structs.replace(found, status="withdrawn"), "withdrawn", by, role, found.file)

    def begin(self, number: int, seen: str, by: str, role: str, access: Access) -> Applying:
        """Writes the file. The workspace has to be opened anew then, which ends it (`recover`); where it cannot be, what is
        returned takes it back (`Applying.undo`).

        seen: the digest of the text that was reviewed. Raises BadInput where the proposal or the file is another by now,
        NotAllowed for one's own where `access` asks for a second person, BadWorkspace as `propose`.
        """
        found = self._waiting(number)
        if access.changes is not None and found.by == by:
            raise NotAllowed("You proposed this yourself, and access.yaml (changes) asks for a second person.", "Ask another.")
        if found.digest != seen:
            raise BadInput(f"Change {number} was edited since you looked at it. Look again.")
        kept = self.texts(found)
        self.check(found.file, kept.text)
        if self.stale(found):
            raise BadInput(f"{found.file} is no longer what change {number} was made from. Take it onto the file as it stands.")
        begun = msgspec.structs.replace(found, status="applying", applier=by, role=role, told="")
        self._keep(begun)
        try:
            write(self.root, found.file, kept.text)
        except OSError as no:
            self._keep(found)
            raise BadInput(f"{found.file} cannot be written here: {no.strerror}. Make the change where it is kept.") from no
        return Applying(self.root, begun, kept.base)

    def failed(self, number: int, why: str) -> None:
        """Says of a proposal why it could not be applied."""
        self._keep(msgspec.structs.replace(self.get(number), told=why[:2_000]))

    def recover(self) -> None:
        """Ends what was under way when the workspace was last let go, and writes the entries that are owed."""
        for proposal in self.all():
            if proposal.status == "applying":
                self._ended(proposal)
            else:
                self._settled(proposal)
        swept(self.root)

    def _ended(self, found: Proposal) -> None:
        by, role = found.applier, found.role
        if digest(self.text(found.file)) == found.digest:
            done = msgspec.structs.replace(found, status="applied")
            self._put(done, "applied", by, role, f"{found.file} {found.digest[:SHOWN]}, proposed by {found.by}; {found.why}")
        else:
            told = found.told or "It was broken off before the file was written."
            self._put(msgspec.structs.replace(found, status="proposed", told=told), "not applied", by, role, found.file)

    def _waiting(self, number: int) -> Proposal:
        found = self.get(number)
        if found.status != "proposed":
            raise BadInput(f"Change {number} is {found.status} already.")
        return found

    def _put(self, proposal: Proposal, act: str, by: str, role: str, note: str, texts: Texts | None = None) -> Proposal:
        """Keeps a proposal with one more step, and then writes its entry."""
        said = f"change {proposal.number} {act}: {note}"[:NOTE_MOST]
        event = Event(at=self._now(), act=act, by=by, role=role, note=said, since=len(self.ledger))
        proposal = msgspec.structs.replace(proposal, history=(*proposal.history, event))
        with self.state.together():
            if texts is not None:
                self.state.put(TEXTS, _name(proposal.number), msgspec.to_builtins(texts))
            self._keep(proposal)
        return self._settled(proposal)

    def _settled(self, proposal: Proposal) -> Proposal:
        """The proposal with no entry owing. An entry is found again by its note, so that it is never written twice."""
        if all(e.entry is not None for e in proposal.history):
            return proposal
        history = []
        for event in proposal.history:
            if event.entry is None:
                there = (e.seq for e in self.ledger.entries(event.since) if e.act == "change" and e.note == event.note)
                seq = next(there, None)
                if seq is None:
                    use = Use(actor=event.by, role=event.role, act="change", purpose="operate", note=event.note)
                    seq = self.ledger.append(use).seq
                event = msgspec.structs.replace(event, entry=seq)
            history.append(event)
        settled = msgspec.structs.replace(proposal, history=tuple(history))
        self._keep(settled)
        return settled

    def _keep(self, proposal: Proposal) -> None:
        self.state.put(SPACE, _name(proposal.number), msgspec.to_builtins(proposal))

    def _now(self) -> str:
        return self.clock().astimezone(UTC).isoformat(timespec="seconds")


def _name(number: int) -> str:
    return f"{number:08}"


def _sound(base: str, text: str, why: str) -> str:
    """The why, once text and why may be kept."""
    why = " ".join(why.split())
    if text == base:
        raise BadInput("Nothing differs from the file as it stands.")
    if len(text) > MOST_TEXT:
        raise BadInput(f"The text has more than {MOST_TEXT:,} characters; such a file is changed where it is kept.")
    if not why or len(why) > MOST_WHY:
        raise BadInput(f"Say why, in 1 to {MOST_WHY} characters: whoever reviews it needs to know, and it stays in the ledger.")
    if like_identifier(why):
        raise BadInput("The why stays in the ledger for ever: leave out addresses and numbers that may be a person's.")
    return why
