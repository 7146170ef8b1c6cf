"""A file's table -> telemetry in lives, or rows that failed or not; what cannot be used is left out with the reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from tessera.errors import BadInput, nearest
from tessera.insight.trees import Numbers
from tessera.insight.upkeep.failing import tells
from tessera.insight.upkeep.telemetry import Bools, Ints, Telemetry
from tessera.lake.engine import Connection, literal, mapped, name, rows

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "FLOAT",
           "DOUBLE", "DECIMAL", "BOOLEAN")  # fmt: skip
MOST_CODES = 50
"""Different texts that a column may have and still be a category."""
YES = ("1", "true", "t", "yes", "y", "failed", "failure", "fail", "broken", "是", "故障")


@dataclass(frozen=True, kw_only=True)
class Lives:
    """Telemetry in lives: each row's life is one unit of `telemetry`. unit: of each life, the number of the machine whose it
    was; names: what those machines are called. ended: whether the life ended with a failure. left_out: column -> reason.
    dropped: rows without unit or cycle."""

    telemetry: Telemetry
    unit: Ints
    names: tuple[str, ...]
    ended: Bools
    left_out: Mapping[str, str]
    dropped: int

    def some(self, lives: Bools) -> tuple[Telemetry, Ints]:
        """The telemetry of some lives alone, numbered anew, and whose they were."""
        keep = lives[self.telemetry.unit]
        number = np.cumsum(lives) - 1
        t = self.telemetry
        part = Telemetry(unit=number[t.unit[keep]], cycle=t.cycle[keep], values=t.values[keep], sensors=t.sensors)
        return part, self.unit[lives]


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows that failed or not. numeric: which columns are numbers; the others hold codes of `levels`. left_out: column ->
    reason. dropped: rows of which nobody says whether they failed."""

    x: Numbers
    y: Numbers
    names: tuple[str, ...]
    numeric: tuple[bool, ...]
    levels: Mapping[str, tuple[str, ...]]
    left_out: Mapping[str, str]
    lines: Ints
    dropped: int


def lives(
    con: Connection, table: str, columns: Mapping[str, str], unit: str, cycle: str, *, failed: str | None = None,
    without: Collection[str] = (), sensors: tuple[str, ...] | None = None, line: str,
) -> Lives:  # fmt: skip
    """The lives in a table of readings.

    failed: the column that says that a row is a failure, which ends a life there; None: every unit's last row is one.
    sensors: those that a model reads, where it is there already. Raises BadInput for columns that are not there.
    """
    unit, cycle = found(columns, unit), found(columns, cycle)
    failed = found(columns, failed) if failed else None
    skip = {unit, cycle, failed, *(found(columns, c) for c in without)}
    left_out = {c: f"a text ({t})" for c, t in columns.items() if c not in skip and not _number(t)}
    wanted = sensors if sensors is not None else tuple(c for c in columns if c not in skip and c not in left_out)
    missing = [c for c in wanted if c not in columns]
    if missing or not wanted:
        what = f"it has no column {missing[0]!r}" if missing else "it has no column of numbers besides unit and cycle"
        raise BadInput(f"This table cannot be read as telemetry: {what}.")
    ends = f"{_yes(failed)}" if failed else "false"
    with mapped("reading telemetry"):
        items = ", ".join(f"TRY_CAST({name(c)} AS DOUBLE)" for c in wanted)
        every = f"""SELECT CAST({name(unit)} AS VARCHAR) AS unit, {_when(cycle, columns[cycle])} AS cycle,
                           {ends} AS ends, {name(line)} AS line, [{items}] AS read FROM {table}"""
        made = f"SELECT * FROM ({every}) WHERE unit IS NOT NULL AND cycle IS NOT NULL ORDER BY unit, cycle, line"
        whole = con.sql(made).to_arrow_table()
    if not len(whole):
        raise BadInput(f"No row has both {unit} and {cycle}.")
    total = int(rows(con, f"SELECT count(*) FROM {table}")[0][0])
    values = whole["read"].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float64)
    texts = whole["unit"].to_numpy(zero_copy_only=False).astype(str)
    names, machine = np.unique(texts, return_inverse=True)
    order = _as_counted(names)
    names, machine = names[order], np.argsort(order)[machine]
    ended = whole["ends"].to_numpy(zero_copy_only=False).astype(bool)
    by = np.argsort(machine, kind="stable")
    machine, ended = machine[by].astype(np.int64), ended[by]
    same = np.r_[False, machine[1:] == machine[:-1]]
    begins = ~same | np.r_[False, ended[:-1]]
    life = np.cumsum(begins) - 1
    telemetry = Telemetry(
        unit=life,
        cycle=whole["cycle"].to_numpy(zero_copy_only=False).astype(np.float64)[by],
        values=values.reshape(len(whole), len(wanted))[by],
        sensors=wanted,
    )
    return Lives(
        telemetry=telemetry, unit=machine[telemetry.starts], names=tuple(names.tolist()),
        ended=ended[telemetry.last] if failed else np.ones(len(telemetry.starts), dtype=bool),
        left_out=left_out, dropped=total - len(whole),
    )  # fmt: skip


