"""How large a question becomes once its stars and aliases are opened: bounded before the work is begun.

`SELECT 1 a, a + a b, b + b c, ...` and a chain of `SELECT x.*, y.*` double at every step; here they are only counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from tessera.errors import BadQuestion
from tessera.trust.grammar import MAX_NODES

_TOO_WIDE = "Opened, the stars and aliases of this question have more than {} parts. Name the columns that you need."


def check(tree: exp.Expr, widths: Mapping[str, int]) -> None:
    """Refuse a tree (not yet qualified, CTE names unique) that would outgrow MAX_NODES; BadQuestion.

    widths: the number of columns of each gated table, by lower-case name.
    """
    _Widths(tree, widths).check()
    for select in tree.find_all(exp.Select):
        if _weight(select) > MAX_NODES:
            raise BadQuestion(_TOO_WIDE.format(MAX_NODES))


class _Widths:
    """The number of columns of each query inside a tree; a CTE is counted once."""

    def __init__(self, tree: exp.Expr, widths: Mapping[str, int]) -> None:
        self.tree = tree
        self.known = dict(widths)
        self.waiting = {cte.alias.lower(): cte.this for cte in tree.find_all(exp.CTE)}

    def check(self) -> None:
        total = 0
        for select in self.tree.find_all(exp.Select):
            total += self._of(select)
            if total > MAX_NODES:
                raise BadQuestion(_TOO_WIDE.format(MAX_NODES))

    def _of(self, query: exp.Expr) -> int:
        while isinstance(query, exp.SetOperation | exp.Subquery):
            query = query.this
        if isinstance(query, exp.Values):
            return len(query.expressions[0].expressions) if query.expressions else 0
        if isinstance(query, exp.Table):
            return self._named(query.name.lower())
        if not isinstance(query, exp.Select):
            return 0
        stars = sum(1 for item in query.expressions if item.is_star)
        plain = len(query.expressions) - stars
        if not stars:
            return plain
        first = query.args.get("from_")
        sources = [first.this] if first else []
        sources += [join.this for join in query.args.get("joins") or []]
        return plain + stars * sum(self._of(s) for s in sources)

    def _named(self, name: str) -> int:
        if name in self.waiting:
            self.known[name] = self._of(self.waiting.pop(name))
        return self.known.get(name, 0)


def _weight(select: exp.Select) -> int:
    """The size of one SELECT after each alias is replaced by what it stands for; never too small."""
    aliases: dict[str, int] = {}
    total = 0
    for item in select.expressions:
        size = _size(item, aliases)
        total += size
        if item.alias:
            aliases[item.alias.lower()] = max(size, aliases.get(item.alias.lower(), 0))
        if total > MAX_NODES:
            return total
    for name in ("where", "group", "having", "qualify", "order", "distinct", "joins"):
        given = select.args.get(name) or []
        total += sum(_size(node, aliases) for node in (given if isinstance(given, list) else [given]))
    return total


def _size(node: exp.Expr, aliases: Mapping[str, int]) -> int:
    return sum(
        aliases.get(part.name.lower(), 1) if isinstance(part, exp.Column) and not part.table else 1
        for part in node.walk()
    )
