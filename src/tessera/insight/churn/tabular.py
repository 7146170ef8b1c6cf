"""Any table with a yes/no column -> rows of numbers and codes to learn from, and what was left out, with the reason.

Nothing is imputed and nothing scaled: a missing value stays missing, a category becomes a code. What cannot be known of a new
row (an identifier, free text), says nothing (a constant) or says the answer itself (a leak) is left out and told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tessera.errors import BadInput, nearest
from tessera.insight.calibration import auc
from tessera.lake.engine import Connection, literal, name, rows, value

Numbers = npt.NDArray[np.float64]

LEVELS = 100
"""Values of a category that are told apart; the others together are OTHER."""
FEWEST = 10
"""Rows that a value of a category has at least to be told apart."""
OTHER = "(other)"
LEAK = 0.99
"""The AUC of one column alone, on rows that it was not learned from, at which it says the answer rather than predicts it."""
PARSED = 0.98
"""The share of a text column's values that must be numbers (or dates) for it to be one; the rest counts as missing."""
FEWEST_ROWS = 60
POSITIVE = ("yes", "y", "true", "t", "1", "1.0", "churned", "churn", "left", "lost", "positive", "good", "是", "真", "流失")
NEGATIVE = ("no", "n", "false", "f", "0", "0.0", "stayed", "retained", "negative", "bad", "否", "假", "-1")
ABSENT = ("", "na", "n/a", "nan", "null", "?", "#n/a")

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE")  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A table that can be learned from. x: rows x names, NaN is missing. y: 1 where the target is `positive`. levels: category
    -> what its codes mean. dates: columns that count days up to the newest one. left_out: column -> why. doubts: column -> what
    to look at. dropped: rows without a target. lines: each row's place in the file, from 1."""

    names: tuple[str, ...]
    x: Numbers
    y: Numbers
    levels: Mapping[str, tuple[str, ...]]
    dates: tuple[str, ...]
    target: str
    positive: str
    left_out: Mapping[str, str]
    doubts: Mapping[str, str]
    dropped: int
    lines: npt.NDArray[np.int64]

    def shown(self, row: int) -> list[float | str | None]:
        """A row's values as people read them."""
        return [self.value(c, self.x[row, i]) for i, c in enumerate(self.names)]

    def value(self, column: str, number: float) -> float | str | None:
        """One value as people read it."""
        if np.isnan(number):
            return None
        return self.levels[column][int(number)] if column in self.levels else float(number)


def prepared(
    con: Connection, table: str, columns: Mapping[str, str], target: str, *, line: str,
    positive: str | None = None, without: Collection[str] = (), keep: Collection[str] = (),
) -> Prepared:  # fmt: skip
    """The table as `trees.fit` takes it.

    columns: the table's columns with the engine's types, without `line`, its running number. positive: the value of the target
    that counts as one. without: columns to leave out. keep: columns to keep, whatever speaks against them. Raises BadInput for
    a target that is not there or has not two values, for too few rows, and if no column is left.
    """
    for asked in (target, *without, *keep):
        if asked not in columns:
            raise BadInput(f"There is no column {asked!r}. {nearest(asked, columns)}")
    which, dropped = _target(con, table, target, line, positive)
    order = f"FROM {table} JOIN outcome USING ({name(line)}) ORDER BY {name(line)}"
    got = con.execute(f"SELECT outcome.y AS y, {name(line)} AS line {order}").fetchnumpy()
    y, lines = np.asarray(got["y"], dtype=np.float64), np.asarray(got["line"], dtype=np.int64)
    _enough(y, target)
    found: dict[str, Numbers] = {}
    levels: dict[str, tuple[str, ...]] = {}
    dates: list[str] = []
    left: dict[str, str] = dict.fromkeys(without, "you said so")
    doubts: dict[str, str] = {}
    for column, kind in columns.items():
        if column == target or column in left:
            continue
        reason, numbers, codes = _column(con, table, order, column, kind, line, column in keep)
        if numbers is not None and column not in keep:
            reason = reason or _leak(numbers, codes is not None, y)
        if reason or numbers is None:
            left[column] = reason or "empty"
            continue
        found[column] = numbers
        if codes is not None:
            levels[column] = codes
        if _is_date(kind):
            dates.append(column)
        if doubt := _doubt(column, target, numbers, y):
            doubts[column] = doubt
    if not found:
        told = "; ".join(f"{c}: {why}" for c, why in left.items())
        raise BadInput(f"No column is left to learn from ({told}). --keep COLUMN keeps one whatever speaks against it.")
    return Prepared(
        names=tuple(found), x=np.column_stack(list(found.values())), y=y, levels=levels, dates=tuple(dates), target=target,
        positive=which, left_out=left, doubts=doubts, dropped=dropped, lines=lines,
    )  # fmt: skip


