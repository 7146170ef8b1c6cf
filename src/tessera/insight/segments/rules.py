"""FEATURES -> RULE_SEGMENTS: segments that a workspace defines by a condition, beside those that are learned.

A person may be in several, or in none. The table is a history as SEGMENTS is: a row is open while its rule is true of her.
The conditions are the small language of data/rules.py, over the columns of FEATURES and figures of the workspace's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import sqlglot
from sqlglot import exp

from tessera.config import SegmentsConfig
from tessera.data import raw, rules
from tessera.data.profiles import PROFILES
from tessera.errors import BadInput, TesseraError, nearest
from tessera.insight.features import FEATURES
from tessera.lake.engine import connect, literal, mapped, rows, value
from tessera.lake.step import Made, Run, Step
from tessera.lake.table import Column, Delete, Table
from tessera.lake.view import over

RULE_SEGMENTS = Table(
    name="rule_segments",
    whose="person:person_id",
    columns=(
        PROFILES.column("person_id"),
        Column(name="segment", type="VARCHAR", category=raw.PURCHASE, note="a rule of segments.yaml"),
        Column(name="label_en", type="VARCHAR"),
        Column(name="label_zh", type="VARCHAR"),
        Column(name="valid_from", type="DATE"),
        Column(name="valid_to", type="DATE", note="the first day on which it does not hold; null: it holds"),
    ),
    purposes=("analytics", "personalise", "marketing"),
    on_erase=Delete(),
    unique=("person_id", "segment", "valid_from"),
    whole=True,
    note="who is and was in which segment that a rule defines",
)

READ = tuple(c.name for c in FEATURES.columns if c.name != "person_id")
"""What a rule may read."""

Own = Mapping[str, str]
"""Figures of the workspace's own, by name, in the order in which they may use one another."""


def refused(text: str, own: Own, condition: bool) -> str | None:
    """Why an expression may not be used, or None when it may. condition: it says whether somebody is in a segment."""
    try:
        rules.compiled(text)
        for column in sorted(rules.columns(text)):
            if column not in READ and column not in own:
                return f"{column!r} is nothing that is known of people here. {nearest(column, (*own, *READ))}"
        return _unfit(sql(text, own, date(2000, 1, 1)), condition)
    except TesseraError as no:
        return str(no)


def sql(text: str, own: Own, as_of: date) -> str:
    """SQL of an expression over a row of `features`: NULL for what is divided by 0; days are whole days up to `as_of`."""
    day = f"DATE {literal(as_of.isoformat())}"

    def written(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and node.name in own:
            return sqlglot.parse_one(f"({sql(own[node.name], _before(own, node.name), as_of)})", read="duckdb")
        if isinstance(node, exp.Anonymous) and node.name.lower() == rules.DAYS_SINCE:
            of = node.expressions[0].transform(written).sql(dialect="duckdb")
            return sqlglot.parse_one(f"date_diff('day', CAST({of} AS DATE), {day})", read="duckdb")
        if isinstance(node, exp.Div) and not isinstance(node.expression, exp.Nullif):
            node.set("expression", exp.Nullif(this=exp.paren(node.expression), expression=exp.Literal.number(0)))
        return node

    return sqlglot.parse_one(text, read="duckdb").transform(written).sql(dialect="duckdb", comments=False)


def now(config: SegmentsConfig, as_of: date) -> str:
    """SQL over the view `features`: person_id, segment and its words, for each rule that is true of somebody."""
    parts = [
        f"SELECT person_id, {literal(r.name)} AS segment, {literal(r.en)} AS label_en, {literal(r.zh)} AS label_zh "
        f"FROM features WHERE {sql(r.when, config.features, as_of)}"
        for r in config.rules
    ]
    none = "SELECT person_id, '' AS segment, '' AS label_en, '' AS label_zh FROM features WHERE false"
    return " UNION ALL ".join(parts or [none])


def history(today: str, own: str, as_of: date) -> str:
    """SQL that continues `over`'s CTEs: RULE_SEGMENTS as of that day. own: the table as it stands. A row that would close on
    the day it opened never held, and goes."""
    day = f"DATE {literal(as_of.isoformat())}"
    same = "n.person_id = w.person_id AND n.segment = w.segment"
    return f"""{_both(today, own)}
        SELECT w.person_id, w.segment, coalesce(n.label_en, w.label_en) AS label_en,
               coalesce(n.label_zh, w.label_zh) AS label_zh, w.valid_from,
               CASE WHEN w.valid_to IS NULL AND n.person_id IS NULL THEN {day} ELSE w.valid_to END AS valid_to
        FROM was w LEFT JOIN today n ON {same} AND w.valid_to IS NULL
        WHERE w.valid_to IS NOT NULL OR n.person_id IS NOT NULL OR w.valid_from < {day}
        UNION ALL
        SELECT n.person_id, n.segment, n.label_en, n.label_zh, {day} AS valid_from, CAST(NULL AS DATE) AS valid_to
        FROM today n LEFT JOIN was w ON {same} AND w.valid_to IS NULL WHERE w.person_id IS NULL"""


def _both(today: str, own: str) -> str:
    return f", today AS ({today}), was AS (SELECT * FROM {own} AS own)"


def _before(own: Own, name: str) -> Own:
    """The figures that stand before one: it may use those alone, so that none uses itself."""
    names = list(own)
    return {n: own[n] for n in names[: names.index(name)]}


def _unfit(text: str, condition: bool) -> str | None:
    """What the engine has against an expression over FEATURES; its type has to be that of a condition, or a number."""
    # Not NULLs, of which the engine would know every answer without a look at the types.
    some = {"VARCHAR": "'x'", "DATE": "'2000-01-01'", "TIMESTAMPTZ": "'2000-01-01'"}
    row = ", ".join(f"CAST({some.get(c.lake_type, '1')} AS {c.lake_type}) AS {c.name}" for c in FEATURES.columns)
    con = connect(memory="64MB", threads=1)
    try:
        with mapped("It does not fit"):
            asked = f"SELECT {text} AS x FROM (SELECT {row}) AS f"
            rows(con, asked)
            found = rows(con, f"DESCRIBE {asked}")[0][1]
    except BadInput as no:
        return str(no)
    finally:
        con.close()
    if condition:
        return None if found == "BOOLEAN" else f"A rule is true or false of a person, as in orders >= 3; this is {found}."
    if any(number in found for number in ("INT", "DOUBLE", "DECIMAL", "FLOAT")):
        return None
    return f"A figure is a number, as in revenue_cents / orders; this is {found}."


def _run(run: Run) -> Made:
    views, told = {"features": run.views["features"]}, run.config.segments
    stands = bool(run.before) and int(value(run.con, f"SELECT count(*) FROM {run.own} AS own")) > 0
    facts = {"as_of": run.as_of.isoformat()}
    if not told.rules and not stands:
        return Made(nothing=True, facts=facts)
    return Made(select=over(views, history(now(told, run.as_of), run.own, run.as_of)), facts=facts)


_READ = tuple(("features", c) for c in READ)

STEP = Step(
    name="rule_segments",
    reads=("features",),
    writes=RULE_SEGMENTS,
    purpose="analytics",
    run=_run,
    aged=True,
    keeps=True,
    settings=lambda config: (config.segments.rules, config.segments.features),
    lineage={
        "person_id": (("features", "person_id"),),
        "segment": _READ,
        "label_en": _READ,
        "label_zh": _READ,
        "valid_from": _READ,
        "valid_to": _READ,
    },
)
