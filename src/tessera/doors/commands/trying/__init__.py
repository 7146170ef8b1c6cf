"""`tessera try ...`: each insight on a bare file, before anything is connected; no workspace, nothing kept.

A verb is one file here with an `add`, one line in VERBS, and a few calls of `tessera.insight`.
"""

from __future__ import annotations

from collections.abc import Callable

from tessera.doors.call import Commands
from tessera.doors.commands.trying import recommend

VERBS: tuple[Callable[[Commands], None], ...] = (recommend.add,)


def add(commands: Commands) -> None:
    """Declares them."""
    about = "an insight on a bare file: CSV, JSON or Parquet, nothing connected"
    verbs = commands.noun("try", about, ["try recommend purchases.csv"])
    for verb in VERBS:
        verb(verbs)
