"""What a page may ask: questions through the gate, in the viewer's role and for her purpose; cards that fail alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from typing import Any, Literal

from tessera.app import App
from tessera.doors import failures
from tessera.doors.auth import Caller
from tessera.doors.pages.lens import Lens
from tessera.doors.pages.tongue import Tongue
from tessera.errors import NotFound, Refused, TesseraError
from tessera.lake.table import Table
from tessera.people import People
from tessera.trust import functions
from tessera.trust.access import Reader, Seen
from tessera.trust.answers import Caps

Row = dict[str, Any]


@dataclass(frozen=True)
class Rows:
    """An answer as rows by column. entry: of the ledger. veiled: columns that are not in clear, with the reason."""

    rows: list[Row]
    entry: int
    veiled: dict[str, str]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def first(self) -> Row:
        """The first row; empty without one."""
        return self.rows[0] if self.rows else {}


@dataclass(frozen=True)
class Card:
    """One card of a page. state: ok, with what it shows; closed to this viewer, for a reason; or failed, with a reference.
    An empty one is ok: its template says why, and what to do."""

    state: Literal["ok", "closed", "failed"]
    shown: Any = None
    reason: str = ""
    reference: str = ""


def carded(app: App, work: Callable[[], Any]) -> Card:
    """A card of what the work returns; what it may not show, or what fails, closes this card alone."""
    try:
        return Card("ok", work())
    except Refused as no:
        return Card("closed", reason=no.reason)
    except NotFound as no:
        return Card("closed", reason=str(no))
    except TesseraError as error:
        reference, _ = failures.logged(error, app.config.var)
        return Card("failed", reason=str(error), reference=reference)


@dataclass(frozen=True, eq=False)
class Room:
    """One viewer in the open workspace. Made for one piece of work, and not to be kept."""

    app: App
    caller: Caller
    lens: Lens
    reader: Reader
    tongue: Tongue
    caps: Caps
    failed: list[str] = field(default_factory=list)

    def ask(self, question: str) -> Rows:
        """The answer to one SELECT of a page's own, with no clock and no chance in it, through the gate and with its entry:
        over the same versions and permissions the rows may be those of the last time. Raises as `Answers.ask`."""
        answer = self.app.answers.ask(question, self.reader, self.caps, again=self.reader.one is None)
        return Rows(answer.table.to_pylist(), answer.entry, answer.veiled)

    def card(self, work: Callable[[], Any]) -> Card:
        """As `carded`."""
        return carded(self.app, work)

    def seen(self, table: str, column: str) -> Seen:
        """What the viewer may see of a column, and why."""
        return self.app.gate.seen(self.tables[table], column, self.reader)

    def sees(self, table: str, *columns: str) -> bool:
        """Whether none of these columns is hidden from her."""
        return all(self.seen(table, c).verdict != "hidden" for c in columns)

    @cached_property
    def tables(self) -> dict[str, Table]:
        """The tables that people may ask for, as they see them."""
        return self.app.gate.presented()

    def may(self, function: str) -> bool:
        """Whether her role may use a function."""
        return bool(functions.allowed(self.app.config.access, [self.lens.role], function))

    def has(self, table: str) -> bool:
        """Whether a table has been made."""
        return self.app.lake.version(table) is not None

    @property
    def people(self) -> People:
        """Questions about one person, in the viewer's name."""
        return self.app.people.acting(self.caller.actor)

    @property
    def day(self) -> date:
        """The day at which times become ages in this workspace."""
        return self.app.config.day(self.now)

    @property
    def now(self) -> datetime:
        """This moment."""
        return self.app.clock()
