"""FEATURES, SEGMENT_CENTRES -> SEGMENTS: who belongs to which segment, from which day until which.

The table is a history: a row is open (valid_to is null) while its person stays where she is. Whoever changes, or does
not allow the purpose any more, has her row closed; whoever stays keeps hers, whatever became of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import groupby
from typing import Any

from tessera.data import raw
from tessera.data.profiles import PROFILES
from tessera.insight.segments.centres import FEWEST_TOLD, RULES, assigned
from tessera.insight.segments.fitting import Centre, Model
from tessera.lake.engine import literal, rows, value
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

SEGMENTS = Table(
    name="segments",
    whose="person:person_id",
    columns=(
        PROFILES.column("person_id"),
        Column(name="segment", type="VARCHAR", category=raw.PURCHASE, note="its words are in segment_centres"),
        Column(name="model", type="VARCHAR", note="the model that put her there"),
        Column(name="k", type="INTEGER", note="how many centres that model has; null: by rule"),
        Column(name="seed", type="BIGINT"),
        Column(name="valid_from", type="DATE"),
        Column(name="valid_to", type="DATE", note="the first day on which it does not hold; null: it holds"),
    ),
    purposes=("analytics", "personalise", "marketing"),
    on_erase=Delete(),
    unique=("person_id", "valid_from"),
    whole=True,
    note="the segment of each person, and those that she had",
)


def history(now: str, own: str, versions: Sequence[Model], as_of: date) -> str:
    """SQL that continues `over`'s CTEs: SEGMENTS as of that day.

    now: SQL of today's person_id, segment and version. own: the table as it stands. A row that would close on the day it
    opened never held, and goes.
    """
    day = f"DATE {literal(as_of.isoformat())}"
    return f"""{_both(now, own)}
        SELECT w.person_id, w.segment, w.model, w.k, w.seed, w.valid_from,
               CASE WHEN w.valid_to IS NULL AND n.segment IS DISTINCT FROM w.segment THEN {day}
                    ELSE w.valid_to END AS valid_to
        FROM was w LEFT JOIN today n ON n.person_id = w.person_id
        WHERE w.valid_to IS NOT NULL OR n.segment = w.segment OR w.valid_from < {day}
        UNION ALL
        SELECT n.person_id, n.segment, {_of(versions, lambda m: m.id, RULES)} AS model,
               CAST({_of(versions, lambda m: m.k, None)} AS INTEGER) AS k,
               CAST({_of(versions, lambda m: m.seed, 0)} AS BIGINT) AS seed,
               {day} AS valid_from, CAST(NULL AS DATE) AS valid_to
        FROM today n LEFT JOIN was w ON w.person_id = n.person_id AND w.valid_to IS NULL
        WHERE n.segment IS DISTINCT FROM w.segment"""


def moved(now: str, own: str) -> str:
    """SQL that continues `over`'s CTEs: how many people came, changed or left."""
    return f"""{_both(now, own)}
        SELECT count(*) AS people FROM today n
        FULL JOIN (SELECT person_id, segment FROM was WHERE valid_to IS NULL) w ON w.person_id = n.person_id
        WHERE n.segment IS DISTINCT FROM w.segment"""


def migration(start: date, end: date) -> str:
    """SQL over SEGMENTS: how many people were in which segment on one day and in which on another; NULL: in none. A pair of
    fewer than FEWEST_TOLD people has people NULL, so that it tells of nobody."""
    on = "SELECT person_id, segment FROM segments WHERE valid_from <= {0} AND (valid_to IS NULL OR valid_to > {0})"
    first, last = (on.format(f"DATE {literal(day.isoformat())}") for day in (start, end))
    return f"""SELECT was.segment AS was, now.segment AS now,
               CASE WHEN count(*) >= {FEWEST_TOLD} THEN count(*) END AS people
        FROM ({first}) AS was FULL JOIN ({last}) AS now ON now.person_id = was.person_id
        GROUP BY was.segment, now.segment ORDER BY was.segment NULLS LAST, now.segment NULLS LAST"""


def _both(now: str, own: str) -> str:
    return f", today AS ({now}), was AS (SELECT * FROM {own} AS own)"


def _of(versions: Sequence[Model], fact: Callable[[Model], str | int], none: str | int | None) -> str:
    """SQL: a fact of the version that decided."""
    if not versions:
        return literal(none)
    if len(versions) == 1:
        return literal(fact(versions[0]))
    return f"CASE n.version {' '.join(f'WHEN {i + 1} THEN {literal(fact(m))}' for i, m in enumerate(versions))} END"


def _run(run: Run) -> Made:
    found = rows(
        run.con,
        over(
            {"segment_centres": run.views["segment_centres"]},
            """SELECT version, model, seed, fitted_at, segment, recency_days, orders, revenue_cents,
                      weight_recency, weight_orders, weight_revenue FROM segment_centres
               WHERE weight_recency IS NOT NULL ORDER BY version, segment""",
        ),
    )
    versions = _read(found)
    now = assigned(versions, run.as_of)
    facts = {"model": versions[-1].id if versions else RULES, "as_of": run.as_of.isoformat()}
    views = {"features": run.views["features"]}
    if run.before and not value(run.con, over(views, moved(now, run.own))):
        return Made(nothing=True, facts=facts)
    return Made(select=over(views, history(now, run.own, versions, run.as_of)), facts=facts)


def _read(found: list[tuple[Any, ...]]) -> tuple[Model, ...]:
    """Rows of SEGMENT_CENTRES that have a centre -> the versions in force, oldest first."""
    made = []
    for _, several in groupby(found, key=lambda row: row[0]):
        each = list(several)
        _, model, seed, fitted_at, *_ = each[0]
        centres = tuple(Centre(segment=r[4], recency_days=r[5], orders=r[6], revenue_cents=r[7]) for r in each)
        made.append(Model(id=model, seed=seed, fitted_at=fitted_at, centres=centres, weights=each[0][8:11]))
    return tuple(made)


_DECIDING = (
    *(("features", c) for c in ("last_order_at", "orders", "revenue_cents", "r_score", "f_score", "m_score", "events")),
    *(("segment_centres", c) for c in ("version", "segment", "recency_days", "orders", "revenue_cents")),
)

STEP = Step(
    name="segments",
    reads=("features", "segment_centres"),
    writes=SEGMENTS,
    purpose="analytics",
    run=_run,
    aged=True,
    keeps=True,
    lineage={
        "person_id": (("features", "person_id"),),
        "segment": _DECIDING,
        "model": (("segment_centres", "model"),),
        "k": (("segment_centres", "k"),),
        "seed": (("segment_centres", "seed"),),
        "valid_from": _DECIDING,
        "valid_to": _DECIDING,
    },
)
