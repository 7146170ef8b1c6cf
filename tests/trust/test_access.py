"""Who may see what for what: the matrix, the masks and the rows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, get_args

import pytest
from given_gate import PURPOSES
from hypothesis import given, settings
from hypothesis import strategies as st

from tessera.config import Access, Actor, Config, Grant, RowRule, Verdict
from tessera.data.raw import RECORDS, TOUCHES
from tessera.errors import NotAllowed, NotFound
from tessera.fideslang import covers
from tessera.lake.engine import connect
from tessera.lake.table import Column, Table
from tessera.trust import access
from tessera.trust.access import STRICTNESS, Reader

CATEGORIES = ("user", "user.contact", "user.contact.email", "user.behavior", "system", "system.operations", "*")
ASKED = ("user.contact.email", "user.contact", "user.behavior.purchase_history", "user.name", "system.operations")
some = st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=3).map(tuple)
grants = st.lists(
    st.builds(
        Grant,
        roles=st.sampled_from([("analyst",), ("sales",), ("analyst", "sales")]),
        purposes=st.sampled_from([("operate",), ("marketing",), ("operate", "marketing")]),
        categories=some,
        verdict=st.sampled_from(get_args(Verdict)),
    ),
    max_size=6,
)


def matrix(*given: Grant, rows: tuple[RowRule, ...] = ()) -> Access:
    return Access(roles=("analyst", "sales"), actors=(), grants=given, row_rules=rows)


@settings(max_examples=300, deadline=None)
@given(grants, st.sampled_from(["analyst", "sales"]), st.sampled_from(["operate", "marketing"]), st.sampled_from(ASKED))
def test_the_longest_line_decides_the_strictest_of_equals_and_nothing_means_no(
    lines: list[Grant], role: str, purpose: str, category: str
) -> None:
    seen = access.verdict(matrix(*lines), role, PURPOSES[purpose], category)
    bound = PURPOSES[purpose].categories
    if category.startswith("user") and bound and not any(covers(b, category) for b in bound):
        assert seen.verdict == "hidden"
        return
    meant = [
        (0 if prefix == "*" else len(prefix), STRICTNESS[g.verdict])
        for g in lines
        for prefix in g.categories
        if role in g.roles and purpose in g.purposes and (prefix == "*" or covers(prefix, category))
    ]
    assert STRICTNESS[seen.verdict] == (max(meant)[1] if meant else STRICTNESS["hidden"])


def test_a_category_does_not_cover_one_that_only_begins_like_it() -> None:
    lines = matrix(Grant(roles=("*",), purposes=("*",), categories=("user.contact",), verdict="clear"))
    assert access.verdict(lines, "analyst", PURPOSES["operate"], "user.contact_list").verdict == "hidden"
    assert access.verdict(lines, "analyst", PURPOSES["operate"], "user.contact.email").verdict == "clear"


VALUES: dict[str, list[Any]] = {
    "VARCHAR": ["A", "AB", "Bath", "x" * 40, "é", "•••", "", "Mira Quandtova"],
    "INTEGER": [0, 1, 7, 99, 12345, -5],
    "BIGINT": [1, 12_345_678],
    "DOUBLE": [0.5, 3.25, 1e9],
    "BOOLEAN": [True, False],
    "DATE": [date(1990, 4, 7)],
    "TIMESTAMPTZ": [datetime(2026, 5, 6, 7, 8, 9)],
}


@pytest.mark.parametrize("kind", VALUES)
def test_a_masked_value_is_never_given_nor_most_of_it(kind: str) -> None:
    con = connect()
    for value in VALUES[kind]:
        column = Column(name="v", type=kind)
        query = f"SELECT {access.masked(column, 'masked')} FROM (SELECT ?::{kind} AS v)"
        (shown,) = con.execute(query, [value]).fetchall()[0]
        if kind != "VARCHAR":
            assert shown is None
        else:
            assert shown != value or value == access.VEIL
            assert shown.removesuffix(access.VEIL) in ("", value[:1])
            assert len(value) > 2 or shown == access.VEIL
    (shown,) = con.execute(
        f"SELECT {access.masked(Column(name='v', type=kind), 'masked')} FROM (SELECT NULL::{kind} AS v)"
    ).fetchall()[0]
    assert shown is None


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("VARCHAR", "Bath", None),
        ("DATE", date(1990, 4, 7), date(1990, 1, 1)),
        ("INTEGER", 12345, 12300),
        ("BIGINT", 99, 0),
        ("DOUBLE", 47.0, 50.0),
        ("BOOLEAN", True, None),
    ],
)
def test_a_generalised_value_is_coarser(kind: str, value: Any, shown: Any) -> None:
    query = f"SELECT {access.masked(Column(name='v', type=kind), 'generalised')} FROM (SELECT ?::{kind} AS v)"
    assert connect().execute(query, [value]).fetchall() == [(shown,)]


@pytest.mark.parametrize(
    ("column", "country_there", "shown"),
    [("city", True, "CH"), ("region", True, "CH"), ("country", True, "CH"), ("city", False, None), ("language", True, "zh")],
)
def test_a_generalised_place_is_its_country_and_a_language_is_told_without_its_region(
    column: str, country_there: bool, shown: str | None
) -> None:
    category = "user.demographic" if column == "language" else "user.location"
    columns = [Column(name=column, type="VARCHAR", category=category)]
    if country_there and column != "country":
        columns.append(Column(name="country", type="VARCHAR", category="user.location"))
    table = Table(name="t", whose="nobody", columns=tuple(columns))
    row = "SELECT 'Bern' AS city, 'BE' AS region, 'CH' AS country, 'zh_CN' AS language"
    query = f"SELECT {access.masked(columns[0], 'generalised', table)} FROM ({row})"
    assert connect().execute(query).fetchall() == [(shown,)]


@pytest.mark.parametrize(
    ("column", "text", "verdict", "shown"),
    [
        ("email", "mira@post.example", "masked", "m•••@•••"),
        ("email", "al@post.example", "masked", "•••@•••"),
        ("name", "Mira", "masked", "M•••"),
        ("name", "Al", "masked", "•••"),
        ("phone", "+447911123456", "masked", "•••56"),
        ("phone", "+447911123456", "generalised", "+44•••"),
        ("phone", "007", "generalised", "•••"),
        ("born", "1990-04-07", "generalised", "1990"),
        ("born", "1990", "generalised", "1990"),
        ("born", "07.04.1990", "generalised", "•••"),
        ("born", "199012345", "generalised", "•••"),
        ("email", "mira@post.example", "generalised", "•••@post.example"),
        ("name", "Mira", "generalised", "M•••"),
        ("name", "Al", "generalised", "•••"),
        ("phone", "+4479", "masked", "•••"),
        ("email", "mira@post.example", "clear", "mira@post.example"),
    ],
)
def test_a_sealed_value_is_veiled_as_the_verdict_says(column: str, text: str, verdict: Verdict, shown: str) -> None:
    assert access.veiled(column, text, verdict) == shown


def rule(values: tuple[str, ...], column: str = "region") -> RowRule:
    return RowRule(roles=("sales",), tables=("records",), column=column, values=values)


@pytest.mark.parametrize(
    ("said", "attributes", "kept"),
    [
        (rule(("north",)), {}, ["north"]),
        (rule(("$region",)), {"region": "south"}, ["south"]),
        (rule(("$region",)), {}, []),
        (rule(("$region", "north")), {}, ["north"]),
        (rule(("north", "")), {}, ["north", ""]),
        (rule(("o'north",)), {}, []),
        (rule(("north",), column="nowhere"), {}, []),
        (rule(("north",), column="key_id"), {}, []),
        (rule(("1",), column="key_id"), {}, ["north"]),
    ],
)
def test_a_row_rule_keeps_rows_of_the_named_values_alone(said: RowRule, attributes: dict[str, str], kept: list[str]) -> None:
    reader = Reader(
        actor=Actor(name="user:ann", roles=("sales",), attributes=attributes), role="sales", purpose=PURPOSES["operate"]
    )
    where = access.row_condition(said, reader, RECORDS)
    found = connect().execute(
        f"SELECT region FROM (VALUES ('north', 1), ('south', 2), ('', 3), (NULL, 4)) t(region, key_id) "
        f"WHERE {where} ORDER BY key_id"
    )
    assert [r[0] for r in found.fetchall()] == kept


def test_row_rules_are_of_a_role_and_a_table() -> None:
    lines = matrix(rows=(rule(("north",)),))
    sales = Reader(actor=Actor(name="user:ann", roles=("sales",)), role="sales", purpose=PURPOSES["operate"])
    assert access.row_rules(lines, sales, RECORDS) and not access.row_rules(lines, sales, TOUCHES)
    analyst = Reader(actor=sales.actor, role="analyst", purpose=sales.purpose)
    assert not access.row_rules(lines, analyst, RECORDS)


def test_a_reader_is_an_actor_in_a_role_of_hers_for_a_known_purpose(tmp_path: Any) -> None:
    ann = Actor(name="user:ann", roles=("sales", "analyst"))
    config = Config(
        root=tmp_path, name="t", purposes=PURPOSES, access=Access(roles=("sales", "analyst", "owner"), actors=(ann,), grants=())
    )
    assert access.who(config, None, "operate", "user:ann").role == "sales"
    assert access.who(config, "analyst", "operate", "user:ann").role == "analyst"
    for role, purpose, actor, error in (
        ("owner", "operate", "user:ann", NotAllowed),
        (None, "operate", "user:bob", NotAllowed),
        ("king", "operate", "user:ann", NotFound),
        (None, "spying", "user:ann", NotFound),
    ):
        with pytest.raises(error):
            access.who(config, role, purpose, actor)
