"""Why a role sees a column as it does: the matrix cell by cell, asked of the functions that the gate itself asks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tessera.config import Actor, Config, Purpose, RowRule, Verdict
from tessera.errors import NotFound, UnknownTable
from tessera.lake.table import Table
from tessera.trust import access
from tessera.trust.access import Reader
from tessera.trust.gate import Gate


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What a role may see of a data category for a purpose. where: the line that decided it, as file:line; empty where
    no line speaks of it, which means no."""

    role: str
    purpose: str
    category: str
    verdict: Verdict
    reason: str
    where: str


@dataclass(frozen=True, kw_only=True)
class ColumnCell(Cell):
    """The cell of one column of a table."""

    column: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A row rule that cuts the table for the role, in words, with its line."""

    where: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A table for a role and a purpose: its columns, and which of its rows.

    needs: what the purpose needs of the people whose rows they are. held_by: the actors who have the role. ask: who
    could allow more.
    """

    role: str
    purpose: str
    table: str
    columns: tuple[ColumnCell, ...]
    needs: str
    rules: tuple[Rule, ...]
    held_by: tuple[str, ...]
    ask: str


def explain(gate: Gate, role: str, table: str, column: str | None, purpose: str) -> Explained:
    """What the role sees of a table (or of one column) for a purpose, and why.

    Raises NotFound for a role, purpose or column, UnknownTable for a table that is not known.
    """
    tables = gate.presented()
    if table not in tables:
        raise UnknownTable(table, tables)
    shown = tables[table]
    if column is not None and column not in shown.names:
        raise NotFound("Column", column, shown.names)
    reader = _reader(gate.config, role, purpose)
    return Explained(
        role=role,
        purpose=purpose,
        table=table,
        columns=tuple(_column(gate, shown, c, reader) for c in shown.names if column in (None, c)),
        needs=_needs(shown, reader.purpose),
        rules=tuple(_rule(r, gate.lake.table(table)) for r in access.row_rules(gate.config.access, reader, shown)),
        held_by=tuple(a.name for a in gate.config.access.actors if role in a.roles),
        ask=gate.config.access.contact,
    )


def matrix(gate: Gate, roles: Iterable[str] = (), purposes: Iterable[str] = ()) -> list[Cell]:
    """Every cell: role x purpose x each category that a column or a contract has. roles, purposes: only these."""
    config = gate.config
    columns = {c.category for t in gate.presented().values() for c in t.columns}
    categories = sorted(columns | {f.category for s in config.sources for f in s.fields})
    found = []
    for role in list(roles) or config.access.roles:
        for purpose in list(purposes) or config.purposes:
            reader = _reader(config, role, purpose)
            for category in categories:
                seen = access.verdict(config.access, role, reader.purpose, category)
                found.append(
                    Cell(
                        role=role, purpose=purpose, category=category,
                        verdict=seen.verdict, reason=seen.reason, where=seen.where,
                    )
                )  # fmt: skip
    return found


def _reader(config: Config, role: str, purpose: str) -> Reader:
    """Somebody in that role, whoever asks: what a role may see is no secret of those who have it."""
    if role not in config.access.roles:
        raise NotFound("Role", role, config.access.roles)
    if purpose not in config.purposes:
        raise NotFound("Purpose", purpose, config.purposes)
    return Reader(actor=Actor(name="", roles=(role,)), role=role, purpose=config.purposes[purpose])


def _column(gate: Gate, table: Table, column: str, reader: Reader) -> ColumnCell:
    seen = gate.seen(table, column, reader)
    return ColumnCell(
        role=reader.role,
        purpose=reader.purpose.name,
        category=table.column(column).category,
        verdict=seen.verdict,
        reason=seen.reason,
        where=seen.where,
        column=column,
    )


def _needs(table: Table, purpose: Purpose) -> str:
    if table.reason == "nobody":
        return "nothing: its rows are about nobody"
    if purpose.needs_consent:
        return f"each person's consent to {purpose.name}; no answer means no"
    return f"no consent (basis: {purpose.basis}); people whose erasure is under way are left out"


def _rule(rule: RowRule, table: Table) -> Rule:
    values = ", ".join(f"the reader's own {v[1:]}" if v.startswith("$") else repr(v) for v in rule.values)
    says = f"only rows whose {rule.column} is {'one of: ' if len(rule.values) > 1 else ''}{values}"
    if rule.column not in table.names:
        says = f"no row, for {table.name} has no column {rule.column}"
    return Rule(where=f"access.yaml:{rule.line}", says=says)
