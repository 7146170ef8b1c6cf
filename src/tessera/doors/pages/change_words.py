"""What a change gives and takes, in the reader's language: cells of access by role and purpose, and the rest by sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tessera.config import Verdict
from tessera.doors.pages.tongue import N_, Tongue
from tessera.fideslang import CATEGORIES
from tessera.trust.matrix import CellChange, OtherChange


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Cells of one role and purpose that change alike. categories: the highest that say it."""

    role: str
    purpose: str
    categories: tuple[str, ...]
    before: Verdict
    after: Verdict
    gives: bool


VERDICT: dict[Verdict, str] = {
    "clear": N_("as it is"), "masked": N_("masked"), "generalised": N_("coarser"), "hidden": N_("not at all"),
}  # fmt: skip

SAYS: tuple[tuple[str, str], ...] = (
    (r"(?P<who>.+) may act as (?P<what>.+)", N_("{who} may act as {what}")),
    (r"(?P<who>.+) may no longer act as (?P<what>.+)", N_("{who} may no longer act as {what}")),
    (r"the attribute (?P<what>.+) of (?P<who>.+) changes", N_("the attribute {what} of {who} changes")),
    (r"the row rules of (?P<who>.+) on (?P<what>.+) change", N_("the row rules of {who} on {what} change")),
    (r"the purpose (?P<what>\S+) goes", N_("the purpose {what} goes")),
    (r"the purpose (?P<what>\S+) comes", N_("the purpose {what} comes")),
    (r"the purpose (?P<what>\S+) rests on (?P<now>\S+) in place of (?P<was>\S+)",
     N_("the purpose {what} rests on {now} in place of {was}")),
    (r"the purpose (?P<what>\S+) is for (?P<now>\S+) in place of (?P<was>\S+)",
     N_("the purpose {what} is for {now} in place of {was}")),
    (r"the purpose (?P<what>\S+) keeps data longer", N_("the purpose {what} keeps data longer")),
    (r"the purpose (?P<what>\S+) keeps data shorter", N_("the purpose {what} keeps data shorter")),
    (r"the purpose (?P<what>\S+) has other recipients", N_("the purpose {what} has other recipients")),
    (r"the purpose (?P<what>\S+) holds other columns after an erasure",
     N_("the purpose {what} holds other columns after an erasure")),
    (r"the purpose (?P<what>\S+) may use other categories", N_("the purpose {what} may use other categories")),
    (r"changes need (?P<n>\d+) people from now on", N_("changes need {n} people from now on")),
    (r"changes need nobody's approval any more", N_("changes need nobody's approval any more")),
    (r"changes need (?P<n>\d+) people of (?P<what>.+)", N_("changes need {n} people of {what}")),
    (r"(?P<who>.+) may use (?P<what>.+) through the HTTP door", N_("{who} may use {what} in the pages and through the API")),
    (r"(?P<who>.+) may no longer use (?P<what>.+) through the HTTP door",
     N_("{who} may no longer use {what} in the pages and through the API")),
)  # fmt: skip
"""The sentences of trust/matrix.py, and what the catalogues call them."""


def said(other: OtherChange, tongue: Tongue) -> str:
    """What changes beside the cells."""
    for pattern, sentence in reversed(SAYS):
        if found := re.fullmatch(pattern, other.says):
            return tongue(sentence, **found.groupdict()) if found.groupdict() else tongue(sentence)
    return other.says


def together(cells: Iterable[CellChange]) -> list[Cells]:
    """Cells by role, purpose and what becomes of them, those that give first."""
    by: dict[tuple[str, str, Verdict, Verdict, bool], set[str]] = {}
    for c in cells:
        by.setdefault((c.role, c.purpose, c.before, c.after, c.gives), set()).add(c.category)
    made = [
        Cells(role=r, purpose=p, before=b, after=a, gives=g, categories=tuple(sorted(_highest(found))))
        for (r, p, b, a, g), found in by.items()
    ]
    return sorted(made, key=lambda c: (not c.gives, c.role, c.purpose))


def _highest(found: set[str]) -> set[str]:
    """A category stands for all below it where all of them are there."""
    whole = {c for c in found if all(d in found for d in CATEGORIES if d.startswith(c + "."))}
    return {c for c in found if not any(c.startswith(w + ".") for w in whole)}
