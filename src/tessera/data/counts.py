"""A source's rows -> Counts: how many came, and of each field how many are there, distinct, refused.

One scan per source counts all its columns at once. Of a table that only grows, what was counted once is kept as a
`Tally`, and the next turn counts the new batches alone; a sweep or an erasure lets all tallies go (`Run.grown`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tessera.config import Contract, Rule
from tessera.data.profiles import ADDED
from tessera.data.raw import QUARANTINE, RAW
from tessera.lake.engine import literal, name, rows
from tessera.lake.step import Run

ELSEWHERE = "*"
"""The field of what broke a row without being a measured field: text that is no row, a field we keep sealed."""

Tally = dict[str, Any]
"""kept, newest, later (rows whose time had not come), columns (field -> column), present (field -> rows); as JSON."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """What one scan of a source found.

    kept: its rows in the lake. present: per field, rows that are not empty. distinct: per field that is promised
    unique, its distinct values. refused, missing: per field (or ELSEWHERE), rows that wait in quarantine, and those of
    them that wait because the field is empty. newest: seconds since 1970 of the newest row that is not of the future.
    """

    kept: int
    present: Mapping[str, int]
    distinct: Mapping[str, int]
    refused: Mapping[str, int]
    missing: Mapping[str, int]
    newest: float | None

    @property
    def came(self) -> int:
        """All rows, kept or waiting."""
        return self.kept + sum(self.refused.values())

    def complete(self, field: str) -> float | None:
        """Percent of the kept rows in which the field is not empty."""
        return _percent(self.present[field], self.kept) if field in self.present else None

    def valid(self, field: str) -> float | None:
        """Percent of the rows that were not refused for this field, of these and the kept."""
        return _percent(self.kept, self.kept + self.refused.get(field, 0))

    def unique(self, field: str) -> float | None:
        """Percent of the field's values that are distinct; None where it was not counted."""
        return _percent(self.distinct[field], self.present[field]) if field in self.distinct else None

    def broken(self, rule: Rule) -> float | None:
        """Percent of rows that break a rule; a rule without a column is about the whole row. None: not countable."""
        fields = [rule.column] if rule.column else list(self.present)
        if rule.metric == "duplicateValues":
            shares = [u for u in map(self.unique, fields) if u is not None]
            return 100 - min(shares) if shares else None
        if rule.metric == "invalidValues":
            refused = self.refused.get(rule.column, 0) if rule.column else sum(self.refused.values())
            return _percent(refused, self.kept + refused)
        empty = sum(self.kept - self.present[f] + self.missing.get(f, 0) for f in fields if f in self.present)
        cells = sum(self.kept + self.missing.get(f, 0) for f in fields if f in self.present)
        return _percent(empty, cells)


def measured(contract: Contract) -> dict[str, str]:
    """Contract field -> the column of ours in which it is counted.

    A sealed value is counted by its record's number, an identifier by its key; what lies only in the vault, in
    `properties` or in CONSENTS has no column and is not counted.
    """
    columns = RAW[contract.record].names
    found = {}
    for f in contract.fields:
        mapped = "amount_cents" if f.maps_to == "unit_price" else f.maps_to
        keys = (f"{f.identifier}_key", "key_id") if f.identifier else ()
        column = next((c for c in (*keys, mapped) if c in columns), None)
        if column:
            found[f.name] = column
    return found


def promised(contract: Contract) -> dict[str, str]:
    """Contract field -> the column whose distinct values are to be counted: it is unique, or a rule says so.

    A key of several fields is unique only together, and is left to landing.
    """
    columns = measured(contract)
    keys = [f.name for f in contract.fields if f.primary_key]
    asked = {f.name for f in contract.fields if f.unique} | (set(keys) if len(keys) == 1 else set())
    asked |= {r.column for r in contract.rules if r.metric == "duplicateValues" and r.column}
    table = RAW[contract.record]
    sealed = {c.name for c in table.columns if c.sealed}
    return {f: c for f, c in columns.items() if f in asked and c not in sealed}


