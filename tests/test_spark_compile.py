"""Every SQL step compiles to Spark's dialect, from the first day."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from tessera.config import Config, Contract, Purpose
from tessera.errors import BadInput
from tessera.lake.engine import connect, rows
from tessera.lake.lineage import to_spark
from tessera.lake.step import Step
from tessera.loop import STEPS, tables

SCHEMA = {t.name: {c.name: c.lake_type for c in t.columns} for t in tables()}
CONFIG = Config(
    root=Path("."),
    name="test",
    sources=(Contract(name="crm", file=Path("crm"), kind="file", record="person", fields=(), rank=5),),
    purposes={
        name: Purpose(name=name, data_use="", basis="consent", sentence={}, bit=i)
        for i, name in enumerate(("operate", "analytics"))
    },
)
SQL_STEPS = [s for s in STEPS if s.sql is not None]


def text(step: Step) -> str:
    assert step.sql is not None
    return step.sql(CONFIG)


@pytest.mark.parametrize("step", SQL_STEPS, ids=lambda s: s.name)
def test_a_sql_step_compiles_to_spark(step: Step) -> None:
    spark = to_spark(text(step), SCHEMA, step=True)
    tree = sqlglot.parse_one(spark, read="spark")
    assert isinstance(tree, exp.Query)
    assert not list(tree.find_all(exp.Anonymous))


@pytest.mark.parametrize("step", SQL_STEPS, ids=lambda s: s.name)
def test_a_sql_step_makes_its_declared_columns_in_duckdb(step: Step) -> None:
    con = connect()
    con.execute("ATTACH ':memory:' AS lake")
    for table in tables():
        columns = ", ".join(f"NULL::{c.lake_type} AS {c.name}" for c in table.columns)
        con.execute(f"CREATE TABLE lake.{table.name} AS SELECT {columns} WHERE FALSE")
    made = rows(con, f"DESCRIBE {text(step)}")
    declared = {c.name: c.lake_type for c in step.writes.columns}
    assert [r[0] for r in made] == list(step.writes.names)
    con.execute(f"CREATE TABLE want AS SELECT {', '.join(f'NULL::{t} AS {n}' for n, t in declared.items())}")
    assert {r[0]: r[1] for r in made} == {r[0]: r[1] for r in rows(con, "DESCRIBE want")}


def test_a_moment_of_the_clock_has_no_place_in_a_step() -> None:
    with pytest.raises(BadInput, match="reads the clock"):
        to_spark("SELECT now() AS t", step=True)


def test_structs_are_for_steps_alone() -> None:
    sql = "SELECT max(struct_pack(r := 1, v := name)) AS s FROM records"
    assert "STRUCT" in to_spark(sql, SCHEMA, step=True)
    with pytest.raises(BadInput, match="struct"):
        to_spark(sql, SCHEMA)
