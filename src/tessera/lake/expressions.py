"""SELECT, column -> the expressions that make it, outermost first: what somebody reads who asks how a value came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from tessera.lake.scopes import guarded, parse, qualified, scopes, source

MOST = 6
"""Expressions that are told of one column."""


def expressions(sql: str, schema: Mapping[str, Mapping[str, str]], column: str) -> list[exp.Expr]:
    """How a column of a SELECT is made: each expression on its way, from the last to the first; none where it is handed on.

    schema: table -> column -> type. Raises BadQuestion if it cannot be read.

    >>> found = expressions("WITH a AS (SELECT sum(n) AS s FROM t) SELECT coalesce(s, 0) AS x FROM a", {"t": {"n": "INT"}}, "x")
    >>> [told(e) for e in found]
    ['COALESCE(a.s, 0)', 'SUM(t.n)']
    """
    made: list[exp.Expr] = []
    guarded(lambda: _follow(_root(sql, json.dumps({t: dict(columns) for t, columns in schema.items()})), column, made))
    return made


def told(expression: exp.Expr, most: int = 600) -> str:
    """An expression as text, without quotes around plain names."""
    plain = expression.copy()
    for identifier in plain.find_all(exp.Identifier):
        identifier.set("quoted", False)
    text = plain.sql(dialect="duckdb", comments=False)
    return text if len(text) <= most else text[:most] + " …"


@lru_cache(maxsize=64)
def _root(sql: str, schema: str) -> Scope:
    """The outermost scope of a SELECT; read once for all its columns. schema: as JSON, which can be a key."""
    return scopes(qualified(parse(sql), json.loads(schema)))[-1]


def _follow(scope: Scope, column: str, made: list[exp.Expr]) -> None:
    tree = scope.expression
    if isinstance(tree, exp.SetOperation):
        place = _names(tree).index(column)
        # Of a union the first part that makes the value of something: others may only hold its place.
        parts = [(p, names[place]) for p in _parts(scope) if place < len(names := _names(p.expression))]
        told = [(p, name) for p, name in parts if (item := _item(p, name)) is not None and item.find(exp.Column)]
        for part, name in [*told, *parts][:1]:
            _follow(part, name, made)
        return
    item = _item(scope, column)
    if item is None or len(made) >= MOST:
        return
    if not isinstance(item, exp.Column):
        made.append(item)
    inner = [c for c in item.find_all(exp.Column) if isinstance(source(scope, c), Scope)]
    # A value that comes of one place is followed there; one of several has been told.
    if len({(c.table, c.name) for c in inner}) == 1:
        origin = source(scope, inner[0])
        if isinstance(origin, Scope):
            _follow(origin, inner[0].name, made)


def _parts(scope: Scope) -> list[Scope]:
    """The SELECTs of a union, however they are nested."""
    if not isinstance(scope.expression, exp.SetOperation):
        return [scope]
    return [part for inner in scope.set_operation_scopes for part in _parts(inner)]


def _names(tree: exp.Expr) -> list[str]:
    return list(tree.named_selects) if isinstance(tree, exp.Query) else []


def _item(scope: Scope, column: str) -> exp.Expr | None:
    tree = scope.expression
    selects = tree.selects if isinstance(tree, exp.Query) else []
    found = next((s for s in selects if s.alias_or_name == column), None)
    while isinstance(found, exp.Alias | exp.Paren):
        found = found.this
    return found
