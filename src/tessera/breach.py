"""Who was held: which people were in what an actor, an API key or a span of time touched, by table and data category.

For the day after: whom to tell, and what to tell the authority within 72 hours (GDPR, Art. 33 and 34; PIPL, Art. 57). Read
from the ledger's sets alone; no row of anybody is opened. That somebody asked is an entry too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyroaring import BitMap

from tessera.config import Config
from tessera.errors import BadInput, NotFound
from tessera.people import People
from tessera.trust import access
from tessera.trust.entries import Entry, Use
from tessera.trust.ledger import Ledger
from tessera.words import Clock

ROLE = "officer"


@dataclass(frozen=True, kw_only=True)
class Sought:
    """Which uses are meant: by an actor ("user:ann", "key:shop"), and between two moments; at least one of them."""

    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def meets(self, entry: Entry) -> bool:
        """Whether an entry is one of these."""
        at = datetime.fromisoformat(entry.at)
        return (
            (self.actor is None or entry.actor == self.actor)
            and (self.since is None or at >= self.since)
            and (self.until is None or at <= self.until)
        )


@dataclass(kw_only=True)
class Found:
    """What was touched. at_most: people who may have been among them, as a computation over many held them; the others were
    in an answer or on a page for certain. erased: identifiers that led to somebody then, and lead to nobody now."""

    uses: int = 0
    refused: int = 0
    first: str | None = None
    last: str | None = None
    people: int = 0
    at_most: int = 0
    erased: int = 0
    tables: dict[str, int] = field(default_factory=dict)
    categories: dict[str, int] = field(default_factory=dict)
    persons: list[int] = field(default_factory=list)
    entry: int = 0


def look(
    config: Config, ledger: Ledger, people: People, clock: Clock, sought: Sought, me: str, *, listed: bool = False
) -> Found:
    """Counts who was held; with `listed` also names them by number, which only an officer may ask.

    Raises BadInput without anything to look for, or for a span that ends before it begins; NotFound for an actor who never
    did anything and is in access.yaml nowhere (a slip must not read as the all-clear); NotAllowed for nobody's officer.
    """
    if sought.actor is None and sought.since is None and sought.until is None:
        raise BadInput("Say what to look for: --key, --actor, or --between T1 T2.")
    if sought.since and sought.until and sought.until < sought.since:
        raise BadInput("The span ends before it begins. Give the earlier moment first.")
    reader = access.who(config, ROLE, "operate", me)
    if sought.actor is not None:
        acted = {entry.actor for entry in ledger.entries()} | {actor.name for actor in config.access.actors}
        if sought.actor not in acted:
            raise NotFound("Actor", sought.actor, acted)
    found, sets = Found(), _Sets(ledger, people)
    for entry in ledger.entries():
        if not sought.meets(entry) or entry.act == "breach":
            continue
        if entry.verdict == "refused":
            found.refused += 1
            continue
        if entry.keys is None:
            continue
        found.uses += 1
        found.first, found.last = found.first or entry.at, entry.at
        sets.add(entry)
    sets.sum(found)
    if listed:
        found.persons = sorted(sets.persons())
    held = ledger.keep(sets.persons(), "person") if sets.persons() else None
    told = f"{found.uses} uses, {found.people} people" + (", listed" if listed else "")
    use = Use(
        actor=reader.actor.name, role=reader.role, act="breach", purpose="operate", rows=found.people, keys=held,
        note=f"{_words(sought)}: {told}"[:200],
    )  # fmt: skip
    found.entry = ledger.append(use).seq
    return found


class _Sets:
    """Unions of the sets that entries name, each set opened once."""

    def __init__(self, ledger: Ledger, people: People) -> None:
        self.ledger, self.people = ledger, people
        self.of: dict[tuple[str, str], BitMap] = {}
        self.by_table: dict[str, set[tuple[str, str]]] = {}
        self.by_category: dict[str, set[tuple[str, str]]] = {}
        self.exact: set[tuple[str, str]] = set()

    def add(self, entry: Entry) -> None:
        keys = entry.keys
        if keys is None:
            return
        name = (keys.digest, keys.unit)
        if name not in self.of:
            self.of[name] = self.ledger.sets.load(keys.digest)
        if keys.bound == "exact":
            self.exact.add(name)
        for table, _ in entry.tables:
            self.by_table.setdefault(table, set()).add(name)
        for category in entry.categories:
            self.by_category.setdefault(category, set()).add(name)

    def persons(self) -> BitMap:
        """All of them, as far as they are anybody's now."""
        return self._persons(self.of)

    def sum(self, found: Found) -> None:
        everybody, sure = self.persons(), self._persons(self.exact)
        found.people, found.at_most = len(everybody), len(everybody - sure)
        keys = BitMap().union(*(s for (_, unit), s in self.of.items() if unit == "key"))
        found.erased = len(keys) - len(keys & self.people.all_keys())
        found.tables = self._counted(self.by_table)
        found.categories = self._counted(self.by_category)

    def _counted(self, named: Mapping[str, Iterable[tuple[str, str]]]) -> dict[str, int]:
        return {name: len(self._persons(sets)) for name, sets in sorted(named.items())}

    def _persons(self, names: Iterable[tuple[str, str]]) -> BitMap:
        keys, persons = BitMap(), BitMap()
        for digest, unit in names:
            if unit == "key":
                keys |= self.of[digest, unit]
            else:
                persons |= self.of[digest, unit]
        return self.people.of_keys(keys) | (persons & self.people.all_persons())


def moment(text: str) -> datetime:
    """A moment that somebody wrote, in UTC where no zone is given. Raises BadInput."""
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{text!r} is no time. Write it as 2026-11-22 or 2026-11-22T09:30.") from None
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def facts(found: Found) -> dict[str, Any]:
    """As the document of the command line has it."""
    return {**found.__dict__, "persons": list(found.persons)}


def _words(sought: Sought) -> str:
    parts = [f"by {sought.actor}"] if sought.actor else []
    parts += [f"from {sought.since:%Y-%m-%dT%H:%M}"] if sought.since else []
    parts += [f"until {sought.until:%Y-%m-%dT%H:%M}"] if sought.until else []
    return " ".join(parts)
