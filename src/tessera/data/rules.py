"""An expression over one row as a function of Python: SQL's meaning, NULL as None, within a microsecond.

The declared folds and the rules of decisions are written in the SQL that people ask in. Where one row is judged at a time, as
it comes, planning a query for it takes a thousand times longer than the answer; so its tree becomes functions. What is not in
the small list below is refused when the rule is read, never when it is used. Only the standard library and sqlglot are needed,
so that the same functions run within a Flink job.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tessera.errors import BadInput

Row = Mapping[str, Any]
Reads = Callable[[Row], Any]

NOW = "now"
"""In a row: the moment of asking, an aware datetime, for `days_since`."""

DAYS_SINCE = "days_since"

_COMPARED: dict[type[exp.Expr], Callable[[Any, Any], bool]] = {
    exp.EQ: operator.eq, exp.NEQ: operator.ne, exp.GT: operator.gt, exp.GTE: operator.ge, exp.LT: operator.lt,
    exp.LTE: operator.le,
}  # fmt: skip
_RECKONED: dict[type[exp.Expr], Callable[[Any, Any], Any]] = {
    exp.Add: operator.add, exp.Sub: operator.sub, exp.Mul: operator.mul, exp.Div: operator.truediv,
}  # fmt: skip

TAKEN = "=, <>, <, <=, >, >=, +, -, *, /, AND, OR, NOT, IN, BETWEEN, IS NULL, coalesce and days_since"


def compiled(text: str) -> Reads:
    """The function of a row that an expression is. A row's columns are looked up by name, `event.price` by `event.price`; one
    that is not there is NULL, and so is what cannot be compared (a number with a text).

    Raises BadInput that says what in it is not taken.
    """
    return _made(_parsed(text))


def columns(text: str) -> frozenset[str]:
    """The columns that an expression reads. Raises BadInput as `compiled`."""
    return frozenset(_name(c) for c in _parsed(text).find_all(exp.Column))


def _parsed(text: str) -> exp.Expr:
    try:
        return sqlglot.parse_one(text, dialect="duckdb")
    except (SqlglotError, RecursionError):
        raise BadInput(f"{text!r} is no expression over one row, such as orders > 0 AND country = 'DE'.") from None


def _made(tree: exp.Expr) -> Reads:
    if isinstance(tree, exp.Paren):
        return _made(tree.this)
    if isinstance(tree, exp.Column):
        column = _name(tree)
        return lambda row: row.get(column)
    if isinstance(tree, exp.Literal | exp.Boolean | exp.Null | exp.Neg):
        constant = _constant(tree)
        return lambda row: constant
    if isinstance(tree, exp.And | exp.Or):
        return _joined(_made(tree.this), _made(tree.expression), isinstance(tree, exp.Or))
    if isinstance(tree, exp.Not):
        inner = _made(tree.this)
        return lambda row: None if (a := inner(row)) is None else not a
    if isinstance(tree, exp.Is) and isinstance(tree.expression, exp.Null):
        of = _made(tree.this)
        return lambda row: of(row) is None
    if isinstance(tree, exp.In) and tree.expressions:
        of, some = _made(tree.this), frozenset(map(_constant, tree.expressions))
        return lambda row: None if (a := of(row)) is None else a in some
    if isinstance(tree, exp.Between):
        low, high = exp.GTE(this=tree.this, expression=tree.args["low"]), exp.LTE(this=tree.this, expression=tree.args["high"])
        return _joined(_made(low), _made(high), False)
    if isinstance(tree, exp.Coalesce):
        return _first([_made(tree.this), *map(_made, tree.expressions)])
    if isinstance(tree, exp.Anonymous) and tree.name.lower() == DAYS_SINCE and len(tree.expressions) == 1:
        return _age(_made(tree.expressions[0]))
    if act := _COMPARED.get(type(tree)) or _RECKONED.get(type(tree)):
        return _both(_made(tree.this), _made(tree.expression), act)
    raise BadInput(f"{tree.sql(dialect='duckdb')!r} is not taken here: a rule has columns, constants, {TAKEN}.")


def _name(column: exp.Column) -> str:
    return ".".join(part.name for part in column.parts)


def _constant(tree: exp.Expr) -> Any:
    if isinstance(tree, exp.Neg):
        return -_constant(tree.this)
    if isinstance(tree, exp.Boolean):
        return bool(tree.this)
    if isinstance(tree, exp.Null):
        return None
    if isinstance(tree, exp.Literal):
        return tree.this if tree.is_string else float(tree.this) if "." in tree.this or "e" in tree.this else int(tree.this)
    raise BadInput(f"{tree.sql(dialect='duckdb')!r} is no constant; a list after IN has constants alone.")


def _both(left: Reads, right: Reads, act: Callable[[Any, Any], Any]) -> Reads:
    def read(row: Row) -> Any:
        a, b = left(row), right(row)
        if a is None or b is None or isinstance(a, str) is not isinstance(b, str):
            return None
        try:
            return act(a, b)
        except (TypeError, ZeroDivisionError):
            return None

    return read


def _joined(left: Reads, right: Reads, wins: bool) -> Reads:
    """AND (wins: False) and OR (wins: True) with three values: what wins does so whatever the other is."""

    def read(row: Row) -> Any:
        a = left(row)
        if a is wins:
            return wins
        b = right(row)
        if b is wins:
            return wins
        return None if a is None or b is None else not wins

    return read


def _first(some: list[Reads]) -> Reads:
    def read(row: Row) -> Any:
        for one in some:
            if (found := one(row)) is not None:
                return found
        return None

    return read


def _age(of: Reads) -> Reads:
    """Days, with their fraction, from a moment to now."""

    def read(row: Row) -> Any:
        at, now = of(row), row.get(NOW)
        if not isinstance(at, datetime) or not isinstance(now, datetime):
            return None
        return (now - at).total_seconds() / 86_400

    return read
