"""ancestry: every column of every step can be traced, and each run leaves its event."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from given_workspace import given
from tessera import ancestry
from tessera.ancestry import Graph, lineage, record
from tessera.app import App, settings
from tessera.config import Config
from tessera.errors import NotFound
from tessera.lake.step import Step
from tessera.loop import STEPS, tables

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SQL_STEPS = [s for s in STEPS if s.sql is not None]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SHOP_PASSWORD", "s3cret")
        return settings(given(tmp_path_factory.mktemp("workspace")))


@pytest.fixture(scope="module")
def graph(config: Config) -> Graph:
    return Graph(config)


@pytest.mark.parametrize("step", SQL_STEPS, ids=lambda s: s.name)
def test_each_column_of_a_sql_step_has_its_sources(step: Step, config: Config) -> None:
    found = lineage(step, config)
    assert set(found.direct) == set(step.writes.names)
    assert not [c for c in found.direct if not found.direct[c] | found.indirect[c]]
    assert {t for t, _ in found.names} <= set(step.reads)


@pytest.mark.parametrize("step", [s for s in STEPS if s.sql is None], ids=lambda s: s.name)
def test_what_a_python_step_declares_exists(step: Step, config: Config) -> None:
    declared = {t.name: set(t.names) for t in tables()}
    assert step.lineage and set(step.lineage) <= set(step.writes.names)
    for t, c in lineage(step, config).names:
        assert t in step.reads and c in declared[t]


def test_revenue_is_the_amount_of_orders_that_count(graph: Graph) -> None:
    [revenue] = graph.of("profiles", "revenue_cents")
    assert ("orders", "amount_cents") in revenue.direct
    assert ("orders", "status") in revenue.indirect and ("orders", "status") not in revenue.direct
    assert ("membership", "person_id") in revenue.indirect


def test_a_value_is_followed_up_to_its_source(graph: Graph) -> None:
    above = graph.upstream("profiles", "email")
    assert above["source:crm", "email"] is True
    assert above["links", "key_a"] is False
    assert graph.upstream("profiles", "last_channel")["touches", "channel"] is True


def test_a_source_s_field_is_followed_to_all_that_it_reaches(graph: Graph) -> None:
    below = graph.downstream("source:shop", "total")
    assert below["orders", "amount_cents"] is True and below["profiles", "revenue_cents"] is True
    assert below["profiles", "orders"] is False and below["quality", "ok"] is False
    assert ("profiles", "name") not in below


def test_categories_flow_with_the_value_and_apart_where_they_only_shape_it(graph: Graph) -> None:
    [email] = graph.of("profiles", "email")
    assert "user.contact.email" in email.categories
    [customers] = graph.of("profiles", "orders")
    assert "user.contact.email" not in customers.categories
    assert "user.unique_id.pseudonymous" in customers.shaped_by


def test_no_category_flows_through_a_step_that_only_counts(graph: Graph) -> None:
    for column in graph.of("quality"):
        assert column.categories == {"system.operations"} and not column.direct
    assert "user.contact.email" in graph.of("quality", "complete_percent")[0].shaped_by


def test_sealed_and_identifying_fields_are_marked(graph: Graph) -> None:
    records = {a.column: a for a in graph.of("records")}
    assert records["name"].notes == ("sealed",) and records["name"].direct == (("source:crm", "full_name"),)
    assert "identifier" in records["key_id"].notes and ("source:crm", "customer_no") in records["key_id"].direct
    assert graph.of("consents", "state")[0].direct == (("source:crm", "newsletter"),)
    assert ("source:shop", "gift_note") in graph.of("orders", "record_id")[0].direct


def test_the_columns_that_a_contract_fills_are_those_of_landing(graph: Graph, config: Config) -> None:
    for contract in config.sources:
        fields = {f.name for f in contract.fields}
        assert {name for _, name, _ in ancestry.landed(contract)} == fields


def test_an_unknown_name_is_met_with_the_nearest(graph: Graph) -> None:
    with pytest.raises(NotFound, match="profiles"):
        graph.of("profile")
    with pytest.raises(NotFound, match="revenue_cents"):
        graph.of("profiles", "revenue")


def test_a_run_leaves_its_event(tmp_path: Path, config: Config) -> None:
    step = SQL_STEPS[-1]
    for version in (3, 4):
        record(step, replace(config, root=tmp_path), [], version, 7, 21, NOON)
    path = tmp_path / "var" / "lineage" / "openlineage.jsonl"
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert len({e["run"]["runId"] for e in events}) == 2
    used = events[1]["run"]["facets"]["tesseraUse"]
    assert (used["purpose"], used["ledgerEntry"], used["rows"]) == (step.purpose, 21, 7)
    [output] = events[1]["outputs"]
    assert output["facets"]["version"]["datasetVersion"] == "4"
    assert set(output["facets"]["columnLineage"]["fields"]) == set(step.writes.names)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_of_events_is_bounded(tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "FILE_BYTES", 10)
    for version in range(3):
        record(SQL_STEPS[0], replace(config, root=tmp_path), [], version, 0, version, NOON)
    kept = sorted(p.name for p in (tmp_path / "var" / "lineage").glob("*.jsonl"))
    assert kept == ["openlineage.1.jsonl", "openlineage.jsonl"]


def test_a_turn_tells_of_each_step(tmp_path: Path) -> None:
    root = given(tmp_path / "shop")
    (root / "sources" / "shop.odcs.yaml").unlink()
    (root / "files").mkdir()
    (root / "files" / "crm-1.csv").write_text(
        "customer_no,full_name,email,joined,newsletter,notes\n1,Ann,ann@example.org,01.02.2024,yes,\n"
        "2,Bo,,02.02.2024,no,likes tea\n3,,not an address,02.02.2024,no,\n",
        "utf-8",
    )
    with App(root, clock=lambda: NOON) as app:
        app.turn()
        answer = dict(app.con.execute(f"SELECT field, valid_percent FROM {app.lake.relation('quality')}").fetchall())
    assert answer["email"] == pytest.approx(200 / 3) and answer["customer_no"] == 100
    events = [json.loads(line) for line in (root / "var/lineage/openlineage.jsonl").read_text("utf-8").splitlines()]
    assert {"profiles", "quality"} <= {e["job"]["name"] for e in events} <= {s.name for s in STEPS}
    assert "ann@" not in json.dumps(events)


def test_tables_feed_each_other_as_their_steps_read(graph: Graph) -> None:
    feeds = graph.feeds()
    assert {(read, step.writes.name) for step in STEPS for read in step.reads if read != step.writes.name} <= feeds
    assert ("source:shop", "orders") in feeds and not [a for a, b in feeds if a == b]


def test_the_fields_whose_values_lie_in_a_table_are_told_and_keys_are_not_followed(graph: Graph) -> None:
    fields = graph.fields()
    assert ("source:shop", "total") in fields["profiles"]
    assert ("source:shop", "mail") not in fields["profiles"], "it says only whose an order is"
