"""What is left of each product: a file that is read anew when it changes; one that cannot be read leaves what was known."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tessera.action.decide import Model
from tessera.action.points import Points
from tessera.decision_points import Point, Stock

EVERY_S = 1.0
"""How often it is looked whether a file has changed."""


class Stocks:
    """The stock of each decision that asks for one. faults: by file, what is wrong with it."""

    def __init__(self) -> None:
        self._root = Path()
        self._files: dict[str, Stock] = {}
        self._known: dict[str, tuple[object, dict[str, float]]] = {}
        self._looked = float("-inf")
        self.faults: dict[str, str] = {}

    def open(self, root: Path, points: Iterable[Point]) -> None:
        """Follows what the workspace's files say now."""
        self._root, self._files = root, {p.name: p.stock for p in points if p.stock is not None}
        self._looked = float("-inf")

    def into(self, models: Mapping[str, Model], points: Points) -> None:
        """Puts what is left where it is decided."""
        if not self._files:
            return
        now = time.monotonic()
        if now - self._looked > EVERY_S:
            self._looked = now
            for name, stock in self._files.items():
                self._look(name, stock)
        for name in self._files:
            if (decider := points.deciders.get(name)) is not None:
                models[decider.point.purpose].stock[name] = self._known[name][1]

    def of(self, name: str) -> tuple[dict[str, float] | None, str]:
        """What is left at a point, by product (None: it does not go by stock), and what is wrong with its file."""
        stock = self._files.get(name)
        if stock is None:
            return None, ""
        self._look(name, stock)
        return dict(self._known[name][1]), self.faults.get(stock.file, "")

    def _look(self, name: str, stock: Stock) -> None:
        path = self._root / stock.file
        known = self._known.setdefault(name, (None, {}))
        try:
            at = path.stat()
            stamp = (at.st_mtime_ns, at.st_size, at.st_ino)
            if known[0] != stamp:
                self._known[name] = (stamp, read(path, stock))
                self.faults.pop(stock.file, None)
        except (OSError, ValueError) as error:
            self.faults[stock.file] = error.strerror or "it cannot be read" if isinstance(error, OSError) else str(error)


def read(path: Path, stock: Stock) -> dict[str, float]:
    """What is left by product. Raises OSError, or ValueError that says what is wrong and in which line."""
    left: dict[str, float] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        missing = {stock.product, stock.left} - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{stock.file} has no column {', '.join(sorted(missing))}.")
        for row in rows:
            try:
                left[row[stock.product]] = float(row[stock.left])
            except (TypeError, ValueError):
                raise ValueError(f"{stock.file}, line {rows.line_num}: {stock.left} is no number.") from None
    return left
