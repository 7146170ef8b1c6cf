"""`tessera try ...`: each insight on a bare file, before anything is connected; no workspace, nothing kept.

A verb is one file here with an `add`, one line in VERBS, and a few calls of `tessera.insight`.
"""

from __future__ import annotations

from collections.abc import Callable

from tessera.doors.call import Commands
from tessera.doors.commands.trying import upkeep

VERBS: tuple[Callable[[Commands], None], ...] = (upkeep.add,)


def add(commands: Commands) -> None:
    """Declares them."""
    examples = ["try upkeep engines.csv --unit engine --cycle cycle"]
    verbs = commands.noun("try", "an insight on a bare file: CSV, JSON or Parquet, nothing connected", examples)
    for verb in VERBS:
        verb(verbs)
