"""The places of the staff's shell: what each is called, who may enter it, where it stands in the menu."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tessera.doors.pages.tongue import N_

Group = Literal["", "act", "trust", "govern", "run"]
GROUPS: dict[Group, str] = {"": "", "act": N_("Act"), "trust": N_("Trust"), "govern": N_("Govern"), "run": N_("Run")}


@dataclass(frozen=True, kw_only=True)
class Page:
    """One place. title: the sentence that names it. function: what access.yaml has to let the role do (functions); empty: any
    role will do. key: of `g KEY` on the keyboard. listed: whether the menu has it."""

    name: str
    path: str
    title: str
    icon: str = ""
    group: Group = ""
    function: str = ""
    key: str = ""
    listed: bool = True


@dataclass(frozen=True)
class Menu:
    """All places, in the order of the menu."""

    pages: tuple[Page, ...]

    def open_to(self, functions: Iterable[str]) -> list[tuple[str, list[Page]]]:
        """The groups by title, with the places that whoever may use these functions may enter."""
        may = {"", *functions}
        found = [(GROUPS[g], [p for p in self.pages if p.group == g and p.listed and p.function in may]) for g in GROUPS]
        return [(title, pages) for title, pages in found if pages]
