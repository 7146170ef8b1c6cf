"""SELECT -> lineage: from which columns each output takes its value, and on which others it depends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import ErrorLevel, exp
from sqlglot.errors import UnsupportedError
from sqlglot.optimizer.scope import Scope

from tessera.errors import BadInput, BadQuestion
from tessera.lake.functions import allowed
from tessera.lake.scopes import guarded, origins, parse, positions, qualified, scopes, source

Name = tuple[str, str]
"""(table, column)"""

Schema = Mapping[str, Sequence[str] | Mapping[str, str]]
"""Table -> its columns, with or without their types."""


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """Per output column: `direct` (its value is made from these) and `indirect` (these decide which rows reach it, in
    which groups and order: filters, joins, GROUP BY, HAVING, QUALIFY, ORDER BY, DISTINCT, window partitions)."""

    direct: dict[str, frozenset[Name]]
    indirect: dict[str, frozenset[Name]]

    @property
    def names(self) -> frozenset[Name]:
        """All that the query depends on."""
        return frozenset().union(*self.direct.values(), *self.indirect.values())


@dataclass(frozen=True, kw_only=True)
class Flow:
    """The data categories of one output column: those of its value, and apart, those that only shape it."""

    direct: frozenset[str]
    indirect: frozenset[str]


def trace(sql: str, schema: Schema) -> Lineage:
    """The lineage of one SELECT in DuckDB's dialect, through CTEs, set operations, subqueries and stars.

    Raises BadQuestion if it cannot be read, NotFound for an unknown column.

    >>> found = trace("SELECT sum(amount) AS spent FROM orders WHERE paid", {"orders": ["amount", "paid"]})
    >>> found.direct, found.indirect
    ({'spent': frozenset({('orders', 'amount')})}, {'spent': frozenset({('orders', 'paid')})})
    """
    tree = parse(sql)
    for wrapper in tree.find_all(exp.Subquery):
        if any(value for key, value in wrapper.args.items() if key not in ("this", "alias")):
            raise BadQuestion("ORDER BY and LIMIT belong inside the parentheses, where lineage can see them.")
    for union in tree.find_all(exp.SetOperation):
        if union.args.get("by_name"):
            raise BadQuestion("UNION BY NAME is not taken; list the columns in one order.")
    found = scopes(qualified(tree, _typed(schema)))
    return guarded(lambda: _Tracer(found).lineage())


def categories(lineage: Lineage, known: Mapping[Name, str]) -> dict[str, Flow]:
    """The data categories that flow into each output column; columns without a known category add none."""

    def of(names: frozenset[Name]) -> frozenset[str]:
        return frozenset(known[n] for n in names if n in known)

    return {out: Flow(direct=of(lineage.direct[out]), indirect=of(lineage.indirect[out])) for out in lineage.direct}


def to_spark(sql: str, schema: Schema | None = None, *, step: bool = False) -> str:
    """The same SELECT for Spark. Raises BadInput naming the first function that is outside the catalogue.

    schema: with types, casts and differences are judged by what they are applied to. step: one of our own, which may
    also use what functions.STEPS names.
    """
    tree = parse(sql)
    judged = qualified(tree.copy(), _typed(schema)) if schema else tree
    for node in judged.walk():
        reason = allowed(node, step=step)
        if reason:
            raise BadInput(f"This does not mean the same on Spark: {reason}.")
    try:
        return guarded(lambda: tree.sql(dialect="spark", unsupported_level=ErrorLevel.RAISE))
    except UnsupportedError as error:
        raise BadInput(f"This does not mean the same on Spark: {error}") from None


def _typed(schema: Schema) -> dict[str, dict[str, str]]:
    return {
        table: dict(columns) if isinstance(columns, Mapping) else dict.fromkeys(columns, "UNKNOWN")
        for table, columns in schema.items()
    }


@dataclass
class _Facts:
    """What one scope gives: on what its rows depend, and per column (in order) its value and what shapes it."""

    rows: set[Name] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    direct: list[set[Name]] = field(default_factory=list)
    indirect: list[set[Name]] = field(default_factory=list)

    def of(self, name: str) -> tuple[set[Name], set[Name]]:
        """Value and shape of a column; of all columns of that name, if there are several."""
        places = [i for i, n in enumerate(self.names) if n == name]
        return set().union(*(self.direct[i] for i in places)), set().union(*(self.indirect[i] for i in places))


class _Tracer:
    """Facts per scope, inner scopes first."""

    def __init__(self, ordered: list[Scope]) -> None:
        self.ordered = ordered
        self.scope_of = {id(s.expression): s for s in ordered}
        self.facts: dict[int, _Facts] = {}

    def lineage(self) -> Lineage:
        for scope in self.ordered:
            self.facts[id(scope)] = self._facts(scope)
        last = self.facts[id(self.ordered[-1])]
        direct: dict[str, frozenset[Name]] = {}
        indirect: dict[str, frozenset[Name]] = {}
        for name, value, shape in zip(last.names, last.direct, last.indirect, strict=True):
            direct[name] = direct.get(name, frozenset()) | value
            indirect[name] = indirect.get(name, frozenset()) | shape | last.rows
        return Lineage(direct=direct, indirect=indirect)

    def _facts(self, scope: Scope) -> _Facts:
        tree = scope.expression
        if isinstance(tree, exp.SetOperation):
            return self._united(scope, tree)
        if isinstance(tree, exp.Select):
            return self._selected(scope, tree)
        value, shape = self._flow(scope, tree)
        names = [c.name for c in tree.args["alias"].columns] if tree.args.get("alias") else []
        return _Facts(names=names, direct=[set(value) for _ in names], indirect=[set(shape) for _ in names])

    def _selected(self, scope: Scope, tree: exp.Select) -> _Facts:
        facts = _Facts()
        for origin in origins(scope).values():
            if isinstance(origin, Scope):
                facts.rows |= self.facts[id(origin)].rows
        for item in tree.selects:
            value, shape = self._flow(scope, item)
            facts.names.append(item.alias_or_name)
            facts.direct.append(value)
            facts.indirect.append(shape)
        for clause in ("joins", "where", "group", "having", "qualify", "order", "windows", "distinct", "limit"):
            given = tree.args.get(clause) or []
            for node in given if isinstance(given, list) else [given]:
                top = node.args.get("on") if isinstance(node, exp.Join) else node
                value, shape = self._flow(scope, top, facts) if top else (set(), set())
                facts.rows |= value | shape
        for number in positions(tree):
            if number <= len(facts.direct):
                facts.rows |= facts.direct[number - 1] | facts.indirect[number - 1]
        group = tree.args.get("group")
        if group and group.args.get("all"):
            for item, value, shape in zip(tree.selects, facts.direct, facts.indirect, strict=True):
                if not item.find(exp.AggFunc):
                    facts.rows |= value | shape
        order = tree.args.get("order")
        by_all = order is not None and any(isinstance(o.this, exp.Var) for o in order.expressions)
        distinct = tree.args.get("distinct")
        if by_all or (distinct is not None and not distinct.args.get("on")):
            facts.rows |= set().union(*facts.direct, *facts.indirect)
        return facts

    def _united(self, scope: Scope, tree: exp.SetOperation) -> _Facts:
        left, right = (self.facts[id(s)] for s in scope.set_operation_scopes)
        facts = _Facts(rows=left.rows | right.rows, names=list(left.names))
        facts.direct = [a | b for a, b in zip(left.direct, right.direct, strict=False)]
        facts.indirect = [a | b for a, b in zip(left.indirect, right.indirect, strict=False)]
        if not (isinstance(tree, exp.Union) and not tree.args.get("distinct")):
            facts.rows |= set().union(*facts.direct, *facts.indirect)
        order = tree.args.get("order")
        if order is not None:
            value, shape = self._flow(scope, order, facts)
            facts.rows |= value | shape
        return facts

    def _flow(self, scope: Scope, top: exp.Expr, own: _Facts | None = None) -> tuple[set[Name], set[Name]]:
        """Value and shape of an expression. own: where a bare alias (in ORDER BY) is looked up."""
        value: set[Name] = set()
        shape: set[Name] = set()
        stack: list[tuple[exp.Expr, bool]] = [(top, True)]
        while stack:
            node, carries = stack.pop()
            if isinstance(node, exp.Column):
                direct, indirect = self._column(scope, node, own)
                (value if carries else shape).update(direct)
                shape |= indirect
            elif isinstance(node, exp.Query):
                inner = self.facts[id(self.scope_of[id(node.unnest())])]
                shape |= inner.rows.union(*inner.indirect)
                if not isinstance(node.parent, exp.Exists):
                    (value if carries else shape).update(*inner.direct)
            elif isinstance(node, exp.Window | exp.Filter):
                stack += [(child, carries and child is node.this) for child in node.iter_expressions()]
            else:
                stack += [(child, carries) for child in node.iter_expressions()]
        return value, shape

    def _column(self, scope: Scope, column: exp.Column, own: _Facts | None) -> tuple[set[Name], set[Name]]:
        origin = source(scope, column) if column.table else None
        if isinstance(origin, exp.Table):
            return {(origin.name, column.name)}, set()
        if isinstance(origin, Scope):
            return self.facts[id(origin)].of(column.name)
        if own is not None and not column.table:
            return own.of(column.name)
        raise BadQuestion(f"The source of column {column.name!r} cannot be traced; write it as table.column.")
