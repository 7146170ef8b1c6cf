"""The demo's workspace: its files name what the made-up world really has."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from tessera.data.raw import RAW
from tessera.demo.workspace import write
from tessera.workspace import load

SOURCES = {
    "crm", "orders", "order_items", "payments", "devices", "web_events", "posts", "telemetry", "touches", "rates",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, user="ann")
    return tmp_path


def test_the_workspace_loads_without_a_mistake(root: Path) -> None:
    words = {kind: {c.name: c.category for c in table.columns} for kind, table in RAW.items()}
    config = load(root, words=words, env={})
    assert {c.name for c in config.sources} == SOURCES | {"decisions"} and [p.name for p in config.decisions] == ["home_banner"]
    assert set(config.purposes) == {"operate", "analytics", "personalise", "marketing", "sharing"}
    assert config.as_of == "2026-11-20"
    assert [(a.name, len(a.roles)) for a in config.access.actors] == [("user:ann", 7)]
    consents = {f.consent for c in config.sources if c.name == "web_events" for f in c.fields if f.consent}
    assert consents == {"analytics", "personalise", "marketing", "sharing"}


def test_written_again_the_files_are_the_same(root: Path) -> None:
    before = {path: path.read_bytes() for path in write(root, user="ann")}
    assert {path: path.read_bytes() for path in write(root, user="ann")} == before


def test_every_property_is_found_in_the_world(root: Path, world: Path) -> None:
    (root / "world").symlink_to(world)
    for path in sorted((root / "sources").iterdir()):
        contract: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        wanted = {p.get("physicalName", p["name"]) for p in contract["schema"][0]["properties"]}
        missing = wanted - _columns(root, contract["servers"][0])
        assert not missing, f"{path.name}: {sorted(missing)}"


def _columns(root: Path, server: dict[str, Any]) -> set[str]:
    if server["type"] == "sqlite":
        ours = {p["property"]: p["value"] for p in server["customProperties"]}
        query = ours.get("query") or f"SELECT * FROM {ours['table']}"
        shop = sqlite3.connect(root / ours["connection"].removeprefix("sqlite:///"))
        return {column[0] for column in shop.execute(query).description}
    files = sorted(root.glob(server["path"]))
    assert files, server["path"]
    if server["format"] == "parquet":
        return set(pq.read_schema(files[0]).names)
    if server["format"] == "csv":
        with files[0].open(encoding="utf-8", newline="") as text:
            return set(next(csv.reader(text)))
    found: set[str] = set()
    for path in files:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in data.splitlines():
            found |= set(_paths(json.loads(line)))
    return found


def _paths(value: dict[str, Any], before: str = "") -> list[str]:
    made: list[str] = []
    for key, inner in value.items():
        made += _paths(inner, f"{before}{key}.") if isinstance(inner, dict) else [before + key]
    return made
