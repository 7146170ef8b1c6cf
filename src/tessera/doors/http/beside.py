"""Several parts that go on beside the workspace, as one: each is told when it is open, was worked in, or is to be lent."""

from __future__ import annotations

from dataclasses import dataclass

from tessera.app import App
from tessera.doors.http import desk


@dataclass(frozen=True)
class Beside:
    """The parts, told one after the other (`desk.Beside`)."""

    parts: tuple[desk.Beside, ...]

    def open(self, app: App) -> None:
        """It is open."""
        for part in self.parts:
            part.open(app)

    def worked(self, app: App) -> None:
        """Something was done in it."""
        for part in self.parts:
            part.worked(app)

    def roll(self) -> None:
        """It is about to be lent."""
        for part in self.parts:
            part.roll()
