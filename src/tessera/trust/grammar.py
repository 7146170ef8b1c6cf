"""Which shapes of SQL a question may have: a list of what may stand where, and how large; all else is refused."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from tessera.errors import BadQuestion, NotAllowed
from tessera.lake.functions import TRUNCATES, allowed, word

MAX_BYTES = 100_000
MAX_DEPTH = 200
MAX_NODES = 20_000

_QUERY = "with_ order limit offset"
_ITEMS = "expressions"

FRAME: dict[type[exp.Expr], frozenset[str]] = {
    kind: frozenset(parts.split())
    for kind, parts in {
        exp.Select: f"{_ITEMS} from_ joins where group having qualify windows distinct {_QUERY}",
        exp.Union: f"this expression distinct {_QUERY}",
        exp.Intersect: f"this expression distinct {_QUERY}",
        exp.Except: f"this expression distinct {_QUERY}",
        exp.Subquery: "this alias",
        exp.With: _ITEMS,
        exp.CTE: "this alias materialized",
        exp.From: "this",
        exp.Join: "this on side kind using",
        exp.Table: "this alias version when",
        exp.Version: "this kind expression",
        exp.HistoricalData: "this kind expression",
        exp.Values: f"{_ITEMS} alias",
        exp.Where: "this",
        exp.Having: "this",
        exp.Qualify: "this",
        exp.Group: f"{_ITEMS} grouping_sets cube rollup all",
        exp.GroupingSets: _ITEMS,
        exp.Cube: _ITEMS,
        exp.Rollup: _ITEMS,
        exp.Order: _ITEMS,
        exp.Ordered: "this desc nulls_first",
        exp.Limit: "expression",
        exp.Offset: "expression",
        exp.Distinct: f"{_ITEMS} on",
        exp.WindowSpec: "kind start start_side end end_side",
        exp.Alias: "this alias",
        exp.TableAlias: "this columns",
        exp.Star: "except_ replace rename",
        exp.Identifier: "this quoted",
        exp.Tuple: _ITEMS,
        exp.Interval: "this unit",
        exp.Filter: "this expression",
        exp.IgnoreNulls: "this",
        exp.RespectNulls: "this",
        exp.Var: "this",
        exp.DataType: f"this {_ITEMS} nested",
        exp.DataTypeParam: "this",
        exp.JSONPath: _ITEMS,
        exp.JSONPathRoot: "",
        exp.JSONPathKey: "this",
        exp.JSONPathSubscript: "this",
    }.items()
}
"""The nodes that hold a query together, and the parts that each may have; functions have their own catalogue."""

_PARTS: dict[type[exp.Expr], frozenset[str]] = {
    exp.Column: frozenset({"this", "table"}),
    exp.Window: frozenset({"this", "partition_by", "order", "spec", "alias", "over"}),
    exp.In: frozenset({"this", "expressions", "query"}),
}

_HOMES: dict[type[exp.Expr], tuple[type[exp.Expr], ...]] = {
    exp.Order: (exp.Select, exp.SetOperation, exp.Window),
    exp.Distinct: (exp.Select, exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max),
    exp.Star: (exp.Select, exp.Column, exp.Count),
    exp.Values: (exp.From, exp.Join),
    exp.Any: (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
    exp.All: (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE),
}
"""Nodes that may stand under these parents only."""

_REASONS: dict[type[exp.Expr], str] = {
    exp.Pivot: "PIVOT and UNPIVOT are not taken; use sum(x) FILTER (WHERE ...) or UNION ALL",
    exp.Lateral: "LATERAL is not taken; join a subquery instead",
    exp.Unnest: "table functions are not taken; ask the gated tables by name",
    exp.Explode: "unnest is not taken; ask the gated tables by name",
    exp.Placeholder: "parameters are not taken; write the value itself",
    exp.Parameter: "parameters are not taken; write the value itself",
    exp.SessionParameter: "settings and variables cannot be read",
    exp.PositionalColumn: "columns by number (#1) are not taken; name them",
    exp.TableColumn: "a whole row as a value is not taken; name its columns",
    exp.Dot: "dotted names reach for schemas or functions; write table.column",
    exp.TableSample: "samples are random; use LIMIT, or a condition",
    exp.Columns: "COLUMNS(...) is not taken; name the columns",
    exp.Into: "a question can only read; found INTO",
    exp.Lock: "a question can only read; found FOR UPDATE",
}

_PART_REASONS: dict[tuple[str, str], str] = {
    ("table", "db"): "schemas and catalogs are closed; name the gated table alone",
    ("table", "catalog"): "schemas and catalogs are closed; name the gated table alone",
    ("table", "sample"): _REASONS[exp.TableSample],
    ("select", "sample"): _REASONS[exp.TableSample],
    ("table", "pivots"): _REASONS[exp.Pivot],
    ("with", "recursive"): "WITH RECURSIVE is not taken; its end cannot be foreseen",
    ("join", "method"): "NATURAL, ASOF and POSITIONAL joins are not taken; write JOIN ... ON or USING",
    ("column", "db"): _REASONS[exp.Dot],
    ("select", "into"): _REASONS[exp.Into],
    ("select", "locks"): _REASONS[exp.Lock],
    ("union", "by_name"): "UNION BY NAME is not taken; list the columns in one order",
    ("subquery", "order"): "ORDER BY belongs inside the parentheses",
    ("subquery", "limit"): "LIMIT belongs inside the parentheses",
}


def measure(sql: str) -> None:
    """Refuse a text that is too long, or that holds what no SQL holds."""
    if len(sql.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise BadQuestion(f"The question is longer than {MAX_BYTES // 1000} kB. Split it, or join against a table.")
    if not sql.isascii() and any("\ud800" <= c <= "\udfff" for c in sql):
        raise BadQuestion("The question holds a broken character (a lone surrogate).")
    if "\0" in sql:
        raise BadQuestion("The question holds a NUL character.")


def check(tree: exp.Expr) -> None:
    """Refuse a tree that is too large or too deep, or that has a node or a part of a node that is not on the list.

    Raises BadQuestion (a shape that we do not take) or NotAllowed (a function or a place that is closed).
    """
    stack: list[tuple[exp.Expr, int]] = [(tree, 1)]
    count = 0
    while stack:
        node, depth = stack.pop()
        count += 1
        if count > MAX_NODES:
            raise BadQuestion(f"The question has more than {MAX_NODES} parts. Split it, or join against a table.")
        if depth > MAX_DEPTH:
            raise BadQuestion(f"The question is nested deeper than {MAX_DEPTH}. Name its parts with WITH.")
        _node(node)
        for child in node.iter_expressions():
            chained = type(child) is type(node) and isinstance(node, exp.Binary | exp.SetOperation)
            stack.append((child, depth if chained else depth + 1))


def _node(node: exp.Expr) -> None:
    kind = type(node)
    reason = allowed(node, clock=True)
    if kind in _REASONS:
        raise BadQuestion(_sentence(_REASONS[kind]))
    if reason:
        raise NotAllowed(f"Not taken: {reason}.")
    if kind not in FRAME and not isinstance(node, exp.Condition):
        raise BadQuestion(f"A question cannot hold {word(node)}; it is one SELECT over gated tables.")
    parts = FRAME.get(kind) or _PARTS.get(kind)
    if parts is not None:
        _parts(node, parts)
    homes = _HOMES.get(kind)
    if homes and not isinstance(node.parent, homes):
        raise BadQuestion(f"{word(node)} cannot stand inside {word(node.parent) if node.parent else 'nothing'}.")
    if kind in _SPECIAL:
        _SPECIAL[kind](node)


def _parts(node: exp.Expr, parts: Iterable[str]) -> None:
    for name, value in node.args.items():
        if value in (None, False, []) or name in parts:
            continue
        reason = _PART_REASONS.get((node.key, name), f"{word(node)} with {name.strip('_').upper()} is not taken")
        raise BadQuestion(_sentence(reason))


def _sentence(reason: str) -> str:
    return f"{reason[0].upper()}{reason[1:]}."


def _table(node: exp.Expr) -> None:
    name = node.this
    if not isinstance(name, exp.Identifier):
        raise NotAllowed(f"The table function {word(name)} is not taken.", "Ask the gated tables by name.")
    alias = node.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        raise BadQuestion(f"Rename the columns of {name.name!r} with AS in SELECT, not in its alias.")


def _column(node: exp.Expr) -> None:
    if isinstance(node.this, exp.Star) and not isinstance(node.parent, exp.Select):
        raise BadQuestion(f"The star of {node.text('table')} can only stand in SELECT, without an alias.")


def _values(node: exp.Expr) -> None:
    if node.find(exp.Column, exp.Query):
        raise BadQuestion("VALUES takes constants only.")


def _count(node: exp.Expr) -> None:
    number = node.args["expression"]
    if not (isinstance(number, exp.Literal) and number.is_int):
        raise BadQuestion(f"{word(node)} takes a whole number.")


def _interval(node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Literal) or not isinstance(node.args.get("unit"), exp.Var):
        raise BadQuestion("INTERVAL takes a number and a unit, as in INTERVAL 3 DAY.")


def _var(node: exp.Expr) -> None:
    """A bare word is written as it came, so only known ones pass (the catalogue has judged the units of functions)."""
    parent = node.parent
    if isinstance(parent, exp.Interval) and node.name.upper().removesuffix("S") in TRUNCATES:
        return
    if isinstance(parent, exp.Ordered) and node.name.upper() == "ALL":
        return
    if not isinstance(parent, exp.TimestampTrunc | exp.DateDiff | exp.Extract):
        raise BadQuestion(f"The word {node.name!r} cannot stand here.")


def _subquery(node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Query):
        raise BadQuestion("Parentheses in FROM take a SELECT; write joins without them.")


_SPECIAL = {
    exp.Table: _table,
    exp.Column: _column,
    exp.Values: _values,
    exp.Limit: _count,
    exp.Offset: _count,
    exp.Interval: _interval,
    exp.Subquery: _subquery,
    exp.Var: _var,
}
