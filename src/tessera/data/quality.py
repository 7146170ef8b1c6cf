"""raw tables, QUARANTINE -> QUALITY: how complete, valid, unique and fresh each field of each source is.

One scan per source counts all its columns at once; no row and no value leaves the engine. A measurement is kept for
good, so that a department sees which way its data goes. Its KPI is the mean over its fields, weighted by rows, of the
worse of completeness and validity, against its goal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

import pyarrow as pa

from tessera.config import Contract, Rule
from tessera.data.raw import QUARANTINE, RAW
from tessera.lake.engine import literal, name, rows
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table

ELSEWHERE = "*"
"""The field of what broke a row without being a measured field: text that is no row, a field we keep sealed."""

RULE = "rule:"
"""How the field of a contract's own rule begins."""

QUALITY = Table(
    name="quality",
    whose="nobody",
    columns=(
        Column(name="measured_at", type="TIMESTAMPTZ"),
        Column(name="batch", type="BIGINT", note="the newest batch that was counted"),
        Column(name="source", type="VARCHAR"),
        Column(name="department", type="VARCHAR", note="who answers for the source"),
        Column(name="table_name", type="VARCHAR"),
        Column(name="field", type="VARCHAR", note="of the contract; '*': of the row; 'rule:...': a rule of its own"),
        Column(name="rows", type="BIGINT", note="that came and were kept, or wait in quarantine"),
        Column(name="complete_percent", type="DOUBLE", note="not empty, of the rows kept"),
        Column(name="valid_percent", type="DOUBLE", note="not quarantined for this field"),
        Column(name="unique_percent", type="DOUBLE", note="distinct, of the values; null where nobody promised it"),
        Column(name="fresh_hours", type="DOUBLE", note="age of the source's newest row when measured"),
        Column(name="fresh_within_hours", type="DOUBLE", note="what the contract promised"),
        Column(name="goal_percent", type="DOUBLE"),
        Column(name="kpi_percent", type="DOUBLE", note="the worse of complete and valid"),
        Column(name="ok", type="BOOLEAN", note="the goal or the rule is met; null where nothing could be counted"),
    ),
    note="quality of each field, one row per measurement",
)

_ARROW = {
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
    "BIGINT": pa.int64(),
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
}
_SHOWN = {"duplicateValues": "unique_percent", "invalidValues": "valid_percent"}
_SCHEMA = pa.schema([(c.name, _ARROW[c.type]) for c in QUALITY.columns])


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


def scan(contract: Contract, view: str, until: datetime) -> tuple[str, list[str], list[str]]:
    """The one SELECT over a source's raw table, and the fields in whose order it counts: present, then distinct.

    view: the table as a relation. until: rows of a later time do not make a source fresh. Distinct values of the column
    that names a row are not counted: landing keeps them apart (20 M texts would cost ten seconds).
    """
    table, columns = RAW[contract.record], measured(contract)
    named = [c for c in table.unique if c != "source"]
    exact = {f: c for f, c in promised(contract).items() if [c] != named}
    newest = next((c for c in ("occurred_at", "valid_from") if c in table.names), None)
    moment = f"TIMESTAMPTZ {literal(until.isoformat())}"
    age = f"epoch(max({newest}::TIMESTAMPTZ) FILTER (WHERE {newest} <= {moment}))" if newest else "NULL"
    items = ["count(*)", age, *(f"count({name(c)})" for c in columns.values())]
    items += [f"count(DISTINCT {name(c)})" for c in exact.values()]
    select = f"SELECT {', '.join(items)} FROM {view} AS t WHERE source = {literal(contract.name)}"
    return select, list(columns), list(exact)


def count(run: Run, contract: Contract, until: datetime) -> Counts:
    """Counts one source: its raw table in one scan, and its part of the quarantine."""
    table = RAW[contract.record]
    select, present, distinct = scan(contract, run.views[table.name].sql, until)
    kept, newest, *numbers = rows(run.con, select)[0]
    fields = ", ".join(literal(f) for f in present) or "NULL"
    refused = rows(
        run.con,
        f"""SELECT CASE WHEN field IN ({fields}) THEN field ELSE {literal(ELSEWHERE)} END, count(*),
            count(*) FILTER (WHERE reason = 'Required-Missing') FROM {run.views[QUARANTINE.name].sql} AS q
            WHERE source = {literal(contract.name)} AND state = 'open' GROUP BY 1""",
    )
    found = dict(zip(present, numbers, strict=False))
    return Counts(
        kept=kept,
        present=found,
        distinct={f: found[f] for f in promised(contract)} | dict(zip(distinct, numbers[len(present) :], strict=True)),
        refused={f: n for f, n, _ in refused},
        missing={f: n for f, _, n in refused},
        newest=newest,
    )


