"""STEPS, contracts -> lineage: where each column comes from, what depends on it, and which data categories reach it.

Computed from the SQL that runs, never kept by hand. *Direct*: the value is made from it. *Indirect*: it decides which
rows count (a filter, a join, a group); for consent that matters as much. What is direct all along the way is direct.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sqlglot import exp

from tessera.config import Config, Contract, Field
from tessera.data import orders
from tessera.data.raw import LINKS, ORDER_LINES, ORDERS, QUARANTINE, RAW, TOUCHED
from tessera.errors import NotFound
from tessera.lake import expressions as made_by
from tessera.lake.lineage import Lineage, Name
from tessera.lake.openlineage import PRODUCER, Dataset, openlineage
from tessera.lake.step import Step
from tessera.lake.table import Table
from tessera.lake.traced import traced
from tessera.lake.view import View
from tessera.loop import STEPS, tables
from tessera.trust.tables import CONSENTS

FOLDER = "lineage"
"""Within var/: the events of all runs, and what was traced once (see lake.traced)."""

SOURCE = "source:"
"""How the name of a source begins where tables and sources stand side by side: ("source:crm", "mail")."""

FILE_BYTES = 50 * 1024 * 1024
"""A full openlineage.jsonl becomes openlineage.1.jsonl, and the one before it goes."""

_NOTHING: frozenset[Name] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Ancestry:
    """One column: what it is made from and what decides on it; which categories its value has, and which shape it.

    notes: how a value of a source lies in the lake ("sealed", "identifier", "consent").
    """

    table: str
    column: str
    direct: tuple[Name, ...]
    indirect: tuple[Name, ...]
    categories: frozenset[str]
    shaped_by: frozenset[str]
    notes: tuple[str, ...] = ()


@dataclass
class _Node:
    category: str = ""
    direct: set[Name] = field(default_factory=set)
    indirect: set[Name] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)


class Graph:
    """The lineage of every column of a workspace, from the fields of its sources to the last step."""

    def __init__(self, config: Config) -> None:
        self._nodes = {(t.name, c.name): _Node(category=c.category) for t in tables() for c in t.columns}
        for contract in config.sources:
            for f in contract.fields:
                self._nodes[SOURCE + contract.name, f.name] = _Node(category=f.category)
            for target, origin, note in landed(contract):
                node = self._nodes[target]
                node.direct.add((SOURCE + contract.name, origin))
                node.notes |= {note} - {""}
            if contract.derive_orders:
                self._add(ORDERS, _derived(contract, config.var / FOLDER))
        self._fed = {(read, step.writes.name) for step in STEPS for read in step.reads}
        for step in STEPS:
            self._add(step.writes, lineage(step, config))
        self._children: dict[Name, dict[Name, bool]] = {}
        for name, node in self._nodes.items():
            for above in node.direct | node.indirect:
                self._children.setdefault(above, {})[name] = above in node.direct

    def of(self, table: str, column: str | None = None) -> list[Ancestry]:
        """The column, or all of a table, with what lies one step above; NotFound with the nearest name."""
        known = [t for t, _ in self._nodes]
        if table not in known:
            raise NotFound("Table", table, sorted(set(known)))
        columns = [c for t, c in self._nodes if t == table]
        if column is not None and column not in columns:
            raise NotFound("Column", f"{table}.{column}", [f"{table}.{c}" for c in columns])
        return [self._one((table, c)) for c in columns if column in (None, c)]

    def upstream(self, table: str, column: str) -> dict[Name, bool]:
        """All that a column comes from or depends on, up to the sources: name -> whether its value got here."""
        self.of(table, column)
        return _closure((table, column), lambda n: self._above(self._nodes[n]))

    def downstream(self, table: str, column: str) -> dict[Name, bool]:
        """All that a change of a column (or of a source's field) reaches: name -> whether its value gets there."""
        self.of(table, column)
        return _closure((table, column), lambda n: self._children.get(n, {}))

    def feeds(self) -> set[Name]:
        """Which table, or source, goes into which: (from, to)."""
        told = {(above[0], name[0]) for name, node in self._nodes.items() for above in node.direct | node.indirect}
        known = {table for table, _ in self._nodes}
        return {(a, b) for a, b in told | self._fed if a != b and a in known and b in known}

    def fields(self) -> dict[str, set[Name]]:
        """By table, the fields of sources whose values lie in it. A value that only says whose a row is (a key) is not followed
        further, or every field that names somebody would be in every table."""
        found: dict[str, set[Name]] = {}
        for origin in [name for name in self._nodes if name[0].startswith(SOURCE)]:
            seen, front = {origin}, {origin}
            while front:
                front = {n for above in front for n, carries in self._children.get(above, {}).items() if carries} - seen
                front = {n for n in front if not self._nodes[n].category.startswith("user.unique_id")}
                seen |= front
                for table, _ in front:
                    found.setdefault(table, set()).add(origin)
        return found

    def _add(self, table: Table, found: Lineage) -> None:
        for column in found.direct:
            node = self._nodes[table.name, column]
            node.direct |= found.direct[column]
            node.indirect |= found.indirect[column]

    def _above(self, node: _Node) -> dict[Name, bool]:
        return {n: n in node.direct for n in node.direct | node.indirect if n in self._nodes}

    def _one(self, name: Name) -> Ancestry:
        node = self._nodes[name]
        above = _closure(name, lambda n: self._above(self._nodes[n]))
        direct = {self._nodes[n].category for n, carries in above.items() if carries}
        shape = {self._nodes[n].category for n, carries in above.items() if not carries}
        return Ancestry(
            table=name[0],
            column=name[1],
            direct=tuple(sorted(node.direct)),
            indirect=tuple(sorted(node.indirect - node.direct)),
            categories=frozenset(direct | {node.category}),
            shaped_by=frozenset(shape),
            notes=tuple(sorted(node.notes)),
        )


def ancestry(config: Config, table: str, column: str | None = None) -> list[Ancestry]:
    """The lineage of a column, or of all columns of a table or of a source ("source:crm")."""
    return Graph(config).of(table, column)


def lineage(step: Step, config: Config) -> Lineage:
    """The lineage of what a step writes: of its SQL, or as it declares. A step that aggregates is only shaped by it."""
    if step.sql is not None:
        return _traced(step.sql(config), tuple(sorted(step.reads)), config.var / FOLDER)
    told = {c: frozenset(step.lineage.get(c, ())) for c in step.writes.names}
    none = dict.fromkeys(told, _NOTHING)
    return Lineage(direct=none, indirect=told) if step.aggregates else Lineage(direct=told, indirect=none)


def step_of(table: str) -> Step | None:
    """The step that fills a table; None for what landing and trust fill themselves."""
    return next((step for step in STEPS if step.writes.name == table), None)


def expressions(step: Step, config: Config, column: str) -> list[exp.Expr]:
    """How a step's SQL makes a column (see lake.expressions); none for a step in Python."""
    if step.sql is None:
        return []
    schema = {t.name: {c.name: c.lake_type for c in t.columns} for t in tables() if t.name in step.reads}
    return made_by.expressions(step.sql(config), schema, column)


def landed(contract: Contract) -> Iterator[tuple[Name, str, str]]:
    """(column of ours, field of the source, note): what landing makes of each field of a contract (see data.intake)."""
    table = RAW[contract.record]
    for f in contract.fields:
        for column, note in _columns(contract, table, f):
            yield (table.name, column), f.name, note
        if f.identifier:
            yield (TOUCHED.name, "key_id"), f.name, "identifier"
            if f.joins:
                yield (LINKS.name, "key_a"), f.name, "identifier"
                yield (LINKS.name, "key_b"), f.name, "identifier"
            if any(other.consent for other in contract.fields):
                yield (CONSENTS.name, "key_id"), f.name, "identifier"
            for column in QUARANTINE.owners:
                yield (QUARANTINE.name, column), f.name, "identifier"
        if f.consent:
            yield (CONSENTS.name, "state"), f.name, "consent"
        if f.consent_part:
            yield (CONSENTS.name, f.consent_part), f.name, ""
        yield (QUARANTINE.name, "record_id"), f.name, "sealed"


def _derived(contract: Contract, folder: Path) -> Lineage:
    """The lineage of orders that landing sums from a source's lines: of the SQL that runs (see data.orders)."""
    lines = ORDER_LINES.name
    sql = f"WITH touched_orders AS ({orders.touched(lines)}) {orders.derived(lines, contract.name, 0)}"
    return _traced(sql, (lines,), folder)


def _columns(contract: Contract, table: Table, f: Field) -> Iterator[tuple[str, str]]:
    """The columns of the raw table itself that a field goes to."""
    mapped = "amount_cents" if f.maps_to == "unit_price" else f.maps_to
    known = mapped if mapped in table.names else None
    sealed = f.sealed or (known is not None and table.column(known).sealed)
    if f.identifier:
        yield from ((c, "identifier") for c in ("key_id", f"{f.identifier}_key") if c in table.names)
    if known is not None:
        yield known, "sealed" if sealed else ""
    if f.maps_to == "quantity" and any(o.maps_to == "unit_price" for o in contract.fields):
        yield "amount_cents", ""
    loose = f.identifier and f.loose and not f.maps_to
    if (sealed or f.hidden or loose) and "record_id" in table.names:
        yield "record_id", "sealed"
    if f.unmapped and "properties" in table.names:
        yield "properties", ""
    if "row_key" in table.names:
        keyed = any(o.primary_key for o in contract.fields)
        if f.primary_key or (not keyed and f.identifier == "user_id"):
            yield "row_key", "hashed"
        yield "row_hash", "hashed"


def event(
    step: Step, config: Config, views: Iterable[View], version: int, rows: int, entry: int, at: datetime
) -> dict[str, Any]:
    """One run of a step as an OpenLineage event, with our own facet: its purpose, its entry in the ledger, its rows.

    at: when it ended, with a time zone. The same run always has the same id.
    """
    declared = {t.name: t for t in tables()}
    facet = {
        "_producer": PRODUCER,
        "_schemaURL": f"{PRODUCER}:use",
        "purpose": step.purpose,
        "dataUse": config.purposes[step.purpose].data_use,
        "ledgerEntry": entry,
        "rows": rows,
    }
    return openlineage(
        uuid5(NAMESPACE_URL, f"{config.name}/{step.name}/{version}/{entry}"),
        step.name,
        [Dataset(table=declared[v.table], version=v.version) for v in views],
        [(Dataset(table=step.writes, version=version), lineage(step, config))],
        at,
        namespace=f"tessera/{config.name}",
        run_facets={"tesseraUse": facet},
    )


def record(step: Step, config: Config, views: Iterable[View], version: int, rows: int, entry: int, at: datetime) -> None:
    """Appends the event of one run to var/lineage/openlineage.jsonl, for any catalogue that reads OpenLineage."""
    folder = config.var / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = json.dumps(event(step, config, views, version, rows, entry, at), separators=(",", ":")) + "\n"
    path = folder / "openlineage.jsonl"
    if path.exists() and path.stat().st_size + len(line) > FILE_BYTES:
        path.replace(folder / "openlineage.1.jsonl")
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
        file.write(line)


@lru_cache(maxsize=256)
def _traced(sql: str, reads: tuple[str, ...], folder: Path) -> Lineage:
    return traced(sql, {t.name: {c.name: c.lake_type for c in t.columns} for t in tables() if t.name in reads}, folder)


def _closure(start: Name, near: Callable[[Name], Mapping[Name, bool]]) -> dict[Name, bool]:
    """All that is reached from a name; True where one way there is direct at every step. The start is left out."""
    found: dict[Name, bool] = {}
    waiting = [(start, True)]
    while waiting:
        name, carries = waiting.pop()
        for other, direct in near(name).items():
            reached = carries and direct
            if other != start and (other not in found or (reached and not found[other])):
                found[other] = reached
                waiting.append((other, reached))
    return found
