"""A declared table -> its columns in Arrow's types, as the engine writes them: the shape of rows handed to the lake."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from tessera.lake.engine import connect
from tessera.lake.table import Table

PLAIN = {
    "VARCHAR": pa.string(), "BOOLEAN": pa.bool_(), "TINYINT": pa.int8(), "INTEGER": pa.int32(), "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(), "DATE": pa.date32(), "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
}  # fmt: skip
"""The engine's name of a type -> Arrow's; what is composed of these (a STRUCT) the engine is asked for."""


@cache
def schema(table: Table) -> pa.Schema:
    """The table's columns in their order."""
    return pa.schema([(c.name, PLAIN.get(c.lake_type) or _composed(c.lake_type)) for c in table.columns])


@cache
def _composed(kind: str) -> pa.DataType:
    con = connect(memory="64MB", threads=1)
    try:
        return con.sql(f"SELECT NULL::{kind} AS x").to_arrow_table().schema.field("x").type
    finally:
        con.close()