def scan(contract: Contract, view: str, until: datetime, since: int = 0) -> tuple[str, list[str], list[str]]:
    """The one SELECT over a source's raw table, and the fields in whose order it counts: present, then distinct.

    view: the table as a relation. until: rows of a later time do not make a source fresh. since: only of later batches.
    Distinct values of the column that names a row are not counted: landing keeps them apart (20 M texts would cost ten
    seconds).
    """
    table, columns, exact = RAW[contract.record], measured(contract), _exact(contract)
    newest = next((c for c in ("occurred_at", "valid_from") if c in table.names), None)
    moment = f"TIMESTAMPTZ {literal(until.isoformat())}"
    age = f"epoch(max({newest}::TIMESTAMPTZ) FILTER (WHERE {newest} <= {moment}))" if newest else "NULL"
    later = f"count(*) FILTER (WHERE {newest} > {moment})" if newest else "0"
    items = ["count(*)", age, later, *(f"count({name(c)})" for c in columns.values())]
    items += [f"count(DISTINCT {name(c)})" for c in exact.values()]
    new = f" AND batch > {since}" if since else ""
    select = f"SELECT {', '.join(items)} FROM {view} AS t WHERE source = {literal(contract.name)}{new}"
    return select, list(columns), list(exact)


def count(
    run: Run, contract: Contract, until: datetime, tallies: dict[str, Tally] | None = None, since: int = 0
) -> Counts:
    """Counts one source: its raw table in one scan, and its part of the quarantine.

    tallies: what was counted of each source up to the batch `since`; of a table that only grows the rest is added to it,
    and the sum is written back.
    """
    table, known = RAW[contract.record], (tallies or {}).get(contract.name)
    columns = measured(contract)
    if known is not None and not _continues(known, columns, until):
        known = None
    select, present, distinct = scan(contract, run.views[table.name].sql, until, since if known else 0)
    kept, newest, later, *numbers = rows(run.con, select)[0]
    if known is not None:
        kept, newest = kept + known["kept"], max((n for n in (newest, known["newest"]) if n is not None), default=None)
        numbers = [n + known["present"][f] for f, n in zip(present, numbers, strict=True)]
    found = dict(zip(present, numbers, strict=False))
    if tallies is not None and table.name in ADDED and not distinct:
        tallies[contract.name] = {
            "kept": kept, "newest": newest, "later": later, "columns": columns, "present": found
        }  # fmt: skip
    fields = ", ".join(literal(f) for f in present) or "NULL"
    refused = rows(
        run.con,
        f"""SELECT CASE WHEN field IN ({fields}) THEN field ELSE {literal(ELSEWHERE)} END, count(*),
            count(*) FILTER (WHERE reason = 'Required-Missing') FROM {run.views[QUARANTINE.name].sql} AS q
            WHERE source = {literal(contract.name)} AND state = 'open' GROUP BY 1""",
    )
    return Counts(
        kept=kept,
        present=found,
        distinct={f: found[f] for f in promised(contract)} | dict(zip(distinct, numbers[len(present) :], strict=True)),
        refused={f: n for f, n, _ in refused},
        missing={f: n for f, _, n in refused},
        newest=newest,
    )


def _exact(contract: Contract) -> dict[str, str]:
    """Those of `promised` whose distinct values have to be counted."""
    named = [c for c in RAW[contract.record].unique if c != "source"]
    return {f: c for f, c in promised(contract).items() if [c] != named}


def _continues(known: Tally, columns: dict[str, str], until: datetime) -> bool:
    """Whether newer rows can be added to a tally: it counted the same columns, and no row's time has come or gone since."""
    return (
        known["columns"] == columns
        and known["later"] == 0
        and (known["newest"] is None or known["newest"] <= until.timestamp())
    )


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
