"""How a table is declared, beside the step that writes it: columns, whose row it is, why it is held, how it forgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Reason = Literal["key", "person", "nobody"]

NOT_PERSONAL = "system.operations"
"""The fideslang category of a column that says nothing about a person."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its DuckDB type and its fideslang category.

    sealed: the lake holds the number of the vault's record that has the value under this column's name (BIGINT), never
    the value. key: the name of the sibling column that holds the value's key_id, through which `=` and IN work.
    """

    name: str
    type: str
    category: str = NOT_PERSONAL
    sealed: bool = False
    key: str | None = None
    note: str = ""

    @property
    def lake_type(self) -> str:
        """The type that lies in the lake."""
        return "BIGINT" if self.sealed else self.type

    @property
    def personal(self) -> bool:
        """Whether a row that is detached from its person loses this column."""
        return self.sealed or self.category.startswith("user")


@dataclass(frozen=True)
class Delete:
    """Her rows go."""


@dataclass(frozen=True)
class Detach:
    """Her rows stay without her: key and personal columns null, money and dates as they were.

    also: further columns that become null although their category is not personal (an order's number leads to her).
    """

    also: tuple[str, ...] = ()


OnErase = Delete | Detach


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the lake.

    whose: "key:<column>" (rows are about the key in that column; several columns, comma-separated, when any of them may
    be hers), "person:<column>", or "nobody". purposes: what it may be held for. keep_days: None keeps until told.
    visible: users may ask for it.
    unique: the columns that name a row; a later batch replaces rows of the same name.
    whole: every turn writes it anew, so it lies in slices as its rows come: buckets would double what the write costs.
    compartment: the column that names the one purpose for which a row opens.
    forgets: a condition; with every sweep the rows go that meet it, and older versions: somebody is remembered in them, and
    nobody knows who.
    """

    name: str
    columns: tuple[Column, ...]
    whose: str
    purposes: tuple[str, ...] = ("operate",)
    keep_days: int | None = None
    on_erase: OnErase = field(default_factory=Delete)
    visible: bool = True
    unique: tuple[str, ...] = ()
    whole: bool = False
    compartment: str | None = None
    forgets: str = ""
    note: str = ""

    @property
    def reason(self) -> Reason:
        """Whether rows are about a key, a person, or nobody."""
        kind = self.whose.partition(":")[0]
        if kind == "key":
            return "key"
        return "person" if kind == "person" else "nobody"

    @property
    def bucketed(self) -> bool:
        """Whether large writes are laid out by the first owner % BUCKETS: for erasure and point reads."""
        return self.reason != "nobody"

    @property
    def owners(self) -> tuple[str, ...]:
        """The columns that say whose row it is."""
        return tuple(c for c in self.whose.partition(":")[2].split(",") if c)

    @property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for c in self.columns:
            if c.name == name:
                return c
        raise KeyError(name)
