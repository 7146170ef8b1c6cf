"""The catalogue of SQL functions: those that mean the same on DuckDB and on Spark and touch only their arguments.

What is not named here is refused, so a new function of an engine stays out until somebody has compared it. Left out on
purpose: what reads files, settings, variables or catalogs; what is random; what runs text as SQL; and what differs
between the engines (percentile_cont, quantile_cont, dayofweek, log, trunc, date_diff in months, time as text).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

AGGREGATES: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.AnyValue, exp.ApproxDistinct, exp.ArgMax, exp.ArgMin, exp.Avg, exp.Corr, exp.Count, exp.CountIf,
        exp.Grouping, exp.LogicalAnd, exp.LogicalOr, exp.Max, exp.Median, exp.Min, exp.Stddev, exp.StddevPop,
        exp.StddevSamp, exp.Sum, exp.Variance, exp.VariancePop,
    }
)  # fmt: skip

WINDOWS: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.CumeDist, exp.DenseRank, exp.FirstValue, exp.Lag, exp.LastValue, exp.Lead, exp.Ntile, exp.PercentRank,
        exp.Rank, exp.RowNumber,
    }
)  # fmt: skip

SCALARS: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Abs, exp.And, exp.Case, exp.Cast, exp.Ceil, exp.Coalesce, exp.Concat, exp.ConcatWs, exp.Contains,
        exp.DateAdd, exp.DateDiff, exp.DateFromParts, exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.EndsWith,
        exp.Exists, exp.Exp, exp.Extract, exp.Floor, exp.Greatest, exp.Hour, exp.If, exp.JSONExtractScalar,
        exp.LastDay, exp.Least, exp.Left, exp.Length, exp.Ln, exp.Lower, exp.Minute, exp.Month, exp.Nullif, exp.Or,
        exp.Pad, exp.Pow, exp.Quarter, exp.RegexpLike, exp.Repeat, exp.Replace, exp.Reverse, exp.Right, exp.Round,
        exp.Sign, exp.SplitPart, exp.Sqrt, exp.StartsWith, exp.StrPosition, exp.Substring, exp.TimestampTrunc,
        exp.TimeToStr, exp.Trim, exp.TryCast, exp.Upper, exp.Week, exp.WeekOfYear, exp.Year,
    }
)  # fmt: skip

OPERATORS: frozenset[type[exp.Expr]] = frozenset(
    {
        exp.Add, exp.All, exp.Any, exp.Between, exp.Boolean, exp.Column, exp.DPipe, exp.Div, exp.EQ, exp.Escape,
        exp.GT, exp.GTE, exp.ILike, exp.In, exp.IntDiv, exp.Is, exp.LT, exp.LTE, exp.Like, exp.Literal, exp.Mod,
        exp.Mul, exp.NEQ, exp.Neg, exp.Not, exp.Null, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Paren, exp.Sub, exp.Window,
    }
)  # fmt: skip

CLOCK: frozenset[type[exp.Expr]] = frozenset({exp.CurrentDate, exp.CurrentTimestamp})
"""They read the clock: fine in a question, never in a step, whose time is the turn's."""

NAMED = frozenset({"date_part", "isnull", "mean"})
"""Functions that sqlglot knows by name only."""

STEPS: frozenset[type[exp.Expr]] = frozenset({exp.Struct, exp.PropertyEQ, exp.Dot, exp.TimeToUnix})
"""For our own steps only: structs as folds build them, none of whose ordered fields is NULL (on DuckDB a NULL inside a
struct is the greatest, on Spark the least); seconds since 1970 where their fractions do not matter (Spark has none). People's
questions do without."""

CLOCK_NAMED = frozenset({"now"})

SPELLED = (
    "abs", "any_value", "approx_count_distinct", "arg_max", "arg_min", "avg", "bool_and", "bool_or", "cast", "ceil",
    "coalesce", "concat", "concat_ws", "contains", "corr", "count", "count_if", "cume_dist", "current_date", "date_diff",
    "date_part", "date_trunc", "day", "dense_rank", "ends_with", "exp", "extract", "first_value", "floor", "greatest",
    "grouping", "hour", "if", "lag", "last_day", "last_value", "lead", "least", "left", "length", "ln", "lower", "lpad",
    "max", "median", "min", "minute", "month", "now", "ntile", "nullif", "percent_rank", "power", "quarter", "rank",
    "regexp_matches", "repeat", "replace", "reverse", "right", "round", "row_number", "rpad", "sign", "split_part", "sqrt",
    "starts_with", "stddev", "strftime", "strpos", "substring", "sum", "trim", "try_cast", "upper", "variance", "week",
    "year",
)  # fmt: skip
"""How people write them in DuckDB's dialect: what an editor offers."""

UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE"})
EXTRACTS = UNITS | {"DOY", "DAYOFYEAR"}
TRUNCATES = UNITS | {"SECOND"}
DIFFERS = frozenset({"DAY"})

_INTEGERS = frozenset(exp.DataType.INTEGER_TYPES)
_FRACTIONS = frozenset({*exp.DataType.REAL_TYPES})
_PLAIN = frozenset(
    {
        exp.DType.BOOLEAN, exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.FLOAT,
        exp.DType.DOUBLE, exp.DType.DECIMAL, exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.DATE, exp.DType.TIMESTAMP,
        exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ,
    }
)  # fmt: skip
_WHOLE = (exp.Round, exp.Floor, exp.Ceil)
_FORMAT = re.compile(r"(%[YmdHMS]|[-/:. _TZ])+")
_JSON_KEY = re.compile(r"[\w .-]+")


def word(node: exp.Expr) -> str:
    """The name under which people know a node: `read_parquet`, `count`, `current_user`."""
    if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc):
        return str(node.this).lower()
    if isinstance(node, exp.Func):
        return node.sql_name().lower()
    return str(node.key).upper()


