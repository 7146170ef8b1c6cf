"""The condition of a rule segment in words, and cut into what can be ticked: of one person, which parts are true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import sqlglot
from sqlglot import exp

from tessera.data import rules
from tessera.insight.explain.words import Language, Word, word

WORDS: Mapping[str, Word] = {
    "as_of": Word(en="the day of the turn", zh="计算日期"),
    "customer_since": Word(en="the first day as a customer", zh="成为客户之日"),
    "orders": Word(en="the number of orders", zh="订单数", unit="times"),
    "revenue_cents": Word(en="what was spent in all", zh="累计消费", unit="money"),
    "first_order_at": Word(en="the first order", zh="首次下单"),
    "last_order_at": Word(en="the last order", zh="最近一次下单"),
    "events": Word(en="the number of visits and clicks", zh="访问与点击次数", unit="times"),
    "page_views": Word(en="the number of pages seen", zh="浏览页面数", unit="times"),
    "products_viewed": Word(en="the number of products looked at", zh="查看商品次数", unit="times"),
    "cart_additions": Word(en="the number of products put into the cart", zh="加入购物车次数", unit="times"),
    "first_seen_at": Word(en="the first visit", zh="首次访问"),
    "last_seen_at": Word(en="the last visit", zh="最近一次访问"),
    "touches": Word(en="the number of campaign touches", zh="营销触达次数", unit="times"),
    "posts": Word(en="the number of posts", zh="发帖数", unit="times"),
    "last_post_at": Word(en="the last post", zh="最近一次发帖"),
    "readings": Word(en="the number of device readings", zh="设备读数次数", unit="times"),
    "device_errors": Word(en="the number of device errors", zh="设备报错次数", unit="times"),
    "last_reading_at": Word(en="the last device reading", zh="最近一次设备读数"),
    "r_score": Word(en="the score of recency (1 to 5)", zh="最近购买评分（1至5）"),
    "f_score": Word(en="the score of frequency (1 to 5)", zh="购买频次评分（1至5）"),
    "m_score": Word(en="the score of spending (1 to 5)", zh="消费金额评分（1至5）"),
    "rfm": Word(en="the three scores together", zh="三项评分组合"),
}  # fmt: skip
"""What a rule may read (columns of FEATURES), in words."""

Op = Literal["=", "<>", "<", "<=", ">", ">="]
_OPS: Mapping[type[exp.Expr], Op] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_NOT: Mapping[Op, Op] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_TURNED: Mapping[Op, Op] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_IS: Mapping[Op, tuple[str, str]] = {
    "=": ("{a} is {b}", "{a}为 {b}"), "<>": ("{a} is not {b}", "{a}不是 {b}"),
    "<": ("{a} is below {b}", "{a}低于 {b}"), "<=": ("{a} is at most {b}", "{a}不超过 {b}"),
    ">": ("{a} is above {b}", "{a}高于 {b}"), ">=": ("{a} is at least {b}", "{a}至少为 {b}"),
}  # fmt: skip
_AGO: Mapping[Op, tuple[str, str]] = {
    "=": ("{a} was {b} days ago", "{a}距今 {b} 天"), "<>": ("{a} was not {b} days ago", "{a}距今不是 {b} 天"),
    "<": ("{a} was less than {b} days ago", "{a}距今不到 {b} 天"),
    "<=": ("{a} was at most {b} days ago", "{a}距今不超过 {b} 天"),
    ">": ("{a} was more than {b} days ago", "{a}距今超过 {b} 天"),
    ">=": ("{a} was at least {b} days ago", "{a}距今至少 {b} 天"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Part:
    """A piece of a condition: `and` and `or` have parts; `one` has its text in the small language (`when`), the figure that it
    judges (`of`; days: of how many days ago it was), and both languages' words."""

    kind: Literal["and", "or", "one"]
    parts: tuple[Part, ...] = ()
    when: str = ""
    of: str = ""
    unit: str = ""
    en: str = ""
    zh: str = ""

    def ones(self) -> Iterator[Part]:
        """What is judged by itself, in the order of the text."""
        if self.kind == "one":
            yield self
        for part in self.parts:
            yield from part.ones()

    def holds(self, said: Mapping[str, bool | None]) -> bool | None:
        """Whether it is true where its ones are so: as SQL has it, None where that is not known. said: by `when`."""
        if self.kind == "one":
            return said[self.when]
        found = [part.holds(said) for part in self.parts]
        decides = self.kind == "or"
        return decides if decides in found else None if None in found else not decides

    def sentence(self, language: Language) -> str:
        """All of it as one sentence without its full stop.

        >>> read("orders >= 5 AND NOT (days_since(last_order_at) > 90 OR posts = 0)").sentence("en")
        'the number of orders is at least 5, the last order was at most 90 days ago, and the number of posts is not 0'
        """
        if self.kind == "one":
            return self.zh if language == "zh" else self.en
        # What is joined otherwise within is taken together.
        around = ("（", "）") if language == "zh" else ("(", ")")
        said = [p.sentence(language).join(around) if p.kind != "one" else p.sentence(language) for p in self.parts]
        joined = {"and": ("and", "且"), "or": ("or", "或")}[self.kind]
        if language == "zh":
            return f"，{joined[1]}".join(said)
        return f"{', '.join(said[:-1])}{',' if len(said) > 2 or self.kind == 'and' else ''} {joined[0]} {said[-1]}"


