from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from given_sources import Keys, contract, landed

from tessera.config import Config, Field
from tessera.data import sources
from tessera.data.sources.proposed import proposed
from tessera.errors import BadSource
from tessera.lake.state import State

KEYS = Keys()
FIELDS = (Field(name="id", primary_key=True), Field(name="email"))
PEOPLE = [("1", "+43 660 1234567", "hello there, how are you"), ("2", "+43 660 7654321", "fine, thank you")]
TOLD = [
    "Columns found: id, tel and note.",
    "Missing: the contract names email (not required), the source has no such column.",
    "Not in the contract: tel (it looks like phone; proposed category: user.contact.phone_number). "
    "It is sealed until the contract names it.",
    "Not in the contract: note (it looks like text; proposed category: user.content). "
    "It is sealed until the contract names it.",
]


@pytest.mark.parametrize("format", ["csv", "json", "parquet", "sql"])
def test_a_check_compares_the_columns_with_the_contract_and_shows_no_value(
    root: Path, state: State, format: str
) -> None:
    file = root / "in" / "a"
    if format == "csv":
        file.write_text("id,tel,note\n" + "".join(f'{i},{tel},"{note}"\n' for i, tel, note in PEOPLE))
    elif format == "json":
        file.write_text("".join(f'{{"id": {i}, "tel": "{tel}", "note": "{note}"}}\n' for i, tel, note in PEOPLE))
    elif format == "parquet":
        pq.write_table(pa.table(dict(zip(("id", "tel", "note"), zip(*PEOPLE, strict=True), strict=True))), file)
    else:
        with sqlite3.connect(root / "shop.db") as db:
            db.execute("CREATE TABLE people(id, tel, note)")
            db.executemany("INSERT INTO people VALUES (?, ?, ?)", PEOPLE)
    if format == "sql":
        more = {"kind": "sql", "connection": "sqlite:///shop.db", "query": "SELECT * FROM people", "cursor": "id"}
        told = sources.check(
            contract(fields=FIELDS, sync="cursor", **more), Config(root=root, name="shop"), state, KEYS
        )
        assert told.pop() == "Rows without a value in id are taken at the first pass only."
    else:
        told = sources.check(contract("in/*", format, fields=FIELDS), Config(root=root, name="shop"), state, KEYS)
    assert told[0].startswith("Reached: ") and told[1:] == TOLD


def test_a_value_in_the_place_of_a_name_is_not_shown(root: Path, state: State) -> None:
    (root / "in" / "a.csv").write_text("anna@example.com,06601234567\n1,2\n")
    told = " ".join(sources.check(contract(), Config(root=root, name="shop"), state, KEYS))
    assert "anna" not in told and "0660" not in told


def test_members_of_objects_inside_have_dotted_names(root: Path, state: State) -> None:
    (root / "in" / "a.json").write_text('{"id": 1, "who": {"mail": "a@b.at"}, "tags": [1]}\nno json\n')
    told = sources.check(contract("in/*", "json"), Config(root=root, name="shop"), state, KEYS)
    assert told[1] == "Columns found: id, who.mail and tags." and "user.contact.email" in told[2]


def test_an_empty_file_has_no_columns_and_an_unreadable_one_is_named(root: Path, state: State) -> None:
    (root / "in" / "a.csv").write_text("")
    assert sources.check(contract(), Config(root=root, name="shop"), state, KEYS)[-1] == "It has no columns yet."
    for format in ("csv", "parquet"):
        (root / "in" / "a.csv").write_bytes("id\n".encode("utf-16"))
        with pytest.raises(BadSource, match=r"in/a\.csv"):
            sources.check(contract("in/*", format), Config(root=root, name="shop"), state, KEYS)


def test_the_kind_of_the_contract_chooses_the_reader(root: Path, state: State) -> None:
    (root / "in" / "a.csv").write_text("id\n1\n")
    with sqlite3.connect(root / "shop.db") as db:
        db.execute("CREATE TABLE people AS SELECT 2 AS id")
    assert landed(sources.read(contract(), Config(root=root, name="shop"), state, KEYS), state) == [("1",)]
    more = {"kind": "sql", "connection": "sqlite:///shop.db", "query": "SELECT * FROM people", "sync": "snapshot"}
    assert landed(sources.read(contract(**more), Config(root=root, name="shop"), state, KEYS), state) == [("2",)]


def test_names_of_the_environment_are_filled_in(root: Path, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(root=root, name="shop")
    (root / "in" / "a.csv").write_text("id\n1\n")
    monkeypatch.setenv("DROP", "in")
    assert landed(sources.read(contract("${DROP}/*.csv"), config, state, KEYS), state) == [("1",)]
    with pytest.raises(BadSource, match="NOT_THERE is not set"):
        sources.read(contract("${NOT_THERE}/*.csv"), config, state, KEYS)


@pytest.mark.parametrize(
    ("name", "samples", "pattern", "category"),
    [
        ("x", ["a@b.at", "", "c@d.example.org"], "e-mail", "user.contact.email"),
        ("x", ["+43 (660) 123 45 67", "0043 1 5880"], "phone", "user.contact.phone_number"),
        ("x", ["13912345678"], "phone", "user.contact.phone_number"),
        ("x", ["2024-01-31", "2024-01-31T10:00:00Z"], "date", "system.operations"),
        ("birthday", ["31.01.1990"], "date", "user.demographic.date_of_birth"),
        ("x", ["12.50", "-3"], "number", "system.operations"),
        ("customer_id", ["17", "18"], "number", "user.unique_id"),
        ("x", ["192.168.0.1", "2001:db8::1"], "IP address", "user.device.ip_address"),
        ("x", ["AT", "DE"], "code", "system.operations"),
        ("x", ["some words here", "more"], "text", "user.content"),
    ],
)
def test_a_category_is_proposed_from_what_a_column_holds(
    name: str, samples: list[str], pattern: str, category: str
) -> None:
    found = proposed(name, samples)
    assert found and (found.pattern, found.category) == (pattern, category)
    assert proposed(name, ["", " "]) is None
