"""TOUCHES, ORDERS -> CONVERSION_PATHS: which ways people took, how many did, and what came of it; for whoever explores paths.

A path that fewer than 10 people took is not shown: all such together are the one row without a path.
"""

from __future__ import annotations

from tessera.insight.attribution.channels import MODEL, PURPOSE, READ_COLUMNS, journeys
from tessera.insight.attribution.journeys import READS
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Table
from tessera.lake.view import over

CONVERSION_PATHS = Table(
    name="conversion_paths",
    whose="nobody",
    columns=(
        Column(name="path", type="VARCHAR", note="channels, oldest first; null: all paths of fewer than 10 people"),
        Column(name="people", type="BIGINT", note="who took it, each once"),
        Column(name="paths", type="BIGINT", note="how many different paths the row stands for"),
        Column(name="journeys", type="BIGINT", note="how often it was taken"),
        Column(name="first_orders", type="BIGINT", note="how often it ended in a first order"),
        Column(name="repeat_orders", type="BIGINT"),
        Column(name="value_cents", type="BIGINT", note="of these orders, in the workspace's currency"),
        Column(name="touches", type="DOUBLE", note="on average"),
        Column(name="days", type="DOUBLE", note="from its first touch to the order, median"),
    ),
    purposes=(PURPOSE,),
    unique=("path",),
    note="the ways that at least 10 people took to an order or to none; about paths, never about a person",
)


def _run(run: Run) -> Made:
    return Made(select=over(run.views, journeys(run).explored()))


STEP = Step(
    name="conversion_paths",
    reads=READS,
    writes=CONVERSION_PATHS,
    purpose=PURPOSE,
    run=_run,
    aged=True,
    aggregates=True,
    daily=True,
    model=MODEL,
    lineage={c.name: READ_COLUMNS for c in CONVERSION_PATHS.columns},
)
