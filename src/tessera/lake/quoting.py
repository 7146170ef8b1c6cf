"""Values and names as text of SQL: no engine is loaded for it, so that declarations are read where there is none (Flink)."""

from __future__ import annotations


def literal(value: str | int | float | bool | None) -> str:
    """A value as a SQL literal, for the few statements that take no parameters (SET, COPY, view texts)."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + value.replace("'", "''") + "'"


def name(identifier: str) -> str:
    """An identifier in quotes."""
    return '"' + identifier.replace('"', '""') + '"'
