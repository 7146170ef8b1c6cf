"""One small world, made once, that the demo's tests read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from tessera.demo.world import Summary, make


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    """1,500 people: a whole block and half a one."""
    world = tmp_path_factory.mktemp("shop") / "world"
    return world, make(world, people=1_500, seed=11)


@pytest.fixture(scope="session")
def world(made: tuple[Path, Summary]) -> Path:
    return made[0]


@pytest.fixture(scope="session")
def orders(world: Path) -> pa.Table:
    """The database's orders."""
    with closing(sqlite3.connect(world / "shop/shop.db")) as shop:
        found = shop.execute("SELECT order_id, ordered_at, amount_cents, currency FROM orders").fetchall()
    return pa.table(
        dict(zip(("order_id", "ordered_at", "amount_cents", "currency"), zip(*found, strict=True), strict=True))
    )
