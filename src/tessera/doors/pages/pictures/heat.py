"""A grid of cells, the darker the more: RFM scores, cohorts by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tessera.doors.pages.pictures.marks import NOTHING, picture, rect, text, told

MOST = 0.5
"""How dark the darkest cell is: text on it stays readable in both themes."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """share: how dark, 0 to 1; None: hidden. said: the figure in it. below: a smaller second one. sentence: all of it."""

    share: float | None
    said: str = ""
    below: str = ""
    sentence: str = ""


def heat(
    cells: Mapping[tuple[int, int], Cell], rows: Sequence[str], columns: Sequence[str], label: str, *, across: str = "",
    down: str = "", width: float = 64, height: float = 40, margin: float = 84, hue: str = "f-lapis",
) -> Markup:
    """The grid. cells: by row and column; a missing one stays empty. across, down: what columns and rows are."""
    left, top = margin, 40.0 if across else 22.0
    parts = NOTHING
    if across:
        parts += text(left, 13, across, "faint")
    if down:
        parts += text(0, top - 8, down, "faint")
    for c, name in enumerate(columns):
        parts += text(left + c * width + width / 2 - 1, top - 8, name, "mid")
    for r, name in enumerate(rows):
        y = top + r * height
        parts += text(left - 10, y + height / 2 + 4, name, "end")
        for c in range(len(columns)):
            cell = cells.get((r, c))
            if cell is not None:
                parts += _cell(cell, left + c * width, y, width - 2, height - 2, hue)
    return picture(left + len(columns) * width, top + len(rows) * height, label, parts, "pic natural", natural=True)


def _cell(cell: Cell, x: float, y: float, width: float, height: float, hue: str) -> Markup:
    found = rect(x, y, width, height, "f-sunk", round_=4)
    if cell.share is None:
        return told(found + text(x + width / 2, y + height / 2 + 4, cell.said, "mid faint"), cell.sentence)
    found += rect(x, y, width, height, hue, round_=4, opacity=max(cell.share, 0.04) * MOST)
    middle = y + height / 2 + (-2 if cell.below else 4)
    found += text(x + width / 2, middle, cell.said, "mid strong")
    if cell.below:
        found += text(x + width / 2, middle + 14, cell.below, "mid small")
    return told(found, cell.sentence)
