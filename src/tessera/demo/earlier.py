"""The made-up shop as it was some weeks before its today: a first turn on that day gives its pages a past to tell of.

What had not come in by then stands aside for that time, under names that no source reads, and then lies in its place as before.
"""

from __future__ import annotations

import csv
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

from tessera.insight_file import MODELS

DAY = date(2026, 11, 1)
SOURCES = ("crm", "rates", "orders", "order_items", "payments", "web_events")
"""What is landed for the first turn; the others, and all models but segments, are for the shop's today alone."""

ASIDE = ".later"
_TODAY = "as_of: 2026-11-20"
_INSIGHT = "insight.yaml"


@contextmanager
def earlier(root: Path) -> Iterator[None]:
    """The workspace and its world on DAY, for the time of the `with`; `back` mends what a kill leaves."""
    world = root / "world"
    later = [f for f in sorted((world / "events").glob("*.jsonl.gz")) if f.name >= f"{DAY:%Y-%m}"]
    try:
        _aside(root / "tessera.yaml", _settings)
        for file in later:
            _aside(file, lambda whole, part: None)
        _aside(world / "crm" / "customers.csv", _customers)
        _aside(world / "shop" / "shop.db", _shop)
        (root / _INSIGHT).write_text(f"without: [{', '.join(MODELS)}]\n", "utf-8")
        yield
    finally:
        back(root)


def back(root: Path) -> None:
    """Puts everything in its place again, the settings last: while they stand aside, so may others."""
    settings = root / f"tessera.yaml{ASIDE}"
    if not settings.exists():
        return
    (root / _INSIGHT).unlink(missing_ok=True)
    for aside in [*sorted((root / "world").rglob(f"*{ASIDE}")), settings]:
        os.replace(aside, aside.with_suffix(""))


def _aside(file: Path, make: Callable[[Path, Path], None]) -> None:
    """Moves a file aside and has its part that was there by DAY, if any, made in its place."""
    whole = file.with_name(file.name + ASIDE)
    os.replace(file, whole)
    make(whole, file)


def _settings(whole: Path, part: Path) -> None:
    said = whole.read_text("utf-8")
    assert _TODAY in said
    part.write_text(said.replace(_TODAY, f"as_of: {DAY}"), "utf-8")


def _customers(whole: Path, part: Path) -> None:
    with whole.open(encoding="utf-8", newline="") as told, part.open("w", encoding="utf-8", newline="") as made:
        rows = csv.DictReader(told)
        there = csv.DictWriter(made, rows.fieldnames or ())
        there.writeheader()
        there.writerows(row for row in rows if row["updated_at"] < DAY.isoformat())


def _shop(whole: Path, part: Path) -> None:
    shutil.copyfile(whole, part)
    with closing(sqlite3.connect(part)) as shop, shop:
        for table in ("orders", "order_items", "payments"):
            shop.execute(f"DELETE FROM {table} WHERE updated_at >= ?", (DAY.isoformat(),))
