"""lake/arrow.py: a table's columns have the types in which the engine hands rows on."""

from __future__ import annotations

from tessera.lake.arrow import schema
from tessera.lake.engine import connect
from tessera.loop import tables


def test_every_table_of_the_lake_has_the_types_that_the_engine_writes() -> None:
    con = connect()
    for table in tables():
        columns = ", ".join(f"NULL::{c.lake_type} AS {c.name}" for c in table.columns)
        assert schema(table).equals(con.sql(f"SELECT {columns}").to_arrow_table().schema), table.name
