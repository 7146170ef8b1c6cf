"""Segments by rule: what may be written is checked by file and line, and the table says who is in which, from when on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_people import MARCH, Shop, crowd

from tessera import segment_file
from tessera.config import SegmentRule, SegmentsConfig
from tessera.data import rules as plain
from tessera.insight import features
from tessera.insight.features import FEATURES
from tessera.insight.segments import rules
from tessera.lake.engine import connect, rows
from tessera.lake.lineage import to_spark, trace
from tessera.yamlmarks import Faults, read

OWN = {"cents_per_order": "revenue_cents / orders", "euros_per_order": "cents_per_order / 100"}
TOLD = SegmentsConfig(
    features=OWN,
    rules=(
        SegmentRule(name="big", en="Big spenders", zh="大额消费客户", when="euros_per_order > 60 AND orders >= 3"),
        SegmentRule(name="quiet", en="Quiet", zh="沉寂客户", when="days_since(last_order_at) > 100 OR orders = 0"),
    ),
)
STEPS = (features.STEP, rules.STEP)


def test_a_person_is_in_every_segment_whose_rule_is_true_of_her_from_the_day_it_became_so(tmp_path: Path) -> None:
    people = crowd()
    shop = Shop(tmp_path, TOLD, steps=STEPS).fill(people)
    shop.turn()
    big = {p for p, n, c, *_ in people if n >= 3 and c / n > 6000}
    quiet = {p for p, n, _, d, _ in people if not n or (MARCH - MARCH.fromisoformat(d)).days > 100}
    assert {p for (p,) in shop.ask("SELECT person_id FROM rule_segments WHERE segment = 'big'")} == big
    assert {p for (p,) in shop.ask("SELECT person_id FROM rule_segments WHERE segment = 'quiet'")} == quiet
    words = shop.ask("SELECT DISTINCT label_en, label_zh FROM rule_segments WHERE segment = 'big'")
    assert words == [("Big spenders", "大额消费客户")]
    later = MARCH + timedelta(days=5)
    back = min(q for q in quiet if people[q][1])
    shop.fill([(p, n, c, str(later), e) if p == back else (p, n, c, d, e) for p, n, c, d, e in people])
    shop.turn(later)
    found = shop.ask(f"SELECT segment, valid_from, valid_to FROM rule_segments WHERE person_id = {back}")
    assert found == [("quiet", MARCH, later)]
    assert shop.ask("SELECT count(*) FROM rule_segments WHERE valid_to IS NOT NULL") == [(1,)]
    shop.segments = SegmentsConfig()
    shop.turn(later + timedelta(days=1))
    assert shop.ask("SELECT count(*) FROM rule_segments WHERE valid_to IS NULL") == [(0,)]


def test_a_workspace_without_rules_has_nothing_written(tmp_path: Path) -> None:
    shop = Shop(tmp_path, steps=STEPS).fill(crowd())
    assert shop.turn()["rule_segments"].nothing


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.none() | st.integers(-50, 50), st.sampled_from(["<", ">=", "=", "<>"]), st.integers(-30, 30))
def test_the_engine_says_of_a_row_what_the_rule_says(orders: int, cents: int | None, sign: str, than: int) -> None:
    text = f"revenue_cents / orders {sign} {than} OR NOT orders BETWEEN 1 AND 2 OR coalesce(revenue_cents, 7) = 7"
    row = {"orders": orders, "revenue_cents": cents}
    known = "SELECT CAST(? AS BIGINT) AS orders, CAST(? AS BIGINT) AS revenue_cents"
    found = rows(CON, f"SELECT {rules.sql(text, {}, MARCH)} FROM ({known}) AS f", [orders, cents])
    assert found[0][0] == plain.compiled(text)(row)


CON = connect(threads=1)


@pytest.mark.parametrize(
    ("text", "condition", "says"),
    [
        ("ordrs > 3", True, "Did you mean 'orders'"),
        ("orders + 1", True, "true or false"),
        ("rfm = '555'", False, "A figure is a number"),
        ("orders > 'many'", True, "It does not fit"),
        ("person_id = 4", True, "nothing that is known"),
        ("orders > (SELECT 1)", True, "not taken"),
        ("read_csv('x') = 1", True, "not taken"),
        ("orders >", True, "no expression"),
        ("x / 2", False, "nothing that is known"),
    ],
)
def test_what_may_not_be_written_is_refused_with_the_reason(text: str, condition: bool, says: str) -> None:
    assert says in (rules.refused(text, {}, condition) or "")


def test_each_mistake_of_the_file_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "segments.yaml"
    file.write_text(
        "k: 5\nfeatures:\n  - {name: share, sql: revenue_cents / ordres}\n"
        "  - {name: per_order, sql: revenue_cents / orders}\nrules:\n"
        "  - {name: a, label: {en: A, zh: 甲}, when: per_order > 3}\n  - {name: a, label: {en: A, zh: 甲}, when: orders > 3}\n"
        "  - {name: b, label: {en: B}, when: orders > 3}\n"
    )
    faults = Faults()
    found = segment_file.segments(read(file, "segments.yaml", faults), None, rules.refused)
    assert found.features == {"per_order": "revenue_cents / orders"} and [r.name for r in found.rules] == ["a"] and found.k == 5
    told = "\n".join(faults.lines())
    assert "segments.yaml:3" in told and "segments.yaml:7" in told and "segments.yaml:8" in told


def test_rules_mean_the_same_on_spark_and_read_what_they_declare() -> None:
    schema = {"features": {c.name: c.lake_type for c in FEATURES.columns}}
    text = rules.now(TOLD, MARCH)
    assert to_spark(text, schema)
    found = trace(text, schema)
    read_ = found.direct["segment"] | found.indirect["segment"]
    assert read_ and read_ <= set(rules.STEP.lineage["segment"]) | {("features", "person_id")}
    assert tuple(rules.STEP.lineage) == rules.RULE_SEGMENTS.names
