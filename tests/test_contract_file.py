"""contract_file.py and contract_field.py: what a contract says becomes a Contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from given_workspace import ENV, SHOP, WORDS, given
from tessera.config import Contract, Field, Rule
from tessera.errors import BadWorkspace
from tessera.workspace import load


def shop(root: Path, *changes: tuple[str, str]) -> Contract:
    """The contract of the shop, with texts exchanged."""
    text = SHOP
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    if not (root / "tessera.yaml").exists():
        given(root)
    (root / "sources" / "shop.odcs.yaml").write_text(text, "utf-8")
    return load(root, words=WORDS, env=ENV).sources[1]


def fields(contract: Contract) -> dict[str, Field]:
    return {field.name: field for field in contract.fields}


def crm(root: Path) -> Contract:
    return load(given(root), words=WORDS, env=ENV).sources[0]


def test_a_file_source(tmp_path: Path) -> None:
    found = crm(tmp_path / "acme")
    assert (found.kind, found.record, found.format, found.path) == ("file", "person", "csv", "files/crm-*.csv")
    assert (found.sync, found.rank, found.department) == ("snapshot", 10, "sales")
    assert (found.fresh_hours, found.keep_days) == (24.0, 3 * 365)
    assert found.rules == (Rule(metric="missingValues", column="email", at_most_percent=5, dimension="completeness"),)
    assert found.goal_percent == 95.0


def test_a_database_source(tmp_path: Path) -> None:
    found = shop(tmp_path / "acme")
    assert (found.kind, found.record, found.query) == ("sql", "order", "SELECT * FROM orders")
    assert found.connection == "postgresql://shop:${SHOP_PASSWORD}@${SHOP_HOST:-db}/shop"
    assert (found.sync, found.cursor, found.amounts, found.currency) == ("cursor", "changed", "units", "CHF")
    assert found.goal_percent == 97.0


def test_a_category_is_the_contracts_then_the_identifiers_then_the_columns(tmp_path: Path) -> None:
    found = fields(crm(tmp_path / "a")) | fields(shop(tmp_path / "b"))
    assert {name: found[name].category for name in ("full_name", "email", "customer_no", "newsletter", "notes")} == {
        "full_name": "user.name",
        "email": "user.contact.email",
        "customer_no": "user.unique_id",
        "newsletter": "user.privacy_preferences",
        "notes": "user",
    }
    assert found["way"].category == "user.behavior"
    assert found["total"].category == "system.operations"


def test_what_is_personal_and_has_no_place_is_sealed(tmp_path: Path) -> None:
    found = fields(shop(tmp_path / "acme"))
    assert {name for name, field in found.items() if field.sealed} == {"gift_note"}
    assert fields(crm(tmp_path / "b"))["notes"].sealed


def test_what_a_person_did_may_be_kept_open(tmp_path: Path) -> None:
    found = shop(
        tmp_path / "acme",
        ("value: user.content.private}", "value: user.behavior}, {property: sealed, value: false}"),
    )
    assert not fields(found)["gift_note"].sealed


def test_allowed_values_are_taken_as_written(tmp_path: Path) -> None:
    root = tmp_path / "acme"
    assert fields(shop(root))["way"].enum == ("web", "no")
    old = shop(
        root,
        ("        enum: [{value: web}, {value: no}]\n", ""),
        (
            "[{property: mapsTo, value: channel}]",
            "[{property: mapsTo, value: channel}, {property: enum, value: [a, 1]}]",
        ),
    )
    assert fields(old)["way"].enum == ("a", "1")


def test_options_become_what_a_value_must_satisfy(tmp_path: Path) -> None:
    total = fields(shop(tmp_path / "a"))["total"]
    assert (total.minimum, total.maximum) == (0, 100000)
    found = fields(crm(tmp_path / "b"))
    assert (found["email"].max_length, found["joined"].date_format) == (254, "%d.%m.%Y")


def test_the_physical_name_is_the_name_in_the_source(tmp_path: Path) -> None:
    found = shop(
        tmp_path / "acme",
        ("      - name: total", "      - name: total\n        physicalName: TOTAL_AMT"),
        ("  - name: orders", "  - name: orders\n    physicalName: shop.orders"),
        ("      - {property: query, value: SELECT * FROM orders}\n", ""),
    )
    assert fields(found)["total"].where == "TOTAL_AMT"
    assert found.query == "SELECT * FROM shop.orders"


def test_another_tools_properties_are_left_alone(tmp_path: Path) -> None:
    assert shop(
        tmp_path / "acme",
        ("  - {property: record", "  - {property: lawfulBasis, value: contract}\n  - {property: record"),
        ("    quality:\n", "    quality:\n      - {type: text, description: Orders are never deleted.}\n"),
        ("servers:\n", "tags: [x]\ndescription: {purpose: all}\nsupport: [{channel: c}]\ndomain: d\nservers:\n"),
    )


@pytest.mark.parametrize(
    ("unit", "value", "hours"), [("h", 4, 4.0), ("hours", 4, 4.0), ("d", 2, 48.0), ("min", 30, 0.5), ("weeks", 1, 168)]
)
def test_latency_in_any_unit_of_time(tmp_path: Path, unit: str, value: int, hours: float) -> None:
    promise = f"slaProperties: [{{property: latency, value: {value}, unit: {unit}}}]\nservers:\n"
    assert shop(tmp_path / "acme", ("servers:\n", promise)).fresh_hours == hours


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ([("  - {property: cursor, value: changed}\n", "")], "need each other"),
        ([("type: custom", "type: local\n    path: a\n    format: csv")], "files have no cursor"),
        ([("value: cursor}", "value: snapshot}"), ("  - {property: cursor, value: changed}\n", ""),
          ("        primaryKey: true\n", "")], "found no primary key"),
        ([("value: order}", "value: event}"), ("order_id", "product_id"),
          ("amounts, value: units", "deriveOrders, value: true")], "deriveOrders on 'event'"),
        ([("[{property: identifier, value: email}, ", "[")], "found joins without identifier"),
        ([("joins, value: false", "joinsIf, value: way")],
         "found 'way', a string, expected a property with logicalType boolean"),
        ([("joins, value: false", "joinsIf, value: total"),
          ("logicalType: string\n        enum:", "logicalType: boolean\n        enum:")],
         "found 'total', a number, expected .* boolean: one of way"),
        ([("value: email}, {property: joins, value: false", "value: user_id}, {property: joinsIf, value: way")],
         "found joinsIf on 'user_id', expected it beside the identifier email or phone"),
        ([("[{property: identifier, value: email}, {property: joins, value: false", "[{property: joinsIf, value: way")],
         "found joinsIf without identifier"),
        ([("value: false}", "value: false}, {property: joinsIf, value: way}")], "found both joins and joinsIf"),
        ([("quality:\n", "quality:\n      - {type: sql, query: SELECT 1, mustBe: 0}\n")], "found 'sql', expected"),
        ([("quality:\n", "quality:\n      - {mustBe: 0}\n")], "the key 'metric' is missing"),
        ([("missingValues, mustBeLess", "missingValues, mustBe: 0, mustBeLess")], "found mustBe and mustBeLess"),
        ([("value: SELECT * FROM orders", "value: SELECT 1; SELECT 2")], "expected one SELECT"),
        ([("servers:\n", "slaProperties: [{property: latency, value: 4}]\nservers:\n")], "latency needs one"),
        ([("{property: query, value: SELECT * FROM orders}", "{property: table, value: a b}")], "the name of a table"),
        ([("customProperties:\n  - {property: record", "customProperties:\n  - {property: rank, value: 1}\n"
           "  - {property: rank, value: 2}\n  - {property: record")], "found the property 'rank' again"),
        ([("  - {property: record, value: order}\n", "")], "the custom property 'record' is missing"),
        ([("schema:\n", "team: {nam: x}\nschema:\n")], "found 'nam', expected one of name"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_told(tmp_path: Path, changes: list[tuple[str, str]], answer: str) -> None:
    with pytest.raises(BadWorkspace, match=answer):
        shop(tmp_path / "acme", *changes)


def test_a_person_record_needs_an_identifier(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    path = root / "sources" / "crm.odcs.yaml"
    text = path.read_text("utf-8")
    path.write_text("\n".join(line for line in text.split("\n") if "identifier, value" not in line), "utf-8")
    with pytest.raises(BadWorkspace, match="found a person record without one, expected at least one property with"):
        load(root, words=WORDS, env=ENV)


def test_a_pattern_that_the_engine_cannot_run_is_refused_and_others_are_not(tmp_path: Path) -> None:
    root = given(tmp_path / "acme")
    path = root / "sources" / "crm.odcs.yaml"
    text = path.read_text("utf-8")
    for pattern, good in [
        ("[*+]+", True), (r"\\++", True), ("(?i)a", True), ("(?:a|b){2}", True), ("(?P<x>a)", True),
        ("a(?!b)", False), ("(?<=a)b", False), (r"(a)\\1", False), ("a++", False), ("(?>a)", False), ("(a", False),
    ]:  # fmt: skip
        path.write_text(text.replace("[^@ ]+@[^@ ]+", pattern), "utf-8")
        if good:
            load(root, words=WORDS, env=ENV)
        else:
            with pytest.raises(BadWorkspace, match="a regular expression"):
                load(root, words=WORDS, env=ENV)


def test_an_identifier_may_join_only_where_another_property_below_it_is_true(tmp_path: Path) -> None:
    found = shop(
        tmp_path / "acme",
        ("joins, value: false", "joinsIf, value: sure"),
        ("      - name: way", "      - name: sure\n        logicalType: boolean\n      - name: way"),
    )
    assert (fields(found)["mail"].joins, fields(found)["mail"].joins_if) == (True, "sure")
    assert fields(crm(tmp_path / "b"))["email"].joins_if is None
