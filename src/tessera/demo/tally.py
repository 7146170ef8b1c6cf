"""What went into each file, counted as it is written, and the faults that were put there on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Row = dict[str, Any]

MISSING = "Required-Missing"
MISTYPED = "Datatype-Mismatch"


@dataclass(frozen=True)
class Fault:
    """One way to break a contract: the column, the value put there and the reason why it breaks.

    A column in a nested object is dotted; its last part is the contract's name for it.
    """

    column: str
    value: Any
    reason: str

    def spoil(self, row: Row) -> None:
        """Break one row; a dotted column reaches into a nested object, which is copied first."""
        *path, last = self.column.split(".")
        for step in path:
            row[step] = dict(row.get(step) or {})
            row = row[step]
        row[last] = self.value


@dataclass
class Source:
    """One source's counts: rows in its files, how many are exact doubles, how many break the contract and why."""

    rows: int = 0
    doubled: int = 0
    broken: Counter[tuple[str, str]] = field(default_factory=Counter)

    def facts(self) -> Row:
        """As counts.json shows it; `valid` are the distinct rows that should land."""
        reasons: dict[str, dict[str, int]] = {}
        for (reason, column), count in sorted(self.broken.items()):
            reasons.setdefault(reason, {})[column] = count
        broken = sum(self.broken.values())
        return {
            "rows": self.rows,
            "doubled": self.doubled,
            "broken": broken,
            "broken_by": reasons,
            "valid": self.rows - self.doubled - broken,
        }


@dataclass
class Tally:
    """The counts of all sources, and the money of the valid orders per currency."""

    sources: dict[str, Source] = field(default_factory=dict)
    orders: Counter[str] = field(default_factory=Counter)
    order_cents: Counter[str] = field(default_factory=Counter)

    def source(self, name: str) -> Source:
        """The counts of one source, begun at nought."""
        return self.sources.setdefault(name, Source())

    def dirty(
        self,
        name: str,
        rows: list[Row],
        rng: np.random.Generator,
        *,
        faults: Sequence[Fault] = (),
        broken: float = 0.0,
        doubled: float = 0.0,
        eligible: Callable[[Row], bool] = lambda row: True,
    ) -> tuple[list[Row], list[Row]]:
        """Break a share of the rows in place, double another share, and count; returns (the broken, the doubles).

        A row is broken in one place only, and no broken row is doubled, so the counts add up.
        """
        source = self.source(name)
        open_rows = [row for row in rows if eligible(row)]
        bad = int(rng.binomial(len(rows), broken)) if faults else 0
        twice = int(rng.binomial(len(rows), doubled)) if doubled else 0
        picked = rng.permutation(len(open_rows))[: bad + twice].tolist()
        spoiled = [open_rows[place] for place in picked[:bad]]
        doubles = [open_rows[place] for place in picked[bad:]]
        for row in spoiled:
            fault = faults[source.broken.total() % len(faults)]
            fault.spoil(row)
            source.broken[fault.reason, fault.column.rpartition(".")[2]] += 1
        source.rows += len(rows) + len(doubles)
        source.doubled += len(doubles)
        return spoiled, doubles

    def facts(self) -> Row:
        """The whole of counts.json."""
        return {
            "sources": {name: source.facts() for name, source in sorted(self.sources.items())},
            "orders_by_currency": {
                currency: {"orders": self.orders[currency], "amount_cents": self.order_cents[currency]}
                for currency in sorted(self.orders)
            },
        }
