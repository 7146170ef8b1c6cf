"""READINGS, MEMBERSHIP, PROFILES -> SERVICE_DEMAND: how many cases of service each region's next weeks will bring.

A case is a device that reported an error in a week, or fell silent in it. Only what is foretold is told, never what was: of a
region with ten devices or more, the others together. It counts over everybody who allows `analytics`; whoever plans for all
scales it up by the devices that stand beside it.
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa

from tessera.data import raw
from tessera.insight.upkeep import demand
from tessera.insight.upkeep.device_health import SILENT_DAYS
from tessera.lake.arrow import schema
from tessera.lake.engine import literal, rows, value
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table
from tessera.lake.view import over

AHEAD = 4
FEWEST = 10
OTHERS = "(other)"

SERVICE_DEMAND = Table(
    name="service_demand",
    whose="nobody",
    columns=(
        Column(name="region", type="VARCHAR", category=raw.TRADE, note="'(other)': fewer than ten devices, or not known"),
        Column(name="week", type="DATE", note="its Monday"),
        Column(name="cases", type="DOUBLE", note="expected"),
        Column(name="cases_low", type="DOUBLE", note="of an interval of 90 %"),
        Column(name="cases_high", type="DOUBLE"),
        Column(name="devices", type="BIGINT", note="that reported in the weeks learned from"),
        Column(name="covered", type="DOUBLE", note="share of held-out weeks, of all regions, that fell inside"),
        Column(name="held_out", type="BIGINT", note="how many weeks and regions that was"),
        Column(name="as_of", type="DATE"),
    ),
    purposes=("analytics",),
    unique=("region", "week"),
    note="expected cases of service by region and week; about regions, never about a person",
)
SCHEMA = schema(SERVICE_DEMAND)


def cases(newest: str) -> str:
    """SQL over the views: region, week (a Monday), cases; and rows with a null week that say how many devices a region has.

    newest: SQL of the moment of the newest reading; a device that was silent for SILENT_DAYS by then failed in its last week.
    """
    silent = f"epoch({newest}) - epoch(e.last_at) >= {SILENT_DAYS * 86400}"
    return f""", homes AS (SELECT m.key_id, coalesce(p.region, p.country) AS region
            FROM membership m JOIN profiles p USING (person_id)),
        seen AS (SELECT key_id, date_trunc('week', occurred_at) AS week, max(occurred_at) AS last_at,
                 count(error_code) AS errors FROM readings WHERE key_id IS NOT NULL AND occurred_at <= {newest}
            GROUP BY key_id, week),
        ended AS (SELECT key_id, max(last_at) AS last_at FROM seen GROUP BY key_id),
        placed AS (SELECT h.key_id, h.region FROM homes h SEMI JOIN ended USING (key_id)),
        large AS (SELECT region FROM placed WHERE region IS NOT NULL GROUP BY region HAVING count(*) >= {FEWEST}),
        told AS (SELECT p.key_id, coalesce(l.region, {literal(OTHERS)}) AS region
            FROM placed p LEFT JOIN large l USING (region))
        SELECT t.region, CAST(s.week AS DATE) AS week,
               count(*) FILTER (s.errors > 0 OR (s.last_at = e.last_at AND {silent}))
        FROM seen s JOIN told t USING (key_id) JOIN ended e USING (key_id) GROUP BY ALL
        UNION ALL SELECT region, NULL, count(*) FROM told GROUP BY region ORDER BY 1, 2"""


def _run(run: Run) -> Made:
    day = f"TIMESTAMPTZ {literal((run.as_of + timedelta(days=1)).isoformat())}"
    newest = value(run.con, over(run.views, f"SELECT max(occurred_at) FROM readings WHERE occurred_at < {day}"))
    if newest is None:
        return Made(rows=SCHEMA.empty_table())
    found = rows(run.con, over(run.views, cases(f"TIMESTAMPTZ {literal(newest.isoformat())}")))
    devices = {r[0]: int(r[2]) for r in found if r[1] is None and r[2] >= FEWEST}
    regions = sorted(devices)
    weeks = sorted({r[1] for r in found if r[1] is not None})
    # The first week began before the data did; of the last ones nobody knows yet who fell silent.
    known = newest - timedelta(days=SILENT_DAYS)
    whole = [w for w in weeks[1:] if w + timedelta(days=7) <= known.date()]
    if len(whole) < demand.FEWEST_WEEKS or not regions:
        return Made(rows=SCHEMA.empty_table())
    every = [whole[0] + timedelta(days=7 * i) for i in range((whole[-1] - whole[0]).days // 7 + 1)]
    counts = np.zeros((len(every), len(regions)))
    for region, week, count in found:
        if region in devices and week is not None and whole[0] <= week <= whole[-1]:
            counts[(week - whole[0]).days // 7, regions.index(region)] = count
    told = demand.foretold(counts, AHEAD)
    listed = [
        {
            "region": region, "week": every[-1] + timedelta(days=7 * (a + 1)), "cases": float(told.mean[a, i]),
            "cases_low": float(told.low[a, i]), "cases_high": float(told.high[a, i]), "devices": devices[region],
            "covered": told.covered, "held_out": told.tried, "as_of": run.as_of,
        }
        for i, region in enumerate(regions)
        for a in range(AHEAD)
    ]  # fmt: skip
    return Made(rows=pa.Table.from_pylist(listed, schema=SCHEMA))


_COUNTED = (("readings", "occurred_at"), ("readings", "error_code"), ("profiles", "region"), ("profiles", "country"))

STEP = Step(
    name="service_demand",
    reads=("readings", "membership", "profiles"),
    writes=SERVICE_DEMAND,
    purpose="analytics",
    run=_run,
    aged=True,
    aggregates=True,
    lineage={c.name: () if c.name == "as_of" else _COUNTED for c in SERVICE_DEMAND.columns},
)
