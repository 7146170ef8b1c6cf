"""A new source from a page: what is proposed of its columns, what a page may not reach, and that nothing is written over."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tessera import new_source
from tessera.app import App, settings
from tessera.config import Approval
from tessera.data.sources.drafted import Draft
from tessera.errors import BadInput, BadSource, BadWorkspace, NotAllowed
from tessera.scaffold import init

ORDERS = [
    {"Order No": "o1", "Customer ID": "c1", "Order Date": "24.12.2025", "Total": "12.50", "status": "paid", "note": "ring it"},
    {"Order No": "o2", "Customer ID": "c2", "Order Date": "1.3.2026", "Total": "7", "status": "paid", "note": ""},
]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    root = tmp_path / "acme"
    init(root)
    (root / "files").mkdir()
    (root / "files" / "orders.jsonl").write_text("".join(json.dumps(o) + "\n" for o in ORDERS), "utf-8")
    with App(root) as opened:
        yield opened


def draft(**said: Any) -> Draft:
    return Draft(**{"name": "orders", "record": "order", "kind": "file", "path": "files/*.jsonl", "format": "json", **said})


def test_columns_are_proposed_by_what_they_hold_and_what_they_are_called(app: App) -> None:
    told, found = new_source.looked(app, draft())
    assert told[0].startswith("Reached: files that match: 1")
    assert [(c.name, c.use, c.type, c.date_format, c.key, c.pattern) for c in found.columns] == [
        ("Order No", "maps:order_id", "string", "", True, "code"),
        ("Customer ID", "identifier:user_id", "string", "", False, "code"),
        ("Order Date", "maps:occurred_at", "date", "dd.MM.yyyy", False, "date"),
        ("Total", "maps:amount_cents", "number", "", False, "number"),
        ("status", "maps:status", "string", "", False, "code"),
        ("note", "", "string", "", False, "text"),
    ]
    assert found.columns[-1].filled == 0.5 and found.columns[-1].category == "user.content"
    assert new_source.faults(app, found) == ()
    text = new_source.text(app, found)
    assert "ring it" not in text and "12.50" not in text


def test_where_changes_need_a_second_person_nobody_adds_a_source_alone(app: App) -> None:
    _, found = new_source.looked(app, draft(currency="EUR"))
    app.config = replace(app.config, access=replace(app.config.access, changes=Approval(people=2, roles=("owner",))))
    with pytest.raises(NotAllowed, match="second person"):
        new_source.connect(app, found, "user:ann", "owner")
    assert not (app.config.root / found.file).exists()


def test_a_connected_source_lands_with_the_next_turn(app: App) -> None:
    _, found = new_source.looked(app, draft(currency="EUR"))
    file = new_source.connect(app, found, "user:ann", "owner")
    assert file.read_text("utf-8") == new_source.text(app, found)
    entry = next(iter(app.ledger.entries(newest_first=True)))
    assert (entry.act, entry.actor, entry.note) == ("change", "user:ann", "sources/orders.odcs.yaml was written")
    root = app.config.root
    app.close()
    with App(root) as again:
        landed, _ = again.turn()
        assert landed["orders"].kept == 2 and again.lake.rows("orders") == 2  # type: ignore[union-attr]


def test_nothing_that_is_there_is_written_over(app: App) -> None:
    _, found = new_source.looked(app, draft())
    file = app.config.root / "sources" / "orders.odcs.yaml"
    file.write_text("mine", "utf-8")
    with pytest.raises(BadInput, match="already"):
        new_source.connect(app, found, "user:ann", "owner")
    assert file.read_text("utf-8") == "mine"


def test_a_contract_that_cannot_be_used_is_told_with_its_lines_and_not_written(app: App) -> None:
    _, found = new_source.looked(app, draft())
    twice = replace(found, columns=(*found.columns, replace(found.columns[0], name="Other No")))
    with pytest.raises(BadWorkspace, match="maps to 'order_id'"):
        new_source.connect(app, twice, "user:ann", "owner")
    assert not (app.config.root / "sources" / "orders.odcs.yaml").exists()
    settings(app.config.root)


@pytest.mark.parametrize("path", [
    "/etc/passwd", "../other/x.csv", "files/../../x.csv", "var/keys/master.key", "var/*.csv", "*/keys/*", "**/*.key",
    "${HOME}/x.csv", "", ".git/config", "files/link.csv", "files/inward.csv",
])  # fmt: skip
def test_a_page_reads_files_below_the_workspace_alone(path: str, app: App, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text("a,b\n1,2\n", "utf-8")
    (app.config.root / "files" / "link.csv").symlink_to(tmp_path / "outside.csv")
    (app.config.root / "files" / "inward.csv").symlink_to(app.config.var / "keys" / "master.key")
    with pytest.raises(BadInput):
        new_source.looked(app, draft(path=path, format="csv"))


@pytest.mark.parametrize("connection", [
    "postgresql://ann:hunter2@db/shop", "postgresql://ann:${TESSERA_MASTER_KEY}@db/shop", "postgresql://ann:${OIDC_SECRET}@db/x",
    "postgresql://ann:${NOT_SET_ANYWHERE}@db/shop", "sqlite:////etc/shop.db", "sqlite:///var/vault.db",
    "sqlite:///../shop.db", "sqlite:///${HOME}/shop.db", "shop",
])  # fmt: skip
def test_no_secret_of_the_house_and_no_file_outside_is_reached_by_a_connection(
    connection: str, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TESSERA_MASTER_KEY", "OIDC_SECRET"):
        monkeypatch.setitem(os.environ, name, "s3cret")
    with pytest.raises((BadInput, BadSource)) as no:
        new_source.looked(app, draft(kind="sql", connection=connection, table="orders"))
    assert "hunter2" not in str(no.value) and "s3cret" not in str(no.value)


def test_a_database_of_the_workspace_is_looked_at(app: App) -> None:
    with sqlite3.connect(app.config.root / "files" / "shop.db") as shop:
        shop.execute("CREATE TABLE orders (order_id TEXT, customer_id TEXT, amount_cents INTEGER, created_at TEXT)")
        shop.execute("INSERT INTO orders VALUES ('o1', 'c1', 1250, '2026-01-02T10:00:00Z')")
    said = draft(kind="sql", connection="sqlite:///files/shop.db", table="orders", sync="cursor", cursor="created_at")
    told, found = new_source.looked(app, said)
    assert told == ["Reached: the database answers; nothing was taken yet."] and found.amounts == "cents"
    assert [c.use for c in found.columns] == ["maps:order_id", "identifier:user_id", "maps:amount_cents", "maps:occurred_at"]
    assert new_source.faults(app, found) == ()


@pytest.mark.parametrize("name", ["", "Crm", "a b", "../x", "x" * 64, "1crm"])
def test_a_name_is_one_that_a_contract_may_have(name: str, app: App) -> None:
    with pytest.raises(BadInput, match="small letters"):
        new_source.looked(app, draft(name=name))


def test_the_door_for_events_has_a_contract_that_can_be_used(app: App) -> None:
    assert new_source.faults(app, new_source.tracking("website", app)) == ()
