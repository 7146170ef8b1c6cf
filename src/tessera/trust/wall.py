"""User SQL -> a question over gated tables: the first wall. What it does not know by name, it refuses.

The text is parsed, checked against a list of shapes and functions, its every column traced to its table, and then
written anew from the tree; nothing of the user's text reaches the engine. (The second wall is the engine's own lock.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from secrets import token_hex

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from tessera.errors import BadQuestion, NotAllowed, NotFound, UnknownTable
from tessera.lake.scopes import OutOfReach, columns, guarded, origins, parse, qualified, scopes, shallow, source
from tessera.lake.table import Table
from tessera.trust import expansion
from tessera.trust.grammar import check, measure
from tessera.trust.sealed import Lookup, Output, Sealing

Hidden = Callable[[str, str], str | None]
"""(table, column) -> why this reader may not see it, None if she may."""

NOBODY = -1
"""What stands for a key in a lookup of a value that nobody has."""

_REF = "tessera_ref"


@dataclass(frozen=True)
class Version:
    """A table as it was at a version."""

    number: int


@dataclass(frozen=True)
class Moment:
    """A table as it was at a moment (ISO 8601 text, as the user wrote it)."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Ref:
    """One mention of a gated table.

    columns: those that the question uses (for `*` all that the reader may see; none for a bare count(*)).
    keys: columns that only our lookups use; the relation must offer them too, although the reader may not see them.
    """

    id: str
    table: str
    alias: str
    as_of: Version | Moment | None
    columns: frozenset[str]
    keys: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question that passed the wall.

    tree: its qualified tree, without the user's words for sealed values. names: the output columns, in order.
    sealed_output: per output column, the (table, column) whose sealed value the door is to open, or None.
    """

    tree: exp.Query
    refs: tuple[Ref, ...]
    names: tuple[str, ...]
    sealed_output: tuple[Output, ...]
    lookups: tuple[Lookup, ...]

    @cached_property
    def pieces(self) -> tuple[str, ...]:
        """Its text, cut where something is put in: each second piece is r and a Ref.id, or k and a Lookup.name. Made once,
        for a page asks the same again and again."""
        tree, cut = self.tree.copy(), token_hex(16)
        for node in list(tree.find_all(exp.Table)):
            ref = node.meta.get(_REF)
            if ref is not None:
                alias = exp.TableAlias(this=exp.to_identifier(node.alias, quoted=True))
                node.replace(exp.Subquery(this=exp.Var(this=f"{cut}r{ref}{cut}"), alias=alias))
        for slot in list(tree.find_all(exp.Placeholder)):
            slot.replace(exp.Var(this=f"{cut}k{slot.name}{cut}"))
        return tuple(guarded(lambda: tree.sql(dialect="duckdb", comments=False)).split(cut))


def everything(table: str, column: str) -> str | None:
    """A Hidden that hides nothing."""
    return None


def read(sql: str, tables: Mapping[str, Table], hidden: Hidden = everything) -> Question:
    """The question in a text: one SELECT over the visible ones of `tables`.

    hidden: asked for every column of the tables named; a hidden column is not in `*`, and naming it is refused.
    Raises BadQuestion (a shape we do not take), NotAllowed (a function, place or column that is closed), Unreadable (a
    sealed column where only its value would do), UnknownTable or NotFound (with the nearest word).
    """
    measure(sql)
    return shallow(lambda: _Reader(tables, hidden).read(sql))


def write(question: Question, relations: Mapping[str, str], keys: Mapping[str, int | None]) -> str:
    """The question as DuckDB SQL, each gated table replaced by its relation (a SELECT made by the gate).

    relations: by Ref.id, offering at least its columns and keys. keys: by Lookup.name; None for a value nobody has.
    Raises KeyError if one is missing.
    """
    return "".join(
        piece if i % 2 == 0 else relations[piece[1:]] if piece[0] == "r" else _number(keys[piece[1:]])
        for i, piece in enumerate(question.pieces)
    )


def _number(key: int | None) -> str:
    return str(NOBODY if key is None else int(key))


class _Reader:
    """One reading; holds what is known of each mention while the tree is walked."""

    def __init__(self, tables: Mapping[str, Table], hidden: Hidden) -> None:
        self.tables = {t.name.lower(): t for t in tables.values() if t.visible}
        self.hidden = hidden
        self.used: dict[str, set[str]] = {}
        self.keys: dict[str, set[str]] = {}

    def read(self, sql: str) -> Question:
        tree = parse(sql)
        check(tree)
        types = self._types(tree, self._ctes(tree))
        spelled = _name_outputs(tree)
        expansion.check(tree, {name: len(columns) for name, columns in types.items()})
        tree = self._qualified(tree, types)
        check(tree)
        refs = self._mark(tree)
        found = scopes(tree)
        for scope in found:
            self._use(scope)
        sealing = Sealing(found, self._gated, lambda node, key: self.keys[node.meta[_REF]].add(key))
        return Question(
            tree=tree,
            refs=tuple(self._ref(node) for node in refs),
            names=_spell(tree, {c.lower(): c for t in types for c in self.tables[t].names} | spelled),
            sealed_output=sealing.outputs,
            lookups=tuple(sealing.lookups),
        )

    def _ctes(self, tree: exp.Expr) -> set[str]:
        names: set[str] = set()
        for cte in tree.find_all(exp.CTE):
            name = cte.alias.lower()
            if name in self.tables:
                raise BadQuestion(f"WITH {name} would hide the table of that name. Give it another name.")
            if name in names:
                raise BadQuestion(f"WITH {name} stands twice. Give each part its own name.")
            names.add(name)
        for named in tree.find_all(exp.Subquery, exp.Table):
            if named.alias.lower() in names and named.name.lower() != named.alias.lower():
                raise BadQuestion(f"The alias {named.alias} is also the name of a WITH part. Choose another.")
        return names

    def _types(self, tree: exp.Expr, ctes: set[str]) -> dict[str, dict[str, str]]:
        """The columns that the reader may see, of each table that the question names."""
        types: dict[str, dict[str, str]] = {}
        for node in tree.find_all(exp.Table):
            name = node.name.lower()
            if name in ctes:
                if _moment(node) is not None:
                    raise BadQuestion(f"{name} is a part of this question, without versions; move AS OF to its table.")
                continue
            if name not in self.tables:
                if not name.isidentifier():
                    raise NotAllowed("A file name cannot be asked as a table.", "Ask the gated tables by name.")
                raise UnknownTable(name, (*self.tables, *ctes))
            table = self.tables[name]
            reasons = {c.name: self.hidden(table.name, c.name) for c in table.columns}
            seen = {c.name: c.lake_type for c in table.columns if reasons[c.name] is None}
            if not seen:
                raise NotAllowed(next((r for r in reasons.values() if r), f"Table {table.name} has no columns."))
            types[name] = seen
        return types

    def _qualified(self, tree: exp.Query, types: Mapping[str, Mapping[str, str]]) -> exp.Query:
        try:
            return qualified(tree, types)
        except (NotFound, OutOfReach) as error:
            wanted = error.column if isinstance(error, OutOfReach) else error.name
            for name in types:
                for column in self.tables[name].names:
                    reason = self.hidden(self.tables[name].name, column) if column.lower() == wanted.lower() else None
                    if reason:
                        raise NotAllowed(reason) from None
            raise

    def _mark(self, tree: exp.Expr) -> list[exp.Table]:
        """Number the mentions of gated tables."""
        refs = [node for node in tree.find_all(exp.Table, bfs=False) if node.name in self.tables]
        for i, node in enumerate(refs):
            node.meta[_REF] = f"r{i}"
            self.used[f"r{i}"], self.keys[f"r{i}"] = set(), set()
        return refs

    def _gated(self, node: exp.Table) -> Table:
        return self.tables[node.name]

    def _use(self, scope: Scope) -> None:
        """Note which columns a scope uses; refuse what cannot be traced for sure."""
        sources = [j.this for j in scope.expression.args.get("joins") or []]
        first = scope.expression.args.get("from_")
        aliases = [node.alias_or_name for node in ([first.this] if first else []) + sources]
        if len(set(aliases)) < len(aliases):
            raise BadQuestion("Two tables in one FROM have the same name. Give each its own alias.")
        for origin in origins(scope).values():
            if isinstance(origin, exp.Table) and origin.name not in self.tables:
                raise UnknownTable(origin.name, self.tables)
        for column in columns(scope):
            if not column.table:
                self._check_loose(column, scope)
                continue
            found = source(scope, column)
            if isinstance(found, exp.Table):
                declared = {c.lower(): c for c in self._gated(found).names}
                if column.name not in declared:
                    raise NotFound("Column", column.name, declared)
                self.used[found.meta[_REF]].add(declared[column.name])
            elif isinstance(found, Scope):
                if _names(found).count(column.name) > 1:
                    raise BadQuestion(f"{column.table} has two columns named {column.name}. Name them apart with AS.")
            else:
                raise NotFound("Table", column.table, aliases)

    def _check_loose(self, column: exp.Column, scope: Scope) -> None:
        """A name that no table of the scope was found for (in HAVING, QUALIFY or ORDER BY) may only be an output's. The
        engine would look for it among all columns of the relations, those for our lookups too."""
        word = column.name.lower()
        for origin in origins(scope).values():
            if isinstance(origin, exp.Table):
                table = self._gated(origin)
                known = next((c for c in table.names if c.lower() == word), None)
                if known and (reason := self.hidden(table.name, known)):
                    raise NotAllowed(reason)
        if word not in {n.lower() for n in _names(scope)}:
            raise NotFound("Column", column.name, {c for o in origins(scope).values() for c in self._shown(o)})

    def _shown(self, origin: exp.Table | Scope) -> list[str]:
        """The columns of an origin that the reader may see."""
        if not isinstance(origin, exp.Table):
            return _names(origin)
        table = self._gated(origin)
        return [c for c in table.names if self.hidden(table.name, c) is None]

    def _ref(self, node: exp.Table) -> Ref:
        mark = node.meta[_REF]
        return Ref(
            id=mark,
            table=self._gated(node).name,
            alias=node.alias,
            as_of=_moment(node),
            columns=frozenset(self.used[mark]),
            keys=frozenset(self.keys[mark]),
        )


def _moment(node: exp.Table) -> Version | Moment | None:
    """The version or moment of VERSION | TIMESTAMP AS OF, or of AT (VERSION | TIMESTAMP => ...)."""
    version, when = node.args.get("version"), node.args.get("when")
    if version is None and when is None:
        return None
    if isinstance(version, exp.Expr):
        unit, point, given = str(version.this), version.args.get("kind") == "AS OF", version.args.get("expression")
    else:
        assert isinstance(when, exp.Expr)
        unit, point, given = str(when.args["kind"]), str(when.this).upper() == "AT", when.args.get("expression")
    literal = given.this if isinstance(given, exp.Cast) else given
    if point and isinstance(literal, exp.Literal):
        if unit.upper() == "VERSION" and not literal.is_string and literal.name.isdigit():
            return Version(int(literal.name))
        if unit.upper() == "TIMESTAMP" and literal.is_string:
            try:
                datetime.fromisoformat(literal.name)
            except ValueError:
                raise BadQuestion("TIMESTAMP AS OF takes a date or moment, as in '2026-01-31 18:00:00Z'.") from None
            return Moment(literal.name)
    raise BadQuestion("Of the history take one point: VERSION AS OF 3, or TIMESTAMP AS OF '2026-01-31'.")


def _names(scope: Scope) -> list[str]:
    tree = scope.expression
    return list(tree.named_selects) if isinstance(tree, exp.Query) else []


def _name_outputs(tree: exp.Expr) -> dict[str, str]:
    """Give every unnamed output its own text as a name (texts in it masked); lower-case alias -> as it was spelled."""
    for select in tree.find_all(exp.Select):
        for item in list(select.expressions):
            if not isinstance(item, exp.Column) and not item.is_star and not item.alias:
                item.replace(exp.alias_(item.copy(), _shown(item), quoted=True))
    for values in tree.find_all(exp.Values):
        alias = values.args.get("alias")
        if alias is None or not alias.columns:
            width = len(values.expressions[0].expressions)
            names = [exp.to_identifier(f"col{i}") for i in range(width)]
            values.set("alias", exp.TableAlias(this=alias.this if alias else None, columns=names))
    return {alias.alias.lower(): alias.alias for alias in tree.find_all(exp.Alias)}


def _shown(item: exp.Expr) -> str:
    """An expression as a name, as in `sum(amount)`; its texts masked, for names travel further than values may."""
    shown = item.copy()
    for literal in shown.find_all(exp.Literal):
        if literal.is_string and not isinstance(literal.parent, exp.Interval):
            literal.set("this", "?")
    return guarded(lambda: shown.sql(dialect="duckdb", normalize_functions="lower", comments=False))[:60]


def _spell(tree: exp.Query, spelled: Mapping[str, str]) -> tuple[str, ...]:
    """Name the outputs as the user, or the table's declaration, spells them."""
    names = []
    for item in tree.selects:
        name = spelled.get(item.alias_or_name, item.alias_or_name)
        if isinstance(item, exp.Alias):
            item.set("alias", exp.to_identifier(name, quoted=True))
        names.append(name)
    return tuple(names)
