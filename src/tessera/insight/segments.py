"""FEATURES, SEGMENT_CENTRES -> SEGMENTS: who belongs to which segment, from which day until which.

The table is a history: a row is open (valid_to is null) while its person stays where she is. Whoever changes, or does
not allow the purpose any more, has her row closed; whoever stays keeps hers, whatever became of the model.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from tessera.data import raw
from tessera.data.profiles import PROFILES
from tessera.insight.centres import RULES, assigned
from tessera.insight.fitting import Centre
from tessera.insight.names import Place
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

MadeBy = tuple[str, int | None, int]
"""A model's id, k and seed."""


def history(now: str, own: str, model: MadeBy, as_of: date) -> str:
    """SQL that continues `over`'s CTEs: SEGMENTS as of that day.

    now: SQL of today's person_id and segment. own: the table as it stands. A row that would
    close on the day it opened never held, and goes.
    """
    day = f"DATE {literal(as_of.isoformat())}"
    made_by, k, seed = model
    return f"""{_both(now, own)}
        SELECT w.person_id, w.segment, w.model, w.k, w.seed, w.valid_from,
               CASE WHEN w.valid_to IS NULL AND n.segment IS DISTINCT FROM w.segment THEN {day}
                    ELSE w.valid_to END AS valid_to
        FROM was w LEFT JOIN today n ON n.person_id = w.person_id
        WHERE w.valid_to IS NOT NULL OR n.segment = w.segment OR w.valid_from < {day}
        UNION ALL
        SELECT n.person_id, n.segment, {literal(made_by)} AS model, {literal(k)} AS k, {seed} AS seed,
               {day} AS valid_from, CAST(NULL AS DATE) AS valid_to
        FROM today n LEFT JOIN was w ON w.person_id = n.person_id AND w.valid_to IS NULL
        WHERE n.segment IS DISTINCT FROM w.segment"""


def moved(now: str, own: str) -> str:
    """SQL that continues `over`'s CTEs: how many people came, changed or left."""
    return f"""{_both(now, own)}
        SELECT count(*) AS people FROM today n
        FULL JOIN (SELECT person_id, segment FROM was WHERE valid_to IS NULL) w ON w.person_id = n.person_id
        WHERE n.segment IS DISTINCT FROM w.segment"""


def _both(now: str, own: str) -> str:
    return f", today AS ({now}), was AS (SELECT * FROM {own} AS own)"


def _run(run: Run) -> Made:
    found = rows(
        run.con,
        over(
            {"segment_centres": run.views["segment_centres"]},
            """SELECT model, k, seed, segment, recency_days, orders, revenue_cents,
                      weight_recency, weight_orders, weight_revenue FROM segment_centres ORDER BY segment""",
        ),
    )
    centres, weights, model = _read(found)
    now = assigned(centres, weights, run.as_of)
    facts = {"model": model[0], "as_of": run.as_of.isoformat()}
    views = {"features": run.views["features"]}
    if run.before and not value(run.con, over(views, moved(now, run.own))):
        return Made(nothing=True, facts=facts)
    return Made(select=over(views, history(now, run.own, model, run.as_of)), facts=facts)


def _read(found: list[tuple[Any, ...]]) -> tuple[tuple[Centre, ...], Place, MadeBy]:
    """Rows of SEGMENT_CENTRES -> centres, weights, and the model's id, k and seed."""
    fitted = [r for r in found if r[7] is not None]
    centres = tuple(Centre(segment=r[3], recency_days=r[4], orders=r[5], revenue_cents=r[6]) for r in fitted)
    weights = fitted[0][7:10] if fitted else (1.0, 1.0, 1.0)
    return centres, weights, found[0][:3] if found else (RULES, None, 0)


_DECIDING = (
    *(("features", c) for c in ("last_order_at", "orders", "revenue_cents", "r_score", "f_score", "m_score", "events")),
    *(("segment_centres", c) for c in ("segment", "recency_days", "orders", "revenue_cents")),
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
