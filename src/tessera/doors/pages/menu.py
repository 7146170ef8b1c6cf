"""The places of the staff's shell: what each is called, who may enter it, where it stands in the menu."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from tessera.doors.pages.tongue import N_

Group = Literal["", "act", "trust", "govern", "run"]
GROUPS: dict[Group, str] = {"": "", "act": N_("Act"), "trust": N_("Trust"), "govern": N_("Govern"), "run": N_("Run")}


WORDS = {
    "/customers": "customers", "/segments": "insight", "/attribution": "insight", "/models": "insight", "/retention": "insight",
    "/live": "live", "/decisions": "live", "/consent": "trust", "/requests": "trust", "/uses": "trust", "/access": "trust",
    "/changes": "changes", "/explore": "explore", "/questions": "explore", "/lineage": "explore", "/quality": "explore",
}  # fmt: skip
"""Where an address begins -> the catalogue of its pages; of all else `run`."""


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

    @property
    def words(self) -> str:
        """The catalogue of its group of pages."""
        return next((name for start, name in WORDS.items() if self.path.startswith(start)), "run")


@dataclass(frozen=True)
class Menu:
    """All places, in the order of the menu."""

    pages: tuple[Page, ...]

    def open_to(self, functions: Iterable[str]) -> list[tuple[str, list[Page]]]:
        """The groups by title, with the places that whoever may use these functions may enter."""
        may = {"", *functions}
        found = [(GROUPS[g], [p for p in self.pages if p.group == g and p.listed and p.function in may]) for g in GROUPS]
        return [(title, pages) for title, pages in found if pages]