def allowed(node: exp.Expr, *, clock: bool = False, step: bool = False) -> str | None:
    """Why this one node may not stand in a query, or None when it may; its children are asked apart.

    clock: whether the time of day may be read. step: whether it is one of our own steps (see STEPS). Nodes that are the
    frame of a query (SELECT, FROM, joins) pass: their shape is checked elsewhere. Casts and differences need types
    (sqlglot's annotate_types) to be judged fully.
    """
    kind = type(node)
    if step and (kind in STEPS or _empty_struct(node)):
        return None
    if kind in CLOCK or (kind is exp.Anonymous and word(node) in CLOCK_NAMED):
        return None if clock else f"{word(node)} reads the clock; write the moment, or use the turn's as_of"
    if kind is exp.Anonymous:
        if word(node) not in NAMED:
            return f"the function {word(node)} is not in the catalogue"
        return _part(node) if word(node) == "date_part" else None
    if kind in SCALARS or kind in AGGREGATES or kind in WINDOWS or kind in OPERATORS:
        check = _CHECKS.get(kind)
        return check(node) if check else None
    if isinstance(node, exp.Func):
        return f"the function {word(node)} is not in the catalogue"
    if isinstance(node, exp.Binary | exp.Unary | exp.Condition):
        return f"the operator {word(node)} is not in the catalogue"
    return None


def _empty_struct(node: exp.Expr) -> bool:
    """NULL::STRUCT(...), a partial without a value."""
    return isinstance(node, exp.Cast) and isinstance(node.this, exp.Null) and node.args["to"].this is exp.DType.STRUCT


def _unit(node: exp.Expr, given: exp.Expr | None, units: frozenset[str]) -> str | None:
    name = given.name.upper() if isinstance(given, exp.Var | exp.Literal) else ""
    if name in units:
        return None
    known = ", ".join(sorted(u.lower() for u in units))
    return f"{word(node)} takes the units {known}; others differ between the engines"


def _part(node: exp.Expr) -> str | None:
    given: exp.Expr | None = node.expressions[0] if node.expressions else None
    return _unit(node, given, EXTRACTS)


def _extract(node: exp.Expr) -> str | None:
    return _unit(node, node.this, EXTRACTS)


def _trunc(node: exp.Expr) -> str | None:
    return _unit(node, node.args.get("unit"), TRUNCATES)


def _diff(node: exp.Expr) -> str | None:
    return _unit(node, node.args.get("unit"), DIFFERS)


def _single(node: exp.Expr) -> str | None:
    if node.args.get("count") or node.expressions:
        return f"{word(node)} takes one value here; for the first n rows use row_number() and QUALIFY"
    return None


def _cast(node: exp.Expr) -> str | None:
    to, operand = node.args["to"], node.this.unnest()
    if node.args.get("format"):
        return "a cast with a FORMAT is not in the catalogue"
    if to.this not in _PLAIN or to.args.get("nested"):
        return f"a cast to {to.sql(dialect='duckdb')} is not in the catalogue; use a plain type"
    known = operand.type.this if isinstance(operand.type, exp.DataType) else None
    fraction = known in _FRACTIONS or isinstance(operand, exp.Div)
    if to.this in _INTEGERS and fraction and not isinstance(operand, _WHOLE):
        return "a cast from a fraction to an integer rounds or truncates by engine; use round, floor or ceil"
    if to.this in exp.DataType.TEXT_TYPES and known in (exp.DType.FLOAT, exp.DType.DOUBLE):
        return "a fraction as text looks different on each engine; cast it to DECIMAL(p, s) first"
    if to.this in exp.DataType.TEXT_TYPES and known is exp.DType.TIMESTAMPTZ:
        return "a moment as text looks different on each engine; use strftime"
    return None


def _sub(node: exp.Expr) -> str | None:
    sides = (node.this, node.args["expression"])
    if all(isinstance(s.type, exp.DataType) and s.type.this is exp.DType.DATE for s in sides):
        return "a difference of dates is a number on one engine, an interval on the other; use date_diff('day', a, b)"
    return None


def _regexp(node: exp.Expr) -> str | None:
    if node.args.get("flag"):
        return "regexp_matches takes no flags here; write lower(...) to ignore case"
    return None


def _format(node: exp.Expr) -> str | None:
    given = node.args.get("format")
    if isinstance(given, exp.Literal) and _FORMAT.fullmatch(given.name):
        return None
    return "strftime takes a format of %Y %m %d %H %M %S; other codes differ between the engines"


def _json(node: exp.Expr) -> str | None:
    path = node.args.get("expression")
    if isinstance(path, exp.JSONPath) and all(
        isinstance(step, exp.JSONPathRoot)
        or (isinstance(step, exp.JSONPathSubscript) and isinstance(step.this, int))
        or (isinstance(step, exp.JSONPathKey) and isinstance(step.this, str) and _JSON_KEY.fullmatch(step.this))
        for step in path.expressions
    ):
        return None
    return "->> takes a plain path of names and numbers, as in properties ->> '$.basket.total'"


_CHECKS: dict[type[exp.Expr], Callable[[exp.Expr], str | None]] = {
    exp.ArgMax: _single,
    exp.ArgMin: _single,
    exp.Cast: _cast,
    exp.DateDiff: _diff,
    exp.Extract: _extract,
    exp.JSONExtractScalar: _json,
    exp.Max: _single,
    exp.Min: _single,
    exp.RegexpLike: _regexp,
    exp.Sub: _sub,
    exp.TimeToStr: _format,
    exp.TimestampTrunc: _trunc,
    exp.TryCast: _cast,
}
