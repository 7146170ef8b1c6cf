"""Declared folds: how rows become one value, stated once, so that the turn's SQL and the live fold are the same.

Every fold is commutative and associative (merge(a, b) = merge(b, a)), so rows may come in any order, in any pieces, and
persons may merge or split without reading an event again. `last` and `first` are by source rank, then time, never by
arrival; of one moment, a record is told apart by its name, so that all fields come from one, and an event by its value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tessera.lake.quoting import literal

FoldKind = Literal["first", "last", "min", "max", "sum", "count"]


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One field of a profile.

    field: its name. kind: how it folds. table: the rows it folds. of: the column (or SQL over the row). where: which rows
    count. type, category: of the field. sourced: also keep which source gave the value, as <field>_source.
    """

    field: str
    kind: FoldKind
    table: str
    of: str = "1"
    where: str | None = None
    type: str = "BIGINT"
    category: str = "user.behavior"
    sealed: bool = False
    key: str | None = None
    sourced: bool = False

    @property
    def partial_type(self) -> str:
        """The type of the field's partial, per key, of rows without a name."""
        return f"STRUCT(r INTEGER, t TIMESTAMPTZ, v {self.type})" if self.kind in ("first", "last") else self.type

    def partial(self, ranks: dict[str, int], named: str | None = None) -> str:
        """SQL: rows of one key -> partial. ranks: by source; named: the column that names a row."""
        where = f" FILTER (WHERE {self.where})" if self.where else ""
        if self.kind == "count":
            return f"count(*){where}"
        if self.kind in ("min", "max"):
            return f"{self.kind}({self.of}){where}"
        if self.kind == "sum":
            return f"sum({self.of}){where}::BIGINT"
        # A NULL is the greatest on DuckDB and the least on Spark, so a row without a time says so and loses.
        never = "0001-01-01" if self.kind == "last" else "9999-12-31"
        time = f"coalesce(occurred_at, TIMESTAMPTZ {literal(never + ' 00:00:00+00')})"
        order = f"r := ({rank_of(ranks)})::INTEGER, t := {time}" + (f", n := coalesce({named}, '')" if named else "")
        row = f"struct_pack({order}, v := {self.of})"
        present = f"{self.of} IS NOT NULL" + (f" AND ({self.where})" if self.where else "")
        return f"{'max' if self.kind == 'last' else 'min'}({row}) FILTER (WHERE {present})"

    def alone(self) -> dict[str, str]:
        """SQL by column: the only row of a person -> value (and its source)."""
        of = {"count": "CAST(1 AS BIGINT)", "sum": f"CAST({self.of} AS BIGINT)"}.get(self.kind, self.of)
        made = {self.field: f"CASE WHEN {self.where} THEN {of} END" if self.where else of}
        if self.sourced:
            made[self.field + "_source"] = f"CASE WHEN {made[self.field]} IS NOT NULL THEN source END"
        return made

    def whole(self) -> dict[str, str]:
        """SQL by column: all rows of one person -> value (and its source). The rows have `place`, their order by source
        rank, time and name; the same as `value` of the merged partials, without making them."""
        if self.kind not in ("first", "last"):
            return {self.field: self.partial({})}
        where = f"{self.of} IS NOT NULL" + (f" AND ({self.where})" if self.where else "")
        pick = "arg_max" if self.kind == "last" else "arg_min"
        made = {self.field: f"{pick}({self.of}, place) FILTER (WHERE {where})"}
        if self.sourced:
            made[self.field + "_source"] = f"{pick}(source, place) FILTER (WHERE {where})"
        return made

    def merge(self) -> str:
        """SQL: partials -> partial, or the value for kinds whose partial is the value."""
        if self.kind in ("count", "sum"):
            return f"sum({self.field})::BIGINT"
        if self.kind in ("min", "max"):
            return f"{self.kind}({self.field})"
        return f"{'max' if self.kind == 'last' else 'min'}({self.field}) FILTER (WHERE {self.field} IS NOT NULL)"

    def value(self) -> str:
        """SQL: the merged partial -> the value."""
        return f"{self.field}.v" if self.kind in ("first", "last") else self.field


def rank_of(ranks: dict[str, int]) -> str:
    """SQL: a row's source -> its rank."""
    cases = " ".join(f"WHEN {literal(s)} THEN {r}" for s, r in sorted(ranks.items()) if r)
    return f"CASE source {cases} ELSE 0 END" if cases else "0"