def rated(contract: Contract, counts: Counts, until: datetime) -> list[dict[str, Any]]:
    """The rows of one source's measurement, without those columns that say when: its fields, then its rules."""
    goal = contract.goal_percent
    common = {
        "source": contract.name,
        "department": contract.department,
        "table_name": RAW[contract.record].name,
        "rows": counts.came,
        "fresh_hours": None if counts.newest is None else (until.timestamp() - counts.newest) / 3600,
        "fresh_within_hours": contract.fresh_hours,
    }
    made = []
    for field in (*counts.present, ELSEWHERE):
        complete, valid = counts.complete(field), counts.valid(field)
        kpi = min((p for p in (complete, valid) if p is not None), default=None)
        values = {"complete_percent": complete, "valid_percent": valid, "unique_percent": counts.unique(field)}
        rating = {"goal_percent": goal, "kpi_percent": kpi, "ok": None if kpi is None else kpi >= goal}
        made.append({**common, "field": field, **values, **rating})
    for rule in contract.rules:
        share = counts.broken(rule)
        shown = _SHOWN.get(rule.metric, "complete_percent")
        ok = None if share is None else share <= rule.at_most_percent
        field = f"{RULE}{rule.metric}({rule.column or ELSEWHERE})"
        met = {shown: None if share is None else 100 - share, "goal_percent": 100 - rule.at_most_percent, "ok": ok}
        made.append({**common, "field": field, **met})
    return made


def kpis(relation: str, sources: Iterable[str], at: datetime) -> str:
    """SQL: how each department stands now, worst first, from the newest measurement of each of these sources.

    relation: QUALITY. at: until when a source that brings nothing grows old. Columns: department, kpi_percent,
    goal_percent, ok, worst (up to three fields below the goal), broken (rules), late (sources), measured_at.
    """
    listed = ", ".join(literal(s) for s in sources) or "NULL"
    moment = f"TIMESTAMPTZ {literal(at.astimezone(UTC).isoformat())}"
    return f"""
        WITH newest AS (
            SELECT *, source || '.' || field AS place, starts_with(field, {literal(RULE)}) AS is_rule,
                   fresh_hours + epoch({moment} - measured_at) / 3600 > fresh_within_hours AS is_late
            FROM {relation} AS q WHERE source IN ({listed})
            QUALIFY measured_at = max(measured_at) OVER (PARTITION BY source)
        ), departments AS (
            SELECT department, max(measured_at) AS measured_at,
                   sum(kpi_percent * rows) / nullif(sum(rows) FILTER (WHERE kpi_percent IS NOT NULL), 0) AS kpi,
                   max(goal_percent) FILTER (WHERE NOT is_rule) AS goal_percent,
                   list(place || ' ' || round(kpi_percent, 1) || ' %' ORDER BY kpi_percent, place)
                       FILTER (WHERE kpi_percent < goal_percent) AS below,
                   list(place ORDER BY place) FILTER (WHERE is_rule AND NOT ok) AS broken,
                   list(DISTINCT source ORDER BY source) FILTER (WHERE is_late) AS late
            FROM newest GROUP BY department
        )
        SELECT department, round(kpi, 2) AS kpi_percent, goal_percent, kpi >= goal_percent AS ok,
               coalesce(below[1:3], []) AS worst, coalesce(broken, []) AS broken, coalesce(late, []) AS late,
               measured_at
        FROM departments ORDER BY kpi_percent NULLS LAST, department"""


def _measure(run: Run) -> Made:
    since = int(run.before.get("batch", 0))
    if since >= run.batch:
        return Made(nothing=True, facts={"batch": since})
    until = run.at if run.as_of == run.at.date() else datetime.combine(run.as_of, time.max, UTC)
    stamp = {"measured_at": run.at, "batch": run.batch}
    moved = _moved(run, since)
    made = [
        {**stamp, **row}
        for contract in run.config.sources
        if contract.name in moved
        for row in rated(contract, count(run, contract, until), until)
    ]
    facts = {"batch": run.batch}
    if not made:
        return Made(nothing=True, facts=facts)
    return Made(rows=pa.Table.from_pylist(made, _SCHEMA), mode="append", facts=facts)


def _moved(run: Run, since: int) -> set[str]:
    """The sources of which anything landed, or was refused, after a batch."""
    tables = {RAW[c.record].name for c in run.config.sources} | {QUARANTINE.name}
    each = (f"SELECT source FROM {run.views[t].sql} AS t WHERE batch > {since} GROUP BY source" for t in sorted(tables))
    return {s for (s,) in rows(run.con, " UNION ".join(each))}


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


_RAW_COLUMNS = tuple((t.name, c.name) for t in RAW.values() for c in t.columns)
_REFUSED = tuple((QUARANTINE.name, c) for c in ("source", "reason", "field", "state"))
_TIMES = tuple((t, c) for t, c in _RAW_COLUMNS if c in ("occurred_at", "valid_from"))

STEP = Step(
    name="quality",
    reads=(*(t.name for t in RAW.values()), QUARANTINE.name),
    writes=QUALITY,
    purpose="operate",
    run=_measure,
    keeps=True,
    aggregates=True,
    lineage={
        "rows": (*_RAW_COLUMNS, *_REFUSED),
        "complete_percent": _RAW_COLUMNS,
        "valid_percent": _REFUSED,
        "unique_percent": _RAW_COLUMNS,
        "fresh_hours": _TIMES,
        "kpi_percent": (*_RAW_COLUMNS, *_REFUSED),
        "ok": (*_RAW_COLUMNS, *_REFUSED),
    },
)