def _target(con: Connection, table: str, target: str, line: str, positive: str | None) -> tuple[str, int]:
    """Makes the temp table `outcome` (line, y); the value that counts as one, and how many rows have none."""
    text = f"trim(CAST({name(target)} AS VARCHAR))"
    absent = ", ".join(literal(a) for a in ABSENT)
    con.execute(
        f"""CREATE OR REPLACE TEMP TABLE said AS SELECT {name(line)}, lower({text}) AS plain, {text} AS told FROM {table}
            WHERE {name(target)} IS NOT NULL AND lower({text}) NOT IN ({absent})"""
    )
    counted = rows(con, "SELECT plain, count(*) AS n, min(told) AS told FROM said GROUP BY plain ORDER BY n, plain LIMIT 50")
    if len(counted) != 2:
        raise BadInput(
            f"The target {target!r} must have two values, such as yes and no; it has "
            f"{'more than 49' if len(counted) == 50 else len(counted)}. "
            + ("Name a column that says who left and who did not." if len(counted) < 2 else "Make a yes/no column of it first.")
        )
    known = {plain: told for plain, _, told in counted}
    if positive is not None:
        chosen = positive.strip().lower()
        if chosen not in known:
            raise BadInput(f"The target {target!r} has no value {positive!r}; it has {' and '.join(known.values())}.")
    else:
        chosen = _positive([plain for plain, _, _ in counted])
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE outcome AS SELECT {name(line)}, CAST(plain = {literal(chosen)} AS DOUBLE) AS y FROM said"
    )
    dropped = int(value(con, f"SELECT count(*) FROM {table}")) - sum(n for _, n, _ in counted)
    return known[chosen], dropped


def _positive(rarest_first: Sequence[str]) -> str:
    """The value that says yes; of two numbers the larger; else the rarer one."""
    for word in POSITIVE:
        if word in rarest_first:
            return word
    no = [v for v in rarest_first if v in NEGATIVE]
    if len(no) == 1:
        return next(v for v in rarest_first if v not in no)
    try:
        return max(rarest_first, key=float)
    except ValueError:
        return rarest_first[0]


def _enough(y: Numbers, target: str) -> None:
    ones = int(y.sum())
    if len(y) < FEWEST_ROWS or min(ones, len(y) - ones) < FEWEST:
        raise BadInput(
            f"{len(y)} rows have a {target!r}, {ones} of them positive. "
            f"At least {FEWEST_ROWS} rows and {FEWEST} of each are needed."
        )


Read = tuple[str, Numbers | None, tuple[str, ...] | None]
"""Why a column is left out ("" if not), its numbers or codes, and what the codes mean."""


def _column(con: Connection, table: str, order: str, column: str, kind: str, line: str, kept: bool) -> Read:
    plain = kind.partition("(")[0].strip()
    quoted = name(column)
    if kind.endswith("]") or plain in ("STRUCT", "MAP", "UNION", "BLOB", "LIST", "VARIANT"):
        return f"{plain.lower()} values cannot be learned from", None, None
    if plain in _NUMBERS or plain == "DECIMAL":
        return _number(con, f"CAST({quoted} AS DOUBLE)", order, column, kept)
    if _is_date(kind):
        return _date(con, f"CAST({quoted} AS TIMESTAMP)", order, kept)
    if plain in ("TIME", "INTERVAL"):
        return _number(con, f"epoch({quoted})", order, column, kept)
    return _text(con, table, order, column, line, kept)


def _number(con: Connection, sql: str, order: str, column: str, kept: bool) -> Read:
    numbers = _fetched(con, f"SELECT {sql} AS v {order}")
    numbers[~np.isfinite(numbers)] = np.nan
    known = numbers[~np.isnan(numbers)]
    reason = _same(known, numbers)
    if not reason and not kept and len(known) == len(numbers) and _numbered(known, column):
        reason = "another number in every row: an identifier or a running number"
    return reason, numbers, None


def _date(con: Connection, sql: str, order: str, kept: bool) -> Read:
    days = _fetched(con, f"SELECT epoch({sql}) / 86400.0 AS v {order}")
    known = days[~np.isnan(days)]
    # Days up to the newest moment: a number that says the same whenever the table was made.
    since = days.max() - days if len(known) == len(days) else np.nanmax(days) - days if len(known) else days
    return _same(known, days), since, None


def _same(known: Numbers, numbers: Numbers) -> str:
    if not len(known):
        return "empty"
    return "the same in every row" if len(np.unique(known)) == 1 and len(known) == len(numbers) else ""


def _numbered(known: Numbers, column: str) -> bool:
    """Whether whole numbers, all different, are names: they say so, or leave no gap."""
    if len(np.unique(known)) < len(known) or np.any(known != np.round(known)):
        return False
    named = re.search(
        r"(?:^|[_\W])(?:id|uid|uuid|udi|key|no|nr|number|index|rownumber)$|(?<=[a-z])(?:ID|Id|Key|No|Number)$|编号|号码", column
    )
    return (
        bool(named or re.search(r"^(?:ID|UDI|UID|RowNumber|CustomerId)$", column))
        or known.max() - known.min() == len(known) - 1
    )


