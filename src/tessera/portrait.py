"""One person as a role may see her for a purpose: profile, consents, segments, orders, counts; all through the gate.

What stays closed is listed with the reason, so that whoever looks knows that there is something, and whom to ask.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tessera.data.profiles import PROFILES
from tessera.data.raw import RAW
from tessera.data.steps import acts
from tessera.errors import NotAllowed, NotConsented, NotFound
from tessera.lake.engine import literal
from tessera.lake.table import Table
from tessera.trust import consent
from tessera.trust.access import Reader
from tessera.trust.answers import Answer, Answers

ORDERS = 5
"""How many recent orders are shown."""

ORDER_COLUMNS = ("order_id", "occurred_at", "status", "amount_cents", "currency", "channel")
SOURCE = "_source"

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Trait:
    """One field of a profile. source: who gave the value, if one source did. reason: why it is not in clear."""

    field: str
    value: Any = dataclasses.field(repr=False)
    source: str | None = None
    reason: str | None = None


@dataclass(kw_only=True)
class Portrait:
    """What was shown. closed: what was not, by table or TABLE.COLUMN, with the reason. entries: in the ledger."""

    person: int
    role: str
    purpose: str
    traits: list[Trait] = dataclasses.field(default_factory=list)
    consents: list[Row] = dataclasses.field(default_factory=list)
    segments: list[Row] = dataclasses.field(default_factory=list)
    orders: list[Row] = dataclasses.field(default_factory=list)
    counts: list[Row] = dataclasses.field(default_factory=list)
    closed: dict[str, str] = dataclasses.field(default_factory=dict)
    entries: list[int] = dataclasses.field(default_factory=list)


def portrait(answers: Answers, reader: Reader, person: int, *, known: Callable[[int], bool]) -> Portrait:
    """What the reader may see of a person. known: whether the number is somebody's.

    Raises NotFound for nobody, NotConsented where the purpose needs her consent and has it not, NotAllowed where the
    role may see nobody's profile or not hers.
    """
    if not known(person):
        raise NotFound("Person", str(person))
    painter = _Painter(answers, reader, person)
    painter.profile()
    painter.lists()
    return painter.made


UNMADE = (
    "Your data is stored and not used, as you asked, or your profile is not made yet. "
    "您的数据已按您的要求仅保存而不使用，或您的画像尚未生成。"
)
"""What a customer is told at her own door in place of a profile."""


class _Painter:
    def __init__(self, answers: Answers, reader: Reader, person: int) -> None:
        self.answers, self.reader, self.person = answers, reader, person
        self.gate, self.tables = answers.gate, answers.gate.presented()
        self.made = Portrait(person=person, role=reader.role, purpose=reader.purpose.name)

    def profile(self) -> None:
        """Every field of PROFILES with its source; those hidden are closed."""
        table, made = self.tables[PROFILES.name], self.made
        seen = {c: self.gate.seen(table, c, self.reader) for c in table.names}
        if seen["person_id"].verdict == "hidden":
            raise NotAllowed(seen["person_id"].reason, f"Ask {self.answers.config.access.contact}.")
        names = [c for c in table.names if seen[c].verdict != "hidden"]
        answer = self._ask(f"SELECT {', '.join(names)} FROM {PROFILES.name} WHERE person_id = {self.person}")
        found = answer.table.to_pylist()
        if not found:
            if self.reader.subject is None:
                self._not_shown()
            made.closed[PROFILES.name] = UNMADE
            return
        row = found[0]
        for c in table.names:
            if c == "person_id" or c.endswith((SOURCE, "_key")):
                continue
            if c in names:
                source = row.get(c + SOURCE)
                made.traits.append(Trait(field=c, value=row[c], source=source, reason=answer.veiled.get(c)))
            else:
                made.closed[f"{PROFILES.name}.{c}"] = seen[c].reason

    def lists(self) -> None:
        """Her choices, her segments, her last orders, and how many rows of each kind she has."""
        if columns := self._open("consents", ("purpose", "state", "occurred_at", "key_id", "source")):
            said = self._rows("consents", columns, "occurred_at, state")
            newest = consent.choices(said, acts(self.answers.config))
            shown = ("purpose", "state", "occurred_at")
            self.made.consents = [{c: newest[p][c] for c in shown} for p in sorted(newest)]
        if "segments" in self.tables and self._open("segments", ("segment", "valid_from", "valid_to")):
            columns = ("segment", "valid_from")
            self.made.segments = self._rows("segments", columns, "valid_from", "AND valid_to IS NULL")
        if columns := self._open("orders", ORDER_COLUMNS):
            self.made.orders = self._rows("orders", columns, f"occurred_at DESC NULLS LAST LIMIT {ORDERS}")
        counted = [t.name for t in RAW.values() if t.name != "rates" and self._open(t.name, ("occurred_at",))]
        if counted:
            each = " UNION ALL ".join(
                f"SELECT {literal(t)} AS kind, count(*) AS rows, max(occurred_at) AS newest FROM {t} "
                f"WHERE person_id = {self.person}"
                for t in counted
            )
            self.made.counts = self._ask(each).table.to_pylist()

    def _open(self, table: str, columns: Iterable[str]) -> tuple[str, ...]:
        """Which of the columns the reader may see; none, and the reason kept, where she may not ask the table."""
        declared: Table = self.tables[table]
        shown = []
        for c in ("person_id", *columns):
            seen = self.gate.seen(declared, c, self.reader)
            if seen.verdict != "hidden":
                shown.append(c)
            elif c in ("person_id", "occurred_at", "purpose", "state", "segment") or table == "consents":
                self.made.closed[table] = seen.reason
                return ()
        return tuple(shown[1:])

    def _rows(self, table: str, columns: Iterable[str], order: str, more: str = "") -> list[Row]:
        found = self._ask(
            f"SELECT {', '.join(columns)} FROM {table} WHERE person_id = {self.person} {more} ORDER BY {order}"
        )
        listed: list[Row] = found.table.to_pylist()
        return listed

    def _ask(self, question: str) -> Answer:
        answer = self.answers.ask(question, self.reader)
        self.made.entries.append(answer.entry)
        return answer

    def _not_shown(self) -> None:
        if self.reader.purpose.needs_consent:
            raise NotConsented(self.reader.purpose.name)
        raise NotAllowed(
            f"Person {self.person} is not among those whom {self.reader.role} sees for {self.reader.purpose.name}.",
            "Her profile is made by the next turn, or a row rule of access.yaml hides her. Try: tessera turn",
        )
