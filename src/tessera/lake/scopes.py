"""SQL text -> a tree in which every column names its source: sqlglot's parser and scopes, with our errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import OptimizeError, ParseError, SqlglotError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope
from sqlglot.tokenizer_core import TokenType

from tessera.errors import BadQuestion, NotFound

# Its warnings on a question would stand among the answers of programs (stderr stays empty unless a command fails).
logging.getLogger("sqlglot").setLevel(logging.ERROR)

Types = Mapping[str, Mapping[str, str]]
"""Table -> column -> DuckDB type."""

OPENERS = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.VALUES, TokenType.L_PAREN})

_FOREIGN = (SqlglotError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
"""What a parser may throw at odd text; all of it means that the text is not SQL that we read."""

_UNRESOLVED = re.compile(r"Column '(?P<column>.*?)' could not be resolved(?: for table: '(?P<table>.*?)')?", re.S)
_UNKNOWN = re.compile(r"Unknown column: (?P<column>\w+)")
_TOO_DEEP = "The question is nested too deeply. Name its parts with WITH a AS (...), b AS (...) SELECT ..."

Result = TypeVar("Result")


class OutOfReach(BadQuestion):
    """A column that is ambiguous, or named where its table does not reach."""

    def __init__(self, column: str, table: str | None = None) -> None:
        self.column, self.table = column, table
        if table:
            super().__init__(f"Column {column!r} of {table!r} is out of reach here; join its table where it is used.")
        else:
            super().__init__(f"Column {column!r} is ambiguous or out of reach here; write it as table.column.")


def shallow(work: Callable[[], Result]) -> Result:
    """The result of work; BadQuestion where a tree is too deep for the stack."""
    try:
        return work()
    except RecursionError:
        raise BadQuestion(_TOO_DEEP) from None


def guarded(work: Callable[[], Result], through: tuple[type[Exception], ...] = ()) -> Result:
    """The result of work on SQL text or trees; BadQuestion where the library gives up, or runs out of stack.

    through: errors that the caller can explain better.
    """
    try:
        return shallow(work)
    except through:
        raise
    except ParseError as error:
        fault = error.errors[0] if error.errors else {}
        where = f" at line {fault['line']}, column {fault['col']}" if fault.get("line") else ""
        what = fault.get("description", "it ends early")
        raise BadQuestion(f"This is not SQL that we can read{where}: {what}") from None
    except _FOREIGN:
        raise BadQuestion("This is not SQL that we can read. Write one SELECT in DuckDB's dialect.") from None


def parse(sql: str) -> exp.Query:
    """The tree of exactly one query; BadQuestion for anything else (the text is never shown, it may hold values)."""
    tokens = guarded(lambda: sqlglot.tokenize(sql, read="duckdb"))
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    if not tokens:
        raise BadQuestion("The question is empty. Write one SELECT.")
    if tokens[0].token_type not in OPENERS:
        opener = tokens[0].text if tokens[0].text.isalpha() else "something else"
        raise BadQuestion(f"A question is one SELECT; this one begins with {opener.upper()}. It can read, and no more.")
    if any(t.token_type is TokenType.SEMICOLON for t in tokens):
        raise BadQuestion("A question is one statement; found a semicolon inside. Ask them one after the other.")
    tree = guarded(lambda: sqlglot.parse_one(sql, read="duckdb"))
    while isinstance(tree, exp.Subquery) and not any(v for k, v in tree.args.items() if k != "this"):
        tree = tree.this.pop()
    if isinstance(tree, exp.Values):
        tree = exp.select("*").from_(tree)
    if not isinstance(tree, exp.Query):
        raise BadQuestion(f"A question is one SELECT; found {tree.key.upper()}.")
    return tree


def qualified(tree: exp.Query, types: Types) -> exp.Query:
    """The tree with stars opened, columns qualified and types noted, in place of the one given (which is used up).

    types: the tables that it may name. Raises NotFound or BadQuestion for a column that has no source or several.
    """
    schema: dict[str, object] = {table: dict(columns) for table, columns in types.items()}
    known = {c.lower() for columns in types.values() for c in columns}
    known |= {a.alias.lower() for a in tree.find_all(exp.Alias)}
    tables = {t.alias_or_name for t in tree.find_all(exp.Table, exp.Subquery, exp.CTE)} - {""}

    def work() -> exp.Query:
        done = qualify(tree, schema=schema, dialect="duckdb")
        return annotate_types(done, schema=schema, dialect="duckdb")

    try:
        return guarded(work, through=(OptimizeError,))
    except OptimizeError as error:
        found = _UNRESOLVED.search(str(error)) or _UNKNOWN.search(str(error))
        if not found:
            raise BadQuestion("A name in this question is ambiguous or has no source; write table.column.") from None
        column, table = found["column"], found.groupdict().get("table")
        if table and table not in {t.lower() for t in tables}:
            raise NotFound("Table", table, tables) from None
        if column.lower() in known:
            raise OutOfReach(column, table) from None
        raise NotFound("Column", column, known) from None


def scopes(tree: exp.Expr) -> list[Scope]:
    """The scopes of a qualified tree, inner ones first, the root last."""
    return guarded(lambda: traverse_scope(tree))


def columns(scope: Scope) -> Iterator[exp.Column]:
    """The columns written in this scope itself, not in the queries inside it."""
    for node in scope.walk():
        if isinstance(node, exp.Column):
            yield node


def positions(query: exp.Expr) -> Iterator[int]:
    """The output columns that a query still names by number, in ORDER BY, GROUP BY or DISTINCT ON (1 is the first)."""
    order, group, distinct = (query.args.get(part) for part in ("order", "group", "distinct"))
    on = distinct.args.get("on") if distinct else None
    items = [o.this for o in order.expressions] if order else []
    items += (group.expressions if group else []) + (on.expressions if on else [])
    for item in items:
        if isinstance(item, exp.Literal) and item.is_int and int(item.name) > 0:
            yield int(item.name)


def origins(scope: Scope) -> dict[str, exp.Table | Scope]:
    """The tables and queries in the FROM of a scope, by alias; also those of SEMI and ANTI joins, which ON may use."""
    found = {name: origin for name, (_, origin) in scope.selected_sources.items()}
    for name in scope.semi_or_anti_join_tables:
        found.setdefault(name, scope.sources[name])
    return found


def source(scope: Scope, column: exp.Column) -> exp.Table | Scope | None:
    """Where a qualified column comes from: a table, another scope, or None (an alias of its own SELECT, or nothing).

    A correlated column is looked for outwards.
    """
    at: Scope | None = scope
    while at is not None:
        found = origins(at).get(column.table)
        if found is not None:
            return found
        at = at.parent
    return None