def _text(con: Connection, table: str, order: str, column: str, line: str, kept: bool) -> Read:
    """Text: a number or date that was written as one, a category, or an identifier."""
    text = f"trim(CAST({name(column)} AS VARCHAR))"
    absent = ", ".join(literal(a) for a in ABSENT)
    held = f"CASE WHEN lower({text}) IN ({absent}) THEN NULL ELSE {text} END"
    number = f"TRY_CAST(regexp_replace({held}, '[,%$€£¥ ]', '', 'g') AS DOUBLE)"
    many, different, numbers, dates = rows(
        con,
        f"""SELECT count({held}), count(DISTINCT {held}), count({number}), count(TRY_CAST({held} AS TIMESTAMP))
            FROM {table} JOIN outcome USING ({name(line)})""",
    )[0]
    if not many:
        return "empty", None, None
    if numbers >= PARSED * many:
        return _number(con, number, order, column, kept)
    if dates >= PARSED * many:
        return _date(con, f"TRY_CAST({held} AS TIMESTAMP)", order, kept)
    if not kept and different > 0.9 * many and different > 2:
        return "another text in nearly every row: an identifier or free text", None, None
    listed = rows(
        con,
        f"""SELECT {held} AS v, count(*) AS n FROM {table} JOIN outcome USING ({name(line)})
            WHERE {held} IS NOT NULL GROUP BY v ORDER BY n DESC, v LIMIT {LEVELS + 1}""",
    )
    own = [v for v, n in listed[:LEVELS] if n >= FEWEST or different == 2]
    covered = sum(n for v, n in listed if v in set(own))
    if not kept and covered < many / 2:
        return f"{different:,} different texts, most of them rare: free text or names", None, None
    levels = (*own, OTHER) if covered < many else tuple(own)
    if len(levels) < 2 and many == _rows(con):
        return "the same in every row", None, None
    codes = " ".join(f"WHEN {literal(v)} THEN {i}" for i, v in enumerate(own))
    known = f"CASE {held} {codes} ELSE {len(own)} END" if codes else "0"
    return "", _fetched(con, f"SELECT CASE WHEN {held} IS NULL THEN NULL ELSE {known} END AS v {order}"), levels


def _rows(con: Connection) -> int:
    return int(value(con, "SELECT count(*) FROM outcome"))


def _fetched(con: Connection, sql: str) -> Numbers:
    found = con.execute(sql).fetchnumpy()["v"]
    return np.ma.filled(np.ma.asarray(found).astype(np.float64), np.nan)


def _is_date(kind: str) -> bool:
    return kind.startswith(("DATE", "TIMESTAMP"))


def _leak(numbers: Numbers, category: bool, y: Numbers) -> str:
    """Why a column says the answer, by the rate of each of its values (or fifty bins), learned on one half of the rows and
    judged on the other; "" if it does not."""
    bins = numbers if category else _binned(numbers)
    bins = np.where(np.isnan(bins), -1, bins).astype(int) + 1
    half = np.random.default_rng(1).permutation(len(y)) % 2 == 0
    found = []
    for learn, judge in ((half, ~half), (~half, half)):
        many = np.bincount(bins[learn], minlength=bins.max() + 1)
        ones = np.bincount(bins[learn], weights=y[learn], minlength=bins.max() + 1)
        rate = (ones + y.mean()) / (many + 1)
        found.append(auc(rate[bins[judge]], y[judge]) or 0.5)
    told = float(np.mean(found))
    return f"it says the target almost by itself (AUC {told:.3f}): surely known only afterwards" if told >= LEAK else ""


def _binned(numbers: Numbers) -> Numbers:
    known = numbers[~np.isnan(numbers)]
    cuts = np.unique(np.quantile(known, np.linspace(0, 1, 51)[1:-1])) if len(known) else np.zeros(0)
    return np.where(np.isnan(numbers), np.nan, np.searchsorted(cuts, numbers, side="right"))


def _doubt(column: str, target: str, numbers: Numbers, y: Numbers) -> str:
    """What to look at: a name that is made of the target's, or a value that was never wrong."""
    stem = _letters(target)
    if len(stem) >= 4 and stem in _letters(column):
        return "its name has the target's in it: is it known beforehand?"
    kinds, which, many = np.unique(numbers[~np.isnan(numbers)], return_inverse=True, return_counts=True)
    if len(kinds) <= LEVELS:
        ones = np.bincount(which, weights=y[~np.isnan(numbers)], minlength=len(kinds))
        sure = (ones == many) & (many >= 3 * FEWEST) & (many >= 0.02 * y.sum())
        if sure.any():
            return f"each of {int(many[sure].sum()):,} rows with one value of it is positive: is it known beforehand?"
    return ""


def _letters(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalpha())
