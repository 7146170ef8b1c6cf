from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from given_sources import Keys, commit, landed, values
from given_sources import contract as given

from tessera.config import Contract
from tessera.data.sources import sql
from tessera.errors import BadSource
from tessera.lake.state import State

KEYS = Keys()
SQLITE = "sqlite:///shop.db"


def contract(url: str = SQLITE, query: str = "SELECT * FROM orders", **more: Any) -> Contract:
    return given("", kind="sql", connection=url, query=query, **more)


def database(root: Path, *rows: tuple[Any, ...]) -> None:
    with sqlite3.connect(root / "shop.db") as db:
        db.execute("CREATE TABLE IF NOT EXISTS orders(id, amount, at)")
        db.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)


def read(made: Contract, root: Path, state: State, **more: int) -> list[tuple[Any, ...]]:
    return landed(sql.read(made, root, state, KEYS, **more), state)


def test_a_relative_sqlite_file_is_one_of_the_workspace_and_values_are_text(root: Path, state: State) -> None:
    database(root, (1, 2.5, "2024-01-31"), (None, 1e-7, b"ab"))
    assert read(contract(sync="snapshot"), root, state) == [("1", "2.5", "2024-01-31"), (None, "0.0000001", "YWI=")]


def test_sqlite_is_opened_for_reading_only(root: Path, state: State) -> None:
    database(root)
    with pytest.raises(BadSource):
        read(contract(query="DELETE FROM orders RETURNING id", sync="snapshot"), root, state)


def test_a_cursor_takes_each_row_once_and_those_of_its_last_value_again(root: Path, state: State) -> None:
    made = contract(cursor="AT", sync="cursor")
    database(root, (1, 1, "b"), (2, 1, "a"), (3, 1, "c"), (4, 1, None), (5, 1, "c"))
    assert [row[0] for row in read(made, root, state)] == ["4", "2", "1", "3", "5"]
    assert read(made, root, state) == []
    database(root, (6, 1, "c"), (7, 1, None), (8, 1, "a"))
    assert [row[0] for row in read(made, root, state)] == ["3", "5", "6"]
    database(root, (9, 1, "d"))
    assert [row[0] for row in read(made, root, state)] == ["3", "5", "6", "9"]


def test_a_cursor_goes_on_after_a_crash(root: Path, state: State) -> None:
    made = contract(cursor="id", sync="cursor")
    database(root, *[(None, n, "x") for n in range(7)], *[(n, n, "x") for n in range(25)])
    seen: list[Any] = []
    for _ in range(9):
        for place, chunk in enumerate(sql.read(made, root, state, KEYS, max_rows=5)):
            if place == 3:
                break
            seen += values(chunk)
            commit(state, chunk)
    assert {row[0] for row in seen} == {None, *map(str, range(25))}
    assert [int(row[0]) for row in seen if row[0]] == sorted(int(row[0]) for row in seen if row[0])


def test_the_cursor_is_sealed_and_other_processes_find_it(root: Path, state: State) -> None:
    database(root, (1, 1, "anna@example.com"))
    read(contract(cursor="at", sync="cursor"), root, state)
    assert "anna" not in str(state.items("cursors")) and len(state.items("cursors")) == 1


def test_only_rows_without_a_cursor_value_are_remembered_too(root: Path, state: State) -> None:
    made = contract(cursor="at", sync="cursor")
    database(root, (1, 1, None))
    assert len(read(made, root, state)) == 1 and read(made, root, state) == []
    database(root, (2, 1, "x"))
    assert [row[0] for row in read(made, root, state)] == ["2"]


def test_a_snapshot_is_whole_each_time_also_when_nothing_is_left(root: Path, state: State) -> None:
    database(root, (1, 1, "a"), (2, 1, "b"))
    for _ in range(2):
        assert len(read(contract(sync="snapshot"), root, state, max_rows=1)) == 2
    with sqlite3.connect(root / "shop.db") as db:
        db.execute("DELETE FROM orders")
    (chunk,) = sql.read(contract(sync="snapshot"), root, state, KEYS)
    assert chunk.last and chunk.columns == ("id", "amount", "at") and values(chunk) == []


def test_chunks_are_bounded_in_rows_and_bytes(root: Path, state: State) -> None:
    database(root, *[(n, 1, "x" * 1000) for n in range(30)])
    made = contract(sync="snapshot")
    assert [c.rows for c in sql.read(made, root, state, KEYS, max_rows=20)] == [20, 10]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sql, "BATCH_ROWS", 5)
        assert [c.rows for c in sql.read(made, root, state, KEYS, max_bytes=9000)] == [10, 10, 10]


def test_text_that_is_not_utf8_is_rejected_and_the_rest_goes_on(root: Path, state: State) -> None:
    database(root, (1, 1, "a"), (3, 1, "c"))
    with sqlite3.connect(root / "shop.db") as db:
        db.execute("INSERT INTO orders VALUES (2, 1, CAST(x'61ff' AS TEXT))")
    (chunk,) = sql.read(contract(sync="snapshot"), root, state, KEYS)
    assert [row[0] for row in values(chunk)] == ["1", "3"]
    assert [(r.text, r.position, r.reason) for r in chunk.rejects] == [(b"2\t1\ta\xff", 3, "Datatype-Mismatch")]


