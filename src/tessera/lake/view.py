"""A view is text, not an object of one engine: a table as one reader may see it now, and what it was made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tessera.lake.engine import literal
from tessera.lake.table import Column


@dataclass(frozen=True, kw_only=True)
class View:
    """What the gate opened.

    sql: a relation for a FROM clause, in DuckDB's words; it asks `allowed(unit, purpose, id)` for each row where the
    purpose needs it. bits: the names of the permissions it asks for. columns: what it shows, in order. version: the
    table's version, None before its first write.
    """

    table: str
    version: int | None
    purpose: str
    sql: str
    columns: tuple[Column, ...]
    bits: tuple[str, ...] = ()

    @property
    def categories(self) -> frozenset[str]:
        """The data categories that it shows."""
        return frozenset(c.category for c in self.columns)


def allowed(bits: str, column: str, *, nobodys: bool = True) -> str:
    """The condition that a row's key or person has its bit set; a row about nobody passes, where the table may have such.

    A permission that was never loaded is NULL and an id beyond it is an error: both fail closed.
    """
    has = f"get_bit(getvariable({literal(bits)}), {column}) = 1"
    return f"({column} IS NULL OR {has})" if nobodys else has


def over(views: Mapping[str, View], select: str) -> str:
    """A step's SELECT with its views in place: each is a CTE under its table's name; `select` may add its own CTEs.

    A view is read where it is named, with the columns asked for there; the engine would keep all of one named twice.
    """
    ctes = ", ".join(f"{view.table} AS NOT MATERIALIZED (SELECT * FROM {view.sql})" for view in views.values())
    return f"WITH {ctes} {select}"
