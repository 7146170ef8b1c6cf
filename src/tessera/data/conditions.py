"""A rule as a tree of conditions, to be built by hand in a form, and back to its text.

What the form has no controls for (a sum of two columns, coalesce) stays a condition as written, so no rule is lost on the way.
The text is the small language of data/rules.py; the tree is only how it is shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tessera.data.rules import DAYS_SINCE

Constant = str | int | float | bool
How = Literal["all", "any"]

OPS: dict[type[exp.Expr], str] = {
    exp.EQ: "=", exp.NEQ: "<>", exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<=",
}  # fmt: skip
MIRRORED = {"=": "=", "<>": "<>", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
NONE, SOME, BETWEEN, IN, NOT_IN = "is null", "is not null", "between", "in", "not in"
ALL_OPS = (*OPS.values(), BETWEEN, IN, NOT_IN, NONE, SOME)

AGE = f"{DAYS_SINCE}:"
"""Before a column: how many days ago it was."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition on one fact. what: a column, or AGE and a column. values: two for BETWEEN, none for NONE and SOME."""

    what: str
    op: str
    values: tuple[Constant, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Written:
    """A condition that has no controls."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Group:
    """Conditions of which all have to hold, or any. negated: the group as a whole must not hold."""

    how: How = "all"
    negated: bool = False
    parts: tuple[Part, ...] = ()


Part = Condition | Written | Group


def tree(text: str) -> Group:
    """The tree of a rule; a text that cannot be read is one condition as written."""
    try:
        found = _part(sqlglot.parse_one(text, dialect="duckdb"))
    except (SqlglotError, RecursionError):
        found = Written(text=text)
    return found if isinstance(found, Group) else Group(parts=(found,))


def written(group: Group) -> str:
    """The text of a tree; empty where it has no condition. Groups without any are left out.

    >>> often = Condition(what="orders", op=">=", values=(3,))
    >>> written(Group(parts=(often, Condition(what="days_since:last_order_at", op=">", values=(90,)))))
    'orders >= 3 AND days_since(last_order_at) > 90'
    """
    texts = [(t, p) for p in group.parts if (t := _text(p))]
    if not texts:
        return ""
    joint = f" {'AND' if group.how == 'all' else 'OR'} "
    alone = len(texts) == 1
    inner = texts[0][0] if alone else joint.join(f"({t})" if _loose(p) else t for t, p in texts)
    return f"NOT ({inner})" if group.negated else inner


def columns(group: Group) -> set[str]:
    """The columns that the controls name."""
    found: set[str] = set()
    for part in group.parts:
        if isinstance(part, Group):
            found |= columns(part)
        elif isinstance(part, Condition):
            found.add(part.what.removeprefix(AGE))
    return found


def _loose(part: Part) -> bool:
    """Whether a part needs brackets between others."""
    if isinstance(part, Group):
        said = [p for p in part.parts if _text(p)]
        return not part.negated and (len(said) > 1 or any(map(_loose, said)))  # one alone is written bare
    return isinstance(part, Written) and not _closed(part.text)


def _closed(text: str) -> bool:
    """Whether a condition as written joins nothing on its outside."""
    try:
        return not isinstance(sqlglot.parse_one(text, dialect="duckdb"), exp.Connector | exp.Not)
    except (SqlglotError, RecursionError):
        return False


def _text(part: Part) -> str:
    if isinstance(part, Group):
        return written(part)
    if isinstance(part, Written):
        return _said(part.text.strip())
    what = f"{DAYS_SINCE}({part.what.removeprefix(AGE)})" if part.what.startswith(AGE) else part.what
    values = [_constant(v) for v in part.values]
    if part.op in (NONE, SOME):
        return f"{what} {part.op.upper()}"
    if part.op == BETWEEN:
        return f"{what} BETWEEN {values[0]} AND {values[1]}"
    if part.op in (IN, NOT_IN):
        return f"{what} {part.op.upper()} ({', '.join(values)})"
    return f"{what} {part.op} {values[0]}"


def _said(text: str) -> str:
    """A condition as written, without its comments: one that runs to the end of the line would swallow what is joined to it."""
    if "--" not in text and "/*" not in text:
        return text
    try:
        return sqlglot.parse_one(text, dialect="duckdb").sql(dialect="duckdb", comments=False)
    except (SqlglotError, RecursionError):
        return text


def _constant(value: Constant) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _part(node: exp.Expr) -> Part:
    if isinstance(node, exp.Paren):
        return _part(node.this)
    if isinstance(node, exp.And | exp.Or):
        how: How = "all" if isinstance(node, exp.And) else "any"
        parts: list[Part] = []
        for side in (node.this, node.expression):
            part = _part(side)
            parts += part.parts if isinstance(part, Group) and part.how == how and not part.negated else [part]
        return Group(how=how, parts=tuple(parts))
    if isinstance(node, exp.Not):
        return _not(_part(node.this))
    return _test(node) or Written(text=node.sql(dialect="duckdb"))


def _not(part: Part) -> Part:
    if isinstance(part, Group) and not part.negated:
        return Group(how=part.how, negated=True, parts=part.parts)
    if isinstance(part, Condition) and part.op in (NONE, IN):
        return Condition(what=part.what, op=SOME if part.op == NONE else NOT_IN, values=part.values)
    return Group(negated=True, parts=(part,))


def _test(node: exp.Expr) -> Condition | None:
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Null):
        what = _what(node.this)
        return Condition(what=what, op=NONE) if what else None
    if isinstance(node, exp.Between):
        return _made(node.this, BETWEEN, [node.args["low"], node.args["high"]])
    if isinstance(node, exp.In) and node.expressions:
        return _made(node.this, IN, node.expressions)
    op = OPS.get(type(node))
    if op is None:
        return None
    return _made(node.this, op, [node.expression]) or _made(node.expression, MIRRORED[op], [node.this])


def _made(of: exp.Expr, op: str, values: list[exp.Expr]) -> Condition | None:
    what, known = _what(of), [_value(v) for v in values]
    if not what or any(k is None for k in known):
        return None
    return Condition(what=what, op=op, values=tuple(k for k in known if k is not None))


def _what(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous) and node.name.lower() == DAYS_SINCE and len(node.expressions) == 1:
        inner = _what(node.expressions[0])
        return AGE + inner if inner and not inner.startswith(AGE) else ""
    name = ".".join(p.name for p in node.parts) if isinstance(node, exp.Column) else ""
    return name if _NAME.fullmatch(name) else ""


def _value(node: exp.Expr) -> Constant | None:
    if isinstance(node, exp.Neg):
        inner = _value(node.this)
        return -inner if isinstance(inner, int | float) and not isinstance(inner, bool) else None
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Literal):
        if node.is_string:
            return str(node.this)
        return int(node.this) if node.this.isdecimal() else float(node.this)
    return None
