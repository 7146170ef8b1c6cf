"""raw tables, QUARANTINE -> QUALITY: how complete, valid, unique and fresh each field of each source is.

Counted as `counts` says; no row and no value leaves the engine. A measurement is kept for
good, so that a department sees which way its data goes. Its KPI is the mean over its fields, weighted by rows, of the
worse of completeness and validity, against its goal.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

import pyarrow as pa

from tessera.config import Contract
from tessera.data.counts import ELSEWHERE, Counts, Tally, count
from tessera.data.raw import QUARANTINE, RAW
from tessera.lake.arrow import schema
from tessera.lake.engine import literal, rows
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table

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

_SHOWN = {"duplicateValues": "unique_percent", "invalidValues": "valid_percent"}
_SCHEMA = schema(QUALITY)


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
    tallies: dict[str, Tally] = dict(run.before.get("tallies", {})) if run.grown else {}
    made: list[dict[str, Any]] = []
    if since < run.batch:
        until = run.at if run.as_of == run.at.date() else datetime.combine(run.as_of, time.max, UTC)
        stamp = {"measured_at": run.at, "batch": run.batch}
        moved = _moved(run, since)
        for contract in (c for c in run.config.sources if c.name in moved):
            found = count(run, contract, until, tallies, since)
            made += ({**stamp, **row} for row in rated(contract, found, until))
    facts = {"batch": max(since, run.batch), **({"tallies": tallies} if tallies else {})}
    if not made:
        return Made(nothing=True, facts=facts)
    return Made(rows=pa.Table.from_pylist(made, _SCHEMA), mode="append", facts=facts)


def _moved(run: Run, since: int) -> set[str]:
    """The sources of which anything landed, or was refused, after a batch."""
    tables = {RAW[c.record].name for c in run.config.sources} | {QUARANTINE.name}
    each = (f"SELECT source FROM {run.views[t].sql} AS t WHERE batch > {since} GROUP BY source" for t in sorted(tables))
    return {s for (s,) in rows(run.con, " UNION ".join(each))}


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
