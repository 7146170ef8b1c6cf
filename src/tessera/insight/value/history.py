"""What is known of customers for a law of buying: how often they came again, until when, since when; equal rows grouped.

A likelihood depends on three numbers of a customer only, so a million customers are some ten thousand rows with weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from tessera.lake.engine import Connection, rows

Numbers = npt.NDArray[np.float64]

COLUMNS = ("frequency", "recency", "age")


@dataclass(frozen=True, kw_only=True)
class History:
    """Different histories, one a row. frequency: purchases after the first (x). recency: from the first to the last (t_x),
    0 with no second one. age: from the first to the end of what is known (T). Both in the file's unit of time. weight: how
    many customers have that history."""

    frequency: Numbers
    recency: Numbers
    age: Numbers
    weight: Numbers

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def customers(self) -> float:
        """How many customers there are."""
        return float(self.weight.sum())

    @cached_property
    def counted(self) -> tuple[Numbers, npt.NDArray[np.intp], Numbers]:
        """The different frequencies, which of them each row has, and how many customers have each."""
        each, place = np.unique(self.frequency, return_inverse=True)
        return each, place, np.bincount(place, weights=self.weight).astype(np.float64)

    def sample(self, many: int, seed: int) -> History | None:
        """About that many rows, each standing for others: the heavy ones all, others with a chance by weight (Horvitz and
        Thompson, 1952), so that sums over them are right on average. None if there are not at least twice as many."""
        if len(self) < 2 * many:
            return None
        chance = np.minimum(1.0, self.weight * (many / self.customers))
        taken = np.random.default_rng(seed).random(len(self)) < chance
        some = self.part(taken)
        return History(frequency=some.frequency, recency=some.recency, age=some.age, weight=some.weight / chance[taken])

    def part(self, some: npt.NDArray[Any]) -> History:
        """Some of the rows."""
        return History(**{c: getattr(self, c)[some] for c in (*COLUMNS, "weight")})

    def scaled(self, unit: float) -> History:
        """The same in a unit of time that is `unit` times as long."""
        return History(frequency=self.frequency, recency=self.recency / unit, age=self.age / unit, weight=self.weight)


def broken(x: str, recency: str, age: str) -> Mapping[str, str]:
    """Why a row is no history: reason -> SQL that is true for it (a later reason holds of rows without an earlier one).

    x, recency, age: SQL of the three numbers.
    """
    return {
        "frequency is no whole number from 0": f"{x} < 0 OR {x} <> floor({x}) OR NOT isfinite({x})",
        "T is negative or no number": f"{age} < 0 OR NOT isfinite({age})",
        "recency is not between 0 and T": f"{recency} < 0 OR {recency} > {age} OR NOT isfinite({recency})",
        "recency without a second purchase": f"{x} = 0 AND {recency} > 0",
    }


def grouped(con: Connection, relation: str) -> History:
    """The different histories of a relation with the columns frequency, recency, age; sorted, so always the same."""
    named = ", ".join(COLUMNS)
    found = con.execute(
        f"SELECT {named}, CAST(count(*) AS DOUBLE) AS weight FROM {relation} GROUP BY {named} ORDER BY {named}"
    ).fetchnumpy()
    return History(**{c: np.asarray(found[c], dtype=np.float64) for c in (*COLUMNS, "weight")})


def of_purchases(relation: str, end: str, unit_days: float = 7.0) -> str:
    """SQL: purchases (customer, time, amount) -> one row per customer: customer, frequency, recency, age, monetary_value.

    Purchases of one day count as one, as in Fader and Hardie's tables; monetary_value is the mean of the days after the first
    (null without any). end: SQL of the last day that is known; later purchases are not looked at. Times in units of
    `unit_days`.
    """
    return f"""SELECT customer, CAST(count(*) - 1 AS DOUBLE) AS frequency,
               date_diff('day', min(day), max(day)) / {unit_days!r} AS recency,
               date_diff('day', min(day), {end}) / {unit_days!r} AS age,
               CASE WHEN count(*) > 1 THEN (sum(amount) - arg_min(amount, day)) / (count(*) - 1) END AS monetary_value
        FROM (SELECT customer, CAST(time AS DATE) AS day, sum(amount) AS amount FROM {relation}
              WHERE CAST(time AS DATE) <= {end} GROUP BY ALL) AS days
        GROUP BY customer"""


def left_out(con: Connection, relation: str, reasons: Mapping[str, str]) -> dict[str, int]:
    """How many rows each reason holds of, each row counted once; reasons of nobody are not told."""
    cases = " ".join(f"WHEN {sql} THEN {i}" for i, sql in enumerate(reasons.values()))
    found = dict(rows(con, f"SELECT CASE {cases} END AS why, count(*) FROM {relation} GROUP BY 1"))
    return {reason: int(found[i]) for i, reason in enumerate(reasons) if i in found}
