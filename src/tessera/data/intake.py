"""A contract as landing reads it: whose a row is, which of its fields are hidden, how an identifier is spelled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tessera.config import Contract, Field
from tessera.data.raw import LATEST_WINS, RAW
from tessera.lake.engine import literal, name
from tessera.lake.table import Table
from tessera.words import KINDS

SHORTEST_PHONE = 6

FILLED = ("key_id", "record_id", "batch", "source", "properties", "row_key", "row_hash", "vanished_at")
"""Columns that landing fills, not the contract."""

TAIL = 8
"""Digits by which a row's own phone number is known in any spelling."""

ANSWERS = {
    "given": ("yes", "true", "1", "given", "granted", "y", "t"),
    "refused": ("no", "false", "0", "refused", "denied", "n", "f"),
    "withdrawn": ("withdrawn", "revoked"),
    "requested": ("requested", "asked", "pending"),
}
"""Answers to a purpose that landing understands, by what they mean; "requested" is that she was asked, and no answer."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """One contract, compiled. salt: secret text under which row names are hashed."""

    contract: Contract
    salt: str

    @property
    def table(self) -> Table:
        """The raw table that the rows go to."""
        return RAW[self.contract.record]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of identifiers in a row, strongest first."""
        found = {f.identifier for f in self.contract.fields if f.identifier}
        return tuple(k for k in KINDS if k in found)

    @property
    def loose(self) -> tuple[str, ...]:
        """Kinds of identifiers of which a row's may be unverified: it joins nothing then."""
        return tuple(k for k in self.kinds if any(f.identifier == k and f.loose for f in self.contract.fields))

    def subject(self, row: str) -> str:
        """SQL: the key of whose row it is; `row`: the relation that has one column of keys for each kind.

        An identifier that joins nothing names the row only where no other does: an e-mail that somebody typed must not
        take the row away from the cookie that sent it.
        """
        cells = [self.firm(kind, f"{row}.{kind}", row) for kind in self.kinds]
        cells += [f"{row}.{kind}" for kind in self.loose]
        return f"coalesce({', '.join(cells)})" if len(cells) > 1 else "".join(cells) or "NULL::INTEGER"

    def firm(self, kind: str, expr: str, row: str) -> str:
        """SQL: the expression, but NULL where the row's identifier of that kind joins nothing."""
        return f"CASE WHEN NOT {row}.{name('_loose_' + kind)} THEN {expr} END" if kind in self.loose else expr

    @property
    def subject_kind(self) -> str:
        """SQL over the rows `ids`: the kind of the identifier whose row it is."""
        given = [(self.firm(kind, name("_id_" + kind), "ids"), kind) for kind in self.kinds]
        given += [(name("_id_" + kind), kind) for kind in self.loose]
        whens = [f"WHEN {expr} IS NOT NULL THEN {literal(kind)}" for expr, kind in given]
        return f"CASE {' '.join(whens)} END" if whens else "NULL::VARCHAR"

    @property
    def joining(self) -> frozenset[str]:
        """Kinds that may join records."""
        return frozenset(f.identifier for f in self.contract.fields if f.identifier and f.joins)

    @property
    def has_consent(self) -> bool:
        """Whether rows carry answers to purposes."""
        return any(f.consent for f in self.contract.fields)

    def plain(self, columns: Iterable[str]) -> bool:
        """Whether rows of these columns have nothing to seal as a rule and are only ever added: such a chunk is read in
        place, a pass for the narrow columns and one for the rest, and is never held whole."""
        named = {f.where for f in self.contract.fields}
        sealing = any(f.consents or f.sealed or self.hides(f) or (f.identifier and f.maps_to) for f in self.contract.fields)
        return not sealing and not self.loose and self.table.name not in LATEST_WINS and named.issuperset(columns)

    def hides(self, f: Field) -> bool:
        """Whether a field's values lie in the vault although its contract does not ask for it."""
        return f.hidden or self.column_hides(f)

    def column_hides(self, f: Field) -> bool:
        """Whether the column of our table that a field fills is sealed."""
        return f.maps_to in self.table.names and self.table.column(str(f.maps_to)).sealed

    @property
    def sealed_columns(self) -> set[str]:
        """Sealed columns of our table that some field fills."""
        return {str(f.maps_to) for f in self.contract.fields if self.column_hides(f)}

    @property
    def unmapped(self) -> list[Field]:
        """Fields that are kept in `properties`."""
        return [f for f in self.contract.fields if f.unmapped]


def normalised(kind: str, text: str) -> str:
    """SQL for the one spelling of an identifier: e-mails in lower case, phones as + and digits."""
    if kind == "email":
        return f"lower({text})"
    if kind == "phone":
        digits = f"regexp_replace(regexp_replace({text}, '[^0-9+]', '', 'g'), '^00', '+')"
        return f"CASE WHEN length({digits}) >= {SHORTEST_PHONE} AND NOT contains({text}, '@') THEN {digits} END"
    return text
