"""What the ledger says of one use of data about people, and its line in the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

from tessera.errors import BadInput, BrokenTrail
from tessera.trust.keysets import KeySet, Unit

NOTE_MOST = 200
"""Most characters in an entry's note."""

Bound = Literal["exact", "at most"]
"""Whether a use touched exactly the ids of a set, or some of them and none beside (a step)."""

Verdict = Literal["allowed", "refused"]
"""What came of a use."""

UNITS, BOUNDS, VERDICTS = map(get_args, (Unit, Bound, Verdict))


class Keys(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whom a use touched: a set of keys or persons by its digest, and whether it is that set or at most that set."""

    unit: Unit
    digest: str
    size: int
    bound: Bound = "exact"

    @classmethod
    def of(cls, kept: KeySet, bound: Bound = "exact") -> Keys:
        """The entry's word for a kept set."""
        return cls(unit=kept.unit, digest=kept.digest, size=kept.size, bound=bound)


class Use(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What somebody did or wanted to do with data about people; never a person's values.

    act: 'read', 'step', 'erase', 'consent', 'access', 'landing', ... tables: (name, version). categories: keys of
    fideslang, sorted. rows: how many came of it, None if nobody counted. reason: why it was allowed or refused.
    """

    actor: str
    role: str
    act: str
    purpose: str
    tables: tuple[tuple[str, int], ...] = ()
    categories: tuple[str, ...] = ()
    rows: int | None = None
    verdict: Verdict = "allowed"
    reason: str = ""
    keys: Keys | None = None
    note: str = ""


class Entry(Use, frozen=True, kw_only=True, gc=False):
    """A use as it stands in the log: with its number from 0, and its time (UTC, ISO 8601, never before the last)."""

    seq: int
    at: str


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries are asked for: those that say all of this; what is empty may be anything."""

    actor: str = ""
    act: str = ""
    purpose: str = ""
    role: str = ""
    verdict: str = ""
    table: str = ""

    @property
    def literals(self) -> tuple[bytes, ...]:
        """What their lines hold, letter by letter: the log is canonical JSON, and to look for this takes a tenth of the time
        of decoding a line. A line may hold it and be another entry's."""
        said = ((f, getattr(self, f)) for f in ("actor", "act", "purpose", "role", "verdict"))
        named = tuple(b'"%s":%s' % (field.encode(), _encoder.encode(value)) for field, value in said if value)
        return (*named, b"[%s," % _encoder.encode(self.table)) if self.table else named

    def takes(self, entry: Entry) -> bool:
        """Whether it is one of them."""
        return (
            self.actor in ("", entry.actor) and self.act in ("", entry.act) and self.purpose in ("", entry.purpose)
            and self.role in ("", entry.role) and self.verdict in ("", entry.verdict)
            and (not self.table or any(table == self.table for table, _ in entry.tables))
        )  # fmt: skip


_encoder = msgspec.json.Encoder(order="sorted")
_entry = msgspec.json.Decoder(Entry)


def entry_lines(uses: Iterable[Use], first: int, at: str) -> tuple[list[Entry], bytes]:
    """The entries that uses become, numbered from `first`, and their canonical lines, each with its line end.

    Raises BadInput if a field is not of its declared form.
    """
    try:
        made = [_entry_of(use, seq, at) for seq, use in enumerate(uses, first)]
        return made, _encoder.encode_lines(made)
    except (msgspec.MsgspecError, AttributeError, TypeError, ValueError) as wrong:
        raise BadInput(f"This cannot be an entry of the ledger: {wrong}") from None


def _entry_of(use: Use, seq: int, at: str) -> Entry:
    """The entry that a use becomes. Its fields are looked at: to read each line again took a quarter of an append's time."""
    made = Entry(
        actor=use.actor,
        role=use.role,
        act=use.act,
        purpose=use.purpose,
        tables=use.tables,
        categories=tuple(sorted({*use.categories})),
        rows=use.rows,
        verdict=use.verdict,
        reason=use.reason,
        keys=use.keys,
        note=use.note,
        seq=seq,
        at=at,
    )
    if len(use.note) > NOTE_MOST:
        raise ValueError(f"its note has {len(use.note)} characters, and may have {NOTE_MOST}")
    if not _sound(made):
        raise TypeError("one of its fields is not of its declared form")
    return made


def _sound(made: Entry) -> bool:
    """Whether each field is of its declared form and no other that would be written alike (bytes, a date, a truth)."""
    if not (
        type(made.actor) is type(made.role) is type(made.act) is type(made.purpose) is type(made.reason) is type(made.note)
        is str and (made.rows is None or type(made.rows) is int) and made.verdict in VERDICTS
    ):  # fmt: skip
        return False
    for category in made.categories:
        if type(category) is not str:
            return False
    for table, version in made.tables:
        if type(table) is not str or type(version) is not int:
            return False
    keys = made.keys
    return keys is None or (
        type(keys.digest) is str and type(keys.size) is int and keys.unit in UNITS and keys.bound in BOUNDS
    )


def entry_in(line: bytes, number: int, not_before: str = "") -> Entry:
    """The entry of a whole line of the log, with its line end.

    Raises BrokenTrail if it is unfinished, cannot be read, or is not entry `number` at `not_before` or later.
    """
    if not line.endswith(b"\n"):
        raise BrokenTrail(f"entry {number} is unfinished", number)
    try:
        entry = _entry.decode(line)
    except ValueError:
        raise BrokenTrail(f"entry {number} cannot be read", number) from None
    if entry.seq != number:
        raise BrokenTrail(f"entry {number} is missing or out of order: entry {entry.seq} stands in its place", number)
    if entry.at < not_before:
        raise BrokenTrail(f"entry {number} is earlier than the one before it", number)
    return entry