def read(text: str, own: Mapping[str, str] | None = None) -> Part:
    """A condition of segments.yaml in parts. own: the workspace's figures by name. Raises BadInput as `rules.compiled`."""
    rules.compiled(text)
    return _read(sqlglot.parse_one(text, dialect="duckdb"), False, own or {})


def _read(tree: exp.Expr, denied: bool, own: Mapping[str, str]) -> Part:
    """denied: a NOT stands before it. It is carried inward, which changes no answer, not even that of an unknown."""
    if isinstance(tree, exp.Paren):
        return _read(tree.this, denied, own)
    if isinstance(tree, exp.Not):
        return _read(tree.this, not denied, own)
    if isinstance(tree, exp.And | exp.Or):
        kind: Literal["and", "or"] = "and" if isinstance(tree, exp.And) is not denied else "or"
        found = (_read(side, denied, own) for side in (tree.this, tree.expression))
        parts = [p for side in found for p in (side.parts if side.kind == kind else (side,))]
        return Part(kind=kind, parts=tuple(parts))
    return _one(tree, denied, own)


def _one(tree: exp.Expr, denied: bool, own: Mapping[str, str]) -> Part:
    text = tree.sql(dialect="duckdb", comments=False)
    when = f"NOT ({text})" if denied else text
    op = _OPS.get(type(tree))
    if op is not None:
        left, right = tree.this, tree.expression
        if isinstance(left, exp.Literal | exp.Neg):
            left, right, op = right, left, _TURNED[op]
        if isinstance(right, exp.Literal | exp.Neg):
            return _compared(left, _NOT[op] if denied else op, right, when)
    if isinstance(tree, exp.Is) and isinstance(tree.expression, exp.Null):
        noun = _noun(tree.this)
        if noun is not None:
            en, zh = ("{} is known", "{}已知") if denied else ("{} is not known", "{}未知")
            return _made(when, tree.this, en.format(noun.en), zh.format(noun.zh))
    return Part(kind="one", when=when, en=when, zh=when)


def _compared(left: exp.Expr, op: Op, right: exp.Expr, when: str) -> Part:
    number = right.sql(dialect="duckdb").strip("'")
    if isinstance(left, exp.Anonymous) and left.name.lower() == rules.DAYS_SINCE and (noun := _noun(left.expressions[0])):
        en, zh = _AGO[op]
        return _made(when, left, en.format(a=noun.en, b=number), zh.format(a=noun.zh, b=number), "days")
    noun = _noun(left)
    if noun is None:
        return _made(when, left, when, when)
    if noun.unit == "money":
        number = f"{float(number) / 100:,.2f}"
    en, zh = _IS[op]
    return _made(when, left, en.format(a=noun.en, b=number), zh.format(a=noun.zh, b=number), noun.unit)


def _made(when: str, of: exp.Expr, en: str, zh: str, unit: str = "") -> Part:
    return Part(kind="one", when=when, of=of.sql(dialect="duckdb", comments=False), unit=unit, en=en, zh=zh)


def _noun(tree: exp.Expr) -> Word | None:
    """The words of a column, or of a figure of the workspace's own by its name; None for anything longer."""
    if not isinstance(tree, exp.Column):
        return None
    found = word(tree.name, WORDS)
    # A figure in hundredths by its own name, too, is money.
    return Word(en=found.en, zh=found.zh, unit="money") if tree.name.endswith("_cents") and not found.unit else found
