"""`tessera try ...`: each insight on a bare file, before anything is connected; no workspace, nothing kept.

A verb is one file here with an `add`, one line in VERBS, and a few calls of `tessera.insight`.
"""

from __future__ import annotations

from collections.abc import Callable

from tessera.doors.call import Commands
from tessera.doors.commands.trying import attribution, churn, recommend, segments, upkeep, value

VERBS: tuple[Callable[[Commands], None], ...] = (
    attribution.add,
    churn.add,
    recommend.add,
    segments.add,
    upkeep.add,
    value.add,
)


def add(commands: Commands) -> None:
    """Declares them."""
    verbs = commands.noun(
        "try",
        "an insight on a bare file: CSV, JSON or Parquet, nothing connected",
        ["try churn customers.csv --target churned", "try attribution paths.csv --order 2", "try value customers.csv"],
    )
    for verb in VERBS:
        verb(verbs)
