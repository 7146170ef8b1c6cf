"""`tessera segments`: how people are grouped."""

from __future__ import annotations

from tessera.doors.call import Call, Commands


def add(commands: Commands) -> None:
    """Declares it."""