def flagged(
    con: Connection, table: str, columns: Mapping[str, str], failed: str, *, without: Collection[str] = (), line: str
) -> Rows:
    """The rows of a table that says of each whether it failed. Raises BadInput."""
    failed = found(columns, failed)
    skip = {failed, *(found(columns, c) for c in without)}
    with mapped("reading rows"):
        kept = f"SELECT *, {_yes(failed)} AS its_failure FROM {table} WHERE {name(failed)} IS NOT NULL ORDER BY {name(line)}"
        whole = con.sql(kept).to_arrow_table()
    y = whole["its_failure"].to_numpy(zero_copy_only=False).astype(np.float64)
    left_out: dict[str, str] = {}
    made: dict[str, Numbers] = {}
    levels: dict[str, tuple[str, ...]] = {}
    for column in (c for c in columns if c not in skip):
        if _number(columns[column]):
            numbers = whole[column].cast("float64", safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
            known = numbers[~np.isnan(numbers)]
            different = len(np.unique(known))
            if different < 2:
                left_out[column] = "one value only"
            elif different == len(numbers) and (known == np.round(known)).all():
                left_out[column] = "another whole number in each row: it names rows"
            elif tells(numbers, y):
                left_out[column] = "nearly every row that has it failed: it says the outcome"
            else:
                made[column] = numbers
            continue
        texts = whole[column].cast("string").to_numpy(zero_copy_only=False)
        known_texts = sorted({t for t in texts if t is not None})
        if not 2 <= len(known_texts) <= MOST_CODES:
            left_out[column] = "one value only" if len(known_texts) < 2 else f"{len(known_texts):,} different texts"
            continue
        codes = {t: float(i) for i, t in enumerate(known_texts)}
        made[column] = np.array([codes.get(t, np.nan) for t in texts])
        levels[column] = tuple(known_texts)
    if not made:
        raise BadInput("No column is left to learn from.")
    total = int(rows(con, f"SELECT count(*) FROM {table}")[0][0])
    return Rows(
        x=np.column_stack(list(made.values())), y=y, names=tuple(made), numeric=tuple(c not in levels for c in made),
        levels=levels, left_out=left_out, lines=whole[line].to_numpy(zero_copy_only=False).astype(np.int64),
        dropped=total - len(whole),
    )  # fmt: skip


def found(columns: Collection[str], column: str) -> str:
    """The column as the file writes it. Raises BadInput with what it has."""
    for c in columns:
        if c == column or c.lower() == column.lower():
            return c
    raise BadInput(f"There is no column {column!r}. {nearest(column, columns)}")


def _number(kind: str) -> bool:
    return kind.upper().startswith(NUMBERS)


def _yes(failed: str) -> str:
    """SQL: whether a row's flag says that it failed."""
    text = f"lower(trim(CAST({name(failed)} AS VARCHAR)))"
    said = ", ".join(literal(word) for word in YES)
    return f"coalesce({text} IN ({said}) OR coalesce(TRY_CAST({text} AS DOUBLE), 0) > 0, false)"


def _when(cycle: str, kind: str) -> str:
    """SQL: a cycle as a number; a time in days."""
    if kind.upper().startswith(("TIMESTAMP", "DATE")):
        return f"epoch(CAST({name(cycle)} AS TIMESTAMP)) / 86400.0"
    return f"TRY_CAST({name(cycle)} AS DOUBLE)"


def _as_counted(names: object) -> Ints:
    """The order of units as people count: 2 before 10."""
    listed = list(np.asarray(names).tolist())
    numbers = all(n.lstrip("-").isdigit() for n in listed)
    order = sorted(range(len(listed)), key=lambda i: (int(listed[i]) if numbers else 0, listed[i]))
    return np.array(order, dtype=np.int64)
