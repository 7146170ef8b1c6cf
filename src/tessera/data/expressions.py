"""`expression` of a contract: one value of a JSON row, computed from others in the SQL that people ask in.

Names are places in the row, with dots (`customer.email`) and, in lists, numbers from 1 (`line_items[1].sku`); each is text.
Only the catalogue's functions are taken (lake/functions.py), those that make a time of a number, and no query: so an
expression sees nothing but its own row. It is written anew from its tree; where it fails (a text no number) it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tessera.errors import BadInput, BadQuestion, NotAllowed, TesseraError
from tessera.lake.engine import connect, mapped, rows
from tessera.lake.functions import AGGREGATES, CLOCK, CLOCK_NAMED, WINDOWS, word
from tessera.trust import grammar

MOMENTS = (exp.UnixToTime,)
"""to_timestamp (seconds), epoch_ms, make_timestamp (microseconds): devices count time from 1970."""

_NONE = "This is no expression over places in the row, such as customer.first || ' ' || customer.last."


@dataclass(frozen=True)
class Place:
    """A place in a row: names, and numbers (from 0) in lists."""

    steps: tuple[str | int, ...]

    @property
    def dotted(self) -> str:
        """As contracts write a place; empty where it goes through a list."""
        return ".".join(map(str, self.steps)) if all(isinstance(s, str) for s in self.steps) else ""

    @property
    def path(self) -> str:
        """As a JSON path of DuckDB."""
        named = (f"[{s}]" if isinstance(s, int) else '."' + s.replace('"', '\\"') + '"' for s in self.steps)
        return "$" + "".join(named)


@dataclass(frozen=True)
class Expression:
    """places: those that it reads."""

    places: tuple[Place, ...]
    _tree: exp.Expr

    def sql(self, texts: Mapping[Place, str]) -> str:
        """SQL of its value as text, NULL where it fails. texts: SQL of the text at each place."""

        def written(node: exp.Expr) -> exp.Expr:
            return sqlglot.parse_one(texts[self.places[int(node.name[1:])]], read="duckdb") if _is_place(node) else node

        return f"CAST(TRY({self._tree.copy().transform(written).sql(dialect='duckdb', comments=False)}) AS VARCHAR)"


@lru_cache(maxsize=1024)
def compiled(text: str) -> Expression:
    """An expression that may be used. Raises BadInput that says what in it is not taken."""
    places: list[Place] = []
    try:
        grammar.measure(text)
        query = sqlglot.parse_one(f"SELECT {text}", read="duckdb")
        if not isinstance(query, exp.Select) or any(v for k, v in query.args.items() if k not in ("expressions", "kind")):
            raise BadInput(_NONE)
        if len(query.expressions) != 1 or isinstance(query.expressions[0], exp.Alias | exp.Star):
            raise BadInput(_NONE)
        (tree,) = query.transform(lambda node: _placed(node, places)).expressions
        _judge(tree)
    except (SqlglotError, RecursionError):
        raise BadInput(_NONE) from None
    except (BadQuestion, NotAllowed) as no:
        raise BadInput(str(no)) from None
    made = Expression(tuple(places), tree)
    _fits(made)
    return made


def _fits(made: Expression) -> None:
    """Raises BadInput where the engine finds no function for what is given to it: a text that is multiplied, say."""
    con = connect(memory="64MB", threads=1, spill=None)
    try:
        with mapped("It does not fit"):
            rows(con, f"SELECT {made.sql(dict.fromkeys(made.places, 'CAST(NULL AS VARCHAR)'))}")
    finally:
        con.close()


def refused(text: str) -> str | None:
    """Why an expression may not be used, or None when it may."""
    try:
        compiled(text)
    except TesseraError as no:
        return str(no)
    return None


def _placed(node: exp.Expr, places: list[Place]) -> exp.Expr:
    """A place, however it is nested, as one name; all else as it is."""
    steps = _steps(node)
    if steps is None:
        return node
    place = Place(steps)
    if place not in places:
        places.append(place)
    return exp.column(f"p{places.index(place)}", quoted=True)


def _steps(node: exp.Expr) -> tuple[str | int, ...] | None:
    if isinstance(node, exp.Column) and all(isinstance(part, exp.Identifier) for part in node.parts):
        return tuple(part.name for part in node.parts)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Identifier):
        before = _steps(node.this)
        return None if before is None else (*before, node.expression.name)
    if isinstance(node, exp.Bracket) and len(node.expressions) == 1:
        before, number = _steps(node.this), node.expressions[0]
        # sqlglot counts from 0 where DuckDB counts from 1.
        if before is not None and isinstance(number, exp.Literal) and number.is_int and not number.name.startswith("-"):
            return (*before, int(number.name))
    return None


def _is_place(node: exp.Expr) -> bool:
    return isinstance(node, exp.Column) and node.name[:1] == "p" and node.this.quoted


def _judge(tree: exp.Expr) -> None:
    """Raises BadQuestion or NotAllowed."""
    for node in tree.walk():
        if isinstance(node, exp.Query | exp.Window | exp.Star):
            raise BadQuestion("An expression is one value of a row; it asks no table.")
        if type(node) in AGGREGATES or type(node) in WINDOWS:
            raise NotAllowed(f"Not taken: {word(node)} is over many rows, an expression over one.")
        if type(node) in CLOCK or word(node) in CLOCK_NAMED:
            raise NotAllowed(f"Not taken: {word(node)} reads the clock; name a time of the row, such as receivedAt.")
    # The grammar knows no functions that make a time of a number: their argument is judged in their place.
    grammar.check(tree.copy().transform(lambda node: exp.paren(node.this) if isinstance(node, MOMENTS) else node))
