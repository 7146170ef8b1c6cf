"""Sealed columns in a question: where they may stand, and how `email = 'x'` becomes a lookup by key.

The lake has only the number of a sealed record, so a sealed column can be passed on to the answer (the door unseals it
there), asked for IS NULL, counted, and compared by = and IN through its key; all else would compare mere numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from tessera.errors import Unreadable
from tessera.lake.scopes import columns, positions, source
from tessera.lake.table import Column, Table


@dataclass(frozen=True)
class Lookup:
    """One value that the vault is to turn into a key_id, to stand where `name` stands in the tree.

    literal: what the user wrote; kept out of the repr, so that no log shows it.
    """

    name: str
    table: str
    column: str
    literal: str = field(repr=False)


@dataclass(frozen=True)
class _Sealed:
    """A sealed column of a gated table; node: the table where it is named, None once it came through a subquery."""

    table: Table
    column: Column
    node: exp.Table | None = None


Output = tuple[str, str] | None
"""(table, column) of a sealed value that passes through; None for a readable one."""


class Sealing:
    """Goes over the scopes of a qualified tree, inner ones first; `lookups` and `outputs` are what it found.

    gated: the Table behind a node, None for a CTE. use_key: told of each key column that a lookup needs.
    Raises Unreadable. The tree is changed: no literal of a lookup stays in it.
    """

    def __init__(
        self,
        found: list[Scope],
        gated: Callable[[exp.Table], Table],
        use_key: Callable[[exp.Table, str], None],
    ) -> None:
        self.lookups: list[Lookup] = []
        self.outputs: tuple[Output, ...] = ()
        self._gated, self._use_key = gated, use_key
        self._passed: dict[int, dict[str, _Sealed]] = {}
        for scope in found:
            self._scope(scope)

    def _scope(self, scope: Scope) -> None:
        passed: dict[str, _Sealed] = {}
        places: dict[int, _Sealed] = {}
        for column in list(columns(scope)):
            sealed = self._of(scope, column)
            if sealed is None:
                continue
            if _is_output(scope, column):
                passed[column.parent.alias if column.parent else ""] = sealed
                places[id(column.parent)] = sealed
            else:
                self._predicate(column, sealed)
        select = scope.expression
        if passed and isinstance(select, exp.Query):
            self._may_pass(scope, next(iter(passed.values())))
            for column in columns(scope):
                if not column.table and column.name in passed:
                    raise _unreadable(passed[column.name], f"it cannot be used in {_clause(column)}")
            for number in positions(select):
                if number <= len(select.selects) and (sealed := places.get(id(select.selects[number - 1]))):
                    raise _unreadable(sealed, "it cannot be sorted or grouped by")
        self._passed[id(scope)] = passed
        if scope.parent is None:
            outputs = [places.get(id(item)) for item in select.selects] if isinstance(select, exp.Query) else []
            self.outputs = tuple((s.table.name, s.column.name) if s else None for s in outputs)

    def _of(self, scope: Scope, column: exp.Column) -> _Sealed | None:
        origin = source(scope, column) if column.table else None
        if isinstance(origin, exp.Table):
            table = self._gated(origin)
            declared = next(c for c in table.columns if c.name.lower() == column.name)
            return _Sealed(table, declared, origin) if declared.sealed else None
        if isinstance(origin, Scope):
            inner = self._passed[id(origin)].get(column.name)
            return _Sealed(inner.table, inner.column) if inner else None
        return None

    def _may_pass(self, scope: Scope, sealed: _Sealed) -> None:
        tree = scope.expression
        if scope.is_set_operation or isinstance(tree, exp.SetOperation):
            raise _unreadable(sealed, f"it cannot pass through {tree.parent.key.upper() if tree.parent else 'UNION'}")
        if scope.is_subquery and not isinstance(tree.parent, exp.Exists):
            raise _unreadable(sealed, "a subquery cannot return it as a value; use IN on its key column, or join")
        distinct, group, order = (tree.args.get(part) for part in ("distinct", "group", "order"))
        if distinct is not None and not distinct.args.get("on"):
            raise _unreadable(sealed, "DISTINCT cannot tell its values apart")
        if group is not None and group.args.get("all"):
            raise _unreadable(sealed, "GROUP BY ALL cannot tell its values apart")
        if order is not None and any(isinstance(o.this, exp.Var) for o in order.expressions):
            raise _unreadable(sealed, "ORDER BY ALL cannot sort it")

    def _predicate(self, column: exp.Column, sealed: _Sealed) -> None:
        inner: exp.Expr = column
        while isinstance(inner.parent, exp.Paren):
            inner = inner.parent
        parent = inner.parent
        if isinstance(parent, exp.Is) and inner.arg_key == "this" and isinstance(parent.expression, exp.Null):
            return
        if isinstance(parent, exp.Count) and inner.arg_key == "this" and not parent.expressions:
            return
        if isinstance(parent, exp.EQ):
            other = (parent.expression if inner.arg_key == "this" else parent.this).unnest()
            if _is_text(other):
                self._look_up(column, sealed, [other])
                return
        if isinstance(parent, exp.In) and inner.arg_key == "this" and parent.expressions:
            texts = [e.unnest() for e in parent.expressions]
            if all(_is_text(t) for t in texts):
                self._look_up(column, sealed, texts)
                return
        raise _unreadable(sealed, f"it cannot be used in {_clause(inner)}")

    def _look_up(self, column: exp.Column, sealed: _Sealed, texts: list[exp.Expr]) -> None:
        key = sealed.column.key
        if key is None:
            raise _unreadable(sealed, "it has no key to compare by", equal=False)
        if sealed.node is None:
            raise _unreadable(sealed, "it is compared outside the SELECT that names its table; move it there")
        self._use_key(sealed.node, key)
        for text in texts:
            name = f"k{len(self.lookups)}"
            self.lookups.append(Lookup(name, sealed.table.name, sealed.column.name, text.name))
            text.replace(exp.Placeholder(this=name))
        column.replace(exp.column(exp.to_identifier(key, quoted=True), exp.to_identifier(column.table, quoted=True)))


def _is_output(scope: Scope, column: exp.Column) -> bool:
    parent = column.parent
    return isinstance(parent, exp.Alias) and parent.parent is scope.expression and parent.arg_key == "expressions"


def _is_text(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal) and bool(node.is_string)


def _clause(node: exp.Expr) -> str:
    parent = node.parent
    while isinstance(parent, exp.Paren | exp.Ordered | exp.Alias | exp.Tuple):
        parent = parent.parent
    if isinstance(parent, exp.Func):
        return f"{parent.sql_name().lower()}(...)"
    return f"{parent.key.upper()}" if parent is not None else "this place"


def _unreadable(sealed: _Sealed, why: str, equal: bool = True) -> Unreadable:
    takes = "= 'text', IN ('text', ...), IS NULL and COUNT" if equal and sealed.column.key else "IS NULL and COUNT"
    return Unreadable(
        f"Column {sealed.column.name} of table {sealed.table.name} is sealed: {why}.",
        f"It takes {takes}, and may be listed in the answer; sort and filter by part of it on the answer itself.",
    )