def test_an_odd_query_is_taken_as_it_is(root: Path, state: State) -> None:
    database(root, (1, 1, "12:30"))
    odd = 'SELECT id AS "a.b", id AS ID, \'x:y %s\' AS "q""", at FROM orders WHERE at LIKE \'%:30\' -- all of them'
    for more in ({"sync": "snapshot"}, {"sync": "cursor", "cursor": "at"}):
        (chunk,) = sql.read(contract(query=odd, **more), root, state, KEYS)
        assert chunk.columns == ("a.b", "ID", 'q"', "at") and values(chunk) == [("1", "1", "x:y %s", "12:30")]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (contract(), "no key"),
        (contract(cursor="att", sync="cursor"), "Did you mean 'at'"),
        (contract(query="SELECT * FROM order_lines", sync="snapshot"), "no such table: order_lines"),
        (contract("sqlite:///nowhere.db", sync="snapshot"), "not there"),
        (contract("sqlite://", sync="snapshot"), "names no SQLite file"),
        (contract("no address: s3cret", sync="snapshot"), "no address"),
        (contract("nothing://ann:s3cret@db/x", sync="snapshot"), "no driver"),
        (contract("postgresql+psycopg://ann:s3cret@127.0.0.1:1/x", sync="snapshot"), "could not be reached"),
    ],
)
def test_what_goes_wrong_is_named_without_the_password(root: Path, state: State, made: Contract, why: str) -> None:
    database(root, (1, 1, "anna@example.com"))
    with pytest.raises(BadSource, match=why) as caught:
        read(made, root, state)
    assert "s3cret" not in str(caught.value) and caught.value.__cause__ is None


def test_a_file_that_is_no_database_is_named(root: Path, state: State) -> None:
    (root / "shop.db").write_bytes(b"anna@example.com" * 100)
    with pytest.raises(BadSource, match="not a database"):
        read(contract(sync="snapshot"), root, state)


@pytest.fixture
def shop(postgres: str) -> str:
    engine = sa.create_engine(postgres)
    with engine.begin() as db:
        db.exec_driver_sql("DROP TABLE IF EXISTS orders; DROP SEQUENCE IF EXISTS numbers; CREATE SEQUENCE numbers")
        db.exec_driver_sql(
            "CREATE TABLE orders(id bigint, amount numeric(20,4), at timestamptz, day date, local timestamp, ok bool, "
            'raw bytea, tags jsonb, "Mixed Name" uuid, gap interval, f float8, t text)'
        )
        db.exec_driver_sql(
            "INSERT INTO orders SELECT n, n + 0.0001, timestamptz '2024-01-01 12:00+02' + n * interval '1 s', "
            "'2024-02-03', '2024-02-03 04:05', mod(n, 2) = 0, 'ab', '{\"ä\": [1]}', "
            "'00000000-0000-0000-0000-00000000000a', '90 s', 'nan', 'ß' FROM generate_series(1, 2500) n"
        )
    engine.dispose()
    return postgres


def test_postgres_values_are_text_that_says_the_same(shop: str, root: Path, state: State) -> None:
    made = contract(shop, "SELECT * FROM orders WHERE id = 7::bigint AND t LIKE '%ß'", sync="snapshot")
    assert read(made, root, state) == [
        (
            *("7", "7.0001", "2024-01-01T10:00:07+00:00", "2024-02-03", "2024-02-03T04:05:00+00:00", "false"),
            *("YWI=", '{"ä": [1]}', "00000000-0000-0000-0000-00000000000a", "90", None, "ß"),
        )
    ]


@pytest.mark.parametrize("cursor", ["at", "id", "amount", "Mixed Name", "day", "local", "t"])
def test_postgres_cursors_of_every_type_move(shop: str, root: Path, state: State, cursor: str) -> None:
    made = contract(shop, cursor=cursor, sync="cursor")
    assert len(read(made, root, state, max_rows=1000)) == 2500
    assert read(made, root, state) == []
    engine = sa.create_engine(shop)
    with engine.begin() as db:
        name = f'"{cursor}"'
        db.exec_driver_sql(f"INSERT INTO orders ({name}) SELECT {name} FROM orders ORDER BY {name} DESC LIMIT 1")
    engine.dispose()
    assert len(read(made, root, state)) >= 2


def test_postgres_is_asked_in_a_transaction_that_only_reads(shop: str, root: Path, state: State) -> None:
    with pytest.raises(BadSource, match="25006"):
        read(contract(shop, "SELECT nextval('numbers')", sync="snapshot"), root, state)


def test_postgres_refusals_are_named_without_values(shop: str, root: Path, state: State) -> None:
    for query, why in (("SELECT * FROM nothing", "UndefinedTable"), ("SELECT 'anna'::int", "InvalidText")):
        with pytest.raises(BadSource, match=why) as caught:
            read(contract(shop, query, sync="snapshot"), root, state)
        assert "anna" not in str(caught.value)
